// Registering workflows and looking at them.

import HTTPTypes
import Testing
import WorkflowModel

@Suite("Workflow routes")
struct WorkflowRouteTests {
    @Test("the same file is the same version, another file a new one")
    func versions() async throws {
        try await Service.run { service in
            let first = try await service.applyImmediate("demo")
            #expect(first.status == 201)
            #expect(first["version"] == 1)
            #expect(first["is_live"] == true)
            #expect(first.fields[.location] == "/api/v1/workflows/demo/versions/1")
            let again = try await service.applyImmediate("demo")
            #expect(again.status == 200)
            #expect(again["version"] == 1)
            let second = try await service.send(.put, "/api/v1/workflows/demo?live=false", "workflow: demo\nsteps: [ { id: only, set: 2 } ]")
            #expect(second.status == 201)
            #expect(second["version"] == 2)
            #expect(second["is_live"] == false)

            let workflow = try await service.get("/api/v1/workflows/demo")
            #expect(workflow["live_version"] == 1)
            #expect(workflow["versions"] == 2)
            #expect(workflow["definition"]?["workflow"] == "demo")
            let versions = try await service.get("/api/v1/workflows/demo/versions")
            #expect(versions.items.map { $0["version"] } == [2, 1])
            let version = try await service.get("/api/v1/workflows/demo/versions/2")
            #expect(version["source"] == "workflow: demo\nsteps: [ { id: only, set: 2 } ]")
            #expect(version["definition"]?["steps"] != nil)
        }
    }

    @Test("a JSON file is taken as well")
    func json() async throws {
        try await Service.run { service in
            let answer = try await service.send(
                .put, "/api/v1/workflows/demo", #"{"workflow":"demo","steps":[{"id":"only","set":1}]}"#,
                fields: [.contentType: "application/json"])
            #expect(answer.status == 201)
        }
    }

    @Test("workflows are listed by name, page by page")
    func list() async throws {
        try await Service.run { service in
            for name in ["c", "a", "b"] { try await service.applyImmediate(name) }
            let first = try await service.get("/api/v1/workflows?limit=2")
            #expect(first.items.map { $0["workflow"] } == ["a", "b"])
            let cursor = try #require(first["next_cursor"]?.stringValue)
            let second = try await service.get("/api/v1/workflows?limit=2&cursor=\(cursor)")
            #expect(second.items.map { $0["workflow"] } == ["c"])
            #expect(second["next_cursor"] == .null)
        }
    }

    static let malformed: [(String, String)] = [
        ("empty", ""),
        ("no yaml", "workflow: [unclosed"),
        ("no steps", "workflow: demo"),
        ("unknown key", "workflow: demo\nstepz: []"),
        ("unknown agent", "workflow: demo\nsteps: [ { id: a, agent: nobody } ]"),
        ("duplicate id", "workflow: demo\nsteps: [ { id: a, set: 1 }, { id: a, set: 2 } ]"),
        ("cycle", "workflow: demo\ngraph: [ { id: a, needs: [b], set: 1 }, { id: b, needs: [a], set: 2 } ]"),
        ("broken expression", "workflow: demo\nsteps: [ { id: a, set: \"${{ 1 + }}\" } ]"),
        ("unknown reference", "workflow: demo\nsteps: [ { id: a, set: \"${{ steps.b.output }}\" } ]"),
        ("bad duration", "workflow: demo\ntimeout: soon\nsteps: [ { id: a, set: 1 } ]"),
    ]

    @Test("a malformed definition is refused with its place and its code", arguments: malformed)
    func malformedDefinition(name: String, source: String) async throws {
        try await Service.run { service in
            let answer = try await service.apply("demo", source)
            #expect(answer.status == 422, "\(name): \(answer.text)")
            #expect(answer.code == "invalid_definition")
            let diagnostics = answer["diagnostics"]?.arrayValue ?? []
            #expect(!diagnostics.isEmpty)
            for diagnostic in diagnostics {
                #expect(diagnostic["code"]?.stringValue?.hasPrefix("E21") ?? false)
                #expect((diagnostic["line"]?.intValue ?? 0) >= 1)
                #expect((diagnostic["column"]?.intValue ?? 0) >= 1)
                #expect(diagnostic["message"]?.stringValue?.isEmpty == false)
                #expect(diagnostic["path"]?.stringValue != nil)
            }
            let list = try await service.get("/api/v1/workflows")
            #expect(list.items.isEmpty)
        }
    }

    @Test("all errors of a file come at once")
    func allErrors() async throws {
        try await Service.run { service in
            let steps = (1...10).map { "  - { id: s\($0), agent: nobody\($0) }" }.joined(separator: "\n")
            let answer = try await service.apply("demo", "workflow: demo\nsteps:\n" + steps)
            #expect(answer.status == 422)
            #expect((answer["diagnostics"]?.arrayValue?.count ?? 0) >= 10)
            let lines = Set(answer["diagnostics"]?.arrayValue?.compactMap { $0["line"]?.intValue } ?? [])
            #expect(lines.isSuperset(of: 3...12))
        }
    }

    @Test("a file that names another workflow than the path is refused")
    func nameMismatch() async throws {
        try await Service.run { service in
            let answer = try await service.apply("other", "workflow: demo\nsteps: [ { id: only, set: 1 } ]")
            #expect(answer.status == 422)
            #expect(answer.code == "name_mismatch")
        }
    }

    @Test("an unknown workflow is answered with the nearest one")
    func suggestion() async throws {
        try await Service.run { service in
            try await service.applyImmediate("triage")
            let answer = try await service.get("/api/v1/workflows/traige")
            #expect(answer.status == 404)
            #expect(answer.code == "workflow_not_found")
            #expect(answer["did_you_mean"] == "triage")
            let version = try await service.get("/api/v1/workflows/triage/versions/9")
            #expect(version.code == "version_not_found")
        }
    }

    @Test("agents are listed with the workflows that name them")
    func agents() async throws {
        try await Service.run { service in
            try await service.applyWaiting("one")
            try await service.applyWaiting("two")
            let answer = try await service.get("/api/v1/agents")
            #expect(answer.items == [["agent": "nothing", "kind": "noop", "workflows": ["one", "two"]]])
        }
    }
}
