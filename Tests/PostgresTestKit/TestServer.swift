// One private PostgreSQL server for the tests of this process, started when the first test asks for it and gone with the process.

import Foundation
public import Postgres
import Synchronization

/// A server for tests: the one that `SKEIN_TEST_DATABASE_URL` names, or a private one on a unix socket in a temporary directory.
///
/// The private server keeps `fsync` on, because what is tested here is what survives. It dies with this process, also when that crashes.
public final class TestServer: Sendable {
    /// How to reach it: the maintenance database, with the right to create databases.
    public let configuration: PostgresConfiguration
    private let local: LocalServer?

    fileprivate init(configuration: PostgresConfiguration, local: LocalServer?) {
        self.configuration = configuration
        self.local = local
    }

    private static let started = Result { try start() }

    /// The server of this process.
    public static func shared() throws -> TestServer {
        try started.get()
    }

    private static func start() throws -> TestServer {
        if let url = ProcessInfo.processInfo.environment["SKEIN_TEST_DATABASE_URL"], !url.isEmpty {
            return TestServer(configuration: PostgresConfiguration(url), local: nil)
        }
        let server = try startPrivate()
        atexit { try? TestServer.shared().stop() }
        return server
    }

    /// Starts another private server, for tests that must not disturb the others. End it with `stop`.
    public static func startPrivate(settings: [String: String] = [:]) throws -> TestServer {
        let local = try LocalServer.create(settings: settings)
        return TestServer(configuration: PostgresConfiguration(local.connectionString), local: local)
    }

    /// The postmaster of a private server while it runs, for tests that stop or kill it.
    public var processID: Int32? { local?.processID }

    /// Ends a private server as a crash would, and returns when it is gone. Its data stays.
    public func crash() {
        local?.crash()
    }

    /// Starts a private server again after `crash`; it recovers first.
    public func restart() throws {
        try local?.launch()
    }

    /// Ends a private server and removes its data.
    public func stop() {
        local?.crash()
        local?.remove()
    }
}

/// Why there is no server to test with.
public struct TestServerError: Error, CustomStringConvertible {
    /// What went wrong and what helps.
    public let description: String
}

// MARK: - Starting one

private final class LocalServer: Sendable {
    static let prefix = "skein-test-"

    private let binaries: URL
    private let directory: URL
    private let settings: [String: String]
    private let running = Mutex<Int32?>(nil)

    private var data: URL { directory.appending(path: "data") }
    private var log: URL { directory.appending(path: "server.log") }
    var connectionString: String { "host='\(directory.path(percentEncoded: false))' user=postgres dbname=postgres" }
    var processID: Int32? { running.withLock { $0 } }

    private init(binaries: URL, directory: URL, settings: [String: String]) {
        self.binaries = binaries
        self.directory = directory
        self.settings = settings
    }

    static func create(settings: [String: String]) throws -> LocalServer {
        removeLeftovers()
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        let directory = URL(fileURLWithPath: "/tmp").appending(path: prefix + identity)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        if geteuid() == 0 {
            guard let user = getpwnam("postgres") else {
                throw TestServerError(description: "PostgreSQL does not run as root, and there is no user postgres to run it as.")
            }
            chown(directory.path(percentEncoded: false), user.pointee.pw_uid, user.pointee.pw_gid)
        }
        chmod(directory.path(percentEncoded: false), 0o700)
        let server = LocalServer(binaries: try binaryDirectory(), directory: directory, settings: settings)
        try server.initialize()
        try server.launch()
        return server
    }

    private func initialize() throws {
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        let initdb = Self.process(
            binaries, "initdb",
            ["-D", data.path(percentEncoded: false), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-k"])
        initdb.standardOutput = output
        initdb.standardError = output
        try initdb.run()
        initdb.waitUntilExit()
        guard initdb.terminationStatus == 0 else { throw TestServerError(description: "initdb failed:\n\(Self.tail(log))") }
    }

    /// Starts the server and returns when it accepts connections.
    func launch() throws {
        var arguments = ["-D", data.path(percentEncoded: false)]
        let defaults = [
            "listen_addresses": "", "unix_socket_directories": directory.path(percentEncoded: false), "max_connections": "200",
            "shared_buffers": "64MB", "max_wal_size": "256MB", "log_min_messages": "warning", "lc_messages": "C",
        ]
        for (name, value) in defaults.merging(settings, uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
            arguments += ["-c", "\(name)=\(value)"]
        }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        let postgres = Self.process(binaries, "postgres", arguments)
        postgres.standardOutput = output
        postgres.standardError = output
        try Self.runOnLastingThread(postgres)
        running.withLock { $0 = postgres.processIdentifier }

        let deadline = Date().addingTimeInterval(60)
        while true {
            // The first line of this file is the process, the last one says "ready" once connections are accepted.
            let lines = (try? String(contentsOf: data.appending(path: "postmaster.pid"), encoding: .utf8))?.split(separator: "\n") ?? []
            if lines.first == "\(postgres.processIdentifier)", lines.last?.hasPrefix("ready") == true { return }
            guard postgres.isRunning, Date() < deadline else {
                throw TestServerError(description: "The test server did not start:\n\(Self.tail(log))")
            }
            usleep(10_000)
        }
    }

    /// As `pg_ctl stop -m immediate`.
    func crash() {
        guard let process = running.withLock({ $0.take() }) else { return }
        kill(process, SIGQUIT)
        let deadline = Date().addingTimeInterval(10)
        while kill(process, 0) == 0 && Date() < deadline { usleep(5_000) }
    }

    func remove() {
        try? FileManager.default.removeItem(at: directory)
    }

    /// `SKEIN_PG_BINDIR`, what `pg_config` says, or the newest version that the distribution installed.
    static func binaryDirectory() throws -> URL {
        var candidates: [URL] = []
        if let named = ProcessInfo.processInfo.environment["SKEIN_PG_BINDIR"] { candidates.append(URL(fileURLWithPath: named)) }
        if let configured = try? outputOf("pg_config", ["--bindir"]) { candidates.append(URL(fileURLWithPath: configured)) }
        let root = URL(fileURLWithPath: "/usr/lib/postgresql")
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        for version in versions.sorted(by: { (Int($0) ?? 0) > (Int($1) ?? 0) }) {
            candidates.append(root.appending(path: version).appending(path: "bin"))
        }
        for candidate in candidates
        where FileManager.default.isExecutableFile(atPath: candidate.appending(path: "initdb").path(percentEncoded: false)) {
            return candidate
        }
        throw TestServerError(
            description: "There is no PostgreSQL server to test with. Install one, or set SKEIN_PG_BINDIR or SKEIN_TEST_DATABASE_URL.")
    }

    /// A server program under the user it insists on, told by the kernel when this process dies.
    static func process(_ binaries: URL, _ name: String, _ arguments: [String]) -> Process {
        let process = Process()
        let program = binaries.appending(path: name)
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first { FileManager.default.isExecutableFile(atPath: $0) }
        if let setpriv {
            let identity = geteuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : []
            process.executableURL = URL(fileURLWithPath: setpriv)
            process.arguments = identity + ["--pdeathsig", "QUIT", program.path(percentEncoded: false)] + arguments
        } else {
            process.executableURL = program
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        return process
    }

    /// The kernel's "your parent died" means the thread that started the child, so that thread has to last as long as the process.
    static func runOnLastingThread(_ process: Process) throws {
        nonisolated(unsafe) var failure: (any Error)?
        let started = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            do { try process.run() } catch { failure = error }
            started.signal()
            while true { sleep(.max) }
        }
        started.wait()
        if let failure { throw failure }
    }

    static func outputOf(_ command: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestServerError(description: "\(command) failed.") }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func tail(_ log: URL) -> String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    /// Directories of processes that crashed. Their servers are gone; the name says whose they were.
    static func removeLeftovers() {
        let root = URL(fileURLWithPath: "/tmp")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0, errno == ESRCH else {
                continue
            }
            try? FileManager.default.removeItem(at: root.appending(path: name))
        }
    }
}
