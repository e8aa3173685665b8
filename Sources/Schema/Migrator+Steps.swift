// The parts of a migration that run on the connection, inside its transactions.

import Postgres

/// What one transaction of the migrator did, and the file that has to run outside of one next.
struct MigrationStep: Sendable {
    var report: MigrationReport
    var next: Migration?
}

/// What the database remembers.
private struct Applied {
    var checksums: [Int32: String] = [:]
    var breaking: Set<Int32> = []
    var functions: [String: String] = [:]
    var version: Int32 { checksums.keys.max() ?? 0 }
}

extension PostgresConnection {
    /// Takes the lock that keeps migrators apart until the end of the transaction; false if another one has it.
    private func takeMigrationLock() throws(PostgresError) -> Bool {
        try query("select pg_try_advisory_xact_lock($1, 0)", [.int32(0x0A02)])[0].bool(0)
    }

    /// Leaves a transaction open that does nothing but hold the migrators' lock; nil if another migrator has it.
    func holdMigrationLock() throws(MigrationError) -> Bool? {
        do {
            try script("begin")
            guard try takeMigrationLock() else {
                try script("rollback")
                return nil
            }
            // This also replaces the portal of the statement before it, whose snapshot would hold up `create index concurrently`.
            try script("set local idle_in_transaction_session_timeout = 0")
            return true
        } catch {
            throw .database(error)
        }
    }

    /// One transaction: everything up to the next file that runs alone, or to the end with the function files. Nil while another migrator
    /// is at work.
    func migrateInTransaction(_ migrations: [Migration], _ functions: [SQLFile]) throws(MigrationError) -> MigrationStep? {
        var file: String?
        let outcome: Result<MigrationStep?, MigrationError>
        do {
            outcome = try transactionInPlace { db throws(PostgresError) in
                guard try db.takeMigrationLock() else { return .success(nil) }
                try db.script("set local statement_timeout = 0; set local lock_timeout = '\(Migrator.lockTimeout)'")
                try db.createBookkeeping()
                let applied = try db.applied()
                let checksums = try db.checksums(migrations.map(\.text))
                if let refusal = Self.refusal(applied, migrations, checksums) { return .failure(refusal) }
                var report = MigrationReport(from: applied.version, to: applied.version, migrations: [], functions: [])
                for (migration, checksum) in zip(migrations, checksums) where migration.version > applied.version {
                    guard migration.isTransactional else { return .success(MigrationStep(report: report, next: migration)) }
                    file = migration.name
                    // The row comes first: should the lock ever fail to keep two migrators apart, the key does.
                    try db.record(migration, checksum)
                    try db.script(migration.text)
                    report.to = migration.version
                    report.migrations.append(migration.name)
                }
                for (function, checksum) in zip(functions, try db.checksums(functions.map(\.text)))
                where applied.functions[function.name] != checksum {
                    file = function.name
                    try db.script(function.text)
                    try db.query(
                        """
                        insert into skein.function_file (name, checksum) values ($1, $2)
                        on conflict (name) do update set checksum = excluded.checksum, applied_at = clock_timestamp()
                        """, [.text(function.name), .text(checksum)])
                    report.functions.append(function.name)
                }
                file = nil
                return .success(MigrationStep(report: report, next: nil))
            }
        } catch {
            throw file.map { .failed(file: $0, error) } ?? .database(error)
        }
        return try outcome.get()
    }

    /// A file outside of any transaction, recorded when it is through. Its author sees to it that it can run again after a failure.
    /// False if another migrator was faster, between our last transaction and our taking the lock again.
    func migrateAlone(_ migration: Migration) throws(MigrationError) -> Bool {
        do {
            if try applied().checksums[migration.version] != nil { return false }
            try script("set statement_timeout = 0; set lock_timeout = 0")
            for statement in StatementSplitter.statements(migration.text) { try script(statement) }
            try script("reset statement_timeout; reset lock_timeout")
            for checksum in try checksums([migration.text]) { try record(migration, checksum) }
            return true
        } catch {
            throw .failed(file: migration.name, error)
        }
    }

    func schemaStatus(_ migrations: [Migration], _ functions: [SQLFile]) throws(MigrationError) -> SchemaStatus {
        do {
            let found = try query("select to_regclass('skein.migration') is not null")[0].bool(0) ? try applied() : Applied()
            let known = migrations.last?.version ?? 0
            let checksums = try checksums(functions.map(\.text))
            let missing = functions.filter { found.functions[$0.name] == nil }
            let changed = zip(functions, checksums).filter { found.functions[$0.name] != nil && found.functions[$0.name] != $1 }
            return SchemaStatus(
                applied: found.version, known: known, pending: migrations.filter { $0.version > found.version }.map(\.name),
                missingFunctions: missing.map(\.name), changedFunctions: changed.map(\.0.name),
                isBroken: found.breaking.contains { $0 > known })
        } catch {
            throw .database(error)
        }
    }
}

// MARK: - Bookkeeping

extension PostgresConnection {
    private func createBookkeeping() throws(PostgresError) {
        guard try query("select to_regclass('skein.function_file') is null")[0].bool(0) else { return }
        try script(
            """
            create schema if not exists skein;
            create table if not exists skein.migration (
              version    int primary key,
              name       text not null,
              checksum   text not null,
              breaking   bool not null,
              applied_at timestamptz not null default clock_timestamp());
            create table if not exists skein.function_file (
              name       text primary key,
              checksum   text not null,
              applied_at timestamptz not null default clock_timestamp());
            """)
    }

    private func applied() throws(PostgresError) -> Applied {
        var applied = Applied()
        for row in try query("select version, checksum, breaking from skein.migration") {
            applied.checksums[row.int32(0)] = row.text(1)
            if row.bool(2) { applied.breaking.insert(row.int32(0)) }
        }
        for row in try query("select name, checksum from skein.function_file") { applied.functions[row.text(0)] = row.text(1) }
        return applied
    }

    private func record(_ migration: Migration, _ checksum: String) throws(PostgresError) {
        try query(
            "insert into skein.migration (version, name, checksum, breaking) values ($1, $2, $3, $4)",
            [.int32(migration.version), .text(migration.name), .text(checksum), .bool(migration.isBreaking)])
    }

    private func checksums(_ texts: [String]) throws(PostgresError) -> [String] {
        try query(
            "select encode(sha256(convert_to(given, 'UTF8')), 'hex') from unnest($1::text[]) with ordinality as g(given, position) order by position",
            [.textArray(texts)]
        ).map { $0.text(0) }
    }

    private static func refusal(_ applied: Applied, _ migrations: [Migration], _ checksums: [String]) -> MigrationError? {
        let known = migrations.last?.version ?? 0
        if applied.version > known { return .newerDatabase(database: applied.version, known: known) }
        for (migration, checksum) in zip(migrations, checksums) {
            if let recorded = applied.checksums[migration.version], recorded != checksum { return .checksumChanged(file: migration.name) }
        }
        return nil
    }
}
