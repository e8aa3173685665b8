// Runs from submit to their end, through the real binaries.

import Foundation
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Runs", .timeLimit(.minutes(5)))
    struct RunTests {
        @Test("a run with an http agent and an exec agent goes to its end, and shows what each step was given and gave")
        func httpAndExec() async throws {
            let agent = try await AgentServer.start { call in .reply(["heard": .string(call.body)]) }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply(
                    "mixed",
                    """
                    workflow: mixed
                    agents:
                      listener: { kind: http, url: "\(agent.url("/listen"))" }
                      counter: { kind: exec, command: [wc, -w], stdin: "${{ with.text }}", output: text }
                    steps:
                      - { id: tell, agent: listener, with: { word: "${{ input.word }}" } }
                      - { id: count, agent: counter, with: { text: "${{ input.text }}" } }
                    output: { heard: "${{ steps.tell.output.heard }}", words: "${{ int(steps.count.output.trim()) }}" }
                    """)
                let run = try await client.start("mixed", input: ["word": "goose", "text": "a flock in flight"])
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                #expect(ended["output"] == ["heard": #"{"word":"goose"}"#, "words": 4])
                let call = try #require(agent.calls.first)
                #expect(agent.calls.count == 1)
                #expect(call.run == run)
                #expect(call.step == "tell")
                #expect(call.attempt == 1)
                #expect(call.key.count == 32)
                let fence = try await cluster.count("select fence from skein.step where run_id = '\(run)' and path = 'tell'")
                #expect(Int64(fence) == call.fence)
                try await cluster.expectClean()
            }
        }

        @Test("an agent that fails is tried again with the same key and a higher fence, as its policy says")
        func retry() async throws {
            let agent = try await AgentServer.start { call in
                call.attempt < 3 ? .reply(["no": true], status: 503) : .reply(["yes": true])
            }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply("flaky", Workflow.single("flaky", agent.url(), retry: "{ maxAttempts: 3, backoff: fixed, delay: 50ms }"))
                let run = try await client.start("flaky")
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                let calls = agent.calls
                #expect(calls.map(\.attempt) == [1, 2, 3])
                #expect(Set(calls.map(\.key)).count == 1)
                #expect(calls.map(\.fence) == calls.map(\.fence).sorted())
                #expect(Set(calls.map(\.fence)).count == 3)
                try await cluster.expectClean()
            }
        }

        @Test("the same idempotency key gives the same run, also after the coordinator was killed and started again")
        func idempotency() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true]) }
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator()
                try await cluster.startWorker()
                var client = try await cluster.client()
                try await client.apply("once", Workflow.single("once", agent.url()))
                let first = try await client.tryStart("once", input: ["n": 1], key: "order-17")
                #expect(first.status == 201)
                await coordinator.crash()
                try coordinator.start()
                try await coordinator.waitUntilReady()
                client = try await cluster.client()
                let second = try await client.tryStart("once", input: ["n": 1], key: "order-17")
                #expect(second.status == 200)
                #expect(second.json["run_id"] == first.json["run_id"])
                let other = try await client.tryStart("once", input: ["n": 2], key: "order-17")
                #expect(other.status == 409)
                #expect(other.problem == "key_conflict")
                let run = try #require(first.json["run_id"]?.stringValue)
                _ = try await client.ended(run)
                #expect(agent.calls.count == 1)
                let runs = try await cluster.count("select count(*) from skein.ended_run")
                #expect(runs == 1)
                try await cluster.expectClean()
            }
        }

        @Test("a cancelled run tells the worker, and the process and all that it started are gone")
        func cancel() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                try await cluster.startWorker()
                let client = try await cluster.client()
                let marks = cluster.directory.appending(path: "pids").path(percentEncoded: false)
                // A child and its child, which ignores the polite signal.
                try await client.apply(
                    "sleeper",
                    """
                    workflow: sleeper
                    agents:
                      sleeper:
                        kind: exec
                        command: [sh, -c, 'echo $$ > "$1.leader"; (trap "" TERM; sh -c "echo \\$\\$ > $1.child; sleep 300"; true) & wait', sh, "\(marks)"]
                    steps:
                      - { id: sleep, agent: sleeper }
                    """)
                let run = try await client.start("sleeper")
                func identity(_ name: String) -> Int32? {
                    (try? String(contentsOfFile: "\(marks).\(name)", encoding: .utf8)).flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
                }
                try await waitUntil("the processes have begun", deadline: .seconds(20)) { identity("leader") != nil && identity("child") != nil }
                let (leader, child) = (try #require(identity("leader")), try #require(identity("child")))
                let answer = try await client.request("POST", "/api/v1/runs/\(run):cancel", body: #"{"reason":"no longer wanted"}"#)
                #expect(answer.status == 202)
                let ended = try await client.ended(run)
                #expect(ended["status"] == "cancelled")
                try await waitUntil("both processes are gone", deadline: .seconds(20)) { kill(leader, 0) != 0 && kill(child, 0) != 0 }
                try await waitUntil("the attempt is recorded", deadline: .seconds(20)) {
                    try await cluster.count("select count(*) from skein.task") == 0
                }
                let again = try await client.request("POST", "/api/v1/runs/\(run):cancel")
                #expect(again.status == 409)
                #expect(again.problem == "run_ended")
                try await cluster.expectClean()
            }
        }

        @Test("two coordinators side by side share the work, and each shows what the other accepted")
        func twoCoordinators() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true], after: .milliseconds(20)) }
            try await withCluster { cluster in
                let first = try await cluster.startCoordinator()
                let second = try await cluster.startCoordinator()
                try await cluster.startWorker()
                let (one, other) = (try await cluster.client(of: first), try await cluster.client(of: second))
                try await one.apply("chain", Workflow.chain("chain", agent.url(), steps: 4))
                var runs: [String] = []
                for number in 0..<40 { runs.append(try await (number % 2 == 0 ? one : other).start("chain", input: ["n": .int(Int64(number))])) }
                for run in runs {
                    let ended = try await other.ended(run)
                    #expect(ended["status"] == "succeeded")
                }
                #expect(agent.calls.count == 160)
                #expect(Set(agent.calls.map(\.key)).count == 160)
                try await cluster.expectClean()
            }
        }

        @Test("a worker takes tasks of its own queues only")
        func queues() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true]) }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                try await cluster.startWorker(settings: ["SKEIN_QUEUES": "elsewhere"])
                let client = try await cluster.client()
                try await client.apply("plain", Workflow.single("plain", agent.url()))
                try await client.apply("special", Workflow.single("special", agent.url(), queue: "elsewhere"))
                let plain = try await client.start("plain")
                let special = try await client.start("special")
                let ended = try await client.ended(special)
                #expect(ended["status"] == "succeeded")
                let waiting = try await client.run(plain)
                #expect(waiting["status"] == "queued")
                #expect(agent.calls.map(\.run) == [special])
                try await cluster.startWorker()
                let later = try await client.ended(plain)
                #expect(later["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }

        @Test("a worker works with a role that may do nothing but a worker's functions")
        func workerRole() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true]) }
            try await withCluster { cluster in
                // Roles belong to the server, which others use too.
                let role = "e2e_worker_\(String(UInt32.random(in: 0 ... .max), radix: 36))"
                _ = try await cluster.query("create role \(role) login in role skein_worker")
                try await cluster.startCoordinator()
                let restricted = cluster.databaseURL.replacing(/user='[^']*'/, with: "user='\(role)'")
                #expect(restricted != cluster.databaseURL)
                try await cluster.startWorker(settings: ["SKEIN_DATABASE_URL": restricted])
                let client = try await cluster.client()
                try await client.apply("chain", Workflow.chain("chain", agent.url(), steps: 3))
                let run = try await client.start("chain")
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                let connection = try await PostgresConnection.connect(PostgresConfiguration(restricted))
                await #expect(throws: PostgresError.self) { _ = try await connection.query("select * from skein.task") }
                await #expect(throws: PostgresError.self) { _ = try await connection.query(SQL("select skein.cancel('\(run)', null)")) }
                await connection.close()
                try cluster.worker.send(SIGTERM)
                let ending = try await cluster.worker.ending()
                #expect(ending == .exited(0))
                _ = try await cluster.query("drop role \(role)")
                try await cluster.expectClean()
            }
        }
    }
}

/// All tests with real processes. One at a time: they would only slow each other down.
@Suite("End to end", .serialized)
enum EndToEnd {}

/// Workflow files that several tests use.
enum Workflow {
    /// One step that calls an http agent.
    static func single(_ name: String, _ url: String, retry: String? = nil, queue: String? = nil, timeout: String? = nil) -> String {
        """
        workflow: \(name)
        agents: { worker: { kind: http, url: "\(url)" } }
        steps:
          - id: work
            agent: worker
            with: { n: 1 }
        """ + (retry.map { "\n    retry: \($0)" } ?? "") + (queue.map { "\n    queue: \($0)" } ?? "") + (timeout.map { "\n    timeout: \($0)" } ?? "")
            + "\n"
    }

    /// Steps one after another.
    static func chain(_ name: String, _ url: String, steps: Int) -> String {
        """
        workflow: \(name)
        agents: { worker: { kind: http, url: "\(url)" } }
        steps:

        """ + (1...steps).map { "  - { id: s\($0), agent: worker, with: { n: \($0) } }\n" }.joined()
    }
}
