// SIGTERM, and wrong use: how processes end.

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

        @Test(
            "wrong use is one clear line on standard error, and an exit code that says so",
            arguments: [
                WrongUse("skein-coordinator", ["--port", "many"], 78, "port"),
                WrongUse("skein-coordinator", ["--port", "70700"], 78, "port"),
                WrongUse("skein-coordinator", ["--lease", "soon"], 78, "lease"),
                WrongUse("skein-coordinator", ["--database-url", "host=a b=c nonsense"], 78, "database.url"),
                WrongUse("skein-coordinator", ["--address", "0.0.0.0", "--no-require-api-keys"], 78, "address"),
                WrongUse("skein-coordinator", ["--config", "/nonexistent/skein.json"], 78, "config"),
                WrongUse("skein-coordinator", ["--prot", "0"], 64, "--prot"),
                WrongUse("skein-worker", ["--slots", "0"], 78, "slots"),
                WrongUse("skein-worker", ["--slots", "-3"], 64, "slots"),
                WrongUse("skein-worker", ["--drain-timeout", "-1s"], 64, "drain-timeout"),
                WrongUse("skein-worker", ["--queues", ","], 78, "queues"),
                WrongUse("skein-worker", ["sideways"], 64, "sideways"),
            ])
        func wrongUse(_ use: WrongUse) async throws {
            try await withCluster { cluster in
                let process = try cluster.process("wrong", binary: use.binary, arguments: use.arguments)
                try process.start()
                let ending = try await process.ending(within: .seconds(10))
                #expect(ending == .exited(use.code), "\(process.logged)")
                #expect(process.said.isEmpty)
                let lines = process.logLines
                #expect(lines.first?.contains(use.says) == true, "\(process.logged)")
                // The argument parser adds how to use the program; everything of our own is one line.
                if use.code == 78 { #expect(lines.count == 1, "\(process.logged)") }
            }
        }
    }
}

/// A command line that cannot work.
struct WrongUse: Sendable, CustomTestStringConvertible {
    let binary: String
    let arguments: [String]
    let code: Int32
    let says: String

    init(_ binary: String, _ arguments: [String], _ code: Int32, _ says: String) {
        self.binary = binary
        self.arguments = arguments
        self.code = code
        self.says = says
    }

    var testDescription: String { ([binary] + arguments).joined(separator: " ") }
}
