// How far a fold looks: at a window of what has settled, and behind it when somebody else works on all that it shows.

import Postgres
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

@Suite("A fold's window", .timeLimit(.minutes(2)))
struct FoldWindowTests {
    private let cluster: Cluster
    // All have settled, one after the other.
    private let runs: [RunID]
    private let locker: PostgresConnection

    init() async throws {
        cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: single
            agents: { echo: { kind: noop } }
            steps: [ { id: only, agent: echo } ]
            """)
        var runs: [RunID] = []
        for _ in 0..<6 { runs.append(try await cluster.submit("single")) }
        let session = try await cluster.register()
        try await cluster.settle(session, try await cluster.claim(session))
        for (place, run) in runs.enumerated() {
            _ = try await cluster.connection.query(
                SQL("update skein.task set settled_at = clock_timestamp() - interval '\(60 - place) s' where run_id = '\(run)'"))
        }
        self.runs = runs
        locker = try await cluster.database.connect()
    }

    private func lock(_ runs: some Sequence<RunID>) async throws {
        let list = runs.map { "'\($0)'" }.joined(separator: ", ")
        try await locker.script("begin; select from skein.run where run_id in (\(list)) for update")
    }

    private func ended() async throws -> Set<String> { Set(try await cluster.texts("select run_id::text from skein.ended_run")) }

    private func fold(_ limit: Int, _ share: FoldShare = .all) async throws -> FoldReport {
        try await cluster.store.fold(upTo: limit, share: share, on: cluster.connection)
    }

    // How often a fold of up to so many outcomes, which finds nothing that it could take, begins to read tasks. One that takes unusually long
    // looks for a better place to begin, too: so the fewest of some.
    private func reads(_ limit: Int32) async throws -> Int {
        var fewest = Int.max
        for _ in 0..<20 { fewest = min(fewest, try await readsOnce(limit)) }
        return fewest
    }

    private func readsOnce(_ limit: Int32) async throws -> Int {
        try await cluster.connection.transaction { db throws(PostgresError) in
            // Nothing is taken out of these counts in the middle of a transaction.
            let counted: SQL = "select coalesce(idx_scan, 0) + coalesce(seq_scan, 0) from pg_stat_xact_user_tables where relid = 'skein.task'::regclass"
            _ = try db.query("select from skein.task limit 1")
            let before = try db.query(counted)[0].int64(0)
            let runs = try db.query("select runs from skein.lock_due_runs_v1($1, 0, 1, '{}')", [.int32(limit)])[0].int32(0)
            #expect(runs == 0)
            return Int(try db.query(counted)[0].int64(0) - before)
        }
    }

    // One lane takes its own runs; one whose share is empty takes what there is.
    @Test("what lies behind a full window is taken when somebody works on all that is in it", arguments: [true, false])
    func behind(ownRuns: Bool) async throws {
        let free = try await cluster.count(
            "select min(b)::bigint from generate_series(0, 255) b where not exists (select from skein.task where get_byte(uuid_send(run_id), 15) = b)")
        let share = ownRuns ? FoldShare.all : FoldShare(index: free, of: 256)
        try await lock(runs[..<4])
        let first = try await fold(4, share)
        #expect(first.runs == 2 && first.hasMore)
        #expect(try await ended() == Set(runs[4...].map(\.description)))
        // All that is left is in the window, which is full; nothing lies behind it.
        let second = try await fold(4, share)
        #expect(second.runs == 0 && second.hasMore)
        try await locker.script("rollback")
        #expect(try await fold(4, share).runs == 4)
        #expect(try await ended() == Set(runs.map(\.description)))
        try await cluster.expectClean()
    }

    @Test("behind the window lies as much as another window at most")
    func bounded() async throws {
        try await lock(runs[..<2])
        #expect(try await fold(2).runs == 2)
        #expect(try await ended() == Set(runs[2..<4].map(\.description)))
    }

    @Test("a window with something to fold, or one that is not full, is all that is looked at")
    func window() async throws {
        try await lock(runs[..<4])
        #expect(try await fold(5).runs == 1)
        #expect(try await ended() == [runs[4].description])
        #expect(try await fold(5).runs == 1)
        #expect(try await reads(5) == 1)
        // What lies behind this one is looked at.
        #expect(try await reads(4) == 2)
    }

    @Test("runs that may not be folded leave the window to the others", arguments: [4, 100])
    func unusable(limit: Int) async throws {
        for run in runs[..<4] { try await cluster.store.quarantine(run, reason: "by hand", on: cluster.connection) }
        let first = try await fold(limit)
        #expect(first.runs == 2 && !first.hasMore)
        #expect(try await ended() == Set(runs[4...].map(\.description)))
        // Nobody is to come back for what stays there.
        let second = try await fold(limit)
        #expect(second.runs == 0 && !second.hasMore)
    }

    @Test("runs that another lane has are not looked at, wherever they stand")
    func passed() async throws {
        let report = try await cluster.store.fold(upTo: 1, passing: Array(runs[..<5]), on: cluster.connection)
        #expect(report.runs == 1 && report.hasMore)
        #expect(try await ended() == [runs[5].description])
        let nothing = try await cluster.store.fold(upTo: 1, passing: runs, on: cluster.connection)
        #expect(nothing.runs == 0 && !nothing.hasMore)
        #expect(try await fold(10).runs == 5)
    }

    @Test("what another lane has is passed over up to eight windows, and no mark is moved for it")
    func passedFar() async throws {
        _ = try await cluster.connection.query(
            SQL(
                """
                insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, state, ready_at, session_id, fence, claimed_at,
                                        settled_at, outcome, input)
                select run_id, path || '.' || n, namespace_id, queue_id, version_id, step_index, state, ready_at, session_id, fence, claimed_at,
                       settled_at, outcome, input
                  from skein.task, generate_series(1, 7) as n where run_id = '\(runs[0])'
                """))
        // Eight outcomes of the first run stand before all others.
        let far = try await cluster.store.fold(upTo: 1, passing: [runs[0]], on: cluster.connection)
        #expect(far.runs == 0)
        let near = try await cluster.store.fold(upTo: 2, passing: [runs[0]], on: cluster.connection)
        #expect(near.runs == 2)
        #expect(try await ended() == Set(runs[1...2].map(\.description)))
        #expect(try await cluster.count("select count(*) from skein.low_water where kind = 'settled' and since > '-infinity'") == 0)
    }
}
