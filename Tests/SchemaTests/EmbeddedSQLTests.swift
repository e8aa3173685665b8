// The SQL inside the program is the SQL in the folder, and it works.

import Foundation
import Postgres
import PostgresTestKit
import Schema
import Testing

@Suite("Embedded SQL", .timeLimit(.minutes(2)))
struct EmbeddedSQLTests {
    /// The top of the repository.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func files(in folder: String) throws -> [SQLFile] {
        let directory = Self.root.appending(path: "sql").appending(path: folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path(percentEncoded: false))
        return try names.filter { $0.hasSuffix(".sql") }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.map {
            SQLFile(name: $0, text: try String(contentsOf: directory.appending(path: $0), encoding: .utf8))
        }
    }

    @Test("the embedded files are those of the folder: run deploy/embed-sql when this fails")
    func noDrift() throws {
        #expect(EmbeddedSQL.migrations == (try files(in: "migrations")))
        #expect(EmbeddedSQL.functions == (try files(in: "functions")))
        #expect(EmbeddedSQL.checks == (try files(in: "checks")))
    }

    @Test("deploy/embed-sql writes what is there")
    func generated() throws {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = Self.root.appending(path: "deploy/embed-sql")
        process.arguments = ["--print"]
        process.standardOutput = pipe
        try process.run()
        let printed = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let kept = try Data(contentsOf: Self.root.appending(path: "Sources/Schema/Generated/EmbeddedSQL.swift"))
        #expect(process.terminationStatus == 0 && printed == kept)
    }

    @Test("an empty database takes the embedded schema, and then nothing more")
    func migrates() async throws {
        let database = try await TestDatabase.create(migrated: false)
        let connection = try await database.connect()
        let report = try await Migrator.migrate(connection)
        #expect(report.migrations == EmbeddedSQL.migrations.map(\.name) && report.functions == EmbeddedSQL.functions.map(\.name))
        let again = try await Migrator.migrate(connection)
        #expect(again.isUnchanged)
    }

    @Test("a fresh migrated database is usable and fulfils every check")
    func checks() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        let status = try await Migrator.status(connection)
        #expect(status.isCurrent)
        for result in try await Checks.run(connection) {
            #expect(result.isGood, "\(result.id) \(result.name): \(result.rows) \(result.failure?.debugDescription ?? "")")
            #expect(!result.id.isEmpty && !result.name.isEmpty && !result.purpose.isEmpty && !result.remedy.isEmpty, "\(result)")
        }
    }
}

@Suite("Checks", .timeLimit(.minutes(2)))
struct ChecksTests {
    @Test("a check gives its title, its words and its rows, and a broken one its failure")
    func results() async throws {
        let database = try await TestDatabase.create(migrated: false)
        let connection = try await database.connect()
        let many = SQLFile(
            name: "I02_many.sql",
            text: """
                -- I2: a run has at most one ending
                -- proves: nobody is told
                --         two things.
                -- remedy: look at it
                select n, 'x;' as why from generate_series(1, 25) as n; -- the end
                """.replacing(" -- the end", with: "\n"))
        let none = SQLFile(
            name: "I03_none.sql",
            text: "-- I3: nothing\n-- proves: p\n-- remedy: r\nwith a as (select 1) select * from a where false -- none\n")
        let broken = SQLFile(name: "I04_broken.sql", text: "-- I4: broken\nselect * from nowhere;\n")
        let results = try await Checks.run(connection, checks: [many, none, broken])
        #expect(results.map(\.id) == ["I2", "I3", "I4"])
        #expect(results[0].name == "a run has at most one ending" && results[0].purpose == "nobody is told two things.")
        #expect(results[0].remedy == "look at it")
        #expect(results[0].rows.count == 20 && results[0].hasMore && results[0].rows[0] == #"{"n": 1, "why": "x;"}"# && !results[0].isGood)
        #expect(results[1].isGood && !results[1].hasMore)
        #expect(results[2].failure?.sqlState == .undefinedTable && !results[2].isGood)
    }

    @Test("a probe sees the violations among the runs of its sample only, writes nothing, and gives up when its time is over")
    func probe() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(InvariantTests.healthy + "; update skein.run set history_length = 3")
        let gaps = try #require(EmbeddedSQL.checks.first { $0.name.hasPrefix("I28") })
        func rows(_ first: String?, _ last: String?) async throws -> Int? {
            try await Checks.probe(connection, checks: [gaps], of: CheckSample(first: first, last: last, rows: 10, timeout: .seconds(30)))?.first?.rows.count
        }
        #expect(try await rows(nil, nil) == 1)
        #expect(try await rows(InvariantTests.live, InvariantTests.live) == 1)
        #expect(try await rows(InvariantTests.ended, nil) == 0)
        #expect(try await rows(nil, "01890000-0000-7000-8000-000000000000") == 0)
        let writing = SQLFile(name: "I99_w.sql", text: "-- I99: w\n-- proves: p\n-- remedy: r\nselect nextval('skein.fence_sequence')")
        let sample = CheckSample(first: nil, last: nil, rows: 10, timeout: .milliseconds(50))
        #expect(try await Checks.probe(connection, checks: [writing], of: sample)?.first?.failure?.sqlState?.rawValue == "25006")
        let slow = SQLFile(name: "I98_s.sql", text: "-- I98: s\n-- proves: p\n-- remedy: r\nselect 1 where pg_sleep(30) is null")
        #expect(try await Checks.probe(connection, checks: [slow], of: sample)?.first?.isUnfinished == true)
        // What is found before one that fails counts, and what comes after it is left to the next call.
        let quick = SQLFile(name: "I96_q.sql", text: "-- I96: q\n-- proves: p\n-- remedy: r\nselect 1")
        let second = CheckSample(first: nil, last: nil, rows: 10, timeout: .seconds(1))
        let several = try #require(try await Checks.probe(connection, checks: [quick, slow, quick], of: second, patience: .seconds(30)))
        #expect(several.map(\.id) == ["I96", "I98"] && several[0].rows.count == 1 && several[1].isUnfinished)
        let first = try #require(try await Checks.probe(connection, checks: [quick, quick], of: second, patience: .zero))
        #expect(first.count == 1, "a snapshot is not held for long")
        // Nothing of a probe stays behind on the connection.
        #expect(try await connection.query("select current_setting('skein.checked_from', true), current_setting('statement_timeout')")[0].text(1) == "0")
        #expect(try await Checks.run(connection, checks: [gaps])[0].rows.count == 1)
    }

    @Test("a new run's id is a UUIDv7 of the database's time")
    func runIDs() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        let ids = try await connection.query(
            """
            select id::text, id between skein.first_run_id(begun) and skein.first_run_id(clock_timestamp() + interval '1 ms')
              from (select clock_timestamp() as begun offset 0) as b
                   cross join lateral (select skein.new_run_id() as id from generate_series(1, 1000) where begun is not null offset 0) as i
            """)
        #expect(Set(ids.map { $0.text(0) }).count == 1000)
        #expect(ids.allSatisfy { $0.bool(1) && $0.text(0).wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil })
        // Each variant there is, so its bits are random where they may be.
        #expect(Set(ids.map { $0.text(0).split(separator: "-")[3].prefix(1) }).count == 4)
        await connection.close()
    }

    @Test("what a probe reads does not grow with the number of runs")
    func probeReads() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(
            InvariantTests.healthy + """
                ;
                create temp table copied as select skein.new_run_id() as run_id from generate_series(1, 2000);
                insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, ended_at, trigger, input)
                select run_id, 1, 1, 'succeeded', 3, 4, clock_timestamp(), clock_timestamp(), 'api', '{}' from copied;
                insert into skein.step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at, finished_at)
                select c.run_id, s.path, s.seq, 1, s.step_index, 'succeeded', 1, 0, s.session_id, s.fence, clock_timestamp(), clock_timestamp()
                  from copied c cross join skein.step s where s.run_id = '\(InvariantTests.ended)';
                create temp table living as
                select skein.new_run_id() as run_id, case n % 2 when 0 then 'paused' else 'cancel_requested' end as kind from generate_series(1, 2000) as n;
                insert into skein.run (run_id, namespace_id, version_id, history_length, live, submitted_at, input, paused_at, paused_by, cancel_requested_at)
                select run_id, 1, 1, 2, 1, clock_timestamp(), '{}', case kind when 'paused' then clock_timestamp() end,
                       case kind when 'paused' then run_id end, case kind when 'paused' then null else clock_timestamp() end
                  from living;
                insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input, held)
                select run_id, 'a', 1, 1, 1, 0, clock_timestamp(), '{}', true from living;
                insert into skein.run_event (run_id, seq, namespace_id, kind, at, actor, body)
                select run_id, 2, 1, kind, clock_timestamp(), 'test', '{}' from living;
                analyze
                """)
        let counter = SQLFile(
            name: "I97_c.sql",
            text: """
                -- I97: c
                -- proves: p
                -- remedy: r
                select sum(coalesce(seq_tup_read, 0) + coalesce(idx_scan, 0) + coalesce(idx_tup_fetch, 0)) as reads
                  from pg_stat_xact_user_tables where schemaname = 'skein'
                """)
        let ends = try await connection.query(
            """
            with first as (select run_id from skein.step where run_id > $1::uuid order by run_id limit 1)
            select skein.newest_runs_v1(10)::text, skein.newest_runs_v1(1)::text, run_id::text, skein.checked_runs_v1(run_id, 10)::text from first
            """, [.text(InvariantTests.ended)])[0]
        for (first, last) in [(ends.text(0), ends.text(1)), (ends.text(2), ends.text(3))] {
            let sample = CheckSample(first: first, last: last, rows: 10, timeout: .seconds(30))
            for check in EmbeddedSQL.checks {
                let results = try #require(
                    try await Checks.probe(connection, checks: [counter, check, counter], of: sample, patience: .seconds(30)))
                try #require(results.count == 3, "\(check.name): \(results)")
                let reads = try [0, 2].map { try #require(Int(results[$0].rows[0].filter(\.isNumber))) }
                #expect(results[1].isGood && reads[1] - reads[0] < 1000, "\(check.name) reads \(reads[1] - reads[0]): \(results[1])")
            }
        }
        await connection.close()
    }

    @Test("only one probe is under way in a database")
    func oneProbe() async throws {
        let database = try await TestDatabase.create()
        let (first, second) = (try await database.connect(), try await database.connect())
        let check = EmbeddedSQL.checks[0]
        let sample = CheckSample(first: nil, last: nil, rows: 10, timeout: .seconds(30))
        try await first.script("begin; select pg_advisory_xact_lock(x'0A09'::integer, 0)")
        #expect(try await Checks.probe(second, checks: [check], of: sample) == nil)
        try await first.script("rollback")
        #expect(try await Checks.probe(second, checks: [check], of: sample)?.first?.isGood == true)
    }

    @Test("the parts of a walk through the runs follow each other")
    func walk() async throws {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(InvariantTests.healthy)
        let row = try await connection.query(
            """
            select skein.checked_runs_v1('00000000-0000-0000-0000-000000000000', 1)::text, skein.checked_runs_v1($1::uuid, 2)::text,
                   skein.checked_runs_v1($1::uuid, 3)::text, skein.newest_runs_v1(1)::text, skein.newest_runs_v1(3)::text
            """, [.text(InvariantTests.live)])[0]
        #expect((0..<5).map { row.textOrNull($0) } == [InvariantTests.live, InvariantTests.ended, nil, InvariantTests.ended, nil])
    }
}
