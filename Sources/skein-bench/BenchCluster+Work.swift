// What is given to the cluster, and how long it takes.

import Postgres
import WorkflowModel

/// A moment from which runs are counted: their ids begin with the time of their submission.
struct Mark {
    let firstRun: String
}

extension BenchCluster {
    func number(_ sql: String) async throws -> Double {
        try await connection.query(SQL("select (\(sql))::double precision"))[0].doubleOrNull(0) ?? 0
    }

    func text(_ sql: String) async throws -> String { try await connection.query(SQL("select (\(sql))"))[0].text(0) }

    func execute(_ sql: String) async throws { _ = try await connection.query(SQL(sql)) }

    func apply(_ definition: JSONValue) async throws {
        let name = definition["workflow"]?.stringValue ?? ""
        _ = try await api.request("PUT", "/api/v1/workflows/\(name)", body: definition.compactText)
    }

    /// Submits runs by batches.
    func submit(_ workflow: String, count: Int, batch: Int = 1000) async throws {
        var left = count
        while left > 0 {
            let size = min(left, batch)
            try await api.submit(workflow, count: size)
            left -= size
        }
    }

    /// This moment.
    func mark() async throws -> Mark {
        Mark(firstRun: try await connection.query("select skein.first_run_id(clock_timestamp())::text")[0].text(0))
    }

    /// Returns when so many runs submitted since a moment have ended, and throws unless all of them succeeded. Asks seldom while there is
    /// much left, so that asking is no part of what is measured.
    func waitForEnds(_ count: Int, since mark: Mark, timeout: Duration = .seconds(900)) async throws {
        let clock = ContinuousClock()
        let begun = clock.now
        while true {
            let ended = try await number("select count(*) from skein.ended_run where run_id >= '\(mark.firstRun)'")
            if ended >= Double(count) { break }
            let passed = (clock.now - begun).seconds
            guard passed < timeout.seconds else {
                throw BenchError(description: "\(Int(ended)) of \(count) runs have ended within \(timeout)")
            }
            let left = ended > 0 ? (Double(count) - ended) / ended * passed : 0.05
            try await clock.sleep(for: .milliseconds(Int(min(max(left / 2, 0.01), 0.5) * 1000)))
        }
        for row in try await connection.query(
            SQL(
                """
                select run_id::text, status::text, coalesce(failure, '') from skein.ended_run
                 where run_id >= '\(mark.firstRun)' and status <> 'succeeded' limit 1
                """))
        {
            throw BenchError(description: "run \(row.text(0)) ended \(row.text(1)): \(row.text(2))")
        }
    }

    /// Seconds from the first sign of life of the runs since a moment to the last one's ending.
    func span(since mark: Mark, from column: String = "submitted_at") async throws -> Double {
        try await number(
            "select extract(epoch from max(ended_at) - min(\(column))) from skein.ended_run where run_id >= '\(mark.firstRun)'")
    }

    /// Returns when a run has succeeded; throws when it has ended otherwise.
    func waitForEnd(ofRun run: String, timeout: Duration = .seconds(900)) async throws {
        try await wait("run \(run)", timeout: timeout) {
            let rows = try await self.connection.query(
                SQL("select status::text, coalesce(failure, '') from skein.ended_run where run_id = '\(run)'"))
            guard let row = rows.first else { return false }
            guard row.text(0) == "succeeded" else { throw BenchError(description: "run \(run) ended \(row.text(0)): \(row.text(1))") }
            return true
        }
    }

    /// Seconds that a run took, as the database counts them.
    func seconds(ofRun run: String) async throws -> Double {
        try await number("select extract(epoch from ended_at - submitted_at) from skein.ended_run where run_id = '\(run)'")
    }

    /// Returns when nothing is left to do, nobody tidies up, and all that was written is on the disk.
    func quiet() async throws {
        try await wait("a quiet cluster", timeout: .seconds(300)) { try await self.number("select count(*) from skein.run") == 0 }
        try await settleDown()
    }

    /// The same without asking for runs.
    func settleDown() async throws {
        try await execute("checkpoint")
        try await wait("the end of autovacuum", timeout: .seconds(600)) {
            try await self.number("select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'") == 0
        }
    }

    func wait(_ what: String, timeout: Duration = .seconds(60), until condition: () async throws -> Bool) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while try await !condition() {
            guard clock.now < deadline else { throw BenchError(description: "\(what): not there within \(timeout)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
