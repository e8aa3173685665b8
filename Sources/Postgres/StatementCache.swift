// Which statements a connection has prepared, under which names, for which types of parameters.

/// One server-side prepared statement.
struct PreparedStatement: Hashable {
    var name: String
    /// As said when it was prepared; unspecified where the first parameter seen was null.
    var types: [UInt32]

    /// Whether values of these types may be sent to it. A null fits everywhere.
    func accepts(_ given: [UInt32]) -> Bool {
        guard given.count == types.count else { return false }
        for position in given.indices where given[position] != TypeOID.unspecified && given[position] != types[position] {
            return false
        }
        return true
    }
}

/// Statements by their text. A text has more than one entry only if it was sent with different types, or with nulls before values.
struct StatementCache {
    private var statements: [SQL: [PreparedStatement]] = [:]
    private var lastNumber = 0
    private(set) var count = 0

    /// Static statements number some hundreds. More than this means that texts are made at run time; then all are dropped and begun anew.
    static let limit = 1000

    func name(for sql: SQL, types: [UInt32]) -> String? {
        statements[sql]?.first { $0.accepts(types) }?.name
    }

    /// A new entry. Types that are not known now are taken from an earlier entry for the same text, so that a few entries serve all mixtures.
    mutating func add(_ sql: SQL, types: [UInt32]) -> PreparedStatement {
        lastNumber += 1
        var merged = types
        if let earlier = statements[sql]?.last?.types, earlier.count == merged.count {
            for position in merged.indices where merged[position] == TypeOID.unspecified { merged[position] = earlier[position] }
        }
        let statement = PreparedStatement(name: "s\(lastNumber)", types: merged)
        statements[sql, default: []].append(statement)
        count += 1
        return statement
    }

    /// Forgets one entry, because the server refused to prepare it.
    mutating func remove(_ statement: PreparedStatement, of sql: SQL) {
        guard let position = statements[sql]?.firstIndex(of: statement) else { return }
        statements[sql]?.remove(at: position)
        count -= 1
    }

    /// Forgets all that was prepared for `sql`.
    mutating func forget(_ sql: SQL) {
        count -= statements.removeValue(forKey: sql)?.count ?? 0
    }

    mutating func forgetAll() {
        statements.removeAll()
        count = 0
    }
}
