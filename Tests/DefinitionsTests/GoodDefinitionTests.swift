// Files that are as they should be: what they decode to, and that nothing is lost on the way to the database and back.

import Definitions
import Foundation
import Testing
import WorkflowModel

@Suite("Good definitions")
struct GoodDefinitionTests {
    private func decode(_ text: String, _ name: String = "test.yaml") throws -> WorkflowDefinition {
        let decoded = DefinitionDecoder.decode(
            text, fileName: name, options: DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases)))
        #expect(decoded.diagnostics.map { $0.rendered(file: name, source: text) } == [])
        return try #require(decoded.definition)
    }

    @Test("a good file decodes without findings", arguments: Fixtures.good + Fixtures.examples)
    func decodes(file: FixtureFile) throws {
        _ = try decode(try file.text, file.name)
    }

    @Test("the normal form decodes to an equal definition", arguments: Fixtures.good + Fixtures.examples)
    func roundTrip(file: FixtureFile) throws {
        let definition = try decode(try file.text, file.name)
        let normal = DefinitionEncoder.json(definition)
        let trusted = DefinitionDecoder.decode(json: normal)
        #expect(trusted.diagnostics == [])
        #expect(trusted.definition == definition)
        let checked = try decode(normal.compactText, "normal.json")
        #expect(checked == definition)
        #expect(DefinitionEncoder.json(checked) == normal)
        let stored = try JSONValue(parsing: JSONText(normal).text)
        #expect(DefinitionDecoder.decode(json: stored).definition == definition)
    }

    @Test("every key arrives in the model")
    func everyKey() throws {
        let file = try #require(Fixtures.good.first { $0.name == "everything.yaml" })
        let definition = try decode(try file.text)
        #expect(definition.name == "everything")
        #expect(definition.summary == "One of each, folded.")
        #expect(definition.timeout == .seconds(36 * 3600))
        #expect(definition.labels == ["team": "platform", "tier": "1"])
        #expect(definition.priority == -10)
        #expect(definition.queue == "slow")
        #expect(definition.defaults.timeout == .seconds(300))
        #expect(definition.defaults.retry?.entries == [RetryEntry(maxAttempts: 4)])
        #expect(definition.agents.map(\.name) == ["reviewer", "count"])
        guard case .http(let http) = definition.agents[0].agent.kind, case .exec(let exec) = definition.agents[1].agent.kind else {
            Issue.record("the agents are of other kinds")
            return
        }
        #expect(http.method == "PUT")
        #expect(http.headers.map(\.name) == ["authorization", "x-kind"])
        #expect(http.connectTimeout == .milliseconds(250))
        #expect(http.maxResponseBytes == 65_536)
        #expect(http.success == "status < 300 && result.ok")
        #expect(http.body == ["text": "${{ with.text }}", "flags": [true, nil, 1.5]])
        #expect(definition.agents[0].agent.timeout == .seconds(30))
        let policies = try #require(definition.agents[0].agent.retry?.entries)
        #expect(policies.map(\.on) == [["timeout", "connect", "503", "rateLimited"], ["QUOTA"]])
        #expect(policies.map(\.backoff) == [.fibonacci, RetryEntry.Backoff.none])
        #expect(policies[1].maxElapsed == .seconds(5400))
        #expect(exec.command == ["wc", "-w", "-l", "5"])
        #expect(exec.output == .text)
        #expect(exec.environment == [NamedTemplate(name: "LC_ALL", value: "C")])
        #expect(exec.maxOutputBytes == 4096)

        let steps = definition.body.steps
        #expect(steps.map(\.id) == ["review", "facts", "nested"])
        #expect(steps[0].condition == "input.text != ''")
        #expect(steps[0].verb == .agent(.named("reviewer")))
        #expect(steps[0].onError == .continue)
        #expect(steps[0].queue == "gpu")
        #expect(steps[0].priority == 100)
        guard case .block(.graph(let graph)) = steps[1].verb, case .block(.steps(let inner)) = steps[2].verb else {
            Issue.record("the blocks are of other kinds")
            return
        }
        #expect(graph[2].needs == ["words", "lines"])
        #expect(inner[0].verb == .set(["mean": "${{ steps.review.output.score }}", "text": "$${{ is literal"]))
    }

    @Test("YAML and JSON of the same workflow have the same hash, and so have two spellings of it")
    func hashes() throws {
        let yaml = """
            workflow: same
            labels: { a: "1", b: "2" }
            steps:
              - id: one
                do: [ { id: two, set: { x: 1, y: "z" } } ]
                if: ${{ input.ready }}
            """
        let json = """
            {"steps": [{"if": "input.ready", "id": "one", "do": {"steps": [{"set": {"y": "z", "x": 1}, "id": "two"}]}}],
             "labels": {"b": "2", "a": "1"}, "workflow": "same", "queue": "default", "priority": 0}
            """
        let first = try decode(yaml)
        let second = try decode(json, "same.json")
        #expect(first == second)
        #expect(contentHash(first) == contentHash(second))
        #expect(contentHash(first).count == 64)
        var changed = first
        changed.priority = 1
        #expect(contentHash(changed) != contentHash(first))
    }

    @Test("the hash of a definition stays what it is: versions are told apart by it")
    func hashIsStable() throws {
        let definition = try decode("workflow: smallest\nsteps: [ { id: only, set: 1 } ]\n")
        #expect(DefinitionEncoder.json(definition).canonicalText == #"{"steps":[{"id":"only","set":1}],"workflow":"smallest"}"#)
        #expect(contentHash(definition) == "1cbda1764a104c96f387662c3cbe369316c4ea7b334d884227fa6fb040bbfd3c")
    }

    @Test("noop agents are taken where tests and benchmarks allow them")
    func noop() throws {
        let definition = try decode(
            "workflow: bench\nagents: { nothing: { kind: noop, timeout: 5s } }\nsteps: [ { id: a, agent: nothing } ]")
        #expect(definition.agents[0].agent == AgentDefinition(kind: .noop, timeout: .seconds(5)))
    }

    @Test("a step may call an agent that is registered")
    func registeredAgents() {
        let options = DecodingOptions(registeredAgents: ["reviewer"])
        let decoded = DefinitionDecoder.decode("workflow: a\nsteps: [ { id: a, agent: reviewer } ]", fileName: "a.yaml", options: options)
        #expect(decoded.isValid)
    }

    @Test("warnings do not stand in the way")
    func warnings() {
        let decoded = DefinitionDecoder.decode("workflow: a\nsteps: [ { id: a, set: yes } ]", fileName: "a.yaml")
        #expect(decoded.isValid)
        #expect(decoded.diagnostics.map(\.severity) == [.warning])
    }

    @Test("only the words of the YAML 1.2 core schema are more than text")
    func coreSchema() throws {
        let text = """
            workflow: core
            steps:
              - id: a
                set: [true, False, null, ~, "", no, 1_000, 12:30:45, 2026-01-01, 0x1F, 0o17, -7, +3,
                  1.5, .5, 1e3, 1., -, .., 0b1, <, =, "5"]
            """
        let decoded = DefinitionDecoder.decode(text, fileName: "core.yaml")
        let expected: JSONValue = [
            true, false, nil, nil, "", "no", "1_000", "12:30:45", "2026-01-01", 31, 15, -7, 3, 1.5, 0.5, 1000.0, 1.0, "-", "..", "0b1", "<",
            "=", "5",
        ]
        #expect(decoded.errors == [])
        #expect(decoded.definition?.body.steps[0].verb == .set(expected))
    }

    @Test("a step sees what has settled before it: earlier steps, transitive needs, and both of the blocks around it")
    func scopes() throws {
        _ = try decode(
            """
            workflow: scopes
            graph:
              - { id: a, set: 1 }
              - { id: b, needs: [a], set: 1 }
              - id: c
                needs: [b]
                if: has(steps.a.error) || steps.b.status == 'skipped'
                do:
                  - { id: inner, set: "${{ steps.a.output }}" }
                  - { id: b, set: "${{ steps.b.output }} ${{ steps.inner.attempts }}" }
                output: ${{ [steps.inner.output, steps.b.output, result] }}
            output: ${{ steps.c.?output.orValue(steps['a'].finishedAt) }}
            """.replacingOccurrences(of: "steps.b.output }} ${{", with: "steps.a.output }} ${{"))
    }

    @Test("a JSON file with surrogate pairs in escapes is read")
    func surrogates() throws {
        let definition = try decode(#"{ "workflow": "smile", "steps": [ { "id": "a", "set": "\ud83d\ude00" } ] }"#)
        #expect(definition.body.steps[0].verb == .set("😀"))
    }

    @Test("a YAML file may begin with a brace")
    func flowFile() throws {
        let definition = try decode("{\"workflow\": flow, steps: [ { id: a, set: 'x' } ]}")
        #expect(definition.name == "flow")
    }

    @Test("a byte order mark and Windows line ends change nothing")
    func byteOrderMark() throws {
        let definition = try decode("\u{FEFF}workflow: bom\r\nsteps:\r\n  - id: a\r\n    set: |\r\n      one\r\n      two\r\n")
        #expect(definition.body.steps[0].verb == .set("one\ntwo\n"))
    }
}
