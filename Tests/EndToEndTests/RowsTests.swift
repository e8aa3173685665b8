// Rows that somebody has edited by hand: the run that they belong to ends or stands quarantined with a reason, and the coordinator goes on.

import BadInput
import Foundation
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Rows edited by hand", .timeLimit(.minutes(3)))
    struct RowsTests {
        // The steps wait in a queue that only the test takes tasks from.
        private static let workflows = [
            "workflow: single\nqueue: hand\nagents: { n: { kind: noop } }\nsteps: [ { id: a, agent: n } ]",
            "workflow: pair\nqueue: hand\nagents: { n: { kind: noop } }\nsteps: [ { id: a, agent: n }, { id: b, set: 2 } ]",
            "workflow: reads\nqueue: hand\nagents: { n: { kind: noop } }\nsteps: [ { id: a, agent: n }, { id: b, set: \"${{ steps.a.output.n }}\" } ]",
            "workflow: reads-input\nqueue: hand\nagents: { n: { kind: noop } }\nsteps: [ { id: a, agent: n }, { id: b, set: \"${{ input.n }}\" } ]",
            """
            workflow: retried
            queue: hand
            agents: { n: { kind: noop, retry: { maxAttempts: 2, jitter: decorrelated, delay: 10ms, maxDelay: 20ms } } }
            steps: [ { id: a, agent: n } ]
            """,
            """
            workflow: graph
            queue: hand
            agents: { n: { kind: noop } }
            graph: [ { id: a, agent: n }, { id: b, set: 2 }, { id: c, needs: [a, b], set: 3 } ]
            """,
            """
            workflow: loop
            queue: hand
            agents: { n: { kind: noop } }
            steps: [ { id: l, each: "${{ [1, 2] }}", maxParallel: 2, do: [ { id: a, agent: n } ] } ]
            """,
            """
            workflow: fork
            queue: hand
            agents: { n: { kind: noop } }
            steps: [ { id: f, parallel: { branches: { x: [ { id: a, agent: n } ], y: [ { id: a, agent: n } ] } } } ]
            """,
            """
            workflow: machine
            states:
              initial: idle
              idle: { on: { go: { to: busy } } }
              busy: { on: { stop: { to: done } } }
              done: { final: true }
            """,
        ]

        @Test("whatever a row says, its run ends or is quarantined with a reason, and no process dies of it")
        func rows() async throws {
            try await withCluster(endsChecked: false) { cluster in
                let coordinator = try await cluster.startCoordinator(settings: ["SKEIN_CHECK_INTERVAL": "0s"])
                let process = coordinator.processID
                let client = try await cluster.client()
                for source in Self.workflows {
                    try await client.apply(String(source.split(separator: "\n")[0].dropFirst("workflow: ".count)), source)
                }
                let connection = try await cluster.connect()
                let file = try CaseFile("rows")
                var runs: [String] = []
                for item in file.cases { runs.append(try await client.start(Self.line("workflow", of: item) ?? "", input: ["n": 1])) }
                try await waitUntil("all runs are under way") {
                    let waiting = try await cluster.count(
                        "select (select count(distinct run_id) from skein.task where state = 'ready') + (select count(*) from skein.wait)")
                    return waiting == runs.count
                }
                let session = try await connection.query(
                    "select skein.register_session_v1('default', 'hand', 'localhost', 1, 'test', array['hand'], 1000, 600000)")[0].int64(0)
                for (item, run) in zip(file.cases, runs) {
                    let sql = (Self.line("sql", of: item) ?? "").replacing("${RUN}", with: run)
                    // What the coordinator remembers of the run is of another revision: it reads the rows.
                    _ = try await connection.query(SQL(sql))
                    _ = try await connection.query(SQL("update skein.run set revision = revision + 1000 where run_id = '\(run)'"))
                }
                try await Self.report(session, file.cases, runs, on: connection)
                for (item, run) in zip(file.cases, runs) {
                    if let event = Self.line("signal", of: item) { _ = try await client.signal(run, event) }
                }
                try await waitUntil("every run has been decided upon", deadline: .seconds(15)) {
                    try await Self.unsettled(on: connection) == 0
                }
                #expect(coordinator.processID == process && coordinator.isRunning)
                #expect(!coordinator.logged.contains("Fatal error"))
                let known = Dictionary(uniqueKeysWithValues: zip(file.cases.map(\.body), runs))
                try await file.check { item in
                    try await Self.fate(of: known[item.body] ?? "", on: connection)
                }
                // Others are not touched by it.
                let after = try await client.start("machine")
                _ = try await client.signal(after, "go")
                _ = try await client.signal(after, "stop")
                #expect(try await client.ended(after)["status"] == "succeeded")
            }
        }

        private static func line(_ name: String, of item: BadCase) -> String? {
            item.body.split(separator: "\n", omittingEmptySubsequences: false).first { $0.hasPrefix("\(name):") }
                .map { String($0.dropFirst(name.count + 1).drop { $0 == " " }) }
        }

        // Everything that is ready is claimed, and settled as the cases say.
        private static func report(_ session: Int64, _ cases: [BadCase], _ runs: [String], on connection: PostgresConnection) async throws {
            let tasks = try await connection.query("select run_id::text, path, fence, run_id from skein.claim_tasks_v1($1, 100000)", [.int64(session)])
            let known = Dictionary(uniqueKeysWithValues: zip(runs, cases))
            for task in tasks {
                guard let item = known[task.text(0)] else { continue }
                var (outcome, output, failure): (String, String?, String?) = ("succeeded", nil, nil)
                if let text = line("settle", of: item) { output = text }
                if let text = line("fail", of: item) { (outcome, failure) = ("failed", text) }
                if line("fail-null", of: item) != nil { outcome = "failed" }
                if line("lose", of: item) != nil { outcome = "lost" }
                _ = try await connection.query(
                    "select skein.settle_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8)",
                    [
                        .int64(session), .uuidArray([task.uuid(3)]), .textArray([task.text(1)]), .int64Array([task.int64(2)]), .textArray([outcome]),
                        .textArray([output]), .textArray([failure]), .textArray([nil]),
                    ])
            }
        }

        private static func unsettled(on connection: PostgresConnection) async throws -> Int64 {
            try await connection.query(
                """
                select (select count(*) from skein.task t join skein.run r using (run_id) where t.state = 'settled' and r.quarantined_at is null)
                     + (select count(*) from skein.inbox i join skein.run r using (run_id) where r.quarantined_at is null)
                     + (select count(*) from skein.match)
                     + (select count(*) from skein.timer m join skein.run r using (run_id)
                         where m.due_at < clock_timestamp() + interval '1 second' and r.quarantined_at is null)
                """)[0].int64(0)
        }

        // Its ending, or what `skein run why` says of it.
        private static func fate(of run: String, on connection: PostgresConnection) async throws -> String {
            let ended = try await connection.query(SQL("select status::text, output, failure from skein.ended_run where run_id = '\(run)'"))
            let live = try await connection.query(SQL("select run_id from skein.run where run_id = '\(run)'"))
            var lines: [String] = []
            if let row = ended.first {
                let failure = row.textOrNull(2).flatMap { try? JSONValue(parsing: $0) }
                let words = [failure?["type"]?.stringValue, failure?["code"]?.stringValue, failure?["message"]?.stringValue].compactMap { $0 }
                lines.append("\(row.text(0))\(words.isEmpty ? "" : ": ")\(words.joined(separator: " ")) \(row.textOrNull(1)?.prefix(100) ?? "")".trimmingCharacters(in: .whitespaces))
            }
            if !live.isEmpty {
                for row in try await connection.query(SQL("select status, reason, detail, remedy from skein.explain_run('\(run)', 3)")) {
                    lines.append("\(row.textOrNull(0) ?? "-") (\(row.textOrNull(1) ?? "-")): \(row.textOrNull(2) ?? "-")")
                }
                if lines.isEmpty { lines.append("live, and nothing says why") }
            }
            return lines.joined(separator: "\n").replacing(run, with: "${RUN}").replacing(/\d{4}w\d{2}/, with: "WEEK").replacing(/event \d+/, with: "event N")
                .replacing(/"enteredAt":\d{16}\b/, with: "\"enteredAt\":NOW")
        }
    }
}
