// The coordinators look at the invariants by themselves, and `skein doctor` says what is wrong.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Invariants", .timeLimit(.minutes(2)))
    struct ProbeTests {
        @Test("a coordinator finds a broken invariant, logs the row and the remedy, and shows it as a metric until it is mended")
        func probe() async throws {
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator(settings: ["SKEIN_CHECK_INTERVAL": "100ms", "SKEIN_CHECK_RUNS": "5"])
                try await cluster.startWorker()
                let client = try await cluster.client()
                try await client.apply("pair", "workflow: pair\nagents: { n: { kind: noop } }\nsteps: [{ id: a, agent: n }, { id: b, agent: n }]")
                var runs: [String] = []
                for _ in 0..<12 { runs.append(try await client.start("pair")) }
                for run in runs { _ = try await client.ended(run) }
                let metrics = { try await client.get("/metrics").text }
                try await waitUntil("every invariant was probed") { try await metrics().contains("skein_invariant_violations{invariant=\"L2\"} 0") }
                #expect(try await metrics().contains("skein_invariant_checks_total{invariant=\"I35\",outcome=\"good\"}"))

                // Of the oldest run, which is not among the five newest: the walk comes by it.
                _ = try await cluster.query("update skein.ended_run set history_length = 9 where run_id = '\(runs[0])'")
                try await coordinator.waitForLog("An invariant is broken")
                let line = try #require(coordinator.logLines.first { $0.contains("An invariant is broken") })
                #expect(line.contains("I28 the history of a run has no gaps") && line.contains(runs[0]) && line.contains("history_overview"), "\(line)")
                let doctor = try await ProgramRun.of("skein", ["doctor", "--database-url", cluster.databaseURL])
                #expect(doctor.code == 1)
                #expect(doctor.output.contains("I28 the history of a run has no gaps") && doctor.output.contains(runs[0]), "\(doctor)")
                #expect(doctor.output.contains("fix: report it with the run's history_overview"), "\(doctor)")

                _ = try await cluster.query("update skein.ended_run set history_length = 4 where run_id = '\(runs[0])'")
                try await waitUntil("the metric is good again") { try await metrics().contains("skein_invariant_violations{invariant=\"I28\"} 0") }
                #expect(try await metrics().contains("skein_invariant_checks_total{invariant=\"I28\",outcome=\"violated\"}"))
            }
        }
    }
}
