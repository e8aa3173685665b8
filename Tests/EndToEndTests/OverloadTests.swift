// Ten times more than the cluster can do: what is too much is refused, memory stays flat, and what was accepted goes on.

import EmbeddedPostgres
import Foundation
import PostgresTestKit
import Synchronization
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Overload", .timeLimit(.minutes(5)))
    struct OverloadTests {
        @Test("at ten times the capacity submits get 429 with a time, memory stays flat, and every accepted run goes to its end")
        func tenTimes() async throws {
            // Two slots and 50 ms: 40 runs a second.
            let agent = try await AgentServer.start { _ in .reply(["ok": true], after: .milliseconds(50)) }
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator(settings: ["SKEIN_BACKLOG_LIMIT": "40"])
                try await cluster.startWorker(settings: ["SKEIN_SLOTS": "2"])
                let client = try await cluster.client()
                try await client.apply("single", Workflow.single("single", agent.url()))
                let padding = JSONValue.string(String(repeating: "x", count: 10_000))
                let tally = Tally()
                func submit(until end: ContinuousClock.Instant) async throws {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<8 {
                            group.addTask {
                                while ContinuousClock.now < end {
                                    let answer = try await client.tryStart("single", input: ["padding": padding])
                                    if let run = answer.json["run_id"]?.stringValue {
                                        tally.accepted.withLock { $0.append(run) }
                                    } else {
                                        #expect(answer.status == 429 && answer.problem == "too_many_requests", "\(answer)")
                                        #expect(answer.json["retry_after_seconds"] == 5, "\(answer)")
                                        tally.refused.withLock { $0 += 1 }
                                    }
                                    // Eight of these ask for 400 a second.
                                    try await Task.sleep(for: .milliseconds(20))
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                try await submit(until: .now + .seconds(2))
                let before = coordinator.residentMebibytes
                let callsBefore = agent.calls.count
                try await submit(until: .now + .seconds(4))
                let calls = agent.calls.count - callsBefore
                #expect(tally.refused.withLock { $0 } > 200)
                // The machine may be busy with other things; how much of the capacity is kept is what skein-bench overload measures.
                #expect(calls > 30, "accepted work went on with \(calls) calls in 4 s")
                #expect(coordinator.residentMebibytes < before + 24, "\(before) MiB became \(coordinator.residentMebibytes)")
                #expect(try await cluster.count("select count(*) from skein.run") <= 48)
                let all = tally.accepted.withLock { $0 }
                for run in all { #expect(try await client.ended(run)["status"] == "succeeded") }
                #expect(try await cluster.count("select count(*) from skein.ended_run") == all.count)
                try await waitUntil("there is room again") { try await client.tryStart("single").status == 201 }
                #expect(coordinator.isRunning)
            }
        }
    }

    private final class Tally: Sendable {
        let accepted = Mutex<[String]>([])
        let refused = Mutex(0)
    }
}
