// Following a run costs what is new, not what the run has behind it.

import Postgres
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

@Suite("History", .timeLimit(.minutes(2)))
struct HistoryTests {
    private static let run = "01890000-0000-7000-8000-000000000001"

    /// A database with one run of so many steps, some of them tried twice.
    private func database(steps: Int) async throws -> TestDatabase {
        let database = try await TestDatabase.create()
        let connection = try await database.connect()
        try await connection.script(
            """
            insert into skein.workflow (namespace_id, name) values (1, 'w');
            insert into skein.workflow_version (namespace_id, name, version, content_hash, definition, source) values (1, 'w', 1, 'h', '{}', '');
            insert into skein.run (run_id, namespace_id, version_id, history_length, submitted_at, input)
            values ('\(Self.run)', 1, 1, \(steps) * 2 + 1, clock_timestamp(), '{}');
            insert into skein.step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, fence, finished_at, output)
            select '\(Self.run)', 's' || md5(n::text), n * 2, 1, 0, 'succeeded', 1, 0, n, clock_timestamp(), repeat('x', 100) from generate_series(1, \(steps)) as n;
            insert into skein.attempt (run_id, path, attempt, fence, seq, namespace_id, session_id, status, claimed_at, settled_at)
            select '\(Self.run)', 's' || md5(n::text), 1, n, n * 2 + 1, 1, 1, 'failed', clock_timestamp(), clock_timestamp() from generate_series(1, \(steps)) as n;
            analyze skein.step; analyze skein.attempt; analyze skein.run; analyze skein.run_event; analyze skein.ended_run;
            """)
        await connection.close()
        return database
    }

    /// The pages that the server reads to find up to 50 events after a number, whatever it plans with.
    private func pages(_ database: TestDatabase, after: Int, plan: String) async throws -> Int {
        let connection = try await database.connect()
        try await connection.script(
            "set plan_cache_mode = \(plan); prepare events (uuid, integer, integer) as \(RunReader.eventsAfter.text)")
        let rows = try await connection.query(
            SQL("explain (analyze, buffers, costs off, timing off, summary off) execute events ('\(Self.run)', \(after), 50)"))
        await connection.close()
        let lines = rows.map { $0.text(0) }
        // The first line about buffers is the sum of all.
        let buffers = try #require(lines.first { $0.contains("Buffers:") }, "\(lines)")
        let numbers = buffers.matches(of: /(?:hit|read)=(\d+)/).compactMap { Int($0.output.1) }
        #expect(
            !lines.contains { $0.contains("Seq Scan on step_") || $0.contains("Seq Scan on attempt_") }, "\(lines.joined(separator: "\n"))")
        return numbers.reduce(0, +)
    }

    @Test(
        "what comes after a number in a run's history is found without reading the rest",
        arguments: ["force_generic_plan", "force_custom_plan"])
    func cheap(plan: String) async throws {
        let long = try await database(steps: 20_000)
        for after in [0, 20_000, 39_990] {
            let pages = try await pages(long, after: after, plan: plan)
            #expect(pages < 150, "after \(after)")
        }
    }

    @Test("events come in order, each once, whether they are read one after another or all at once")
    func order() async throws {
        let database = try await database(steps: 60)
        let run = try #require(RunID(Self.run))
        let reader = RunReader(database.pool(size: 1))
        let all = try await reader.events(of: run, after: 0, limit: 500)
        #expect(all.map(\.sequence) == Array(1...121))
        var pieces: [Int32] = []
        while true {
            let next = try await reader.events(of: run, after: pieces.last ?? 0, limit: 7)
            guard !next.isEmpty else { break }
            pieces += next.map(\.sequence)
        }
        #expect(pieces == all.map(\.sequence))
        let page = try await reader.history(of: run, limit: 10, after: ["100", "step_succeeded"])
        #expect(page.items.count == 10)
        #expect(page.next?.first == "110")
    }
}
