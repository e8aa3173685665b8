// Harm to the database, and by others who use it.

import Foundation
import Postgres

extension Nemesis {
    func terminateSessions(_ generator: inout SeededGenerator) async {
        let count = Int.random(in: 1...4, using: &generator)
        await withOutsider { outsider in
            note(.terminateSessions)
            _ = try await outsider.query(
                SQL(
                    """
                    select pg_terminate_backend(pid) from (
                      select pid from pg_stat_activity where application_name like 'skein%' order by random() limit \(count)) as chosen
                    """))
        }
    }

    /// One backend that dies takes all sessions with it: the server recovers as after a crash.
    func killBackend(_ generator: inout SeededGenerator) async {
        await withServer {
            await withOutsider { outsider in
                let rows = try await outsider.query(
                    "select pid from pg_stat_activity where application_name like 'skein%' order by random() limit 1")
                guard let victim = rows.first?.int32(0) else { return }
                note(.killBackend, "", victim)
                Foundation.kill(victim, SIGKILL)
            }
        }
    }

    func crashDatabase(_ generator: inout SeededGenerator) async {
        let down = Duration.milliseconds(Int.random(in: 300...2500, using: &generator))
        await withServer {
            guard server.isRunning else { return }
            note(.crashDatabase, "", server.processID)
            let server = server
            await Task.detached { server.crash() }.value
            await pass(down)
            await startDatabase()
            healed(.crashDatabase)
        }
    }

    func startDatabase() async {
        let server = server
        let problem: String? = await Task.detached {
            do { try server.start() } catch { return "the database did not start again: \(error)" }
            return nil
        }.value
        if let problem { complain(problem) }
    }

    /// Waits until the server works again by itself, and starts it when it has given up.
    func reviveDatabase() async {
        let end = ContinuousClock.now + Self.longestRecovery
        while ContinuousClock.now < end {
            if !server.isRunning { await startDatabase() }
            if let connection = try? await outsider() {
                let answer = try? await connection.query("create temp table try (n integer)")
                await connection.close()
                if answer != nil { return }
            }
            await pass(.milliseconds(100))
        }
        complain("the database did not come back within \(Self.longestRecovery)")
    }

    private static let longestRecovery: Duration = .seconds(30)

    /// Everything of the server stands still, as when its disk does not answer; then it goes on as if nothing had been.
    func hangDatabase(_ generator: inout SeededGenerator) async {
        let time = Duration.milliseconds(Int.random(in: 300...6000, using: &generator))
        await withServer {
            guard let postmaster = server.processID else { return }
            note(.hangDatabase, "", postmaster)
            // The postmaster first, so that nobody is born behind our back.
            Foundation.kill(postmaster, SIGSTOP)
            let others = ProcessTree.children(of: postmaster)
            for process in others { Foundation.kill(process, SIGSTOP) }
            await pass(time)
            for process in others + [postmaster] { Foundation.kill(process, SIGCONT) }
            healed(.hangDatabase)
        }
    }

    private static let lockedTables = ["run", "task", "worker_session", "live_step", "timer", "inbox", "event", "match", "run_key", "step"]
    private static let lockModes = ["share", "exclusive", "access exclusive"]

    func lockTable(_ generator: inout SeededGenerator) async {
        let (table, mode) = (Self.lockedTables.randomElement(using: &generator) ?? "run", Self.lockModes.randomElement(using: &generator) ?? "share")
        let time = Duration.milliseconds(Int.random(in: 200...3000, using: &generator))
        await withOutsider { outsider in
            _ = try await outsider.query("begin")
            _ = try await outsider.query(SQL("lock table skein.\(table) in \(mode) mode"))
            note(.lockTable, "\(table) \(mode)")
            await pass(time)
            _ = try await outsider.query("rollback")
            healed(.lockTable, table)
        }
    }

    func holdSnapshot(_ generator: inout SeededGenerator) async {
        let time = Duration.seconds(Int.random(in: 10...40, using: &generator))
        await withOutsider { outsider in
            _ = try await outsider.query("begin isolation level repeatable read")
            _ = try await outsider.query("select count(*) from skein.run")
            note(.holdSnapshot)
            let end = ContinuousClock.now + time
            // Not for longer than the campaign: the rest of it is for whoever has to come to an end.
            while ContinuousClock.now < end, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(200)) }
            _ = try await outsider.query("rollback")
            healed(.holdSnapshot)
        }
    }

    /// Takes all connections that are left, and ends some of ours, so that they have to be made anew.
    func starveConnections(_ generator: inout SeededGenerator) async {
        let time = Duration.milliseconds(Int.random(in: 500...4000, using: &generator))
        var greedy: [PostgresConnection] = []
        while greedy.count < Self.mostConnections, let connection = try? await outsider() { greedy.append(connection) }
        guard let first = greedy.first else { return }
        note(.starveConnections, "\(greedy.count)")
        let ended = try? await first.query(
            """
            select count(pg_terminate_backend(pid)) from (
              select pid from pg_stat_activity where application_name like 'skein%' order by random() limit 3) as chosen
            """)
        let room = Int(ended?.first?.int64(0) ?? 0)
        for _ in 0..<room { if let connection = try? await outsider() { greedy.append(connection) } }
        await pass(time)
        for connection in greedy { await connection.close() }
        healed(.starveConnections)
    }

    private static let mostConnections = 200

    // MARK: Outsiders

    private func outsider() async throws -> PostgresConnection {
        try await PostgresConnection.connect(PostgresConfiguration(server.url, applicationName: "outsider", answerTimeout: .seconds(60)))
    }

    /// Somebody else with a connection. When the database is not there, or goes away meanwhile, there is no harm that could be done.
    private func withOutsider(_ body: (PostgresConnection) async throws -> Void) async {
        guard let connection = try? await outsider() else { return }
        try? await body(connection)
        await connection.close()
    }
}

/// Processes and those that they have started.
enum ProcessTree {
    static func children(of parent: Int32) -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return all.filter { process in
            let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            return status.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(parent)"
        }
    }
}
