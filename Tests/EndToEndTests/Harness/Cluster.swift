// Coordinators and workers as processes on a database of their own.

import EmbeddedPostgres
import Foundation
import Postgres
import PostgresTestKit
import Schema
import Synchronization
import Testing
import WorkflowModel

/// A PostgreSQL server that one test may stop and start as it likes.
final class OwnServer: Sendable {
    private let settings: EmbeddedPostgresSettings
    private let current: Mutex<EmbeddedPostgres?>
    let url: String

    init(in directory: URL) throws {
        settings = EmbeddedPostgresSettings(
            directory: directory.appending(path: "postgres"), user: "postgres",
            parameters: ["max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "512MB", "log_min_messages": "warning"],
            signalOnParentDeath: "QUIT")
        let server = try EmbeddedPostgres.start(settings)
        url = server.connectionString()
        current = Mutex(server)
    }

    var processID: Int32? { current.withLock { $0?.processID } }
    var isRunning: Bool { current.withLock { $0?.isRunning ?? false } }

    /// As `pg_ctl stop -m immediate`: every session is gone, nothing is written; the next start recovers.
    func crash() { current.withLock { $0.take() }?.stop(.immediate) }

    /// Starts it again on the same data.
    func start() throws {
        let server = try EmbeddedPostgres.start(settings)
        current.withLock { $0 = server }
    }
}

/// A cluster under test. Everything of it ends with `withCluster`, and with this process.
final class Cluster: Sendable {
    let directory: URL
    /// The server, when it is this test's own.
    let server: OwnServer?
    let databaseURL: String
    private let database: TestDatabase?
    private let processes = Mutex<[ServerProcess]>([])

    fileprivate init(directory: URL, server: OwnServer?, database: TestDatabase?, databaseURL: String) {
        self.directory = directory
        self.server = server
        self.database = database
        self.databaseURL = databaseURL
    }

    // MARK: Processes

    var coordinators: [ServerProcess] { processes.withLock { $0.filter { $0.name.hasPrefix("coordinator") } } }
    var workers: [ServerProcess] { processes.withLock { $0.filter { $0.name.hasPrefix("worker") } } }
    var coordinator: ServerProcess {
        get throws {
            guard let first = coordinators.first else { throw HarnessError("the cluster has no coordinator") }
            return first
        }
    }
    var worker: ServerProcess {
        get throws {
            guard let first = workers.first else { throw HarnessError("the cluster has no worker") }
            return first
        }
    }

    /// The settings that tests want: short leases, and agents that tests use.
    static let settings = [
        "SKEIN_LEASE": "2s", "SKEIN_ALLOW_NOOP": "true", "SKEIN_LOG_LEVEL": "info", "SKEIN_LOG_FORMAT": "json", "SKEIN_EXEC_ALLOW": "sh,cat,wc",
        "SKEIN_SLOTS": "8",
    ]

    /// A binary of this cluster, not started.
    func process(
        _ name: String, binary: String, arguments: [String] = [], settings: [String: String] = [:]
    ) throws -> ServerProcess {
        let own = ["SKEIN_DATABASE_URL": databaseURL].merging(Self.settings) { $1 }.merging(settings) { $1 }
        let process = try ServerProcess(name: name, binary: binary, arguments: arguments, environment: own, directory: directory)
        processes.withLock { $0.append(process) }
        return process
    }

    @discardableResult
    func startCoordinator(settings: [String: String] = [:], ready: Bool = true) async throws -> ServerProcess {
        let process = try process(
            "coordinator-\(coordinators.count + 1)", binary: "skein-coordinator", arguments: ["--port", "0"], settings: settings)
        try process.start()
        if ready { try await process.waitUntilReady() }
        return process
    }

    @discardableResult
    func startWorker(settings: [String: String] = [:], ready: Bool = true) async throws -> ServerProcess {
        let name = "worker-\(workers.count + 1)"
        let process = try process(name, binary: "skein-worker", arguments: ["--name", name], settings: settings)
        try process.start()
        if ready { try await process.waitUntilReady() }
        return process
    }

    /// A client of the first coordinator, or of another one.
    func client(of coordinator: ServerProcess? = nil) async throws -> AdminClient {
        AdminClient(port: try await (coordinator ?? self.coordinator).port())
    }

    // MARK: The database

    func connect() async throws -> PostgresConnection {
        try await PostgresConnection.connect(PostgresConfiguration(databaseURL, applicationName: "test"))
    }

    func query(_ sql: String) async throws -> Rows {
        let connection = try await connect()
        let rows = try await connection.query(SQL(sql))
        await connection.close()
        return rows
    }

    func count(_ sql: String) async throws -> Int { Int(try await query("select (\(sql))::bigint")[0].int64(0)) }

    func text(_ sql: String) async throws -> String? { try await query(sql).first?.textOrNull(0) }

    /// How many rows are in all tables that something could have changed.
    func contents() async throws -> String {
        try await text(
            """
            select string_agg(t.name || '=' || t.rows, ' ' order by t.name) from (
              select c.relname as name,
                     (xpath('/row/c/text()', query_to_xml('select count(*) as c from skein.' || c.relname, false, true, '')))[1]::text as rows
                from pg_class c
               where c.relnamespace = 'skein'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                 and c.relname not in ('worker_session', 'cluster_epoch')) as t
            """) ?? ""
    }

    /// What `skein doctor` looks at: all checks, and nothing found.
    func violations() async throws -> [String] {
        let connection = try await connect()
        let results = try await Checks.run(connection)
        await connection.close()
        guard results.count >= 26 else { throw HarnessError("only \(results.count) checks ran") }
        return results.filter { !$0.isGood }.map { "\($0.id) \($0.name): \($0.rows) \($0.failure?.debugDescription ?? "")" }
    }

    func expectClean(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let found = try await violations()
        #expect(found.isEmpty, sourceLocation: sourceLocation)
    }

    // MARK: The end

    fileprivate func dispose() {
        for process in processes.withLock({ $0 }) { process.dispose() }
        server?.crash()
        if ProcessInfo.processInfo.environment["SKEIN_KEEP"] == nil { try? FileManager.default.removeItem(at: directory) }
    }

    /// The last lines of every log, for whoever has to find out what went wrong.
    fileprivate func shownLogs() -> String {
        let parts = processes.withLock { $0 }.map { process in
            "--- \(process.name), \(process.isRunning ? "running" : "ended")\n" + process.logLines.suffix(40).joined(separator: "\n") + "\n"
                + process.said
        }
        return parts.joined(separator: "\n")
    }
}

/// What the database of a cluster is like.
enum ClusterDatabase {
    /// One database of the tests' shared server, migrated.
    case shared
    /// The same, but empty.
    case unmigrated
    /// On a server of its own, which the test may stop; migrated.
    case ownServer
}

/// Runs `body` with a cluster that has no processes yet. When it throws, the logs are shown. In the end every invariant must hold.
///
/// - Parameter endsChecked: false for tests that leave no database behind, or one that is broken on purpose.
func withCluster(
    _ kind: ClusterDatabase = .shared, endsChecked: Bool = true, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Cluster) async throws -> Void
) async throws {
    ClusterDirectories.removeLeftovers()
    let directory = try ClusterDirectories.make()
    let cluster: Cluster
    switch kind {
    case .shared, .unmigrated:
        let migrated = if case .shared = kind { true } else { false }
        let database = try await TestDatabase.create(migrated: migrated)
        cluster = Cluster(directory: directory, server: nil, database: database, databaseURL: database.url)
    case .ownServer:
        let server = try OwnServer(in: directory)
        cluster = Cluster(directory: directory, server: server, database: nil, databaseURL: server.url)
        let connection = try await cluster.connect()
        _ = try await Migrator.migrate(connection)
        await connection.close()
    }
    defer { cluster.dispose() }
    do {
        try await body(cluster)
        if endsChecked { try await cluster.expectClean(sourceLocation: sourceLocation) }
    } catch {
        print(cluster.shownLogs())
        throw error
    }
}

/// The directories of clusters: logs, and servers of their own.
private enum ClusterDirectories {
    private static let prefix = "skein-e2e-"
    private static let root = URL(fileURLWithPath: "/tmp")

    static func make() throws -> URL {
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        let directory = root.appending(path: prefix + identity)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        return directory
    }

    // Directories of processes that crashed; the name says whose they were.
    static func removeLeftovers() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0, errno == ESRCH else { continue }
            try? FileManager.default.removeItem(at: root.appending(path: name))
        }
    }
}
