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

        @Test("the commands that remedies name do mend what was found")
        func commands() async throws {
            try await withCluster { cluster in
                let coordinator = try await cluster.startCoordinator(settings: ["SKEIN_CHECK_INTERVAL": "0s"])
                let server = ["SKEIN_SERVER": "http://127.0.0.1:\(try await coordinator.port())"]
                func skein(_ arguments: String...) async throws -> ProgramRun { try await ProgramRun.of("skein", arguments, environment: server) }
                // What is broken, by its number, with the remedy.
                func broken() async throws -> [String: String] {
                    let run = try await skein("doctor", "--database-url", cluster.databaseURL, "-o", "json")
                    let findings = try JSONValue(parsing: run.output)["findings"]?.arrayValue ?? []
                    try #require(findings.count > 20, "\(run)")
                    return Dictionary(
                        findings.filter { $0["verdict"] == "bad" }.map { finding in
                            let name = finding["name"]?.stringValue ?? ""
                            return (String(name.prefix { $0 != " " }), finding["remedy"]?.stringValue ?? "")
                        }, uniquingKeysWith: { $1 })
                }
                let client = try await cluster.client()
                try await client.apply("single", "workflow: single\nagents: { n: { kind: noop } }\nsteps: [{ id: a, agent: n }]")
                let key = try await skein("key", "create", "leaked", "--database-url", cluster.databaseURL)
                let token = try #require(key.output.split { $0.isWhitespace }.first { $0.hasPrefix("sk_") }, "\(key)")
                let (stuck, endless) = (try await client.start("single"), try await client.start("single", input: ["note": .string(String(token))]))
                #expect(try await Set(broken().keys) == ["I31"])
                _ = try await cluster.query("delete from skein.task where run_id = '\(stuck)'")
                _ = try await cluster.query("update skein.run set live = 0, revision = revision + 1000 where run_id = '\(stuck)'")
                _ = try await cluster.query("update skein.task set losses = 6 where run_id = '\(endless)'")
                let found = try await broken()
                #expect(Set(found.keys) == ["I15", "I31", "I35"])
                #expect(found["I15"]?.contains("`skein run cancel <run_id>`") == true && found["I35"]?.contains("`skein run cancel <run_id>`") == true)
                #expect(found["I31"]?.contains("`skein key revoke <key>`") == true)

                for run in [stuck, endless] {
                    let cancel = try await skein("run", "cancel", run)
                    #expect(cancel.code == 0, "\(cancel)")
                    #expect(try await client.ended(run)["status"] == "cancelled")
                }
                let revoke = try await skein("key", "revoke", "leaked", "--database-url", cluster.databaseURL)
                #expect(revoke.code == 0, "\(revoke)")
                #expect(try await broken().isEmpty)
            }
        }
    }
}
