// `skein doctor`: looks at a database and says what is wrong with it, and what helps.

package import Postgres
import Schema
package import WorkflowModel

/// One thing that was looked at.
package struct Finding: Sendable, Hashable {
    /// How it is.
    package enum Verdict: String, Sendable, Hashable {
        /// As it should be.
        case good
        /// Worth a look; nothing is broken.
        case warning
        /// Broken.
        case bad
    }

    /// What was looked at.
    package let name: String
    /// How it is.
    package let verdict: Verdict
    /// What was seen.
    package let seen: String
    /// What helps.
    package let remedy: String?
    /// Offending rows as JSON.
    package let rows: [String]

    package init(_ name: String, _ verdict: Verdict, _ seen: String, remedy: String? = nil, rows: [String] = []) {
        self.name = name
        self.verdict = verdict
        self.seen = seen
        self.remedy = verdict == .good ? nil : remedy
        self.rows = rows
    }

    /// The finding for programs.
    package var json: JSONValue {
        [
            "name": .string(name), "verdict": .string(verdict.rawValue), "seen": .string(seen),
            "remedy": remedy.map { .string($0) } ?? .null,
            "rows": .array(rows.map { row in (try? JSONValue(parsing: row)) ?? .string(row) }),
        ]
    }
}

/// Looks at everything.
package enum Doctor {
    static let oldestServer: Int32 = 140_000

    /// The findings, in the order in which a person would look.
    package static func examine(_ connection: PostgresConnection) async throws -> [Finding] {
        var findings = try await server(connection)
        let schema = try await self.schema(connection)
        findings.append(schema)
        guard schema.verdict != .bad else { return findings }
        findings += try await fleet(connection)
        for check in try await Checks.run(connection) { findings.append(finding(check)) }
        return findings
    }

    private static func server(_ connection: PostgresConnection) async throws -> [Finding] {
        let number = await connection.serverVersion
        let version = DatabaseVersion.text(number)
        var findings = [
            Finding("server", number >= oldestServer ? .good : .bad, "PostgreSQL \(version)", remedy: "upgrade to PostgreSQL 14 or newer")
        ]
        let settings = try await connection.query(
            """
            select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'),
                   pg_is_in_recovery(), current_setting('max_connections')::integer,
                   (select count(*)::integer from pg_stat_activity where backend_type = 'client backend'),
                   abs(extract(epoch from clock_timestamp()) - $1)::float8
            """, [.double(Double(Wall.microseconds) / 1_000_000)])[0]
        let isPrimary = !settings.bool(3)
        findings.append(
            Finding(
                "primary", isPrimary ? .good : .bad, isPrimary ? "takes writes" : "is a standby",
                remedy: "name the primary in --database-url"))
        findings.append(durability("fsync", settings.text(0), isGood: settings.text(0) == "on"))
        findings.append(durability("full_page_writes", settings.text(2), isGood: settings.text(2) == "on"))
        let commit = settings.text(1)
        findings.append(durability("synchronous_commit", commit, isGood: commit != "off"))
        let (most, used) = (settings.int32(4), settings.int32(5))
        findings.append(
            Finding(
                "connections", used * 10 < most * 9 ? .good : .warning, "\(used) of \(most) in use",
                remedy: "raise max_connections, or run fewer processes"))
        let skew = settings.double(6)
        findings.append(
            Finding(
                "clock", skew < 5 ? .good : .warning, "differs from this machine's by \(HumanTime.duration(skew))",
                remedy: "the database's clock is the one that counts; synchronise both with NTP"))
        return findings
    }

    private static func durability(_ name: String, _ value: String, isGood: Bool) -> Finding {
        Finding(
            name, isGood ? .good : .bad, value, remedy: "a crash of the database can lose what was promised; alter system set \(name) = on")
    }

    private static func schema(_ connection: PostgresConnection) async throws -> Finding {
        let status = try await Migrator.status(connection)
        let remedy = "run `skein migrate`"
        if status.applied == 0 { return Finding("schema", .bad, "there is none in this database", remedy: remedy) }
        do throws(MigrationError) {
            try status.requireUsable()
        } catch {
            return Finding("schema", .bad, "\(status.applied), this release has \(status.known)", remedy: error.description)
        }
        if status.isCurrent { return Finding("schema", .good, "\(status.applied), current") }
        let changed = (status.changedFunctions + status.missingFunctions).joined(separator: ", ")
        return Finding("schema", .warning, "\(status.applied); functions differ: \(changed)", remedy: remedy)
    }

    private static func fleet(_ connection: PostgresConnection) async throws -> [Finding] {
        let row = try await connection.query(
            """
            select count(*) filter (where status = 'alive')::integer, coalesce(sum(slots) filter (where status = 'alive'), 0)::integer,
                   count(*) filter (where status = 'expired')::integer,
                   (select coalesce(sum(ready), 0)::bigint from skein.queue_depth where workers = 0),
                   (select coalesce(string_agg(queue, ', ' order by queue), '') from skein.queue_depth where workers = 0 and ready > 0),
                   (select count(*)::integer from skein.run_overview where is_quarantined)
              from skein.worker_overview
            """)[0]
        let (alive, slots, expired) = (row.int32(0), row.int32(1), row.int32(2))
        return [
            Finding(
                "workers", alive > 0 ? .good : .warning, "\(alive) alive with \(slots) slots",
                remedy: "start skein-worker; without one no step runs"),
            Finding(
                "leases", expired == 0 ? .good : .warning, expired == 0 ? "none expired" : "\(expired) expired and not reaped",
                remedy: "a coordinator reaps them within seconds; see that one runs"),
            Finding(
                "queues", row.int64(3) == 0 ? .good : .warning,
                row.int64(3) == 0 ? "every queue with work has a worker" : "\(row.int64(3)) tasks ready where nobody works: \(row.text(4))",
                remedy: "start a worker with --queues naming them"),
            Finding(
                "quarantine", row.int32(5) == 0 ? .good : .bad, row.int32(5) == 0 ? "no run" : "\(row.int32(5)) runs could not be folded",
                remedy: "`select run_id, reason from skein.run_overview where is_quarantined` says why"),
        ]
    }

    private static func finding(_ check: CheckResult) -> Finding {
        let name = "\(check.id) \(check.name)"
        if let failure = check.failure {
            return Finding(
                name, .bad, "the check itself failed: \(Console.printable(failure.debugDescription))", remedy: "run `skein migrate`")
        }
        if check.isGood { return Finding(name, .good, check.purpose) }
        let count = check.hasMore ? "more than \(check.rows.count)" : "\(check.rows.count)"
        return Finding(name, .bad, count == "1" ? "1 violation" : "\(count) violations", remedy: check.remedy, rows: check.rows)
    }
}
