// Brings a database to the schema that this program carries.

public import Postgres

/// Applies migrations and function files; forward only.
///
/// Use a direct connection whose role owns the schema. Any number of migrators may run at a time; they go one after another.
public enum Migrator {
    /// A statement that waited this long for a lock gives way, so that a migration never blocks the traffic behind it for longer.
    static let lockTimeout = "5s"
    /// How often a migration that gave way is tried again.
    static let maximumRetries = 5
    /// How long a migrator waits for another one.
    static let maximumWait = Duration.seconds(3600)
    /// How often it looks.
    static let pollInterval = Duration.milliseconds(50)

    /// Applies what is missing and says what was done: everything in one transaction, which only files that cannot run inside one interrupt.
    public static func migrate(
        _ connection: PostgresConnection, migrations: [SQLFile] = EmbeddedSQL.migrations, functions: [SQLFile] = EmbeddedSQL.functions
    ) async throws(MigrationError) -> MigrationReport {
        let list = try Migration.list(migrations)
        var report: MigrationReport?
        // Every round but the last ends before a file that runs alone, so there are not more rounds than files.
        while true {
            let step = try await patiently { () throws(MigrationError) in try await connection.migrateInTransaction(list, functions) }
            let total = report?.followed(by: step.report) ?? step.report
            guard let alone = step.next else { return total }
            let isOurs = try await runAlone(alone, connection)
            let names = isOurs ? [alone.name] : []
            report = total.followed(
                by: MigrationReport(from: alone.version - 1, to: alone.version, migrations: names, functions: []))
        }
    }

    /// Compares without changing anything.
    public static func status(
        _ connection: PostgresConnection, migrations: [SQLFile] = EmbeddedSQL.migrations, functions: [SQLFile] = EmbeddedSQL.functions
    ) async throws(MigrationError) -> SchemaStatus {
        try await connection.schemaStatus(try Migration.list(migrations), functions)
    }

    /// Tries again while another migrator is at work, and, less often, when a lock of a table could not be had in time.
    ///
    /// Waiting inside the server would be simpler, but a session that waits holds a snapshot, and `create index concurrently`, which may be
    /// what the other migrator is doing, waits for all snapshots: both would wait for ever.
    private static func patiently<R>(_ work: () async throws(MigrationError) -> R?) async throws(MigrationError) -> R {
        let deadline = ContinuousClock.now + maximumWait
        var failures = 0
        while ContinuousClock.now < deadline {
            do {
                if let result = try await work() { return result }
            } catch {
                failures += 1
                guard error.isLockTimeout && failures <= maximumRetries else { throw error }
            }
            do {
                try await Task.sleep(for: pollInterval)
            } catch {
                throw .database(PostgresError(code: .cancelled, message: "Cancelled while waiting for another migrator."))
            }
        }
        throw .busy
    }

    /// Runs a file outside of any transaction. A second connection holds the migrators' lock meanwhile: a lock of the session would do, too,
    /// but stays behind with a pooler's server connection when something goes wrong.
    private static func runAlone(_ migration: Migration, _ connection: PostgresConnection) async throws(MigrationError) -> Bool {
        let holder: PostgresConnection
        do {
            holder = try await connection.another()
        } catch {
            throw .database(error)
        }
        _ = try await patiently { () throws(MigrationError) in try await holder.holdMigrationLock() }
        let result: Result<Bool, MigrationError>
        do throws(MigrationError) {
            result = .success(try await connection.migrateAlone(migration))
        } catch {
            result = .failure(error)
        }
        await holder.close()
        return try result.get()
    }
}

extension MigrationError {
    fileprivate var isLockTimeout: Bool {
        switch self {
        case .database(let error), .failed(_, let error): error.sqlState == .lockNotAvailable
        case .checksumChanged, .newerDatabase, .olderDatabase, .missingFunctions, .malformed, .busy: false
        }
    }
}

extension MigrationReport {
    fileprivate func followed(by next: MigrationReport) -> MigrationReport {
        MigrationReport(
            from: from, to: max(to, next.to), migrations: migrations + next.migrations, functions: functions + next.functions)
    }
}
