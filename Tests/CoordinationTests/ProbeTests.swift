// Which runs the coordinator's look at the invariants takes in, against a real database.

@testable import Coordination
import Logging
import Postgres
import PostgresTestKit
import Schema
import Telemetry
import Testing
import WorkflowModel

@Suite("The probe of invariants", .timeLimit(.minutes(1)))
struct ProbeTests {
    // A million runs may be submitted while a round lasts.
    @Test("runs that are submitted during a round have their turn in the next one")
    func boundsRound() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(
            """
            insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
            select skein.new_run_id(), 1, 1, 'succeeded', 1, 0, clock_timestamp(), clock_timestamp(), 'api', '{}' from generate_series(1, 2)
            """)
        let log = LogBootstrap.logger(label: "test", level: .critical, format: .text) { _ in }
        let pool = PostgresPool(database.configuration, size: 2)
        defer { pool.close() }
        let coordinator = Coordinator(CoordinatorConfiguration(database: database.configuration, checkedRuns: 1), pool: pool, log: log)
        func stuck() -> Double? { coordinator.metrics.value(of: .invariantViolations, "I35") }

        // The first check waits, and so long that the next one looks at what is there by then.
        let locker = try await database.connect()
        try await locker.script("begin; lock table skein.cluster_epoch in access exclusive mode")
        let start = Coordinator.ProbeWalk(firstCheck: try #require(EmbeddedSQL.checks.firstIndex { $0.name.hasPrefix("I34") }))
        async let first = coordinator.probe(start)
        try await waitUntil("the first check waits") {
            try await connection.query(
                """
                select from pg_locks l join pg_stat_activity a using (pid)
                 where not l.granted and l.relation = 'skein.cluster_epoch'::regclass and a.datname = current_database()
                   and a.xact_start < clock_timestamp() - interval '300 ms'
                """
            ).count == 1
        }
        try await locker.script(
            """
            insert into skein.run (run_id, namespace_id, version_id, submitted_at, input) values (skein.new_run_id(), 1, 1, clock_timestamp(), '{}');
            commit
            """)
        _ = try await first
        #expect(stuck() == 0)
        _ = try await coordinator.probe(start)
        #expect(stuck() == 1)
        await locker.close()
        await connection.close()
    }
}
