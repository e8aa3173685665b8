// Coordinators and workers as processes on a database of their own.

package import Foundation
package import Postgres
import Schema
import Synchronization

/// A cluster under test. Everything of it ends with `withCluster`, and with this process.
package final class Cluster: Sendable {
    package let directory: URL
    /// The server, when it is this test's own.
    package let server: OwnServer?
    package let databaseURL: String
    private let owner: (any Sendable)?
    private let processes = Mutex<[ServerProcess]>([])

    /// - Parameter owner: what has to live as long as the cluster.
    package init(directory: URL, server: OwnServer? = nil, owner: (any Sendable)? = nil, databaseURL: String) {
        self.directory = directory
        self.server = server
        self.owner = owner
        self.databaseURL = databaseURL
    }

    // MARK: Processes

    package var coordinators: [ServerProcess] { processes.withLock { $0.filter { $0.name.hasPrefix("coordinator") } } }
    package var workers: [ServerProcess] { processes.withLock { $0.filter { $0.name.hasPrefix("worker") } } }
    package var coordinator: ServerProcess {
        get throws {
            guard let first = coordinators.first else { throw HarnessError("the cluster has no coordinator") }
            return first
        }
    }
    package var worker: ServerProcess {
        get throws {
            guard let first = workers.first else { throw HarnessError("the cluster has no worker") }
            return first
        }
    }

    /// The settings that tests want: short leases, and agents that tests use.
    package static let settings = [
        "SKEIN_LEASE": "2s", "SKEIN_ALLOW_NOOP": "true", "SKEIN_LOG_LEVEL": "info", "SKEIN_LOG_FORMAT": "json", "SKEIN_EXEC_ALLOW": "sh,cat,wc",
        "SKEIN_SLOTS": "8",
    ]

    /// A binary of this cluster, not started.
    package func process(
        _ name: String, binary: String, arguments: [String] = [], settings: [String: String] = [:], launcher: [String] = []
    ) throws -> ServerProcess {
        let own = ["SKEIN_DATABASE_URL": databaseURL].merging(Self.settings) { $1 }.merging(settings) { $1 }
        let process = try ServerProcess(name: name, binary: binary, arguments: arguments, environment: own, launcher: launcher, directory: directory)
        processes.withLock { $0.append(process) }
        return process
    }

    @discardableResult
    package func startCoordinator(
        settings: [String: String] = [:], launcher: [String] = [], ready: Bool = true
    ) async throws -> ServerProcess {
        let process = try process(
            "coordinator-\(coordinators.count + 1)", binary: "skein-coordinator", arguments: ["--port", "0"], settings: settings,
            launcher: launcher)
        try process.start()
        if ready { try await process.waitUntilReady() }
        return process
    }

    @discardableResult
    package func startWorker(
        settings: [String: String] = [:], launcher: [String] = [], ready: Bool = true
    ) async throws -> ServerProcess {
        let name = "worker-\(workers.count + 1)"
        let process = try process(name, binary: "skein-worker", arguments: ["--name", name], settings: settings, launcher: launcher)
        try process.start()
        if ready { try await process.waitUntilReady() }
        return process
    }

    /// A client of the first coordinator, or of another one.
    package func client(of coordinator: ServerProcess? = nil) async throws -> AdminClient {
        AdminClient(port: try await (coordinator ?? self.coordinator).port())
    }

    // MARK: The database

    package func connect() async throws -> PostgresConnection {
        try await PostgresConnection.connect(PostgresConfiguration(databaseURL, applicationName: "test"))
    }

    package func query(_ sql: String) async throws -> Rows {
        let connection = try await connect()
        let rows = try await connection.query(SQL(sql))
        await connection.close()
        return rows
    }

    package func count(_ sql: String) async throws -> Int { Int(try await query("select (\(sql))::bigint")[0].int64(0)) }

    package func text(_ sql: String) async throws -> String? { try await query(sql).first?.textOrNull(0) }

    /// How many rows are in all tables that something could have changed.
    package func contents() async throws -> String {
        try await text(
            """
            select string_agg(t.name || '=' || t.rows, ' ' order by t.name) from (
              select c.relname as name,
                     (xpath('/row/c/text()', query_to_xml('select count(*) as c from skein.' || c.relname, false, true, '')))[1]::text as rows
                from pg_class c
               where c.relnamespace = 'skein'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                 and c.relname not in ('worker_session', 'cluster_epoch', 'low_water')) as t
            """) ?? ""
    }

    /// What `skein doctor` looks at: all checks, and nothing found.
    package func violations() async throws -> [String] {
        let connection = try await connect()
        let results = try await Checks.run(connection)
        await connection.close()
        guard results.count >= 26 else { throw HarnessError("only \(results.count) checks ran") }
        return results.filter { !$0.isGood }.map { "\($0.id) \($0.name): \($0.rows) \($0.failure?.debugDescription ?? "")" }
    }

    // MARK: The end

    /// Ends everything; the files stay.
    package func endProcesses() {
        for process in processes.withLock({ $0 }) { process.dispose() }
        server?.crash()
    }

    /// Ends everything, and removes its files.
    package func dispose() {
        endProcesses()
        if ProcessInfo.processInfo.environment["SKEIN_KEEP"] == nil { try? FileManager.default.removeItem(at: directory) }
    }

    /// The last lines of every log, for whoever has to find out what went wrong.
    package func shownLogs() -> String {
        let parts = processes.withLock { $0 }.map { process in
            "--- \(process.name), \(process.isRunning ? "running" : "ended")\n" + process.logLines.suffix(40).joined(separator: "\n") + "\n"
                + process.said
        }
        return parts.joined(separator: "\n")
    }
}
