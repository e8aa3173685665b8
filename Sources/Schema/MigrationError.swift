// Why a schema could not be migrated or used.

public import Postgres

/// What stands between this program and a schema that it can use. Each case says what to do.
public enum MigrationError: Error, Sendable, Hashable {
    /// The database could not be asked.
    case database(PostgresError)
    /// A file failed; everything it did was undone, and so was what came before it in the same transaction. Only a file that runs outside of
    /// one may leave a part of its work.
    case failed(file: String, PostgresError)
    /// A migration was edited after it had been applied.
    case checksumChanged(file: String)
    /// The database has migrations that this program does not know.
    case newerDatabase(database: Int32, known: Int32)
    /// The database lacks migrations that this program needs.
    case olderDatabase(database: Int32, needed: Int32)
    /// The database has the right version, but function files of this program were never applied to it.
    case missingFunctions(files: [String])
    /// Another migrator was at work all the time that this one was willing to wait.
    case busy
    /// An embedded file breaks the rules for such files.
    case malformed(file: String, reason: String)
}

extension MigrationError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What is wrong and what to do; no values, no statements.
    public var description: String {
        switch self {
        case .database(let error):
            "The schema could not be read or changed. \(error)."
        case .failed(let file, let error):
            "Migration file \(file) failed; its transaction was rolled back. \(error)."
        case .checksumChanged(let file):
            "Migration \(file) was changed after it had been applied to this database. Restore the file; put the change into a new migration."
        case .newerDatabase(let database, let known):
            "The database is at schema \(database), this program knows only up to \(known). Run a release that knows schema \(database)."
        case .olderDatabase(let database, let needed):
            "The database is at schema \(database), this program needs \(needed). Run: skein migrate"
        case .missingFunctions(let files):
            "The database lacks the functions of \(files.joined(separator: ", ")). Run: skein migrate"
        case .busy:
            "Another migration has been running on this database for \(Migrator.maximumWait). See pg_locks for the holder of advisory lock 2562."
        case .malformed(let file, let reason):
            "The embedded file \(file) cannot be used: \(reason)."
        }
    }

    /// With the server's own words.
    public var debugDescription: String {
        switch self {
        case .database(let error): "\(description) \(error.debugDescription)"
        case .failed(_, let error): "\(description) \(error.debugDescription)"
        case .checksumChanged, .newerDatabase, .olderDatabase, .missingFunctions, .malformed, .busy: description
        }
    }
}
