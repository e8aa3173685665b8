// A fold meets a worker that settles tasks which it has no longer: neither waits for the other.

import Postgres
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

@Suite("Tasks whose leases were lost", .timeLimit(.minutes(2)))
struct StrayedTaskTests {
    private static let pair = """
        workflow: pair
        agents: { echo: { kind: noop } }
        graph:
          - { id: a, agent: echo }
          - { id: b, agent: echo }
        """

    // The server is shared with other tests.
    private static let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"

    @Test("a fold that waits for one of them holds none of the others", arguments: ["lost", "released"])
    func order(outcome: String) async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.pair)
        let run = try await cluster.submit("pair")
        let session = try await cluster.register()
        #expect(try await cluster.claim(session).count == 2)
        // One is tried again; the other was lost once, and has succeeded since. What is done for good is written first.
        _ = try await cluster.connection.query(
            SQL("update skein.task set state = 'settled', outcome = '\(outcome)', settled_at = clock_timestamp() where run_id = '\(run)' and path = 'a'"))
        _ = try await cluster.connection.query(
            SQL(
                """
                update skein.task set state = 'settled', outcome = 'succeeded', output = '1', losses = 1, settled_at = clock_timestamp()
                 where run_id = '\(run)' and path = 'b'
                """))
        // The worker that had both stands still at the first one, as its statement does when the row has changed since it began.
        let worker = try await cluster.database.connect()
        _ = try await worker.query("begin")
        _ = try await worker.query(SQL("select from skein.task where run_id = '\(run)' and path = 'a' for update"))
        let coordinator = try await cluster.database.connect()
        async let folding = cluster.store.fold(upTo: 200, on: coordinator)
        try await waitUntil("the fold waits") { try await cluster.count(Self.waiting) > 0 }
        _ = try await worker.query(SQL("select from skein.task where run_id = '\(run)' and path = 'b' for update nowait"))
        _ = try await worker.query("commit")
        #expect(try await folding.runs == 1)
        #expect(try await cluster.texts("select path || ' ' || state from skein.task where run_id = '\(run)'") == ["a ready"])
        try await cluster.work(session)
        #expect(try await cluster.status(of: run) == "succeeded")
        await worker.close()
        await coordinator.close()
    }
}
