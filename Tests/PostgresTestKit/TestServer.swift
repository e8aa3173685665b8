// One private PostgreSQL server for the tests of this process, started when the first test asks for it and gone with the process.

import EmbeddedPostgres
import Foundation
public import Postgres
import Synchronization

/// A server for tests: the one that `SKEIN_TEST_DATABASE_URL` names, or a private one on a unix socket in a temporary directory.
///
/// The private server keeps `fsync` on, because what is tested here is what survives. It dies with this process, also when that crashes.
public final class TestServer: Sendable {
    /// How to reach it: the maintenance database, with the right to create databases.
    public let configuration: PostgresConfiguration
    /// The data directory of a private server.
    public let dataDirectory: String?
    private let server: Mutex<EmbeddedPostgres?>

    private init(_ configuration: PostgresConfiguration, _ server: EmbeddedPostgres?) {
        self.configuration = configuration
        self.server = Mutex(server)
        dataDirectory = server?.dataDirectory.path(percentEncoded: false)
    }

    /// The postmaster of a private server, for tests that stop or kill it.
    public var processID: Int32? { server.withLock { $0?.processID } }

    private static let started = Result { try start() }

    /// The server of this process.
    public static func shared() throws -> TestServer {
        try started.get()
    }

    private static func start() throws -> TestServer {
        if let url = ProcessInfo.processInfo.environment["SKEIN_TEST_DATABASE_URL"], !url.isEmpty {
            return TestServer(PostgresConfiguration(url), nil)
        }
        let server = try startPrivate()
        atexit { try? TestServer.shared().stop() }
        return server
    }

    /// Starts another private server, for tests that must not disturb the others. End it with `stop`.
    public static func startPrivate(settings: [String: String] = [:]) throws -> TestServer {
        removeLeftovers()
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        let defaults = ["max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "256MB"]
        do {
            let server = try EmbeddedPostgres.start(
                EmbeddedPostgresSettings(
                    directory: root.appending(path: prefix + identity), user: "postgres",
                    parameters: defaults.merging(settings, uniquingKeysWith: { $1 }), signalOnParentDeath: "QUIT"))
            return TestServer(PostgresConfiguration(server.connectionString()), server)
        } catch let error as EmbeddedPostgresError {
            throw TestServerError(
                description:
                    "There is no PostgreSQL server to test with: \(error). SKEIN_PG_BINDIR or SKEIN_TEST_DATABASE_URL may name one.")
        }
    }

    /// Ends a private server as a crash would, and returns when it is gone. Its data stays.
    public func crash() {
        server.withLock { $0?.stop(.immediate, timeout: 10) }
    }

    /// Starts a private server again after `crash`; it recovers first.
    public func restart() throws {
        try server.withLock { server in
            if let settings = server?.settings { server = try EmbeddedPostgres.start(settings) }
        }
    }

    /// Ends a private server and removes its data.
    public func stop() {
        crash()
        guard let directory = server.withLock({ $0?.settings.directory }) else { return }
        try? FileManager.default.removeItem(at: directory)
    }

    // MARK: Leftovers

    private static let prefix = "skein-test-"
    private static let root = URL(fileURLWithPath: "/tmp")

    // Directories of processes that crashed. Their servers are gone; the name says whose they were.
    private static func removeLeftovers() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0, errno == ESRCH else {
                continue
            }
            try? FileManager.default.removeItem(at: root.appending(path: name))
        }
    }
}

/// Why there is no server to test with.
public struct TestServerError: Error, CustomStringConvertible {
    /// What went wrong and what helps.
    public let description: String
}
