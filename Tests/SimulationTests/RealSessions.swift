// Acts a script out in a real PostgreSQL, a connection for each session.

import Postgres
import PostgresTestKit
import Simulation

/// The sessions of scripts on a server. Sessions are used again from script to script, as long as nobody has cut them off.
actor RealSessions {
    private let database: TestDatabase
    private let observer: PostgresConnection
    private var connections: [String: PostgresConnection] = [:]
    private var pending: [String: Task<String, Never>] = [:]
    private var answers: [String: String] = [:]

    private init(_ database: TestDatabase, _ observer: PostgresConnection) {
        self.database = database
        self.observer = observer
    }

    static func open() async throws -> RealSessions {
        let database = try await TestDatabase.create(migrated: false)
        let observer = try await database.connect(applicationName: "observer")
        try await observer.script(
            "create table item (id integer primary key, n integer not null); create sequence number")
        return RealSessions(database, observer)
    }

    /// What the sessions answer, step by step, and what is there at the end.
    func play(_ script: Script) async throws -> [String] {
        let rows = script.items.map { "(\($0.0), \($0.1))" }.joined(separator: ", ")
        try await observer.script("truncate item; alter sequence number restart; insert into item values \(rows)")
        for name in script.sessions {
            let connection: PostgresConnection
            if let known = connections[name], known.isUsable {
                connection = known
            } else {
                connection = try await database.connect(applicationName: name)
                connections[name] = connection
            }
            // Who notices a circle first gives up; everybody else looks for one only much later.
            try await connection.script("set deadlock_timeout = '\(name == script.victim ? "5ms" : "60s")'")
        }
        var lines: [String] = []
        for (number, step) in script.steps.enumerated() {
            guard let connection = connections[step.session] else { continue }
            if case .terminate(let victim) = step.move {
                if let victim = connections[victim] { try await terminate(victim) }
                answers[step.session] = "ok"
            } else if let sql = step.move.sql {
                let columns = step.move.columns
                pending[step.session] = Task { await Self.answer(sql, columns: columns, on: connection) }
            }
            try await settle()
            // Whoever closes a circle gives up in a moment, and the others go on.
            while let victim = script.victim, let task = pending[victim], try await !waitsForOthers(victim) {
                _ = await task.value
                try await settle()
            }
            lines.append("\(number + 1)" + said(by: step.session))
        }
        for name in script.sessions {
            if let connection = connections[name], connection.isUsable { try? await connection.script("rollback") }
        }
        for task in pending.values { _ = await task.value }
        pending = [:]
        let items = try await observer.query("select id, n from item order by id").map { "\($0.int32(0)):\($0.int32(1))" }
        return lines + ["end " + items.joined(separator: " ")]
    }

    private func terminate(_ victim: PostgresConnection) async throws {
        let isBusy = connections.contains { $0.value === victim && pending[$0.key] != nil }
        let pid = try await pid(of: victim)
        _ = try await observer.query("select pg_terminate_backend($1, 5000)", [.int32(pid)])
        if !isBusy { await victim.close() }
    }

    private var pids: [ObjectIdentifier: Int32] = [:]

    private func pid(of connection: PostgresConnection) async throws -> Int32 {
        if let known = pids[ObjectIdentifier(connection)] { return known }
        let rows = try await observer.query(
            "select pid from pg_stat_activity where datname = current_database() and application_name = $1 order by backend_start desc limit 1",
            [.text(connections.first { $0.value === connection }?.key ?? "")])
        pids[ObjectIdentifier(connection)] = rows[0].int32(0)
        return rows[0].int32(0)
    }

    private static func answer(_ sql: String, columns: Int, on connection: PostgresConnection) async -> String {
        do throws(PostgresError) {
            let rows = try await connection.query(SQL(sql))
            guard columns > 0 else { return "ok" }
            guard !rows.isEmpty else { return "nothing" }
            return rows.map { columns > 1 ? "\($0.int32(0)):\($0.int32(1))" : "\($0.int32(0))" }.joined(separator: " ")
        } catch {
            if let state = error.sqlState, state.stateClass != .operatorIntervention { return "error \(state.rawValue)" }
            return "error lost"
        }
    }

    // Until everybody has answered or waits for a lock that another holds. Whoever answers may have let others go on.
    private func settle() async throws {
        var hasAnswered = true
        while hasAnswered {
            hasAnswered = false
            for name in pending.keys.sorted() where try await hasAnswer(name) { hasAnswered = true }
        }
    }

    private func hasAnswer(_ name: String) async throws -> Bool {
        guard let task = pending[name], let connection = connections[name] else { return false }
        let pid = try await pid(of: connection)
        let done = Flag()
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

    // Whether a session waits, and not for one that in the end waits for it.
    private func waitsForOthers(_ name: String) async throws -> Bool {
        guard let connection = connections[name] else { return false }
        let pid = try await pid(of: connection)
        return try await observer.query(
            """
            with recursive wait as (
              select unnest(pg_blocking_pids($1)) as pid
              union
              select b.pid from wait w cross join lateral unnest(pg_blocking_pids(w.pid)) as b (pid))
            select exists (select from wait) and not exists (select from wait where pid = $1)
            """, [.int32(pid)])[0].bool(0)
    }

    private actor Flag {
        private(set) var isSet = false
        func set() { isSet = true }
    }

    private func said(by name: String) -> String {
        var text = ""
        for (name, answer) in answers.sorted(by: { $0.key < $1.key }) { text += " \(name): \(answer)" }
        answers = [:]
        if pending[name] != nil { text += " \(name) waits" }
        return text
    }
}

extension Move {
    // How many columns its answer has.
    var columns: Int {
        switch self {
        case .begin, .commit, .rollback, .terminate: 0
        case .advisory, .tryAdvisory, .nextNumber: 1
        case .read, .lock, .update, .lockAndUpdate, .take, .insert, .delete, .insertCount: 2
        }
    }
}
