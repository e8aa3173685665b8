// A cluster of real processes on a private database: what people run, with agents that answer at once.

import AsyncHTTPClient
import EmbeddedPostgres
import Foundation
import NIOCore
import NIOHTTP1
import Postgres
import Schema
import WorkflowModel

struct BenchError: Error, CustomStringConvertible {
    let description: String
}

final class BenchCluster {
    let server: EmbeddedPostgres
    let connection: PostgresConnection
    let url: String
    let slots: Int
    private let databaseURL: String
    private var coordinators: [Process] = []
    private var workers: [Process] = []
    private let client = HTTPClient(eventLoopGroupProvider: .singleton)
    private let ownsDirectory: Bool

    // Durable settings; only sizes differ from the defaults.
    static let parameters = [
        "shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min", "wal_buffers": "64MB", "autovacuum_naptime": "10s",
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
    ]

    static func start(directory: String?, coordinators: Int, workers: Int, slots: Int) async throws -> BenchCluster {
        let place = URL(fileURLWithPath: directory ?? NSTemporaryDirectory()).appending(path: "skein-bench-\(getpid())")
        let server = try EmbeddedPostgres.start(EmbeddedPostgresSettings(directory: place, parameters: parameters))
        let databaseURL = server.connectionString()
        let connection = try await PostgresConnection.connect(PostgresConfiguration(databaseURL, applicationName: "skein-bench"))
        _ = try await Migrator.migrate(connection)
        let port = try freePort()
        let cluster = BenchCluster(
            server: server, connection: connection, databaseURL: databaseURL, url: "http://127.0.0.1:\(port)", slots: slots)
        for index in 0..<coordinators {
            cluster.coordinators.append(
                try cluster.spawn("skein-coordinator", ["--port", index == 0 ? "\(port)" : "0"]))
        }
        try await cluster.waitUntilReady()
        try await cluster.startWorkers(workers)
        return cluster
    }

    private init(server: EmbeddedPostgres, connection: PostgresConnection, databaseURL: String, url: String, slots: Int) {
        self.server = server
        self.connection = connection
        self.databaseURL = databaseURL
        self.url = url
        self.slots = slots
        ownsDirectory = true
    }

    private func spawn(_ name: String, _ arguments: [String]) throws -> Process {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let program = own.appending(path: name)
        guard FileManager.default.isExecutableFile(atPath: program.path(percentEncoded: false)) else {
            throw BenchError(description: "\(name) is not beside skein-bench; build it first: swift build -c release --product \(name)")
        }
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["SKEIN_DATABASE_URL"] = databaseURL
        environment["SKEIN_ALLOW_NOOP"] = "true"
        environment["SKEIN_LOG_LEVEL"] = "warning"
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    func startWorkers(_ count: Int) async throws {
        let before = try await number("select count(*) from skein.worker_session where dead_at is null")
        for index in 0..<count {
            workers.append(try spawn("skein-worker", ["--slots", "\(slots)", "--name", "bench-\(index + 1)"]))
        }
        try await wait("the workers") {
            try await self.number("select count(*) from skein.worker_session where dead_at is null") >= before + Double(count)
        }
    }

    /// Starts another coordinator on the same database.
    func startCoordinator() async throws -> Process {
        let sessions = "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'skein-coordinator%'"
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

    func stopWorkers() async throws {
        for worker in workers { worker.terminate() }
        for worker in workers { worker.waitUntilExit() }
        workers = []
    }

    func stop() async {
        for process in workers + coordinators { process.terminate() }
        for process in workers + coordinators { process.waitUntilExit() }
        await connection.close()
        server.stop(.immediate)
        try? FileManager.default.removeItem(at: server.settings.directory)
        try? await client.shutdown()
    }

    // MARK: Talking to it

    func number(_ sql: String) async throws -> Double {
        try await connection.query(SQL("select (\(sql))::double precision"))[0].doubleOrNull(0) ?? 0
    }

    /// The first coordinator's API.
    var api: BenchAPI { BenchAPI(url: url, client: client) }

    func request(_ method: String, _ path: String, body: String? = nil) async throws -> String {
        try await api.request(method, path, body: body)
    }

    func apply(_ definition: JSONValue) async throws {
        let name = definition["workflow"]?.stringValue ?? ""
        _ = try await request("PUT", "/api/v1/workflows/\(name)", body: definition.compactText)
    }

    func submit(_ workflow: String, count: Int) async throws {
        var left = count
        while left > 0 {
            let size = min(left, 1000)
            let run: JSONValue = ["workflow": .string(workflow), "input": [:]]
            let body: JSONValue = ["runs": .array(Array(repeating: run, count: size))]
            _ = try await request("POST", "/api/v1/runs:batch", body: body.compactText)
            left -= size
        }
    }

    func start(_ workflow: String, input: JSONValue) async throws -> String { try await api.start(workflow, input: input) }

    /// Returns when a run has succeeded; throws when it has ended otherwise.
    func waitForEnd(ofRun run: String, timeout: Duration = .seconds(600)) async throws {
        try await wait("run \(run)", timeout: timeout) {
            let rows = try await self.connection.query(SQL("select status::text, coalesce(failure, '') from skein.ended_run where run_id = '\(run)'"))
            guard let row = rows.first else { return false }
            guard row.text(0) == "succeeded" else { throw BenchError(description: "run \(run) ended \(row.text(0)): \(row.text(1))") }
            return true
        }
    }

    func waitForEnd(of workflow: String, count: Int, timeout: Duration = .seconds(600)) async throws {
        try await wait("\(count) runs of \(workflow)", timeout: timeout) {
            try await self.number(
                """
                select count(*) from skein.ended_run e join skein.workflow_version v using (version_id)
                 where v.name = '\(workflow)' and e.status = 'succeeded'
                """) >= Double(count)
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

    private func waitUntilReady() async throws {
        try await wait("the coordinator") { (try? await self.request("GET", "/readyz")) != nil }
    }

    private static func freePort() throws -> Int {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0 }
        }
        guard bound else { throw BenchError(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    // MARK: What it costs

    /// CPU seconds used so far by PostgreSQL, by the coordinators, and by the workers.
    func cpu() -> (postgres: Double, coordinators: Double, workers: Double) {
        let table = ProcessTable.read()
        return (
            table.treeSeconds(of: server.processID), coordinators.reduce(0) { $0 + table.seconds(of: $1.processIdentifier) },
            workers.reduce(0) { $0 + table.seconds(of: $1.processIdentifier) }
        )
    }

    /// Resident memory in bytes, coordinators and workers, largest of each.
    func memory() -> (coordinator: Double, worker: Double) {
        (
            coordinators.map { ProcessTable.residentBytes(of: $0.processIdentifier) }.max() ?? 0,
            workers.map { ProcessTable.residentBytes(of: $0.processIdentifier) }.max() ?? 0
        )
    }

    /// Lets the kernel count the coordinators' peak memory anew.
    func forgetPeaks() {
        for process in coordinators { ProcessTable.forgetPeak(of: process.processIdentifier) }
    }

    /// The coordinators' peak of resident memory in bytes since `forgetPeaks`; the largest.
    func peakMemory() -> Double { coordinators.map { ProcessTable.peakResidentBytes(of: $0.processIdentifier) }.max() ?? 0 }

    func walBytes() async throws -> Double { try await number("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn") }

    func transactions() async throws -> Double {
        try await number("select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database()")
    }
}
