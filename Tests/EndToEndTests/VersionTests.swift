// The versions of a workflow that a coordinator keeps, as people at a terminal see them; and who else may look.

import Chaos
import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Registered versions", .timeLimit(.minutes(3)))
    struct VersionTests {
        private static func file(_ steps: String, input: String = "{ type: object }") -> String {
            "workflow: review\ninput: \(input)\nsteps:\n\(steps)"
        }

        @Test("registered versions are compared and drawn by their numbers, and a number that does not exist is not found")
        func versions() async throws {
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator()
                let server = ["SKEIN_SERVER": "http://127.0.0.1:\(try await coordinator.port())"]
                func skein(_ arguments: String...) async throws -> ProgramRun {
                    try await ProgramRun.of("skein", arguments, environment: server, in: cluster.directory)
                }
                let client = try await cluster.client()
                let sources = [
                    Self.file("  - { id: read, set: 1 }\n"), Self.file("  - { id: read, set: 1 }\n  - { id: score, set: 2 }\n"),
                    Self.file("  - { id: read, set: 7 }\n  - { id: score, set: 2 }\n", input: "{ type: object, required: [text] }"),
                ]
                for source in sources { try await client.apply("review", source) }
                try sources[2].write(to: cluster.directory.appending(path: "review.yaml"), atomically: true, encoding: .utf8)

                let added = try await skein("workflow", "diff", "review", "1", "2")
                #expect(added.code == 0 && added.outputLines == ["added    step score"] && added.errors.isEmpty, "\(added)")
                let changed = try await skein("workflow", "diff", "review", "1", "3")
                #expect(changed.code == 0 && changed.output.contains("changed  read.set: 1 → 7") && changed.output.contains("added    step score"), "\(changed)")
                #expect(changed.errors.contains("callers of review must change what they submit"), "\(changed)")
                let same = try await skein("workflow", "diff", "review@3", "review.yaml")
                #expect(same.code == 0 && same.output.contains("are the same workflow"), "\(same)")
                let json = try await skein("workflow", "diff", "review", "1", "2", "-o", "json")
                #expect(json.code == 0 && (try? JSONValue(parsing: json.output)) != nil, "\(json)")

                let first = try await skein("workflow", "graph", "review@1")
                #expect(first.code == 0 && first.output.contains("read") && !first.output.contains("score"), "\(first)")
                let latest = try await skein("workflow", "graph", "review", "-o", "mermaid")
                #expect(latest.code == 0 && latest.output.contains("flowchart") && latest.output.contains("score"), "\(latest)")

                for wrong in [
                    try await skein("workflow", "diff", "review", "1", "9"), try await skein("workflow", "graph", "review@9"),
                    try await skein("workflow", "graph", "nothing@1"),
                ] {
                    #expect(wrong.code == 5 && wrong.output.isEmpty && wrong.errorLines.first?.hasPrefix("error:") == true, "\(wrong)")
                }
                try await cluster.expectClean()
            }
        }

        @Test("the list of runs says why one failed")
        func errorsInLists() async throws {
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator()
                let client = try await cluster.client()
                try await client.apply(
                    "failing", "workflow: failing\nsteps: [ { id: a, fail: { code: too_few, message: \"two of three documents are missing\" } } ]")
                let run = try await client.start("failing")
                _ = try await client.ended(run)
                let list = try await ProgramRun.of(
                    "skein", ["run", "list"], environment: ["SKEIN_SERVER": "http://127.0.0.1:\(try await coordinator.port())"])
                #expect(list.code == 0)
                let line = try #require(list.outputLines.last)
                #expect(line.hasSuffix(": two of three documents are missing"), "\(list)")
                try await cluster.expectClean()
            }
        }

        @Test("without keys, a name that somebody made to point at this machine gets nothing but the reason")
        func foreignHost() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let client = try await cluster.client()
                let foreign = ["host": "rebound.example:7070"]
                for path in ["/api/v1/runs", "/metrics", "/api/v1/meta", "/livez", "/problems"] {
                    let answer = try await client.request("GET", path, headers: foreign)
                    #expect(answer.status == 403 && answer.problem == "foreign_origin", "\(path): \(answer)")
                    #expect(answer.json["host"] == "rebound.example:7070")
                }
                let submit = try await client.request("POST", "/api/v1/runs", body: #"{"workflow":"x"}"#, headers: foreign)
                #expect(submit.status == 403 && submit.problem == "foreign_origin", "\(submit)")
                #expect(try await client.request("GET", "/livez", headers: ["host": "localhost:7070"]).status == 200)
                try await cluster.expectClean()
            }
        }
    }
}
