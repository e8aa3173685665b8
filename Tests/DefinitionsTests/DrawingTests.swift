// Drawings, differences and reports: what people and code hosts see of a workflow.

import Definitions
import Testing
import WorkflowModel

@Suite("Drawings, differences, reports")
struct DrawingTests {
    private func decode(_ text: String) throws -> WorkflowDefinition {
        let decoded = DefinitionDecoder.decode(
            text, fileName: "test.yaml", options: DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases)))
        #expect(decoded.errors.map { $0.rendered(file: "test.yaml", source: text) } == [])
        return try #require(decoded.definition)
    }

    private static let diamond = """
        workflow: diamond
        agents: { reader: { kind: noop } }
        graph:
          - { id: start, set: 1 }
          - { id: left, needs: [start], agent: reader }
          - { id: right, needs: [start], agent: reader, if: input.deep }
          - { id: join, needs: [left, right], set: 2 }
        """

    // MARK: Drawings

    @Test("a diamond is drawn in three layers, with an arrow for each need")
    func diamond() throws {
        let text = GraphRenderer.draw(try decode(Self.diamond), as: .text)
        let rows = text.split(separator: "\n").map(String.init)
        func row(_ word: String) -> Int? { rows.firstIndex { $0.contains(word) } }
        #expect(row("start: set") != nil)
        #expect(row("left: agent reader") == row("right: agent reader"))
        let places = [row("start: set"), row("left: agent reader"), row("join: set")].compactMap { $0 }
        #expect(places == places.sorted() && Set(places).count == 3)
        #expect(text.contains("if input.deep"))
        #expect(text.filter { $0 == "▼" }.count == 3)
    }

    @Test("a step of a sequence stands below the one before it, and what is inside a step within its box")
    func containers() throws {
        let text = GraphRenderer.draw(
            try decode(
                """
                workflow: nested
                steps:
                  - id: outer
                    each: ${{ input.items }}
                    maxParallel: 4
                    parallel: { branches: { legal: [ { id: check, set: 1 }, { id: sign, set: 2 } ], finance: [ { id: pay, set: 1 } ] } }
                  - { id: after, set: 1 }
                """), as: .text)
        let rows = text.split(separator: "\n").map(String.init)
        let outer = try #require(rows.firstIndex { $0.contains("outer: parallel") })
        let check = try #require(rows.firstIndex { $0.contains("check: set") })
        let sign = try #require(rows.firstIndex { $0.contains("sign: set") })
        let after = try #require(rows.firstIndex { $0.contains("after: set") })
        #expect(outer < check && check < sign && sign < after)
        #expect(rows[check].contains("pay: set"))
        #expect(rows[check].hasPrefix("│"))
        #expect(text.contains("legal") && text.contains("finance"))
        #expect(text.contains("each item of input.items, 4 at once"))
    }

    @Test("transitions of a state machine are labelled, also those that lead back")
    func machine() throws {
        let definition = try decode(
            """
            workflow: order
            states:
              initial: open
              open: { on: { paid: { if: event.amount > 0, to: shipping }, poll: { to: open } } }
              shipping: { next: [ { if: input.again, to: open }, { to: done } ] }
              done: { final: true }
            """)
        let text = GraphRenderer.draw(definition, as: .text)
        #expect(text.contains("▸ open"))
        #expect(text.contains("done (final)"))
        #expect(text.contains("paid [event.amount > 0]"))
        #expect(text.contains("↻ poll"))
        #expect(text.contains("▲") || text.filter { $0 == "▼" }.count >= 2)
        let mermaid = GraphRenderer.draw(definition, as: .mermaid)
        #expect(mermaid.contains("n1 -->|\"paid [event.amount #gt; 0]\"| n2"))
        #expect(mermaid.contains("n2 -->|\"[input.again]\"| n1"))
    }

    @Test("Mermaid and SVG take what a workflow says as text")
    func escaping() throws {
        let definition = try decode(
            """
            workflow: hostile
            steps: [ { id: a, if: "input.x == '\\"</text><script>'", set: 1 } ]
            """)
        let svg = GraphRenderer.draw(definition, as: .svg)
        #expect(!svg.contains("<script"))
        #expect(svg.contains("&lt;/text&gt;&lt;script&gt;"))
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(!GraphRenderer.draw(definition, as: .mermaid).contains("<script"))
    }

    @Test("every good file can be drawn in every form, each time the same", arguments: Fixtures.good, GraphRenderer.Format.allCases)
    func everything(file: FixtureFile, format: GraphRenderer.Format) throws {
        let definition = try decode(try file.text)
        let drawing = GraphRenderer.draw(definition, as: format)
        #expect(!drawing.isEmpty)
        #expect(drawing == GraphRenderer.draw(definition, as: format))
        for step in definition.body.steps { #expect(drawing.contains(step.id)) }
    }

    // MARK: Differences

    private func changes(_ first: String, _ second: String) throws -> [String] {
        DefinitionDiff.changes(from: try decode(first), to: try decode(second)).map { "\($0.kind.rawValue) \($0.path)" }
    }

    @Test("the same workflow in other words has no differences")
    func same() throws {
        #expect(
            try changes(
                "workflow: a\nsteps: [ { id: x, set: 1, if: input.a } ]", "steps: [ { if: '${{ input.a }}', set: 1, id: x } ]\nworkflow: a")
                == [])
    }

    @Test("steps are compared by id: added, removed, moved, and the fields that changed")
    func steps() throws {
        let first = """
            workflow: a
            agents: { r: { kind: noop } }
            steps:
              - { id: one, agent: r, timeout: 5m, with: { text: a, more: [1] } }
              - { id: two, set: 1 }
              - { id: three, do: [ { id: inner, set: 1 } ] }
              - { id: gone, set: 9 }
            """
        let second = """
            workflow: a
            agents: { r: { kind: noop } }
            steps:
              - { id: two, set: 1 }
              - { id: one, agent: r, timeout: 10m, with: { text: b, more: [1] }, retry: { maxAttempts: 2 } }
              - { id: three, do: [ { id: inner, set: 2 }, { id: fresh, set: 3 } ] }
            """
        let found = try changes(first, second)
        #expect(found.filter { $0.hasPrefix("moved") }.count == 1)
        #expect(
            Set(found.filter { !$0.hasPrefix("moved") }) == [
                "changed one.timeout", "changed one.with.text", "added one.retry", "changed three.inner.set", "added three.fresh",
                "removed gone",
            ])
    }

    @Test("a step that went into another block has moved")
    func movedBetweenBlocks() throws {
        let found = DefinitionDiff.changes(
            from: try decode("workflow: a\nsteps: [ { id: x, set: 1 }, { id: y, do: [ { id: z, set: 2 } ] } ]"),
            to: try decode("workflow: a\nsteps: [ { id: y, do: [ { id: z, set: 2 }, { id: x, set: 1 } ] } ]"))
        #expect(found.map(\.kind) == [.moved])
        #expect(found.first?.before == "x")
        #expect(found.first?.after == "y.x")
    }

    @Test("a sequence that becomes a graph is a change, and states are compared by name")
    func bodies() throws {
        #expect(try changes("workflow: a\nsteps: [ { id: x, set: 1 } ]", "workflow: a\ngraph: [ { id: x, set: 1 } ]") == ["changed steps"])
        let machine = "workflow: a\nstates: { initial: b, b: { next: { to: c } }, c: { final: true } }"
        #expect(try changes(machine, machine.replacing("final: true", with: "final: failed")) == ["changed c.final"])
    }

    @Test(
        "a narrower input breaks callers, a wider one does not",
        arguments: [
            ("{ type: object }", "{ type: object, required: [a] }", "a is required now"),
            ("{ required: [a] }", "{ type: object, required: [a] }", "the input must be object now"),
            ("{ properties: { a: { type: integer } } }", "{ properties: { a: { type: number } } }", nil),
            ("{ properties: { a: { type: number } } }", "{ properties: { a: { type: integer } } }", "a must be integer now"),
            ("{ properties: { a: { enum: [1, 2] } } }", "{ properties: { a: { enum: [1, 2, 3] } } }", nil),
            ("{ properties: { a: { enum: [1, 2] } } }", "{ properties: { a: { enum: [1] } } }", "a may not be 2 any more"),
            (
                "{ properties: { a: {} } }", "{ properties: { a: {} }, additionalProperties: false }",
                "the input may have no other properties now"
            ),
            (
                "{ properties: { a: { items: { maxLength: 5 } } } }", "{ properties: { a: { items: { maxLength: 4 } } } }",
                "maxLength of a[] is 4 now"
            ),
            ("{ required: [a], minProperties: 2 }", "{ minProperties: 1 }", nil),
            ("true", "false", "the input is refused whatever it is"),
        ] as [(String, String, String?)])
    func compatibility(first: String, second: String, breach: String?) throws {
        let found = DefinitionDiff.changes(
            from: try decode("workflow: a\ninput: \(first)\nsteps: [ { id: x, set: 1 } ]"),
            to: try decode("workflow: a\ninput: \(second)\nsteps: [ { id: x, set: 1 } ]"))
        #expect(found.map(\.path) == ["input"])
        #expect(found.first?.incompatibility == breach)
        if let breach { #expect(found.first?.summary.contains("breaks callers: \(breach)") == true) }
    }

    // MARK: SARIF

    @Test("SARIF names the rule, the place and the fix of every finding")
    func sarif() throws {
        let text = "workflow: a\nsteps:\n  - { id: x, sett: 1 }\n"
        let decoded = DefinitionDecoder.decode(text, fileName: "a b.yaml")
        let document = SARIFReport.json([(path: "flows/a b.yaml", diagnostics: decoded.diagnostics)], version: "1.0")
        #expect(document["version"] == "2.1.0")
        let run = try #require(document["runs"]?.arrayValue?.first)
        let rules = try #require(run["tool"]?["driver"]?["rules"]?.arrayValue)
        let results = try #require(run["results"]?.arrayValue)
        #expect(results.count == decoded.diagnostics.count)
        for result in results {
            let index = try #require(result["ruleIndex"]?.intValue)
            #expect(rules[Int(index)]["id"] == result["ruleId"])
        }
        let unknown = try #require(results.first { $0["ruleId"] == "E2112" })
        #expect(unknown["message"]?["text"] == "a step has no key \"sett\"\nFix: did you mean \"set\"?")
        let place = unknown["locations"]?.arrayValue?.first?["physicalLocation"]
        #expect(place?["artifactLocation"]?["uri"] == "flows/a%20b.yaml")
        #expect(place?["region"] == ["startLine": 3, "startColumn": 14, "endColumn": 18])
    }
}
