// Acts a script of the protocol out with the functions of sql/functions.

import Postgres
import PostgresTestKit
import Simulation

/// A database with two runs, and the sessions of a script on it.
actor RealProtocol {
    private let database: TestDatabase
    private let observer: PostgresConnection
    private var connections: [String: PostgresConnection] = [:]
    private var ids: [String: Int64] = [:]
    private var pids: [String: Int32] = [:]
    private let claims = Claims()
    private var pending: [String: Task<String, Never>] = [:]
    private var answers: [String: String] = [:]

    private init(_ database: TestDatabase, _ observer: PostgresConnection) {
        self.database = database
        self.observer = observer
    }

    private static func run(_ number: Int) -> String { "01890000-0000-7000-8000-00000000000\(number)" }

    static func play(_ script: ProtocolScript) async throws -> [String] {
        let database = try await TestDatabase.create()
        let observer = try await database.connect(applicationName: "observer")
        for number in 1...2 {
            try await observer.script(
                "insert into skein.run (run_id, namespace_id, version_id, submitted_at, input) values ('\(run(number))', 1, 1, clock_timestamp(), '{}')")
            for (node, path) in ["a", "b"].enumerated() {
                try await observer.script(
                    """
                    insert into skein.task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
                    values ('\(run(number))', '\(path)', 1, 1, 1, \(node), clock_timestamp(), '{}')
                    """)
            }
        }
        let stage = RealProtocol(database, observer)
        for name in script.sessions { try await stage.open(name) }
        var lines: [String] = []
        for (number, step) in script.steps.enumerated() { lines.append("\(number + 1)" + (try await stage.act(step.session, step.move))) }
        lines.append("end " + (try await stage.end()))
        await stage.close()
        return lines
    }

    private func open(_ name: String) async throws {
        let connection = try await database.connect(applicationName: name)
        connections[name] = connection
        pids[name] = try await connection.query("select pg_backend_pid()")[0].int32(0)
        ids[name] = try await Self.register(name, on: connection)
    }

    private static func register(_ name: String, on connection: PostgresConnection) async throws(PostgresError) -> Int64 {
        try await connection.query(
            "select skein.register_session_v1('default', $1, 'localhost', 1, 'test', array['default'], 9, 60000)", [.text(name)])[0].int64(0)
    }

    private func close() async {
        for connection in connections.values { await connection.close() }
        for task in pending.values { _ = await task.value }
        await observer.close()
    }

    private func act(_ name: String, _ move: ProtocolMove) async throws -> String {
        guard let connection = connections[name] else { return "" }
        if case .register = move { ids[name] = try await Self.register(name, on: connection) }
        guard let id = ids[name] else { return "" }
        let victim: Int64? = if case .expire(let other) = move { ids[other] } else { nil }
        let claims = claims
        pending[name] = Task {
            do throws(PostgresError) { return try await Self.perform(move, id, victim, claims, on: connection) } catch {
                return "error \(error.sqlState?.rawValue ?? "lost")"
            }
        }
        var hasAnswered = true
        while hasAnswered {
            hasAnswered = false
            for other in pending.keys.sorted() where try await hasAnswer(other) { hasAnswered = true }
        }
        var text = ""
        for (name, answer) in answers.sorted(by: { $0.key < $1.key }) { text += " \(name): \(answer)" }
        answers = [:]
        return pending[name] == nil ? text : text + " \(name) waits"
    }

    private func hasAnswer(_ name: String) async throws -> Bool {
        guard let task = pending[name], let pid = pids[name] else { return false }
        let done = Done()
        let watcher = Task {
            let answer = await task.value
            await done.set()
            return answer
        }
        try await waitUntil("\(name) has answered or waits") {
            if await done.isSet { return true }
            return try await self.observer.query("select cardinality(pg_blocking_pids($1)) > 0", [.int32(pid)])[0].bool(0)
        }
        guard await done.isSet else { return false }
        answers[name] = await watcher.value
        pending[name] = nil
        return true
    }

    private struct Claim: Sendable {
        let run: String
        let path: String
        let fence: Int64
    }

    // What each session has claimed last.
    private actor Claims {
        private var found: [Int64: [Claim]] = [:]
        func put(_ claims: [Claim], of session: Int64) { found[session] = claims }
        func last(of session: Int64) -> [Claim] { found[session] ?? [] }
    }

    private actor Done {
        private(set) var isSet = false
        func set() { isSet = true }
    }

    private static func list(_ steps: [Claim]) -> String {
        steps.isEmpty ? "nothing" : steps.map { "\($0.run.suffix(1))/\($0.path)" }.sorted().joined(separator: " ")
    }

    private static func perform(
        _ move: ProtocolMove, _ id: Int64, _ victim: Int64?, _ claims: Claims, on connection: PostgresConnection
    ) async throws(PostgresError) -> String {
        func text(_ sql: String) async throws(PostgresError) -> String { try await connection.query(SQL(sql))[0].text(0) }
        switch move {
        case .begin, .commit, .rollback:
            try await connection.script("\(move)")
            return "ok"
        case .claim(let limit):
            let rows = try await connection.query("select run_id::text, path, fence from skein.claim_tasks_v1($1, $2)", [.int64(id), .int32(Int32(limit))])
            let found = rows.map { Claim(run: $0.text(0), path: $0.text(1), fence: $0.int64(2)) }
            await claims.put(found, of: id)
            return list(found)
        case .settle:
            let mine = await claims.last(of: id)
            let nothing = [String?](repeating: nil, count: mine.count)
            let places = try await connection.query(
                "select skein.settle_tasks_v1($1, $2::text[]::uuid[], $3, $4, $5, $6, $7, $8)",
                [
                    .int64(id), .textArray(mine.map(\.run)), .textArray(mine.map(\.path)), .int64Array(mine.map(\.fence)),
                    .textArray(mine.map { _ in "succeeded" }), .textArray(mine.map { _ in "null" }), .textArray(nothing), .textArray(nothing),
                ]
            ).map { Int($0.int32(0)) - 1 }
            return list(places.map { mine[$0] })
        case .heartbeat:
            return try await connection.query("select lease_until from skein.heartbeat_v1($1, false)", [.int64(id)]).isEmpty ? "dead" : "alive"
        case .expire:
            _ = try await connection.query(
                "update skein.worker_session set lease_until = clock_timestamp() - interval '1 second' where session_id = $1", [.int64(victim ?? 0)])
            return "ok"
        case .markDead: return try await text("select skein.mark_dead_sessions_v1()::text")
        case .reap: return try await text("select skein.reap_tasks_v1(100)::text")
        case .pause(let number): return try await text("select skein.pause('\(run(number))')")
        case .resume(let number): return try await text("select skein.resume('\(run(number))')")
        case .cancel(let number): return try await text("select skein.cancel('\(run(number))')")
        case .leaveMark:
            _ = try await connection.query("select skein.raise_ready_mark_v1(1)")
            return "ok"
        case .register: return "ok"
        case .forgetTimeline:
            _ = try await connection.query("delete from skein.cluster_epoch")
            return "ok"
        case .checkEpoch: return try await text("select skein.check_epoch_v1()::text")
        case .adopt:
            try await connection.script(
                "update skein.run set parent_run_id = '\(run(2))', parent_path = 'a', follows_parent = true, depth = 1 where run_id = '\(run(1))'")
            return "ok"
        case .wait(let number):
            try await connection.script(
                "insert into skein.wait (run_id, path, namespace_id, since) values ('\(run(number))', 'w', 1, '-infinity')")
            return "ok"
        case .signal(let number):
            _ = try await text("select skein.signal('\(run(number))', 'go', p_id => 'signal \(number)')::text")
            return "ok"
        case .match: return try await text("select handed || ' of ' || looked_at from skein.match_waits_v1(100)")
        case .lockDue:
            return try await text("select (outcomes + orders + timers)::text from skein.lock_due_runs_v1(100, 0, 1, '{}')")
        }
    }

    private func end() async throws -> String {
        let tasks = try await observer.query(
            """
            select right(run_id::text, 1) || '/' || path || ' ' || state || case when held then ' held' else '' end || coalesce(' ' || outcome, '')
              from skein.task order by run_id, path
            """)
        let runs = try await observer.query(
            """
            select right(run_id::text, 1) || case when paused_at is null then '' else ' paused' end
                   || case when cancel_requested_at is null then '' else ' cancelled' end || ' ' || history_length
              from skein.run order by run_id
            """)
        return (tasks.map { $0.text(0) } + runs.map { $0.text(0) }).joined(separator: ", ")
    }
}
