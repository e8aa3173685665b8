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
                    ("another name than the path's", try await client.request(
                        "PUT", "/api/v1/workflows/other", body: "workflow: known\nsteps:\n  - { id: a, set: 1 }\n", type: "application/yaml"),
                     422, "name_mismatch"),
                    ("an unknown workflow", try await client.tryStart("knwon"), 404, "workflow_not_found"),
                    ("a body that is no JSON", try await client.request("POST", "/api/v1/runs", body: #"{"workflow": "known", "#), 400, "malformed_json"),
                    ("a key twice", try await client.request(
                        "POST", "/api/v1/runs", body: #"{"workflow": "known", "workflow": "known"}"#), 400, "malformed_json"),
                    ("a member that does not exist", try await client.request(
                        "POST", "/api/v1/runs", body: #"{"workflow": "known", "inputs": {}}"#), 400, "invalid_request"),
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
    }
}
