// How the schema of a database compares with what this program carries.

/// The answer of `Migrator.status`.
public struct SchemaStatus: Sendable, Hashable {
    /// The newest migration in the database; 0 for none.
    public var applied: Int32
    /// The newest migration that this program carries.
    public var known: Int32
    /// Names of migrations that the database lacks.
    public var pending: [String]
    /// Names of function files that were never applied.
    public var missingFunctions: [String]
    /// Names of function files that were applied with other contents.
    public var changedFunctions: [String]
    /// Whether the database has a breaking migration that this program does not know.
    public var isBroken: Bool

    /// Throws unless this program can work with the database. A newer schema is fine as long as nothing in it breaks older programs.
    public func requireUsable() throws(MigrationError) {
        if isBroken { throw .newerDatabase(database: applied, known: known) }
        if applied < known { throw .olderDatabase(database: applied, needed: known) }
        if applied == known && !missingFunctions.isEmpty { throw .missingFunctions(files: missingFunctions) }
    }

    /// Whether `migrate` would change nothing.
    public var isCurrent: Bool {
        applied == known && missingFunctions.isEmpty && changedFunctions.isEmpty
    }
}

/// What `Migrator.migrate` did.
public struct MigrationReport: Sendable, Hashable {
    /// The version before; 0 for an empty database.
    public var from: Int32
    /// The version after.
    public var to: Int32
    /// The migrations that were applied, in order.
    public var migrations: [String]
    /// The function files that were applied, in order.
    public var functions: [String]

    /// Whether there was nothing to do.
    public var isUnchanged: Bool { migrations.isEmpty && functions.isEmpty }
}
