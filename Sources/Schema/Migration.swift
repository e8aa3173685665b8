// One step of the schema, read from its file.

/// A migration: `0007_what_it_does.sql`.
///
/// Its head may say `-- transaction: no` (for `create index concurrently` and the like; such a file must be able to run twice) and
/// `-- breaking: yes` (programs that do not know it must stop).
public struct Migration: Sendable, Hashable {
    /// The number that its name begins with.
    public let version: Int32
    /// The file's name.
    public let name: String
    /// The statements.
    public let text: String
    /// Whether it runs inside the migrator's transaction.
    public let isTransactional: Bool
    /// Whether older programs cannot work with the schema any more.
    public let isBreaking: Bool

    /// Reads the head of a file.
    public init(_ file: SQLFile) throws(MigrationError) {
        let digits = file.name.prefix { $0.isASCII && $0.isNumber }
        guard digits.count == 4, let version = Int32(digits), version > 0, file.name.dropFirst(4).hasPrefix("_"),
            file.name.hasSuffix(".sql")
        else { throw .malformed(file: file.name, reason: "the name is not of the form 0001_what.sql") }
        self.version = version
        name = file.name
        text = file.text
        isTransactional = try Self.answer(file, "transaction") ?? true
        isBreaking = try Self.answer(file, "breaking") ?? false
    }

    private static func answer(_ file: SQLFile, _ key: String) throws(MigrationError) -> Bool? {
        switch file.headerValue(key) {
        case nil: return nil
        case "yes": return true
        case "no": return false
        case let other?: throw .malformed(file: file.name, reason: "'-- \(key):' says '\(other)' instead of yes or no")
        }
    }

    /// All of them, in order and without gaps.
    static func list(_ files: [SQLFile]) throws(MigrationError) -> [Migration] {
        var migrations: [Migration] = []
        for file in files { migrations.append(try Migration(file)) }
        migrations.sort { $0.version < $1.version }
        for (position, migration) in migrations.enumerated() where migration.version != Int32(position + 1) {
            throw .malformed(file: migration.name, reason: "number \(position + 1) was expected here: numbers are used once, without gaps")
        }
        return migrations
    }
}
