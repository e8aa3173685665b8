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
        for file in checks { results += try await connection.runChecks([file], sample: nil, patience: .zero) ?? [] }
        return results
    }

    /// Runs checks on a part of the runs, unless somebody else is probing this database at the moment: then there is no answer.
    ///
    /// The first of them, and as many more as fit into the same short transaction: there are as many results as checks were run. Read only, and none
    /// takes longer than the sample allows: a check that would has a `failure` that says so (`isUnfinished`).
    ///
    /// - Parameter patience: how long the transaction may have lasted for another check to be run in it. A snapshot that is held keeps dead rows from
    ///   being tidied up.
    public static func probe(
        _ connection: PostgresConnection, checks: [SQLFile], of sample: CheckSample, patience: Duration = .milliseconds(100)
    ) async throws(PostgresError) -> [CheckResult]? {
        try await connection.runChecks(checks, sample: sample, patience: patience)
    }

    /// The statement of a check, for as many violations as are shown and one more.
    ///
    /// A limit on the query itself would be planned as if the first violations came at once, by loops that take minutes where there are none.
    static func limited(_ statement: String) -> String {
        // The line break keeps a comment at the end of the file from swallowing the parenthesis.
        "with violation as materialized (\n\(statement)\n) select to_jsonb(violation)::text from violation limit \(shownRows + 1)"
    }
}

/// The part of a database that a probe looks at.
public struct CheckSample: Sendable, Hashable {
    /// The first run and the last one; nil where there is no bound.
    public var first: String?
    public var last: String?
    /// About how many rows of a table are looked at whose rows are not found by a run's id.
    public var rows: Int
    /// How long a check may take.
    public var timeout: Duration

    /// A part of a database.
    public init(first: String?, last: String?, rows: Int, timeout: Duration) {
        self.first = first
        self.last = last
        self.rows = rows
        self.timeout = timeout
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
    /// Whether the check was stopped because its time was over.
    public var isUnfinished: Bool { failure?.sqlState == .queryCancelled }

    init(_ file: SQLFile) {
        let title = file.header.first ?? ""
        id = String(title.prefix { $0 != ":" })
        name = String(title.dropFirst(id.count + 1).drop { $0 == " " })
        purpose = file.headerValue("proves") ?? ""
        remedy = file.headerValue("remedy") ?? ""
        rows = []
        hasMore = false
    }
}

extension PostgresConnection {
    // The answer is nil when somebody else is probing.
    fileprivate func runChecks(_ files: [SQLFile], sample: CheckSample?, patience: Duration) throws(PostgresError) -> [CheckResult]? {
        var results: [CheckResult] = []
        do {
            let isOurs = try transactionInPlace(.snapshot) { db throws(PostgresError) -> Bool in
                if let sample, try !db.beginProbe(sample) { return false }
                let begun = ContinuousClock.now
                for file in files where results.isEmpty || ContinuousClock.now - begun < patience {
                    results.append(try db.result(of: file))
                }
                return true
            }
            return isOurs ? results : nil
        } catch {
            // A check that does not fit the schema is a finding, too; without a connection there are no findings.
            guard error.code == .server && isUsable, results.count < files.count else { throw error }
            var failed = CheckResult(files[results.count])
            failed.failure = error
            return results + [failed]
        }
    }

    private func result(of file: SQLFile) throws(PostgresError) -> CheckResult {
        let statement = String(file.text.trimmingSuffix { $0.isWhitespace || $0 == ";" })
        let rows = try query(SQL(Checks.limited(statement)))
        var result = CheckResult(file)
        result.rows = rows.prefix(Checks.shownRows).map { $0.text(0) }
        result.hasMore = rows.count > Checks.shownRows
        return result
    }
}

extension PostgresConnection {
    // The number of the lock under which a database is probed, by one at a time.
    private static let probe: SQL = """
        select pg_try_advisory_xact_lock(x'0A09'::integer, 0), skein.plan_by_key_v1(), set_config('statement_timeout', $1, true),
               set_config('skein.checked_from', $2, true), set_config('skein.checked_to', $3, true), set_config('skein.checked_rows', $4, true),
               set_config('max_parallel_workers_per_gather', '0', true)
        """

    fileprivate func beginProbe(_ sample: CheckSample) throws(PostgresError) -> Bool {
        let (seconds, attoseconds) = sample.timeout.components
        let milliseconds = max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        return try query(
            Self.probe, [.text("\(milliseconds)"), .text(sample.first ?? ""), .text(sample.last ?? ""), .text("\(sample.rows)")])[0].bool(0)
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(while matches: (Character) -> Bool) -> SubSequence {
        var rest = self[...]
        while let last = rest.last, matches(last) { rest.removeLast() }
        return rest
    }
}
