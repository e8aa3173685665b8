// Migrations: applied once, in order, all or nothing, and never over a database that is newer.

import Postgres
import PostgresTestKit
import Schema
import Testing

@Suite("Migrator", .timeLimit(.minutes(2)))
struct MigratorTests {
    let database: TestDatabase
    let connection: PostgresConnection

    init() async throws {
        database = try await TestDatabase.create(migrated: false)
        connection = try await database.connect()
    }

    static let first = SQLFile(name: "0001_items.sql", text: "-- Items.\ncreate table skein.item (n int primary key);\n")
    static let second = SQLFile(
        name: "0002_names.sql",
        text: "-- Names.\n-- breaking: yes\nalter table skein.item add name text;\ninsert into skein.item values (1, 'ä;''');\n")
    static let function = SQLFile(
        name: "count.sql",
        text: "create or replace function skein.item_count_v1() returns bigint language sql as $$ select count(*) from skein.item $$;\n")

    @Test("an empty database gets everything, a current one nothing")
    func fromNothing() async throws {
        let report = try await Migrator.migrate(connection, migrations: [Self.first, Self.second], functions: [Self.function])
        #expect(report.from == 0 && report.to == 2)
        #expect(report.migrations == ["0001_items.sql", "0002_names.sql"] && report.functions == ["count.sql"])
        let again = try await Migrator.migrate(connection, migrations: [Self.first, Self.second], functions: [Self.function])
        #expect(again.isUnchanged && again.from == 2 && again.to == 2)
        let rows = try await connection.query(
            "select string_agg(version || name || breaking::text || length(checksum)::text, ' ' order by version) from skein.migration")
        #expect(rows[0].text(0) == "10001_items.sqlfalse64 20002_names.sqltrue64")
        let count = try await connection.query("select skein.item_count_v1()")
        #expect(count[0].int64(0) == 1)
    }

    @Test("only what is missing is applied, and only functions that changed")
    func onlyMissing() async throws {
        _ = try await Migrator.migrate(connection, migrations: [Self.first], functions: [Self.function])
        let changed = SQLFile(name: "count.sql", text: Self.function.text.replacing("count(*)", with: "count(*) + 1"))
        let added = SQLFile(
            name: "other.sql", text: "create or replace function skein.other_v1() returns int language sql as 'select 1';\n")
        let report = try await Migrator.migrate(connection, migrations: [Self.second, Self.first], functions: [changed, added])
        #expect(report.migrations == ["0002_names.sql"] && report.functions == ["count.sql", "other.sql"])
        let count = try await connection.query("select skein.item_count_v1()")
        #expect(count[0].int64(0) == 2)
        let last = try await Migrator.migrate(connection, migrations: [Self.first, Self.second], functions: [changed, added])
        #expect(last.isUnchanged)
    }

    @Test("a migration that fails is named and leaves nothing of its transaction")
    func failing() async throws {
        let broken = SQLFile(name: "0002_broken.sql", text: "create table skein.half (n int);\nselect 1/0;\n")
        let error = await migrationError { try await Migrator.migrate(connection, migrations: [Self.first, broken], functions: []) }
        guard case .failed(let file, let cause) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(file == "0002_broken.sql" && cause.sqlState == .divisionByZero)
        let rows = try await connection.query("select to_regclass('skein.half') is null and to_regclass('skein.item') is null")
        #expect(rows[0].bool(0))
        let status = try await Migrator.status(connection, migrations: [Self.first, broken], functions: [])
        #expect(status.applied == 0 && status.pending == ["0001_items.sql", "0002_broken.sql"])
    }

    @Test("a function that fails is named and takes the migrations with it")
    func failingFunction() async throws {
        let broken = SQLFile(
            name: "bad.sql", text: "create or replace function skein.bad_v1() returns int language sql as 'select nonsense';")
        let error = await migrationError { try await Migrator.migrate(connection, migrations: [Self.first], functions: [broken]) }
        #expect(error?.description.contains("bad.sql") == true)
        let rows = try await connection.query("select to_regclass('skein.item') is null")
        #expect(rows[0].bool(0))
    }

    @Test("a migration that was edited after it was applied is refused and named")
    func edited() async throws {
        _ = try await Migrator.migrate(connection, migrations: [Self.first], functions: [])
        let changed = SQLFile(name: Self.first.name, text: Self.first.text + "-- and more\n")
        let error = await migrationError { try await Migrator.migrate(connection, migrations: [changed, Self.second], functions: []) }
        #expect(error == .checksumChanged(file: "0001_items.sql"))
        let status = try await Migrator.status(connection, migrations: [Self.first, Self.second], functions: [])
        #expect(status.applied == 1)
    }

    @Test("a database that is newer than the program is refused with both numbers and the fix")
    func newer() async throws {
        _ = try await Migrator.migrate(connection, migrations: [Self.first, Self.second], functions: [])
        let error = await migrationError { try await Migrator.migrate(connection, migrations: [Self.first], functions: [Self.function]) }
        #expect(error == .newerDatabase(database: 2, known: 1))
        let description = error?.description ?? ""
        #expect(description.contains("schema 2") && description.contains("up to 1") && description.contains("Run a release"))
    }

    @Test("a status says what is pending, and whether a program can work with the database")
    func status() async throws {
        let files = [Self.first, Self.second]
        let empty = try await Migrator.status(connection, migrations: files, functions: [Self.function])
        #expect(empty.applied == 0 && empty.known == 2 && empty.pending.count == 2 && empty.missingFunctions == ["count.sql"])
        #expect(throws: MigrationError.olderDatabase(database: 0, needed: 2)) { try empty.requireUsable() }
        _ = try await Migrator.migrate(connection, migrations: [Self.first], functions: [])
        let behind = try await Migrator.status(connection, migrations: files, functions: [])
        #expect(throws: MigrationError.olderDatabase(database: 1, needed: 2)) { try behind.requireUsable() }
        _ = try await Migrator.migrate(connection, migrations: files, functions: [])
        let withoutFunction = try await Migrator.status(connection, migrations: files, functions: [Self.function])
        #expect(throws: MigrationError.missingFunctions(files: ["count.sql"])) { try withoutFunction.requireUsable() }
        _ = try await Migrator.migrate(connection, migrations: files, functions: [Self.function])
        let current = try await Migrator.status(connection, migrations: files, functions: [Self.function])
        #expect(current.isCurrent)
        try current.requireUsable()
        // The second migration is a breaking one; a later one that breaks nothing would leave older programs alone.
        let older = try await Migrator.status(connection, migrations: [Self.first], functions: [])
        #expect(throws: MigrationError.newerDatabase(database: 2, known: 1)) { try older.requireUsable() }
        let third = SQLFile(name: "0003_more.sql", text: "create table skein.more (n int);")
        _ = try await Migrator.migrate(connection, migrations: files + [third], functions: [])
        let compatible = try await Migrator.status(connection, migrations: files, functions: [])
        #expect(compatible.applied == 3 && !compatible.isBroken)
        try compatible.requireUsable()
    }

    @Test("two migrators at the same time apply everything once, whatever lock_timeout their role has")
    func concurrent() async throws {
        let blocker = try await database.connect()
        try await blocker.script("begin; select pg_advisory_xact_lock(2562, 0)")
        let files = [Self.first, Self.second]
        let reports = try await withThrowingTaskGroup(of: MigrationReport.self) { group in
            for _ in 0..<3 {
                let other = try await database.connect(applicationName: "migrator") { $0.lockTimeout = .milliseconds(50) }
                group.addTask { try await Migrator.migrate(other, migrations: files, functions: [Self.function]) }
            }
            try await waitUntil("all three have found the lock taken") {
                try await connection.query(
                    """
                    select 1 from pg_stat_activity where datname = current_database() and application_name = 'migrator'
                       and state_change > backend_start + interval '100 ms'
                    """
                ).count == 3
            }
            try await blocker.script("commit")
            var reports: [MigrationReport] = []
            for try await report in group { reports.append(report) }
            return reports
        }
        #expect(reports.count == 3)
        #expect(reports.map(\.migrations).filter { $0.count == 2 }.count == 1)
        #expect(reports.filter(\.isUnchanged).count == 2)
    }

    @Test("a file that may not run in a transaction runs outside of one, between the others")
    func withoutTransaction() async throws {
        let alone = SQLFile(
            name: "0002_index.sql",
            text: """
                -- An index; nobody waits for it.
                -- transaction: no
                create index concurrently if not exists item_n on skein.item (n); -- the first; of two
                /* and ; the */ create index concurrently if not exists item_name on skein.item ((n::text || ';'));
                do $body$ begin perform ';'; end $body$;
                """)
        let third = SQLFile(name: "0003_more.sql", text: "create table skein.more (n int);")
        let files = [Self.first, alone, third]
        let reports = try await withThrowingTaskGroup(of: MigrationReport.self) { group in
            for _ in 0..<2 {
                let other = try await database.connect()
                group.addTask { try await Migrator.migrate(other, migrations: files, functions: [Self.function]) }
            }
            var reports: [MigrationReport] = []
            for try await report in group { reports.append(report) }
            return reports
        }
        let rows = try await connection.query(
            "select count(*), bool_and(indisvalid) from pg_index where indrelid = 'skein.item'::regclass")
        #expect(rows[0].int64(0) == 3 && rows[0].bool(1))
        let status = try await Migrator.status(connection, migrations: files, functions: [Self.function])
        #expect(status.isCurrent)
        #expect(reports.map { $0.functions.count }.reduce(0, +) == 1)
        #expect(reports.flatMap(\.migrations).sorted() == files.map(\.name))
        let settings = try await connection.query("select count(*) from skein.migration")
        #expect(settings[0].int64(0) == 3)
    }

    @Test(
        "files with bad names, gaps or unknown answers are refused",
        arguments: [
            [SQLFile(name: "1_x.sql", text: "")], [SQLFile(name: "0002_x.sql", text: "")], [SQLFile(name: "0001_x.txt", text: "")],
            [SQLFile(name: "0001_a.sql", text: ""), SQLFile(name: "0001_b.sql", text: "")],
            [SQLFile(name: "0001_x.sql", text: "-- breaking: perhaps\n")],
        ])
    func malformed(files: [SQLFile]) async throws {
        let error = await migrationError { try await Migrator.migrate(connection, migrations: files, functions: []) }
        guard case .malformed = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}

/// The `MigrationError` that `work` throws, nil if it throws none.
func migrationError<R>(_ work: () async throws -> R) async -> MigrationError? {
    do {
        _ = try await work()
        return nil
    } catch {
        return error as? MigrationError
    }
}
