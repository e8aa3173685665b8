// The invariants that must hold in every database, as queries whose rows are violations.

public import Postgres

/// Runs the queries of `sql/checks/`. A file begins with a comment: `-- I2: title`, `-- proves: …`, `-- remedy: …`.
public enum Checks {
    /// How many violations of one invariant are shown.
    public static let shownRows = 20

    /// Runs all checks, each in a snapshot of its own, and gives one result for each.
    public static func run(
        _ connection: PostgresConnection, checks: [SQLFile] = EmbeddedSQL.checks
    ) async throws(PostgresError) -> [CheckResult] {
        var results: [CheckResult] = []
        for file in checks { results.append(try await connection.runCheck(file)) }
        return results
    }
}

/// What one check found.
public struct CheckResult: Sendable, Hashable {
    /// The invariant's number, such as `I2`.
    public var id: String
    /// Its title.
    public var name: String
    /// What it means when there are no rows.
    public var purpose: String
    /// What to do about rows.
    public var remedy: String
    /// The violations as JSON, at most `Checks.shownRows` of them.
    public var rows: [String]
    /// Whether there are more than that.
    public var hasMore: Bool
    /// Why the check itself could not run.
    public var failure: PostgresError?

    /// Whether the check ran and found nothing.
    public var isGood: Bool { rows.isEmpty && failure == nil }
}

extension PostgresConnection {
    fileprivate func runCheck(_ file: SQLFile) throws(PostgresError) -> CheckResult {
        let title = file.header.first ?? ""
        let id = String(title.prefix { $0 != ":" })
        var result = CheckResult(
            id: id, name: String(title.dropFirst(id.count + 1).drop { $0 == " " }), purpose: file.headerValue("proves") ?? "",
            remedy: file.headerValue("remedy") ?? "", rows: [], hasMore: false, failure: nil)
        let statement = String(file.text.trimmingSuffix { $0.isWhitespace || $0 == ";" })
        do {
            let rows = try transactionInPlace(.snapshot) { db throws(PostgresError) in
                // The line break keeps a comment at the end of the file from swallowing the parenthesis.
                try db.query(SQL("select to_jsonb(violation)::text from (\n\(statement)\n) as violation limit \(Checks.shownRows + 1)"))
            }
            result.rows = rows.prefix(Checks.shownRows).map { $0.text(0) }
            result.hasMore = rows.count > Checks.shownRows
        } catch {
            // A check that does not fit the schema is a finding, too; without a connection there are no findings.
            guard error.code == .server && isUsable else { throw error }
            result.failure = error
        }
        return result
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(while matches: (Character) -> Bool) -> SubSequence {
        var rest = self[...]
        while let last = rest.last, matches(last) { rest.removeLast() }
        return rest
    }
}
