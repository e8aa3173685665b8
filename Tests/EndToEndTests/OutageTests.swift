// The database is not there, or not as it should be. Processes wait, say so, and go on by themselves.

import Foundation
import Postgres
import PostgresTestKit
import Schema
import Testing
import WorkflowModel

extension EndToEnd {
    // Of two limits the shorter one counts, so each test has its own.
    @Suite("Outages")
    struct OutageTests {
        @Test("a coordinator and a worker that start before their database wait for it, and work when it comes", .timeLimit(.minutes(5)))
        func databaseLater() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true]) }
            try await withCluster(.ownServer) { cluster in
                let server = try #require(cluster.server)
                server.crash()
                let coordinator = try await cluster.startCoordinator(ready: false)
                let worker = try await cluster.startWorker(ready: false)
                let client = try await cluster.client()
                let alive = try await client.get("/livez")
                #expect(alive.status == 200)
                try await waitUntil("the coordinator knows that there is no database") {
                    try await client.get("/readyz").json["detail"]?.stringValue?.contains("not been looked at") == false
                }
                let ready = try await client.get("/readyz")
                #expect(ready.status == 503)
                #expect(ready.problem == "database_unavailable")
                try await worker.waitForLog("The database is not ready")
                #expect(!coordinator.hasSaidReady)
                #expect(!worker.hasSaidReady)
                try server.start()
                try await coordinator.waitUntilReady(within: .seconds(20))
                try await worker.waitUntilReady(within: .seconds(20))
                try await client.apply("single", Workflow.single("single", agent.url()))
                let run = try await client.start("single")
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }

        // Longer by hand: deploy/prove outage.
        private static let outage = Duration.seconds(
            (ProcessInfo.processInfo.environment["SKEIN_OUTAGE_MINUTES"].flatMap { Double($0) } ?? 0) * 60)

        @Test("an outage in mid-flight loses no run, and nobody has to be restarted", .timeLimit(.minutes(30)))
        func outage() async throws {
            let agent = try await AgentServer.start { _ in .reply(["ok": true], after: .milliseconds(300)) }
            try await withCluster(.ownServer) { cluster in
                let server = try #require(cluster.server)
                let coordinator = try await cluster.startCoordinator()
                let worker = try await cluster.startWorker()
                let lives = [coordinator.processID, worker.processID]
                let client = try await cluster.client()
                try await client.apply("chain", Workflow.chain("chain", agent.url(), steps: 3))
                var runs: [String] = []
                for number in 0..<20 { runs.append(try await client.start("chain", key: "k\(number)")) }
                try await waitUntil("work is under way") { agent.calls.count >= 8 }
                server.crash()
                let during = try await client.tryStart("chain", key: "during")
                #expect(during.status == 503)
                #expect(during.problem == "database_unavailable" || during.problem == "overloaded")
                try await waitUntil("the worker has noticed") { worker.logged.contains("trying again") }
                let memory = [coordinator.residentMebibytes, worker.residentMebibytes]
                let end = ContinuousClock.now + Self.outage
                var tries = 0
                while ContinuousClock.now < end {
                    let answer = try await client.tryStart("chain", key: "during")
                    #expect(answer.status == 503, "\(answer)")
                    tries += 1
                    try await Task.sleep(for: .milliseconds(100))
                }
                #expect(coordinator.residentMebibytes < memory[0] + 32 && worker.residentMebibytes < memory[1] + 32)
                let began = ContinuousClock.now
                try server.start()
                for run in runs {
                    let ended = try await client.ended(run, within: .seconds(60))
                    #expect(ended["status"] == "succeeded")
                }
                #expect([coordinator.processID, worker.processID] == lives)
                #expect(coordinator.isRunning && worker.isRunning)
                if tries > 0 {
                    print(
                        """
                        outage of \(Self.outage): \(tries) submits refused, all \(runs.count) runs at their end \(ContinuousClock.now - began) after the \
                        start of the server; MiB of coordinator and worker before \(memory), after \([coordinator.residentMebibytes, worker.residentMebibytes])
                        """)
                }
                let later = try await client.start("chain", key: "during")
                let ended = try await client.ended(later)
                #expect(ended["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }

        @Test("a coordinator on a database without the schema is not ready, and becomes so when somebody migrates", .timeLimit(.minutes(5)))
        func migrateLater() async throws {
            try await withCluster(.unmigrated) { cluster in
                let coordinator = try await cluster.startCoordinator(ready: false)
                let worker = try await cluster.startWorker(ready: false)
                let client = try await cluster.client()
                try await waitUntil("the coordinator has looked") { try await client.get("/readyz").problem == "schema_not_ready" }
                let ready = try await client.get("/readyz")
                #expect(ready.status == 503)
                let run = try await client.tryStart("anything")
                #expect(run.status == 503)
                #expect(run.problem == "schema_not_ready")
                try await worker.waitForLog("run skein migrate")
                let connection = try await cluster.connect()
                _ = try await Migrator.migrate(connection)
                await connection.close()
                try await coordinator.waitUntilReady()
                try await worker.waitUntilReady()
                let after = try await client.get("/readyz")
                #expect(after.status == 200)
                try await client.apply("known", "workflow: known\nsteps:\n  - { id: a, set: 1 }\n")
                let known = try await client.start("known")
                let ended = try await client.ended(known)
                #expect(ended["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }

        @Test("a worker that was stopped past its lease reports late, and is refused; the later attempt counts", .timeLimit(.minutes(5)))
        func zombie() async throws {
            // The first call is slow enough to outlast the lease; the agent answers it while its worker stands still.
            let agent = try await AgentServer.start { call in
                call.fence == 0 ? .reply(["error": "no fence"], status: 400) : .reply(["fence": .int(call.fence)], after: .seconds(1))
            }
            try await withCluster { cluster in
                try await cluster.startCoordinator()
                let zombie = try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply("single", Workflow.single("single", agent.url()))
                let run = try await client.start("single")
                try await waitUntil("the agent is called") { agent.calls.count == 1 }
                zombie.send(SIGSTOP)
                try await waitUntil("the attempt is lost", deadline: .seconds(20)) {
                    try await cluster.count("select count(*) from skein.attempt where run_id = '\(run)' and status = 'lost'") == 1
                }
                try await cluster.startWorker()
                let ended = try await client.ended(run)
                #expect(ended["status"] == "succeeded")
                try await waitUntil("the agent has answered the first call, too") { agent.calls.allSatisfy { $0.answered != nil } }
                let fences = agent.calls.map(\.fence)
                #expect(fences.count == 2)
                #expect(ended["output"]?["fence"]?.intValue == fences[1])
                zombie.send(SIGCONT)
                try await zombie.waitForLog("Result dropped")
                try await waitUntil("the worker has a new session") { zombie.logged.components(separatedBy: "Session registered").count == 3 }
                let lines = zombie.logLines.filter { $0.contains("Result dropped") }
                #expect(lines.allSatisfy { $0.contains("\"\(fences[0])\"") })
                let after = try await client.run(run)
                #expect(after["output"] == ended["output"])
                // And it works on, under its new session.
                await cluster.workers[1].crash()
                let next = try await client.start("single")
                let second = try await client.ended(next)
                #expect(second["status"] == "succeeded")
                try await cluster.expectClean()
            }
        }
    }
}
