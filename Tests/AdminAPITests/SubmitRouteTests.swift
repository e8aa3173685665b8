// Starting runs.

import HTTPTypes
import NIOCore
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

@Suite("Submit routes")
struct SubmitRouteTests {
    private static let strict = """
        workflow: strict
        input: { type: object, required: [text, count], properties: { text: { type: string }, count: { type: integer, minimum: 1 } } }
        steps: [ { id: only, set: 1 } ]
        """

    @Test("a run is accepted with its id, its version and its place")
    func accepted() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let answer = try await service.post("/api/v1/runs", ["workflow": "waiting", "input": ["a": 1], "labels": ["team": "x"]])
            #expect(answer.status == 201)
            let id = try #require(answer["run_id"]?.stringValue)
            #expect(answer["version"] == 1)
            #expect(answer.fields[.location] == "/api/v1/runs/\(id)")
            let run = try await service.get("/api/v1/runs/\(id)")
            #expect(run["status"] == "queued")
            #expect(run["input"] == ["a": 1])
            #expect(run["labels"] == ["team": "x"])
            #expect(run["submitted_at"]?.stringValue?.hasSuffix("+00:00") ?? false)
        }
    }

    @Test("the input is stored as it was sent")
    func verbatim() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let answer = try await service.send(
                .post, "/api/v1/runs", #"{ "input" : {"b":1.50, "a":  [1e2, "ü\u00e9"]} , "workflow":"waiting"}"#)
            let id = try #require(answer["run_id"]?.stringValue)
            let run = try await service.get("/api/v1/runs/\(id)")
            #expect(run.text.contains(#""input":{"b":1.50, "a":  [1e2, "ü\u00e9"]}"#))
        }
    }

    @Test("the same key gets the same run, in the body or in the header field")
    func replay() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let first = try await service.post("/api/v1/runs", ["workflow": "waiting", "key": "k-1"])
            let second = try await service.post("/api/v1/runs", ["workflow": "waiting"], fields: .with("Idempotency-Key", "\"k-1\""))
            let third = try await service.post("/api/v1/runs", ["workflow": "waiting"], fields: .with("Idempotency-Key", "k-1"))
            #expect(first.status == 201)
            #expect(first["is_replay"] == false)
            #expect(second.status == 200)
            #expect(second["is_replay"] == true)
            #expect(second["run_id"] == first["run_id"])
            #expect(third["run_id"] == first["run_id"])
        }
    }

    @Test("a key that was used for another request names the run that has it")
    func conflict() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let first = try await service.post("/api/v1/runs", ["workflow": "waiting", "key": "k", "input": 1])
            let second = try await service.post("/api/v1/runs", ["workflow": "waiting", "key": "k", "input": 2])
            #expect(second.status == 409)
            #expect(second.code == "key_conflict")
            #expect(second["run_id"] == first["run_id"])
        }
    }

    @Test("every violation of the input's schema is listed")
    func invalidInput() async throws {
        try await Service.run { service in
            try await service.apply("strict", Self.strict)
            let answer = try await service.post("/api/v1/runs", ["workflow": "strict", "input": ["text": 1, "count": 0]])
            #expect(answer.status == 422)
            #expect(answer.code == "invalid_input")
            let pointers = Set(answer["errors"]?.arrayValue?.compactMap { $0["pointer"]?.stringValue } ?? [])
            #expect(pointers == ["/input/text", "/input/count"])
        }
    }

    @Test("a body that is no JSON is answered with the byte where it goes wrong")
    func malformed() async throws {
        try await Service.run { service in
            let answer = try await service.send(.post, "/api/v1/runs", #"{"workflow": nope}"#)
            #expect(answer.status == 400)
            #expect(answer.code == "malformed_json")
            #expect(answer["offset"] == 13)
            let duplicate = try await service.send(.post, "/api/v1/runs", #"{"workflow":"a","workflow":"b"}"#)
            #expect(duplicate.code == "malformed_json")
        }
    }

    @Test("everything that is wrong with a request is listed")
    func invalidRequest() async throws {
        try await Service.run { service in
            let answer = try await service.post("/api/v1/runs", ["version": 0, "labels": ["a": 1], "imput": 1])
            #expect(answer.status == 400)
            #expect(answer.code == "invalid_request")
            let pointers = answer["errors"]?.arrayValue?.compactMap { $0["pointer"]?.stringValue } ?? []
            #expect(pointers == ["/version", "/labels", "/imput", "/workflow"])
        }
    }

    @Test("an input of 20 MiB is refused with the limit that it exceeds")
    func hugeInput() async throws {
        try await Service.run { service in
            let body = ByteBuffer(string: #"{"workflow":"waiting","input":""# + String(repeating: "x", count: 20 << 20) + #""}"#)
            let answer = try await service.send(.post, "/api/v1/runs", bytes: body, fields: [:])
            #expect(answer.status == 413)
            #expect(answer.code == "body_too_large")
            #expect(answer["limit_bytes"] == .int(2 << 20))
            let middle = try await service.send(
                .post, "/api/v1/runs", #"{"workflow":"waiting","input":""# + String(repeating: "x", count: 3 << 19) + #""}"#)
            #expect(middle.status == 413)
            #expect(middle.code == "input_too_large")
            #expect(middle["limit_bytes"] == .int(1 << 20))
        }
    }

    @Test("each run of a batch has a result of its own")
    func batch() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            try await service.apply("strict", Self.strict)
            let answer = try await service.post(
                "/api/v1/runs:batch",
                [
                    "runs": [
                        ["workflow": "waiting"], ["workflow": "nobody"], ["workflow": "strict", "input": 1], ["workflw": "waiting"],
                        ["workflow": "waiting", "key": "b"], ["workflow": "waiting", "version": 7],
                    ]
                ])
            #expect(answer.status == 200)
            let results = answer["results"]?.arrayValue ?? []
            #expect(results.map { $0["status"] } == [201, 404, 422, 400, 201, 404])
            #expect(results[1]["problem"]?["code"] == "workflow_not_found")
            #expect(results[5]["problem"]?["code"] == "version_not_found")
            #expect(results[0]["run"]?["run_id"] != nil)
            let many = try await service.post(
                "/api/v1/runs:batch", ["runs": .array(Array(repeating: ["workflow": "waiting"], count: 1001))])
            #expect(many.status == 400)
        }
    }

    @Test("a batch of a thousand runs is accepted")
    func thousand() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let answer = try await service.post(
                "/api/v1/runs:batch", ["runs": .array(Array(repeating: ["workflow": "waiting"], count: 1000))])
            let results = answer["results"]?.arrayValue ?? []
            #expect(results.count { $0["status"] == 201 } == 1000)
            let rows = try await service.connection.query("select count(*) from skein.run")[0].int64(0)
            #expect(rows == 1000)
        }
    }

    @Test("submits that come together share transactions")
    func groupCommit() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<200 { group.addTask { _ = try await service.start("waiting") } }
                try await group.waitForAll()
            }
            let row = try await service.connection.query("select count(*), count(distinct xmin::text) from skein.run")[0]
            #expect(row.int64(0) == 201)
            #expect(row.int64(1) < 150)
        }
    }

    @Test("a submit goes on when its connection is ended by the server")
    func reconnects() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            _ = try await service.connection.query(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
            _ = try await service.start("waiting")
            let rows = try await service.connection.query("select count(*) from skein.run")[0].int64(0)
            #expect(rows == 2)
        }
    }

    @Test("a run that the database refuses does not take those with it that were submitted at the same time")
    func bisects() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            try await service.connection.script(
                """
                create function refuse() returns trigger language plpgsql as $$
                begin
                  if new.labels like '%poison%' then raise exception 'refused'; end if;
                  return new;
                end $$;
                create trigger refuse before insert on skein.run for each row execute function refuse();
                """)
            let statuses = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for index in 0..<40 {
                    group.addTask {
                        let labels: JSONValue = index == 17 ? ["a": "poison"] : [:]
                        return (index, try await service.post("/api/v1/runs", ["workflow": "waiting", "labels": labels]).status)
                    }
                }
                var statuses: [Int: Int] = [:]
                for try await (index, status) in group { statuses[index] = status }
                return statuses
            }
            #expect(statuses[17] == 500)
            #expect(statuses.values.count { $0 == 201 } == 39)
        }
    }
}
