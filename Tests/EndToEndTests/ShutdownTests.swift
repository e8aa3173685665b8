// How processes end: asked to by SIGTERM, and killed.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Starting and stopping", .timeLimit(.minutes(5)))
    struct ShutdownTests {
        @Test("a worker told to stop lets a running call finish, and ends with 0")
        func drain() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true], after: .seconds(2)) }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let worker = try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply("single", Workflow.single("single", agent.url()))
                let run = try await client.start("single")
                try await waitUntil("the agent is called") { agent.calls.count == 1 }
                worker.send(SIGTERM)
                let ending = try await worker.ending()
                #expect(ending == .exited(0))
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                #expect(agent.calls.count == 1)
                #expect(agent.calls.allSatisfy { $0.brokenOff == nil })
                let sessions = try await cluster.text("select string_agg(dead_reason, ',') from skein.worker_session")
                #expect(sessions == "closed")
                try await cluster.expectClean()
            }
        }

        @Test("a worker told to stop while it waits for its database ends with 0")
        func stopWithoutDatabase() async throws {
            try await withCluster { cluster in
                let worker = try await cluster.startWorker(settings: ["SKEIN_DATABASE_URL": "postgresql://127.0.0.1:9/none"], ready: false)
                try await worker.waitForLog("The database is not ready")
                worker.send(SIGTERM)
                let ending = try await worker.ending()
                #expect(ending == .exited(0))
            }
        }

        @Test("a call that outlasts the drain time is given back without using up an attempt, and another worker takes it up")
        func release() async throws {
            let agent = try await AgentServer.start { _ in .hang }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let worker = try await cluster.startWorker(settings: ["SKEIN_DRAIN_TIMEOUT": "500ms"])
                let client = try await cluster.client()
                try await client.apply("single", Workflow.single("single", agent.url()))
                let run = try await client.start("single")
                try await waitUntil("the agent is called") { agent.calls.count == 1 }
                worker.send(SIGTERM)
                let ending = try await worker.ending()
                #expect(ending == .exited(0))
                try await waitUntil("the step is ready again") {
                    try await cluster.text("select status from skein.step_overview where run_id = '\(run)'") == "ready"
                }
                let attempt = try await cluster.text(
                    "select status || ' ' || attempt from skein.attempt where run_id = '\(run)'")
                #expect(attempt == "released 1")
                try await cluster.startWorker()
                try await waitUntil("the agent is called again") { agent.calls.count == 2 }
                #expect(agent.calls.map(\.attempt) == [1, 1])
                #expect(Set(agent.calls.map(\.key)).count == 1)
                #expect(agent.calls[1].fence > agent.calls[0].fence)
                let losses = try await cluster.count("select losses from skein.task where run_id = '\(run)'")
                #expect(losses == 0)
                try await cluster.expectClean()
            }
        }

        @Test("a coordinator told to stop ends with 0, and another one carries its runs on")
        func coordinatorStops() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true], after: .milliseconds(100)) }
            try await withCluster { cluster in
                let first = try await cluster.startCoordinator()
                try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply("chain", Workflow.chain("chain", agent.url(), steps: 5))
                let run = try await client.start("chain")
                try await waitUntil("the run has begun") { !agent.calls.isEmpty }
                first.send(SIGTERM)
                let ending = try await first.ending()
                #expect(ending == .exited(0))
                let second = try await cluster.startCoordinator()
                let ended = try await cluster.client(of: second).ended(run)
                #expect(ended["status"] == "succeeded")
                #expect(agent.calls.count == 5)
                try await cluster.expectClean()
            }
        }

        @Test("a worker that is killed leaves no process of its agents behind, wherever they have gone")
        func nothingIsLeft() async throws {
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let worker = try await cluster.startWorker(settings: ["SKEIN_EXEC_ALLOW": "sh"])
                let client = try await cluster.client()
                let marks = cluster.directory.appending(path: "pids").path(percentEncoded: false)
                // A process, one below it that ignores polite signals, one that left the session, and one with an empty environment.
                try await client.apply(
                    "sleeper",
                    """
                    workflow: sleeper
                    agents:
                      sleeper:
                        kind: exec
                        command:
                          - sh
                          - -c
                          - |
                            echo $$ > "$1.leader"
                            (trap "" TERM HUP; sh -c 'echo $$ > "$1.child"; sleep 300; true' sh "$1"; true) &
                            setsid sh -c 'echo $$ > "$1.session"; sleep 300; true' sh "$1" &
                            env -i sh -c 'echo $$ > "$1.bare"; sleep 300; true' sh "$1" &
                            wait
                          - sh
                          - "\(marks)"
                    steps:
                      - { id: sleep, agent: sleeper }
                    """)
                let run = try await client.start("sleeper")
                func identity(_ name: String) -> Int32? {
                    (try? String(contentsOfFile: "\(marks).\(name)", encoding: .utf8)).flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
                }
                let names = ["leader", "child", "session", "bare"]
                try await waitUntil("the processes have begun", deadline: .seconds(20)) { names.allSatisfy { identity($0) != nil } }
                let processes = names.compactMap(identity)
                #expect(processes.allSatisfy { isRunning($0) })
                let parent = try #require(worker.processID)
                let guards = children(of: parent).filter { commandLine(of: $0).contains("--exec-guard") }
                #expect(guards.count == 1, "\(guards.map { "\($0) \(commandLine(of: $0))" })")
                await worker.crash()
                try await waitUntil("all of them are gone, and so is their guard", deadline: .seconds(20)) {
                    (processes + guards).allSatisfy { !isRunning($0) }
                }
                _ = try await client.request("POST", "/api/v1/runs/\(run):cancel")
                let ended = try await client.ended(run)
                #expect(ended["status"] == "cancelled")
                try await cluster.expectClean()
            }
        }
    }
}
