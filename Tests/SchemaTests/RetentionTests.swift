// History goes by whole weeks, when all that is in them is older than somebody wants to keep. The database's clock is faked.

import Postgres
import PostgresTestKit
import Schema
import Testing

@Suite("Retention", .timeLimit(.minutes(2)))
struct RetentionTests {
    let database: TestDatabase
    let connection: PostgresConnection

    init() async throws {
        database = try await TestDatabase.create()
        connection = try await database.connect()
        try await connection.script(
            """
            insert into skein.workflow (namespace_id, name) values (1, 'w');
            insert into skein.workflow_version (namespace_id, name, version, content_hash, definition, source) values (1, 'w', 1, 'h', '{}', '');
            """)
        // Four weeks from Monday, 1 January 2029.
        try await at("2029-01-01")
        _ = try await connection.query("select skein.ensure_partitions_v1(3)")
    }

    @Test("weeks to come are made beside a run that is being written, which is not kept waiting, or another time")
    func whileWriting() async throws {
        try await at("2029-02-05")
        let writer = try await database.connect()
        try await writer.script("begin; lock table skein.step in row exclusive mode")
        let none = try await connection.query("select skein.prepare_weeks_v1(1)")[0].int32(0)
        // Held at the same time as the one before, this would be waited for, and by turns.
        try await writer.script("set lock_timeout = '1ms'; lock table skein.ended_run in row exclusive mode; commit")
        let made = try await connection.query("select skein.prepare_weeks_v1(1)")[0].int32(0)
        #expect(none == 0 && made == 8)
    }

    /// The database's clock, for this session.
    private func at(_ moment: String) async throws {
        _ = try await connection.query("select set_config('skein.fake_now', $1, false)", [.text("\(moment) 00:00:00+00")])
    }

    /// A run that was submitted and ended at these moments, with a step, an attempt and an event.
    @discardableResult
    private func endedRun(submitted: String, ended: String) async throws -> String {
        let run = try await connection.query(
            """
            with run as (
              select overlay(skein.first_run_id($1::timestamptz)::text placing '7' || right(gen_random_uuid()::text, 21) from 15)::uuid as run_id),
            e as (insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
                  select run_id, 1, 1, 'succeeded', 1, 5, $1::timestamptz, $2::timestamptz, 'api', '{}' from run),
            s as (insert into skein.step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, finished_at)
                  select run_id, 'a', 4, 1, 0, 'skipped', 0, 0, $2::timestamptz from run),
            a as (insert into skein.attempt (run_id, path, attempt, fence, seq, namespace_id, session_id, status, claimed_at, settled_at)
                  select run_id, 'a', 1, 1, 2, 1, 1, 'lost', $2::timestamptz, $2::timestamptz from run),
            v as (insert into skein.run_event (run_id, seq, namespace_id, kind, at) select run_id, 3, 1, 'x', $2::timestamptz from run)
            select run_id::text from run
            """, [.text(submitted + "T12:00:00Z"), .text(ended + "T12:00:00Z")])
        return run[0].text(0)
    }

    private func liveRun(submitted: String) async throws {
        _ = try await connection.query(
            "insert into skein.run (run_id, namespace_id, version_id, submitted_at, input) values (skein.first_run_id($1::timestamptz), 1, 1, $1::timestamptz, '{}')",
            [.text(submitted + "T12:00:00Z")])
    }

    private func drop(keeping interval: String) async throws -> String? {
        try await connection.query("select skein.drop_history_week_v1($1::text::interval)", [.text(interval)])[0].textOrNull(0)
    }

    /// Weeks of 2029 that are there, by the partitions of each table; all tables must agree.
    private func weeks() async throws -> [String] {
        var all: [[String]] = []
        for table in ["ended_run", "step", "attempt", "run_event"] {
            let rows = try await connection.query(
                """
                select right(c.relname, 7) from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = ('skein.' || $1)::regclass and c.relname like '%2029w%' order by 1
                """, [.text(table)])
            all.append(rows.map { $0.text(0) })
        }
        #expect(all.allSatisfy { $0 == all[0] }, "\(all)")
        return all[0]
    }

    private func count(_ table: String) async throws -> Int64 {
        try await connection.query(SQL("select count(*) from skein.\(table)"))[0].int64(0)
    }

    @Test("a week goes once its end is older than what is kept, the oldest first, with all that belongs to its runs")
    func byWeeks() async throws {
        let first = try await endedRun(submitted: "2029-01-02", ended: "2029-01-03")
        let second = try await endedRun(submitted: "2029-01-09", ended: "2029-01-10")
        #expect(first != second)
        let before = try await weeks()
        #expect(before == ["2029w01", "2029w02", "2029w03", "2029w04"])

        try await at("2029-01-17")
        let early = try await dropAll(keeping: "10 days")
        #expect(!early.contains("2029w01"), "its end, 8 January, is nine days ago")
        try await at("2029-01-19")
        let dropped = try await dropAll(keeping: "10 days")
        #expect(dropped == ["2029w01"])
        let after = try await weeks()
        #expect(after == ["2029w02", "2029w03", "2029w04"])
        for table in ["ended_run", "step", "attempt", "run_event"] {
            let left = try await count(table)
            #expect(left == 1, "\(table)")
        }
        let kept = try await connection.query("select run_id::text from skein.ended_run")
        #expect(kept[0].text(0) == second)
    }

    /// What goes, by week. The weeks around the real day, which every database has, are of no interest here.
    private func dropAll(keeping interval: String) async throws -> [String] {
        var dropped: [String] = []
        while let week = try await drop(keeping: interval) { dropped.append(week) }
        return dropped.filter { $0.hasPrefix("2029") }
    }

    @Test("a week stays as long as a run of it lives, or has ended within what is kept; later weeks go all the same")
    func notYet() async throws {
        try await endedRun(submitted: "2029-01-02", ended: "2029-03-01")
        try await liveRun(submitted: "2029-01-10")
        try await endedRun(submitted: "2029-01-16", ended: "2029-01-17")
        try await at("2029-03-05")
        let first = try await dropAll(keeping: "30 days")
        #expect(first == ["2029w03", "2029w04"])
        try await at("2029-04-05")
        let second = try await dropAll(keeping: "30 days")
        #expect(second == ["2029w01"])
        _ = try await connection.query("delete from skein.run")
        let third = try await dropAll(keeping: "30 days")
        #expect(third == ["2029w02"])
    }

    @Test("nothing is dropped where history is kept for ever")
    func forEver() async throws {
        try await endedRun(submitted: "2029-01-02", ended: "2029-01-03")
        try await at("2099-01-01")
        for kept in ["0", "-1 day"] {
            let dropped = try await drop(keeping: kept)
            #expect(dropped == nil)
            let removed = try await connection.query("select skein.remove_unfiled_history_v1($1::text::interval, 100)", [.text(kept)])
            #expect(removed[0].int32(0) == 0)
        }
        let left = try await count("ended_run")
        #expect(left == 1)
    }

    @Test("whoever reads a week at this moment is not waited for: it goes another time")
    func inUse() async throws {
        try await endedRun(submitted: "2029-01-02", ended: "2029-01-03")
        try await at("2029-01-20")
        let reader = try await database.connect()
        _ = try await reader.query("begin")
        _ = try await reader.query("select * from skein.ended_run_2029w01")
        let meanwhile = try await dropAll(keeping: "10 days")
        #expect(!meanwhile.contains("2029w01"))
        _ = try await reader.query("commit")
        let later = try await dropAll(keeping: "10 days")
        #expect(later == ["2029w01"])
    }

    @Test("runs that were filed in no week because nobody had made it in time go by rows, a bounded number at a time")
    func unfiled() async throws {
        for _ in 0..<5 { try await endedRun(submitted: "2031-06-02", ended: "2031-06-03") }
        try await endedRun(submitted: "2031-06-02", ended: "2031-07-03")
        try await at("2031-07-10")
        var removed: [Int32] = []
        for _ in 0..<3 {
            removed.append(try await connection.query("select skein.remove_unfiled_history_v1('30 days', 3)")[0].int32(0))
        }
        #expect(removed == [3, 2, 0])
        for table in ["ended_run", "step", "attempt", "run_event"] {
            let left = try await count(table)
            #expect(left == 1, "\(table)")
        }
    }

    @Test("sessions of workers go when they are dead, reaped and old, and no others")
    func sessions() async throws {
        try await connection.script(
            """
            insert into skein.worker_session (namespace_id, worker, host, pid, version, queue_ids, slots, lease_milliseconds, lease_until, dead_at, reaped_at)
            select 1, 'w' || n, 'h', 1, 'v', '{1}', 1, 1000, '2029-01-01Z', d, r
              from (values (1, '2029-01-01Z'::timestamptz, '2029-01-01Z'::timestamptz), (2, '2029-01-01Z', null), (3, '2029-02-01Z', '2029-02-01Z'), (4, null, null))
                   as v (n, d, r)
            """)
        try await at("2029-02-10")
        let removed = try await connection.query("select skein.remove_dead_sessions_v1('30 days', 100)")[0].int32(0)
        #expect(removed == 1)
        let left = try await connection.query("select string_agg(worker, ' ' order by worker) from skein.worker_session")[0].text(0)
        #expect(left == "w2 w3 w4")
    }
}
