// For each planted fault of the protocol a story in which it shows: the healthy functions tell it well, the mutant does not.

import Postgres
import PostgresTestKit
import Testing

extension EndToEnd {
    @Suite("Mutants", .timeLimit(.minutes(2)))
    struct MutantTests {
        @Test("the story of a planted fault ends well without the fault, and not with it", arguments: Mutant.allCases)
        func isFound(mutant: Mutant) async throws {
            let healthy = try await Story().holds(mutant)
            #expect(healthy, "\(mutant.rawValue): the healthy functions fail the story")
            let story = try await Story()
            try await mutant.plant(in: story.connection)
            let mutated = try await story.holds(mutant)
            #expect(!mutated, "\(mutant.rawValue) survived: no check finds it")
        }
    }
}

/// A database with one task, and the moves that workers and coordinators make.
private struct Story {
    let database: TestDatabase
    let connection: PostgresConnection
    private static let run = "01890000-0000-7000-8000-000000000001"

    init() async throws {
        database = try await TestDatabase.create()
        connection = try await database.connect()
        try await connection.script(
            """
            insert into skein.run (run_id, namespace_id, version_id, submitted_at, input) values ('\(Self.run)', 1, 1, clock_timestamp(), '{}');
            insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
            values ('\(Self.run)', 'step', 1, 1, 1, 0, clock_timestamp(), '{}');
            """)
    }

    /// Whether the promise that the mutant breaks is kept in its story.
    func holds(_ mutant: Mutant) async throws -> Bool {
        switch mutant {
        case .noFence:
            // The same session is given the task again after it gave it back; then the first call ends after all.
            let session = try await register()
            let stale = try await claim(session)
            _ = try await connection.query(SQL("select skein.release_strays_v1(\(session), '{}')"))
            try await makeReadyAgain()
            let fresh = try await claim(session)
            return try await takesOnly(fresh, from: session, after: stale, from: session)
        case .noFenceNoSession:
            let (zombie, other) = (try await register(), try await register())
            let stale = try await claim(zombie)
            try await lose(zombie)
            try await makeReadyAgain()
            let fresh = try await claim(other)
            return try await takesOnly(fresh, from: other, after: stale, from: zombie)
        case .noReaper:
            let session = try await register()
            _ = try await claim(session)
            try await lose(session)
            return try await taskState() == "settled lost"
        case .deadMayClaim:
            let session = try await register()
            _ = try await connection.query(SQL("select skein.close_session_v1(\(session))"))
            do {
                return try await claim(session).isEmpty
            } catch let error as PostgresError {
                return error.sqlState == SQLState(rawValue: "SK001")
            }
        case .noClaimLock:
            // The lease runs out between the claim's statement and its commit: whoever looks then must not close the books on the session.
            let session = try await register()
            let worker = try await database.connect()
            _ = try await worker.query("begin")
            _ = try await worker.query(SQL("select skein.claim_tasks_v1(\(session), 1)"))
            try await lose(session)
            _ = try await worker.query("commit")
            await worker.close()
            try await lose(session)
            return try await taskState() == "settled lost"
        case .claimLeased:
            let (first, second) = (try await register(), try await register())
            let mine = try await claim(first)
            let yours = try await claim(second)
            return mine.count == 1 && yours.isEmpty
        case .cancelHoldsNothing:
            let session = try await register()
            _ = try await connection.query(SQL("select skein.cancel('\(Self.run)')"))
            return try await claim(session).isEmpty
        }
    }

    // The late result is refused, and the one that counts is taken.
    private func takesOnly(_ fresh: [Int64], from owner: Int64, after stale: [Int64], from late: Int64) async throws -> Bool {
        guard stale.count == 1, fresh.count == 1 else { return false }
        let refused = try await settle(late, stale[0]) == 0
        let taken = try await settle(owner, fresh[0]) == 1
        return refused && taken
    }

    // MARK: Moves

    private func register() async throws -> Int64 {
        try await connection.query(
            "select skein.register_session_v1('default', 'test', 'localhost', 1, 'test', '{default}', 10, 60000)")[0].int64(0)
    }

    /// The fences of what was claimed.
    private func claim(_ session: Int64) async throws -> [Int64] {
        try await connection.query(SQL("select fence from skein.claim_tasks_v1(\(session), 10)")).map { $0.int64(0) }
    }

    /// How many results were taken.
    private func settle(_ session: Int64, _ fence: Int64) async throws -> Int {
        try await connection.query(
            SQL("select skein.settle_tasks_v1(\(session), '{\(Self.run)}', '{step}', '{\(fence)}', '{succeeded}', '{1}', '{null}', '{null}')")).count
    }

    /// The session's lease runs out, and a coordinator looks.
    private func lose(_ session: Int64) async throws {
        try await connection.script(
            """
            update skein.worker_session set lease_until = clock_timestamp() - interval '1 second' where session_id = \(session);
            select skein.mark_dead_sessions_v1();
            select skein.reap_tasks_v1(100);
            """)
    }

    /// What the fold does with an attempt that was lost or given back.
    private func makeReadyAgain() async throws {
        _ = try await connection.query(
            """
            update skein.task set state = 'ready', session_id = null, fence = null, claimed_at = null, settled_at = null, outcome = null,
                                  output = null, failure = null
            """)
    }

    private func taskState() async throws -> String? {
        try await connection.query("select state::text || coalesce(' ' || outcome::text, '') from skein.task").first?.textOrNull(0)
    }
}
