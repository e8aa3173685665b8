// A private PostgreSQL server: for `skein dev`, for benchmarks, for tests. It listens on a unix socket only, in a directory that
// only its user can enter, and it ends with the process that started it, also when that is killed.

public import Foundation

/// Where a private server lives and how it is set up.
public struct EmbeddedPostgresSettings: Sendable {
    /// The directory for data, socket and log. Made if it is not there; owned by the server's user.
    public var directory: URL
    /// The superuser of the new cluster.
    public var user: String
    /// Settings beside the defaults, or instead of them.
    public var parameters: [String: String]
    /// Where the server's programs are; nil looks for them.
    public var binaryDirectory: URL?
    /// What the kernel sends the server when its parent dies: `INT` (fast shutdown) or `QUIT` (immediate).
    public var signalOnParentDeath: String

    /// Where a private server lives; `fsync` stays on whatever the parameters say nothing of.
    public init(
        directory: URL, user: String = "skein", parameters: [String: String] = [:], binaryDirectory: URL? = nil,
        signalOnParentDeath: String = "INT"
    ) {
        self.directory = directory
        self.user = user
        self.parameters = parameters
        self.binaryDirectory = binaryDirectory
        self.signalOnParentDeath = signalOnParentDeath
    }
}

/// Why there is no server.
public struct EmbeddedPostgresError: Error, CustomStringConvertible {
    /// What went wrong, and what helps.
    public let description: String

    /// What went wrong, and what helps.
    public init(_ description: String) { self.description = description }
}

/// A running private server.
public final class EmbeddedPostgres: Sendable {
    /// The settings it was started with.
    public let settings: EmbeddedPostgresSettings
    /// The data directory.
    public let dataDirectory: URL
    /// The directory of the socket.
    public let socketDirectory: URL
    /// The server's log.
    public let log: URL
    /// The directory of the server's programs.
    public let binaryDirectory: URL
    /// The postmaster.
    public let processID: Int32

    private init(
        settings: EmbeddedPostgresSettings, dataDirectory: URL, socketDirectory: URL, log: URL, binaryDirectory: URL, processID: Int32
    ) {
        self.settings = settings
        self.dataDirectory = dataDirectory
        self.socketDirectory = socketDirectory
        self.log = log
        self.binaryDirectory = binaryDirectory
        self.processID = processID
    }

    /// The connection string of a database of this server.
    public func connectionString(database: String = "postgres") -> String {
        "host='\(socketDirectory.plainPath)' user=\(settings.user) dbname=\(database)"
    }

    /// Starts a server in its directory; initialises the data when there is none. Returns when it accepts connections.
    ///
    /// The caller's directory must not be in use by another server.
    public static func start(_ settings: EmbeddedPostgresSettings) throws -> EmbeddedPostgres {
        let binaries = try settings.binaryDirectory ?? findBinaries()
        let directory = settings.directory
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        if geteuid() == 0 {
            guard let user = getpwnam("postgres") else {
                throw EmbeddedPostgresError(
                    "PostgreSQL does not run as root, and there is no user \"postgres\" to run it as; "
                        + "run `useradd --system postgres`, start as another user, or give --database-url")
            }
            chown(directory.plainPath, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        chmod(directory.plainPath, 0o700)
        let data = directory.appending(path: "data")
        let log = directory.appending(path: "server.log")
        if !FileManager.default.fileExists(atPath: log.plainPath) { try Data().write(to: log) }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        if !FileManager.default.fileExists(atPath: data.appending(path: "PG_VERSION").plainPath) {
            try initialise(data, settings, binaries, output, log)
        }
        return try launch(settings, data, log, output, binaries)
    }

    private static func initialise(
        _ data: URL, _ settings: EmbeddedPostgresSettings, _ binaries: URL, _ output: FileHandle, _ log: URL
    ) throws {
        let initdb = process(
            binaries, "initdb", settings,
            ["-D", data.plainPath, "-U", settings.user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-k"])
        initdb.standardOutput = output
        initdb.standardError = output
        try initdb.run()
        initdb.waitUntilExit()
        guard initdb.terminationStatus == 0 else { throw EmbeddedPostgresError("initdb failed:\n\(tail(of: log))") }
    }

    private static func launch(
        _ settings: EmbeddedPostgresSettings, _ data: URL, _ log: URL, _ output: FileHandle, _ binaries: URL
    ) throws -> EmbeddedPostgres {
        let version = (try? String(contentsOf: data.appending(path: "PG_VERSION"), encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let sockets = socketDirectory(for: settings.directory)
        var arguments = ["-D", data.plainPath]
        let defaults = [
            "listen_addresses": "", "unix_socket_directories": sockets.plainPath, "max_connections": "100", "shared_buffers": "128MB",
            "max_wal_size": "1GB", "log_min_messages": "warning", "lc_messages": "C", "jit": "off",
        ]
        for (name, value) in defaults.merging(settings.parameters, uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
            arguments += ["-c", "\(name)=\(value)"]
        }
        // What a crashed server left behind would be taken for a running one.
        let postmaster = data.appending(path: "postmaster.pid")
        if let owner = firstLine(of: postmaster).flatMap({ Int32($0) }), kill(owner, 0) == 0 {
            throw EmbeddedPostgresError("a PostgreSQL server (pid \(owner)) is already running in \(data.plainPath)")
        }
        try? FileManager.default.removeItem(at: postmaster)
        let postgres = process(binaries, "postgres", settings, arguments)
        postgres.standardOutput = output
        postgres.standardError = output
        try runOnLastingThread(postgres)

        let deadline = Date().addingTimeInterval(60)
        while true {
            // The last line of this file says "ready" once connections are accepted.
            let status = (try? String(contentsOf: postmaster, encoding: .utf8))?.split(separator: "\n").last ?? ""
            if status.hasPrefix("ready") { break }
            guard postgres.isRunning, Date() < deadline else {
                throw EmbeddedPostgresError(
                    "the server did not start (data of version \(version ?? "?"), programs in \(binaries.plainPath)):\n\(tail(of: log))")
            }
            usleep(10_000)
        }
        return EmbeddedPostgres(
            settings: settings, dataDirectory: data, socketDirectory: sockets, log: log, binaryDirectory: binaries,
            processID: postgres.processIdentifier)
    }

    // A socket's path may have 107 bytes. A deep directory gets a short one beside it, in the system's temporary directory.
    private static func socketDirectory(for directory: URL) -> URL {
        if directory.plainPath.utf8.count + "/.s.PGSQL.5432".utf8.count <= 107 { return directory }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in directory.plainPath.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let short = URL(fileURLWithPath: "/tmp").appending(path: "skein-" + String(hash, radix: 36))
        try? FileManager.default.createDirectory(at: short, withIntermediateDirectories: true)
        if geteuid() == 0, let user = getpwnam("postgres") { chown(short.plainPath, user.pointee.pw_uid, user.pointee.pw_gid) }
        chmod(short.plainPath, 0o700)
        return short
    }

    // MARK: Stopping

    /// How a server stops.
    public enum Shutdown: Sendable {
        /// Sessions are ended, everything is written: `pg_ctl stop -m fast`.
        case fast
        /// As a crash: the next start recovers. `pg_ctl stop -m immediate`.
        case immediate
    }

    /// Stops the server and waits until it is gone.
    public func stop(_ shutdown: Shutdown = .fast, timeout: TimeInterval = 30) {
        kill(processID, shutdown == .fast ? SIGINT : SIGQUIT)
        let deadline = Date().addingTimeInterval(timeout)
        while isRunning, Date() < deadline { usleep(10_000) }
        if isRunning { kill(processID, SIGQUIT) }
    }

    /// Whether the server's process is there.
    public var isRunning: Bool { kill(processID, 0) == 0 }

    /// The last lines of the server's log.
    public var lastLogLines: String { Self.tail(of: log) }
}

extension URL {
    var plainPath: String { path(percentEncoded: false) }
}
