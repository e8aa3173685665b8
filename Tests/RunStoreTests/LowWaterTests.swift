// Marks below which nothing waits: claims and folds begin at them, and nothing is forgotten below them.

import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Low-water marks", .timeLimit(.minutes(2)))
struct LowWaterTests {
    private static let single = """
        workflow: single
        agents: { echo: { kind: noop } }
        steps: [ { id: only, agent: echo, with: { n: "${{ input.n }}" } } ]
        """

    // Tasks that became ready so many seconds ago, the oldest first, and a mark.
    private func cluster(readySince ages: [Int], markAt age: Int) async throws -> (Cluster, SessionID, [RunID]) {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.single)
        let session = try await cluster.register()
        var runs: [RunID] = []
        for seconds in ages {
            let run = try await cluster.submit("single", input: ["n": .int(Int64(seconds))])
            _ = try await cluster.connection.query(
                SQL("update skein.task set ready_at = clock_timestamp() - interval '\(seconds) s' where run_id = '\(run)'"))
            runs.append(run)
        }
        try await put("ready", age, on: cluster)
        return (cluster, session, runs)
    }

    private func put(_ kind: String, _ age: Int, on cluster: Cluster) async throws {
        _ = try await cluster.connection.query(
            SQL(
                """
                insert into skein.low_water (kind, queue_id, priority, since, look_at, valid_until)
                select '\(kind)', case '\(kind)' when 'ready' then (select queue_id from skein.queue where name = 'default') else 0 end, 0,
                       clock_timestamp() - interval '\(age) s', clock_timestamp(), clock_timestamp() + interval '1 hour'
                """))
    }

    // Below all marks whose time has come, as a coordinator does it. The answer is how many there were.
    private func lookBelow(_ cluster: Cluster) async throws -> Int {
        var looked = 0
        while try await cluster.count("select skein.look_below_marks_v1()") > 0 { looked += 1 }
        return looked
    }

    @Test("a claim begins at the mark; a look below it finds what waits there")
    func claims() async throws {
        let (cluster, session, runs) = try await cluster(readySince: [30, 20, 10], markAt: 15)
        let above = try await cluster.claim(session)
        #expect(above.map(\.key.runID) == [runs[2]])
        #expect(try await lookBelow(cluster) == 1)
        let below = try await cluster.claim(session)
        #expect(below.map(\.key.runID) == [runs[0], runs[1]])
    }

    @Test("a look just below the marks finds what was committed late; what was very late waits for a look at everything")
    func near() async throws {
        let (cluster, session, runs) = try await cluster(readySince: [60, 17, 10], markAt: 15)
        _ = try await cluster.connection.query("update skein.low_water set look_at = clock_timestamp() + interval '1 hour'")
        #expect(try await lookBelow(cluster) == 0)
        #expect(try await cluster.count("select skein.look_just_below_marks_v1(interval '5 seconds')") == 1)
        let tasks = try await cluster.claim(session)
        #expect(tasks.map(\.key.runID) == [runs[1], runs[2]])
        try await cluster.settle(session, tasks)
        func putBelow() async throws {
            for (run, age) in [(runs[1], 17), (runs[2], 60)] {
                _ = try await cluster.connection.query(
                    SQL("update skein.task set settled_at = clock_timestamp() - interval '\(age) s' where run_id = '\(run)'"))
            }
            _ = try await cluster.connection.query("delete from skein.low_water where kind = 'settled'")
            try await put("settled", 15, on: cluster)
        }
        try await putBelow()
        #expect(try await cluster.fold().ended[.succeeded] ?? 0 == 0)
        // A fold that takes unusually long moves its mark.
        try await putBelow()
        #expect(try await cluster.count("select skein.look_just_below_marks_v1(interval '5 seconds')") == 1)
        #expect(try await cluster.fold().ended[.succeeded] == 1)
        #expect(try await cluster.status(of: runs[1]) == "succeeded")
    }

    @Test("a look just below marks below which nothing waits writes nothing")
    func nearNothing() async throws {
        let (cluster, _, _) = try await cluster(readySince: [60, 10], markAt: 15)
        let before = try await cluster.texts("select format('%s %s', w, w.xmin) from skein.low_water as w")
        #expect(try await cluster.count("select skein.look_just_below_marks_v1(interval '5 seconds')") == 0)
        #expect(try await cluster.texts("select format('%s %s', w, w.xmin) from skein.low_water as w") == before)
    }

    @Test("who looks below one mark keeps nobody from moving the others")
    func oneByOne() async throws {
        let (cluster, _, _) = try await cluster(readySince: [30], markAt: 15)
        try await put("settled", 10, on: cluster)
        let looker = try await cluster.database.connect()
        _ = try await looker.query("begin")
        #expect(try await looker.query("select skein.look_below_marks_v1()")[0].int32(0) == 1)
        _ = try await cluster.connection.query(
            "select skein.put_low_water_v1('settled', 0, 0::smallint, clock_timestamp() - interval '1 s', false, interval '0')")
        #expect(
            try await cluster.count("select count(*) from skein.low_water where kind = 'settled' and since > clock_timestamp() - interval '5 s'") == 1)
        _ = try await looker.query("commit")
        await looker.close()
    }

    @Test(
        "everything below a mark is looked at after forty times as long as that takes, ten minutes at most; a look may take long, and it is believed meanwhile",
        arguments: [(0, 1), (5, 200), (60, 600)])
    func validity(took: Int, seconds: Int) async throws {
        let (cluster, _, _) = try await cluster(readySince: [10], markAt: 15)
        _ = try await cluster.connection.query(
            SQL("select skein.put_low_water_v1('ready', 1, 0::smallint, clock_timestamp() - interval '1 s', true, interval '\(took) s')"))
        #expect(
            try await cluster.count(
                """
                select count(*) from skein.low_water
                 where look_at between clock_timestamp() + interval '\(seconds) s' - interval '30 s' and clock_timestamp() + interval '\(seconds) s'
                   and valid_until - look_at > interval '30 minutes'
                """) == 1)
    }

    @Test("what a long look saw first, and somebody has taken before its end, does not pull the mark down")
    func takenMeanwhile() async throws {
        let (cluster, _, runs) = try await cluster(readySince: [60, 30], markAt: 15)
        // Somebody takes what the look has just seen.
        try await cluster.connection.script(
            """
            alter function skein.first_below_mark_v1(skein.low_water, timestamptz) rename to seen_below_mark_v1;
            create function skein.first_below_mark_v1(p_mark skein.low_water, p_from timestamptz) returns timestamptz language plpgsql as $$
            declare
              v_first timestamptz := skein.seen_below_mark_v1(p_mark, p_from);
            begin
              delete from skein.task where p_from = '-infinity' and ready_at = v_first;
              return v_first;
            end
            $$
            """)
        #expect(try await cluster.count("select skein.look_below_marks_v1()") == 1)
        #expect(try await cluster.texts("select run_id::text from skein.task join skein.low_water on since = ready_at") == ["\(runs[1])"])
    }

    @Test("the mark is for its priority: others are claimed in their order, from the first on")
    func priorities() async throws {
        let (cluster, session, runs) = try await cluster(readySince: [60, 50, 30, 20, 10], markAt: 15)
        for (run, priority) in [(runs[0], -1), (runs[1], 5)] {
            _ = try await cluster.connection.query(SQL("update skein.task set priority = \(priority) where run_id = '\(run)'"))
        }
        let first = try await cluster.claim(session, upTo: 1)
        #expect(first.map(\.key.runID) == [runs[1]])
        let others = try await cluster.claim(session)
        #expect(others.map(\.key.runID) == [runs[4], runs[0]])
    }

    @Test("a mark that nobody has looked below for long, or of a clock that was set back, is not believed")
    func disbelief() async throws {
        for change in ["valid_until = clock_timestamp() - interval '1 s'", "since = clock_timestamp() + interval '1 minute'"] {
            let (cluster, session, runs) = try await cluster(readySince: [30, 10], markAt: 15)
            _ = try await cluster.connection.query(SQL("update skein.low_water set \(change)"))
            let tasks = try await cluster.claim(session)
            #expect(tasks.map(\.key.runID) == runs)
        }
    }

    @Test("a mark below which nothing lies is taken away")
    func removal() async throws {
        let (cluster, _, _) = try await cluster(readySince: [10], markAt: 15)
        // A look that took long, for whatever reason, keeps the mark for a second; nothing has to wait for it here.
        try await waitUntil("the mark is gone") {
            _ = try await cluster.connection.query("update skein.low_water set look_at = clock_timestamp()")
            _ = try await lookBelow(cluster)
            return try await cluster.count("select count(*) from skein.low_water") == 0
        }
    }

    @Test("a mark that has moved thousands of times under a held snapshot is read as fast as one that has not")
    func moves() async throws {
        let (cluster, _, _) = try await cluster(readySince: [10], markAt: 15)
        let holder = try await cluster.database.connect()
        try await holder.script("begin isolation level repeatable read; select count(*) from skein.run")
        try await cluster.connection.script(
            """
            do $$
            begin
              for i in 1 .. 3000 loop
                perform skein.put_low_water_v1('settled', 0, 0::smallint, clock_timestamp() - interval '100 milliseconds', true, interval '0');
                commit;
              end loop;
            end
            $$
            """)
        // What is read the first time is read to plan it.
        try await cluster.connection.script("set enable_seqscan = off; set enable_bitmapscan = off; select skein.settled_mark_v1()")
        let plan = try await cluster.texts("explain (analyze, buffers, timing off) select skein.settled_mark_v1()").joined(separator: "\n")
        let pages = plan.split(separator: "shared hit=").dropFirst().compactMap { Int($0.prefix { $0.isNumber }) }.max() ?? 0
        #expect((1...20).contains(pages), "\(plan)")
        #expect(try await cluster.count("select count(*) from skein.low_water where kind = 'settled'") == 1)
        await holder.close()
    }

    @Test("what a resume sets free is claimed at once, however old it is")
    func resume() async throws {
        let (cluster, session, runs) = try await cluster(readySince: [30, 10], markAt: 15)
        _ = try await cluster.connection.query(SQL("select skein.pause('\(runs[0])')"))
        _ = try await cluster.connection.query(SQL("select skein.resume('\(runs[0])')"))
        let tasks = try await cluster.claim(session)
        #expect(tasks.map(\.key.runID) == runs)
    }

    @Test("a fold begins at the mark of what has settled; a look below it finds the rest")
    func folds() async throws {
        let (cluster, session, runs) = try await cluster(readySince: [2, 1], markAt: 3600)
        let tasks = try await cluster.claim(session)
        try await cluster.settle(session, tasks)
        _ = try await cluster.connection.query(
            SQL("update skein.task set settled_at = clock_timestamp() - interval '30 s' where run_id = '\(runs[0])'"))
        try await put("settled", 15, on: cluster)
        #expect(try await cluster.fold().ended[.succeeded] == 1)
        #expect(try await cluster.status(of: runs[0]) == "running")
        #expect(try await lookBelow(cluster) == 2)
        #expect(try await cluster.fold().ended[.succeeded] == 1)
        #expect(try await cluster.status(of: runs[0]) == "succeeded")
        try await cluster.expectClean()
    }

    @Test("marks come by themselves while a snapshot is held, and what became ready meanwhile is all done")
    func heldSnapshot() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.single)
        let session = try await cluster.register()
        let holder = try await cluster.database.connect()
        _ = try await holder.query("begin isolation level repeatable read")
        _ = try await holder.query("select count(*) from skein.task")
        // What was ready and is no longer, 40,000 times over, lies in front of everything.
        let run = try await cluster.submit("single", input: ["n": 0])
        _ = try await cluster.connection.query(
            SQL(
                """
                insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
                select run_id, 'copy' || n, namespace_id, queue_id, version_id, step_index, clock_timestamp() - interval '1 day', input
                  from skein.task, generate_series(1, 40000) as n where run_id = '\(run)'
                """))
        _ = try await cluster.connection.query(SQL("delete from skein.task where run_id = '\(run)' and path <> 'only'"))
        #expect(try await cluster.claim(session).count == 1)
        #expect(try await cluster.count("select count(*) from skein.low_water where kind = 'ready'") == 1)
        let runs = try await cluster.store.submit(
            (1...50).map { SubmitRequest(workflow: "single", input: JSONText(["n": .int(Int64($0))])) }, on: cluster.connection)
        #expect(runs.count == 50)
        #expect(try await cluster.claim(session).count == 50)
        _ = try await holder.query("commit")
        await holder.close()
    }
}
