// Pause and resume against a real database, and the races around them, each played by hand with several sessions.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import Synchronization
import TaskQueue
import Testing
import WorkflowModel

@Suite("Pause", .timeLimit(.minutes(2)))
struct PauseTests {
    static let three = """
        workflow: three
        agents: { echo: { kind: noop } }
        steps:
          - { id: one, agent: echo }
          - { id: two, agent: echo }
          - { id: three, agent: echo }
        """

    @Test("a paused run starts nothing; what is under way finishes and its result is kept for later")
    func draining() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        let session = try await cluster.register()
        let leased = try await cluster.claim(session)
        let answer = try await cluster.text("select skein.pause('\(run)', 'deploying')")
        #expect(answer == "paused")
        let draining = try await cluster.text("select draining::text from skein.run_overview where run_id = '\(run)'")
        #expect(draining == "1")
        let kept = try await cluster.settle(session, leased)
        #expect(kept == [true])
        let report = try await cluster.fold()
        #expect(report.runs == 0, "a paused run is not folded")
        let none = try await cluster.claim(session)
        #expect(none.isEmpty)
        let status = try await cluster.status(of: run)
        #expect(status == "paused")
        try await cluster.expectClean()
        let again = try await cluster.text("select skein.pause('\(run)')")
        #expect(again == "paused", "pausing twice is no mistake")
        let resumed = try await cluster.text("select skein.resume('\(run)')")
        #expect(resumed == "resumed")
        try await cluster.work(session)
        let ended = try await cluster.status(of: run)
        #expect(ended == "succeeded")
        let attempts = try await cluster.count("select count(*) from skein.attempt")
        #expect(attempts == 0, "the result that came while it was paused was not lost")
        try await cluster.expectClean()
    }

    @Test("a task of a paused run that was ready is claimed by nobody until it is resumed")
    func queued() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        _ = try await cluster.text("select skein.pause('\(run)')")
        let session = try await cluster.register()
        let none = try await cluster.claim(session)
        #expect(none.isEmpty)
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.resume('00000000-0000-7000-8000-000000000000')") }
        _ = try await cluster.text("select skein.resume('\(run)')")
        let tasks = try await cluster.claim(session)
        #expect(tasks.count == 1)
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.resume('\(run)')") }
        try await cluster.settle(session, tasks)
        try await cluster.work(session)
        try await cluster.expectClean()
    }

    @Test("sleeps and time-outs stand still while a run is paused; a named moment does not")
    func frozen() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply("workflow: nap\ntimeout: 30m\nsteps: [ { id: nap, sleep: 10m } ]")
        let run = try await cluster.submit("nap")
        try await cluster.travel(by: .seconds(300))
        _ = try await cluster.text("select skein.pause('\(run)')")
        try await cluster.travel(by: .seconds(3000))
        let report = try await cluster.fold()
        #expect(report.runs == 0)
        _ = try await cluster.text("select skein.resume('\(run)')")
        try await cluster.fold()
        let sleeping = try await cluster.status(of: run)
        #expect(sleeping == "waiting", "five minutes are left")
        let left = try await cluster.text(
            "select round(extract(epoch from due_at - skein.now()) / 60)::text from skein.timer where run_id = '\(run)' and kind = 'sleep'")
        #expect(left == "5")
        try await cluster.travel(by: .seconds(3400))
        try await cluster.fold()
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a signal that comes during a pause is kept, and taken after it")
    func signals() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply("workflow: waiting\nsteps: [ { id: pay, await: { event: paid } } ]")
        let run = try await cluster.submit("waiting")
        let session = try await cluster.register()
        try await cluster.work(session)
        _ = try await cluster.text("select skein.pause('\(run)')")
        _ = try await cluster.text("select skein.signal('\(run)', 'paid')::text")
        try await cluster.work(session)
        let paused = try await cluster.status(of: run)
        #expect(paused == "paused")
        _ = try await cluster.text("select skein.resume('\(run)')")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("children pause with their parent and resume with it; one that was paused by itself stays so")
    func tree() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        _ = try await cluster.apply(
            "workflow: parent\ngraph: [ { id: left, workflow: three }, { id: right, workflow: three } ]")
        let run = try await cluster.submit("parent")
        let children = try await cluster.texts("select run_id::text from skein.run where parent_run_id = '\(run)' order by parent_path")
        #expect(children.count == 2)
        _ = try await cluster.text("select skein.pause('\(children[0])', 'this one')")
        _ = try await cluster.text("select skein.pause('\(run)', 'all')")
        let session = try await cluster.register()
        let none = try await cluster.claim(session)
        #expect(none.isEmpty)
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.resume('\(children[1])')") }
        _ = try await cluster.text("select skein.resume('\(run)')")
        try await cluster.work(session)
        let endings = try await cluster.texts("select run_id::text from skein.ended_run")
        #expect(endings == [children[1]])
        _ = try await cluster.text("select skein.resume('\(children[0])')")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a cancel works on a paused run")
    func cancelled() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        let session = try await cluster.register()
        let leased = try await cluster.claim(session)
        _ = try await cluster.text("select skein.pause('\(run)')")
        try await cluster.settle(session, leased)
        _ = try await cluster.text("select skein.cancel('\(run)', 'after all')")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "cancelled")
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.pause('\(run)')") }
        try await cluster.expectClean()
    }

    @Test("pauses and resumes of a run with many tasks never deadlock with the workers that settle them")
    func manyTasks() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: wide
            agents: { echo: { kind: noop } }
            steps: [ { id: visit, each: "${{ range(400) }}", maxParallel: 0, agent: echo } ]
            """)
        let run = try await cluster.submit("wide")
        let session = try await cluster.register()
        let tasks = try await cluster.claim(session, upTo: 400)
        #expect(tasks.count == 400)
        let operatorSession = try await cluster.database.connect()
        let worker = try await cluster.database.connect()
        // The worker settles in the order in which it was done, which is anything but the order of the keys.
        async let settled = { () async throws -> Int in
            var kept = 0
            for start in stride(from: 0, to: 400, by: 40) {
                let batch = tasks[start..<start + 40].reversed().map { SettledTask(key: $0.key, fence: $0.fence, status: .succeeded, output: $0.input) }
                kept += try await TaskQueue.exchange(session, settling: Array(batch), claimingUpTo: 0, on: worker).kept.count { $0 }
            }
            return kept
        }()
        for _ in 0..<20 {
            _ = try await operatorSession.query(SQL("select skein.pause('\(run)')"))
            _ = try await operatorSession.query(SQL("select skein.resume('\(run)')"))
        }
        let kept = try await settled
        #expect(kept == 400)
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    private static let blocked: SQL = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"

    /// Workers settle many tasks in the order of their keys; a fold learns one after the other which tasks it has to withdraw.
    @Test("a fold that has locked a task does not wait for a worker that may want it: it begins again")
    func twoRaces() async throws {
        let cluster = try await Cluster.start()
        let branch = "[ { id: race, parallel: { branches: { quick: [ { id: run, agent: echo } ], slow: [ { id: run, agent: echo } ] }, join: first } } ]"
        _ = try await cluster.apply(
            """
            workflow: races
            agents: { echo: { kind: noop } }
            steps: [ { id: both, parallel: { branches: { a: \(branch), z: \(branch) } } } ]
            """)
        let run = try await cluster.submit("races")
        let session = try await cluster.register()
        let tasks = try await cluster.claim(session)
        #expect(tasks.count == 4)
        let quick = tasks.filter { $0.key.path.text.contains("quick") }.sorted { $0.fence < $1.fence }
        try await cluster.settle(session, quick)
        // Outcomes are taken in the order of their fences, so the task beside the second one is locked last; a worker has it already.
        let last = try #require(quick.last?.key.path.text.replacing("quick", with: "slow"))
        let worker = try await cluster.database.connect()
        _ = try await worker.query("begin")
        _ = try await worker.query(SQL("select from skein.task where run_id = '\(run)' and path = '\(last)' for update"))
        let isOver = Mutex(false)
        async let folding: FoldReport? = {
            let report = try? await cluster.fold()
            isOver.withLock { $0 = true }
            return report
        }()
        var hasWaited = false
        let observer = try await cluster.database.connect()
        try await waitUntil(deadline: .seconds(10)) {
            hasWaited = try await observer.query(Self.blocked)[0].int64(0) > 0
            return hasWaited || isOver.withLock { $0 }
        }
        #expect(!hasWaited)
        _ = try await worker.query("commit")
        _ = await folding
        try await cluster.fold()
        // The losers' workers answer at last; it counts for nothing.
        try await cluster.settle(session, tasks.filter { $0.key.path.text.contains("slow") })
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a cancel ends a quarantine, and the run")
    func quarantined() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        try await cluster.store.quarantine(run, reason: "by hand", on: cluster.connection)
        let held = try await cluster.fold()
        #expect(held.runs == 0)
        _ = try await cluster.text("select skein.cancel('\(run)')")
        let session = try await cluster.register()
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "cancelled")
        try await cluster.expectClean()
    }

    @Test("a dead worker's task, reaped and folded around a pause, starts no step of the paused run")
    func reaperAgainstPause() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        let zombie = try await cluster.register(lease: .milliseconds(1))
        let stale = try await cluster.claim(zombie)
        #expect(stale.count == 1)
        try await waitUntil(deadline: .seconds(10)) { try await cluster.count("select skein.mark_dead_sessions_v1()") == 1 }
        // The reaper has the task's row; the pause comes, and has to wait for it.
        let reaper = try await cluster.database.connect()
        let operatorSession = try await cluster.database.connect()
        _ = try await reaper.query("begin")
        _ = try await reaper.query("select skein.reap_tasks_v1(100)")
        async let pausing = operatorSession.query(SQL("select skein.pause('\(run)')"))
        try await waitUntil(deadline: .seconds(10)) {
            try await cluster.count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
        }
        _ = try await reaper.query("commit")
        _ = try await pausing
        for _ in 0..<3 { try await cluster.fold() }
        let session = try await cluster.register()
        let none = try await cluster.claim(session)
        #expect(none.isEmpty, "freed by the fold, which leaves paused runs alone")
        try await cluster.expectClean()
        _ = try await cluster.text("select skein.resume('\(run)')")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a fold that is under way when the pause comes is waited for, and what it made ready is held")
    func foldAgainstPause() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        let session = try await cluster.register()
        try await cluster.settle(session, try await cluster.claim(session))
        // Another coordinator holds the run's lock, as its fold does, and makes the next step ready before it commits.
        let coordinator = try await cluster.database.connect()
        _ = try await coordinator.query("begin")
        _ = try await coordinator.query(SQL("select from skein.run where run_id = '\(run)' for update"))
        let operatorSession = try await cluster.database.connect()
        async let pausing = operatorSession.query(SQL("select skein.pause('\(run)')"))
        try await waitUntil(deadline: .seconds(10)) {
            try await cluster.count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
        }
        _ = try await coordinator.query(
            SQL("update skein.task set state = 'ready', outcome = null, settled_at = null, path = 'two', step_index = 1, session_id = null, fence = null where run_id = '\(run)'"))
        _ = try await coordinator.query("commit")
        _ = try await pausing
        let none = try await cluster.claim(session)
        #expect(none.isEmpty)
        let held = try await cluster.count("select count(*) from skein.task where run_id = '\(run)' and held")
        #expect(held == 1)
    }

    @Test("a claim that is under way when the pause comes is waited for; what it took runs to its end")
    func claimAgainstPause() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.three)
        let run = try await cluster.submit("three")
        let session = try await cluster.register()
        let worker = try await cluster.database.connect()
        _ = try await worker.query("begin")
        let claimed = try await worker.query(SQL("select fence from skein.claim_tasks_v1(\(session), 10)"))
        #expect(claimed.count == 1)
        let operatorSession = try await cluster.database.connect()
        async let pausing = operatorSession.query(SQL("select skein.pause('\(run)')"))
        try await waitUntil(deadline: .seconds(10)) {
            try await cluster.count("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
        }
        _ = try await worker.query("commit")
        _ = try await pausing
        let draining = try await cluster.text("select draining::text from skein.run_overview where run_id = '\(run)'")
        #expect(draining == "1")
        let kept = try await cluster.text(
            "select count(*)::text from skein.settle_tasks_v1(\(session), array['\(run)'::uuid], array['one'], array[\(claimed[0].int64(0))::bigint], array['succeeded'], array['{}'], array[null::text], array[null::text])")
        #expect(kept == "1")
        try await cluster.fold()
        let more = try await cluster.claim(session)
        #expect(more.isEmpty)
        _ = try await cluster.text("select skein.resume('\(run)')")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }
}
