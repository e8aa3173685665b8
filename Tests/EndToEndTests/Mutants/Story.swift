// A database with one task, and the moves that workers, coordinators and people make.

import Postgres
import PostgresTestKit

/// What happens around one task, and whether it goes well.
struct Story: Sendable {
    let database: TestDatabase
    let connection: PostgresConnection
    static let run = "01890000-0000-7000-8000-000000000001"

    init() async throws {
        database = try await TestDatabase.create()
        connection = try await database.connect()
        try await connection.script(
            """
            insert into skein.workflow (namespace_id, name) values (1, 'w');
            insert into skein.workflow_version (namespace_id, name, version, content_hash, definition, source) values (1, 'w', 1, 'h', '{}', '');
            update skein.workflow set live_version_id = (select version_id from skein.workflow_version);
            insert into skein.run (run_id, namespace_id, version_id, submitted_at, input) values ('\(Self.run)', 1, 1, clock_timestamp(), '{}');
            insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
            values ('\(Self.run)', 'step', 1, 1, 1, 0, clock_timestamp(), '{}');
            """)
    }

    // MARK: Workers

    func register() async throws -> Int64 {
        try await number("skein.register_session_v1('default', 'test', 'localhost', 1, 'test', '{default}', 10, 60000)")
    }

    /// The fences of what was claimed.
    func claim(_ session: Int64) async throws -> [Int64] {
        try await connection.query(SQL("select fence from skein.claim_tasks_v1(\(session), 10)")).map { $0.int64(0) }
    }

    /// How many results were taken.
    func settle(_ session: Int64, _ fence: Int64) async throws -> Int {
        try await connection.query(
            SQL("select skein.settle_tasks_v1(\(session), '{\(Self.run)}', '{step}', '{\(fence)}', '{succeeded}', '{1}', '{null}', '{null}')")).count
    }

    /// The late result is refused, and the one that counts is taken.
    func takesOnly(_ fresh: [Int64], from owner: Int64, after stale: [Int64], from late: Int64) async throws -> Bool {
        guard stale.count == 1, fresh.count == 1 else { return false }
        let refused = try await settle(late, stale[0]) == 0
        let taken = try await settle(owner, fresh[0]) == 1
        return refused && taken
    }

    // MARK: Coordinators

    /// The session's lease runs out, and a coordinator looks.
    func lose(_ session: Int64) async throws {
        try await connection.script(
            """
            update skein.worker_session set lease_until = clock_timestamp() - interval '1 second' where session_id = \(session);
            select skein.mark_dead_sessions_v1();
            select skein.reap_tasks_v1(100);
            """)
    }

    /// What the fold does with an attempt that was lost or given back.
    func makeReadyAgain() async throws {
        try await connection.script(
            """
            update skein.task set state = 'ready', session_id = null, fence = null, claimed_at = null, settled_at = null, outcome = null,
                                  output = null, failure = null
            """)
    }

    func taskState() async throws -> String? {
        try await connection.query("select state::text || coalesce(' ' || outcome::text, '') from skein.task").first?.textOrNull(0)
    }

    /// How many runs a coordinator locks and folds, in a transaction that it leaves open.
    func lockDueRuns(on other: PostgresConnection) async throws -> Int32 {
        try await other.script("begin")
        return try await other.query("select runs from skein.lock_due_runs_v1(100, 0, 1, '{}')")[0].int32(0)
    }

    // MARK: Questions

    func number(_ expression: String) async throws -> Int64 { try await connection.query(SQL("select (\(expression))::bigint"))[0].int64(0) }

    func isTrue(_ expression: String) async throws -> Bool { try await connection.query(SQL("select \(expression)"))[0].bool(0) }

    /// The state of the error that a statement ends with; nil when there is none.
    func refusal(of statement: String) async throws -> String? {
        do throws(PostgresError) {
            _ = try await connection.query(SQL(statement))
            return nil
        } catch {
            return error.sqlState?.rawValue
        }
    }

    /// Two sessions meet: `second` begins when `first` has a transaction open, and waits for it or not; then `first` commits.
    func meet(first: @Sendable (PostgresConnection) async throws -> Void, second: @escaping @Sendable (PostgresConnection) async throws -> Void,
        between: () async throws -> Void = {}
    ) async throws {
        let (early, late) = (try await database.connect(), try await database.connect())
        try await early.script("begin")
        try await first(early)
        let hasEnded = Shared(false)
        let other = Task {
            defer { hasEnded.value = true }
            try await second(late)
        }
        try await waitUntil("the second session waits, or is through") {
            if hasEnded.value { return true }
            return try await isTrue(
                "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')")
        }
        if hasEnded.value { try await between() }
        try await early.script("commit")
        try await other.value
        await early.close()
        await late.close()
    }
}
