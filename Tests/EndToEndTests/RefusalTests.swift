// What is wrong is refused with a clear problem, and nothing has changed.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Refusals", .timeLimit(.minutes(5)))
    struct RefusalTests {
        /// Each with a word that the first diagnostic must contain, and the line it must point at.
        private static let malformed: [(source: String, says: String, line: Int64)] = [
            ("workflow: broken\nsteps: []\n", "step", 2),
            ("workflow: broken\nsteps:\n\t- id: a\n", "tab", 3),
            ("workflow: broken\nsteps:\n  - { id: a, set: 1, iff: true }\n", "iff", 3),
            ("workflow: broken\nsteps:\n  - { id: a, set: 1 }\n  - { id: a, set: 2 }\n", "a", 4),
            ("workflow: broken\nsteps:\n  - { id: a, set: \"${{ steps.b.output }}\" }\n", "b", 3),
            ("workflow: broken\nsteps:\n  - { id: a, set: \"${{ 1 + }}\" }\n", "value was expected", 3),
            ("workflow: broken\nsteps:\n  - { id: a, agent: nobody }\n", "nobody", 3),
            ("workflow: broken\ngraph:\n  - { id: a, needs: [b], set: 1 }\n  - { id: b, needs: [a], set: 2 }\n", "wait for each other", 3),
            ("workflow: broken\nsteps:\n  - { id: a, if: \"${{ 'yes' }}\", set: 1 }\n", "boolean", 3),
            ("workflow: broken\nsteps:\n  - id: a\n    agent: { kind: http }\n", "url", 4),
        ]

        @Test("malformed definitions, unknown names and bad bodies get a clear problem each, and nothing has changed")
        func refusals() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let client = try await cluster.client()
                try await client.apply("known", "workflow: known\ninput: { type: object, required: [n] }\nsteps:\n  - { id: a, set: 1 }\n")
                let before = try await cluster.contents()
                #expect(before.contains("workflow_version=1"))

                for (source, says, line) in Self.malformed {
                    let answer = try await client.request("PUT", "/api/v1/workflows/broken", body: source, type: "application/yaml")
                    #expect(answer.status == 422, "\(source): \(answer)")
                    #expect(answer.problem == "invalid_definition", "\(source)")
                    let first = answer.json["diagnostics"]?.arrayValue?.first
                    #expect(first?["message"]?.stringValue?.contains(says) == true, "\(source): \(answer)")
                    #expect(first?["line"]?.intValue == line, "\(source): \(answer)")
                }

                let wrongs: [(name: String, answer: AdminAnswer, status: Int, code: String)] = [
                    (
                        "another name than the path's",
                        try await client.request(
                            "PUT", "/api/v1/workflows/other", body: "workflow: known\nsteps:\n  - { id: a, set: 1 }\n",
                            type: "application/yaml"),
                        422, "name_mismatch"
                    ),
                    ("an unknown workflow", try await client.tryStart("knwon"), 404, "workflow_not_found"),
                    (
                        "a body that is no JSON", try await client.request("POST", "/api/v1/runs", body: #"{"workflow": "known", "#), 400,
                        "malformed_json"
                    ),
                    (
                        "a key twice",
                        try await client.request(
                            "POST", "/api/v1/runs", body: #"{"workflow": "known", "workflow": "known"}"#), 400, "malformed_json"
                    ),
                    (
                        "a member that does not exist",
                        try await client.request(
                            "POST", "/api/v1/runs", body: #"{"workflow": "known", "inputs": {}}"#), 400, "invalid_request"
                    ),
                    ("an input that the schema refuses", try await client.tryStart("known"), 422, "invalid_input"),
                    ("an unknown run", try await client.get("/api/v1/runs/01890000-0000-7000-8000-000000000000"), 404, "run_not_found"),
                    ("an unknown route", try await client.get("/api/v1/runz"), 404, "route_not_found"),
                    ("another method", try await client.request("DELETE", "/api/v1/runs"), 405, "method_not_allowed"),
                ]
                for wrong in wrongs {
                    #expect(wrong.answer.status == wrong.status, "\(wrong.name): \(wrong.answer)")
                    #expect(wrong.answer.problem == wrong.code, "\(wrong.name): \(wrong.answer)")
                    #expect(wrong.answer.json["detail"]?.stringValue?.isEmpty == false, "\(wrong.name): \(wrong.answer)")
                }
                #expect(wrongs[1].answer.json["did_you_mean"] == "known")

                let after = try await cluster.contents()
                #expect(after == before)
                try await cluster.expectClean()
            }
        }

        @Test("an input of 20 MiB is refused as too large, and the coordinator goes on")
        func tooLarge() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let client = try await cluster.client()
                try await client.apply("known", "workflow: known\nsteps:\n  - { id: a, set: 1 }\n")
                let before = try await cluster.contents()
                let text = String(repeating: "x", count: 20 << 20)
                let answer = try await client.request("POST", "/api/v1/runs", body: #"{"workflow":"known","input":{"text":"\#(text)"}}"#)
                #expect(answer.status == 413)
                #expect(answer.problem == "body_too_large")
                let smaller = String(repeating: "x", count: 3 << 19)
                let input = try await client.request("POST", "/api/v1/runs", body: #"{"workflow":"known","input":{"text":"\#(smaller)"}}"#)
                #expect(input.status == 413)
                #expect(input.problem == "input_too_large")
                let after = try await cluster.contents()
                #expect(after == before)
                let run = try await client.start("known")
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }

        @Test("a workflow file of 20 MiB, a batch of 20 MiB and a body that is nested too deep are refused, and the coordinator goes on")
        func tooLargeElsewhere() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let client = try await cluster.client()
                try await client.apply("known", "workflow: known\nsteps:\n  - { id: a, set: 1 }\n")
                let before = try await cluster.contents()
                let text = String(repeating: "x", count: 20 << 20)
                let file = try await client.request(
                    "PUT", "/api/v1/workflows/large", body: "workflow: large\nsteps:\n  - { id: a, set: \"\(text)\" }\n",
                    type: "application/yaml")
                #expect(file.status == 413)
                #expect(file.problem == "body_too_large")
                let batch = try await client.request(
                    "POST", "/api/v1/runs:batch", body: #"{"runs":[{"workflow":"known","input":{"text":"\#(text)"}}]}"#)
                #expect(batch.status == 413)
                #expect(batch.problem == "body_too_large")
                let deep = try await client.request(
                    "POST", "/api/v1/runs", body: #"{"workflow":"known","input":"# + String(repeating: "[", count: 100_000))
                #expect(deep.status == 400)
                #expect(deep.problem == "malformed_json")
                let after = try await cluster.contents()
                #expect(after == before)
                let ready = await client.isReady()
                #expect(ready)
                try await cluster.expectClean()
            }
        }

        @Test("the command line says what is wrong with a file, a name, an input or a database, each with its exit code")
        func commandLine() async throws {
            try await withCluster(.ownServer) { cluster in
                let coordinator = try await cluster.startCoordinator()
                let server = ["SKEIN_SERVER": "http://127.0.0.1:\(try await coordinator.port())"]
                func skein(_ arguments: String...) async throws -> ProgramRun {
                    try await ProgramRun.of("skein", arguments, environment: server, in: cluster.directory)
                }
                func write(_ text: String, to name: String) throws {
                    try text.write(to: cluster.directory.appending(path: name), atomically: true, encoding: .utf8)
                }
                try write("workflow: known\ninput: { type: object, required: [n] }\nsteps:\n  - { id: a, set: 1 }\n", to: "known.yaml")
                let applied = try await skein("workflow", "apply", "known.yaml")
                #expect(applied.code == 0, "\(applied)")
                let before = try await cluster.contents()

                for (source, says, line) in Self.malformed {
                    try write(source, to: "broken.yaml")
                    for verb in ["validate", "apply"] {
                        let run = try await skein("workflow", verb, "broken.yaml")
                        #expect(run.code == 9, "\(source): \(run)")
                        let shown = run.output + run.errors
                        #expect(shown.contains("broken.yaml:\(line):"), "\(source): \(run)")
                        #expect(shown.contains(says), "\(source): \(run)")
                    }
                }
                try write(#"{"n":1,"text":""# + String(repeating: "x", count: 20 << 20) + "\"}", to: "large.json")
                let wrongs: [(run: ProgramRun, code: Int32, says: String)] = [
                    (try await skein("workflow", "validate", "nowhere.yaml"), 5, "nowhere.yaml"),
                    (try await skein("run", "start", "knwon", "-i", #"{"n":1}"#), 5, "known"),
                    (try await skein("run", "start", "known", "-i", #"{"n":"#), 9, "JSON"),
                    (try await skein("run", "start", "known", "-i", #"{"m":1}"#), 9, "n"),
                    (try await skein("run", "start", "known", "-i", "@large.json"), 9, "at most 2097152 bytes"),
                    (try await skein("run", "start", "known", "-i", "@nowhere.json"), 5, "nowhere.json"),
                    (try await skein("run", "start", "known@7", "-P", "n:=1"), 5, "7"),
                    (try await skein("run", "show", "01890000-0000-7000-8000-000000000000"), 5, "run"),
                ]
                for wrong in wrongs {
                    #expect(wrong.run.code == wrong.code, "\(wrong.run)")
                    #expect(wrong.run.output.isEmpty, "\(wrong.run)")
                    #expect(
                        wrong.run.errorLines.first?.hasPrefix("error: ") == true && wrong.run.errors.contains(wrong.says), "\(wrong.run)")
                    #expect(wrong.run.errorLines.count <= 6, "\(wrong.run)")
                }
                let after = try await cluster.contents()
                #expect(after == before)

                let database = try #require(cluster.server)
                database.crash()
                let away = try await skein("run", "start", "known", "-P", "n:=1", "--key", "k")
                #expect(away.code == 8, "\(away)")
                #expect(away.errorLines.first?.contains("database") == true, "\(away)")
                try database.start()
                try await waitUntil("the coordinator is ready again", deadline: .seconds(20)) { try await cluster.client().isReady() }
                let back = try await skein("run", "start", "known", "-P", "n:=1", "--key", "k", "--wait")
                #expect(back.code == 0, "\(back)")
                #expect(back.output == "1\n")
                #expect(coordinator.isRunning)
                try await cluster.expectClean()
            }
        }
    }
}
