// A cluster of real processes on a private database: what people run, with agents that answer at once.

import AsyncHTTPClient
import EmbeddedPostgres
import Foundation
import Postgres

struct BenchError: Error, CustomStringConvertible {
    let description: String
}

final class BenchCluster {
    let server: EmbeddedPostgres
    let connection: PostgresConnection
    let url: String
    let slots: Int
    let databaseURL: String
    private(set) var coordinators: [Process] = []
    private(set) var workers: [Process] = []
    let port: Int
    private let settings: [String: String]
    private let client = HTTPClient(eventLoopGroupProvider: .singleton)

    // Durable settings; only sizes differ from the defaults.
    static let parameters = [
        "shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min", "wal_buffers": "64MB", "autovacuum_naptime": "10s",
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
    ]

    static func start(
        directory: String?, coordinators: Int, workers: Int, slots: Int, settings: [String: String] = [:]
    ) async throws -> BenchCluster {
        let place = URL(fileURLWithPath: directory ?? NSTemporaryDirectory()).appending(path: "skein-bench-\(getpid())")
        let server = try EmbeddedPostgres.start(EmbeddedPostgresSettings(directory: place, parameters: parameters))
        let databaseURL = server.connectionString()
        let connection = try await PostgresConnection.connect(PostgresConfiguration(databaseURL, applicationName: "skein-bench"))
        let cluster = BenchCluster(server: server, connection: connection, databaseURL: databaseURL, port: try freePort(), slots: slots, settings: settings)
        do {
            try await cluster.startProcesses(coordinators: coordinators, workers: workers)
        } catch {
            await cluster.stop()
            throw error
        }
        return cluster
    }

    private init(server: EmbeddedPostgres, connection: PostgresConnection, databaseURL: String, port: Int, slots: Int, settings: [String: String]) {
        self.server = server
        self.connection = connection
        self.databaseURL = databaseURL
        self.port = port
        self.settings = settings
        url = "http://127.0.0.1:\(port)"
        self.slots = slots
    }

    /// The first coordinator's API.
    var api: BenchAPI { BenchAPI(url: url, client: client) }

    // MARK: Processes

    private func spawn(_ name: String, _ arguments: [String]) throws -> Process {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let program = own.appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: program.path(percentEncoded: false)) else {
            throw BenchError(description: "\(name) is not beside skein-bench; build it first: swift build -c release --product \(name)")
        }
        let process = Process()
        (process.executableURL, process.arguments) = SpawningThread.command(program, arguments, signalOnParentDeath: "KILL")
        var environment = ProcessInfo.processInfo.environment
        environment["SKEIN_DATABASE_URL"] = databaseURL
        environment["SKEIN_ALLOW_NOOP"] = "true"
        environment["SKEIN_MIGRATE"] = name == "skein-coordinator" ? "true" : nil
        environment["SKEIN_LOG_LEVEL"] = "warning"
        process.environment = environment.merging(settings) { $1 }
        process.standardOutput = FileHandle.nullDevice
        try SpawningThread.start(process)
        return process
    }

    private func startProcesses(coordinators count: Int, workers workerCount: Int) async throws {
        for index in 0..<count { coordinators.append(try spawn("skein-coordinator", ["--port", index == 0 ? "\(port)" : "0"])) }
        try await wait("the coordinator") { (try? await self.api.request("GET", "/readyz")) != nil }
        try await startWorkers(workerCount)
    }

    func startWorkers(_ count: Int, slots: Int? = nil) async throws {
        let before = try await liveSessions()
        for index in 0..<count {
            workers.append(try spawn("skein-worker", ["--slots", "\(slots ?? self.slots)", "--name", "bench-\(index + 1)"]))
        }
        try await wait("the workers") { try await self.liveSessions() >= before + Double(count) }
    }

    private func liveSessions() async throws -> Double {
        try await number("select count(*) from skein.worker_session where dead_at is null")
    }

    /// Starts another coordinator on the same database.
    func startCoordinator() async throws -> Process {
        let sessions =
            "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'skein-coordinator%'"
        let before = try await number(sessions)
        let process = try spawn("skein-coordinator", ["--port", "0"])
        coordinators.append(process)
        try await wait("another coordinator") { try await self.number(sessions) > before }
        return process
    }

    /// Ends a coordinator that was started in addition.
    func stop(_ coordinator: Process) {
        coordinator.terminate()
        coordinator.waitUntilExit()
        coordinators.removeAll { $0 === coordinator }
    }

    func stopWorkers() {
        for worker in workers { worker.terminate() }
        for worker in workers { worker.waitUntilExit() }
        workers = []
    }

    /// New processes in the place of those that have worked: as they are before anything has happened.
    func restart() async throws {
        let (coordinatorCount, workerCount) = (coordinators.count, workers.count)
        stopProcesses()
        try await startProcesses(coordinators: coordinatorCount, workers: workerCount)
    }

    private func stopProcesses() {
        stopWorkers()
        for process in coordinators { process.terminate() }
        for process in coordinators { process.waitUntilExit() }
        coordinators = []
    }

    func stop() async {
        stopProcesses()
        await connection.close()
        server.stop(.immediate)
        try? FileManager.default.removeItem(at: server.settings.directory)
        try? await client.shutdown()
    }

    private static func freePort() throws -> Int {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw BenchError(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
