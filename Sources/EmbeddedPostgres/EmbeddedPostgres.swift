// A private PostgreSQL server: for `skein dev`, for benchmarks, for tests. It listens on a unix socket only, in a directory that
// only its user can enter, and it ends with the process that started it, also when that is killed.

public import Foundation

/// A running private server.
///
/// It leads a process group of its own, so that a Ctrl-C in the terminal of its owner does not reach it: the owner decides when it stops.
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
    private let process: Process

    private init(_ settings: EmbeddedPostgresSettings, _ place: Place, _ binaries: URL, _ process: Process) {
        self.settings = settings
        dataDirectory = place.data
        socketDirectory = place.sockets
        log = place.log
        binaryDirectory = binaries
        self.process = process
        processID = process.processIdentifier
    }

    // The files of a server.
    struct Place: Sendable {
        let directory: URL
        let data: URL
        let log: URL
        let sockets: URL
        var postmasterFile: URL { data.appending(path: "postmaster.pid") }
        var socketLock: URL { sockets.appending(path: ".s.PGSQL.5432.lock") }
    }

    /// The connection string of a database of this server.
    public func connectionString(database: String = "postgres") -> String {
        let host = socketDirectory.plainPath.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        return "host='\(host)' user=\(settings.user) dbname=\(database)"
    }

    // MARK: Starting

    /// How long a server may take to accept connections, crash recovery included.
    static let startTimeout: TimeInterval = 120
    /// How long a predecessor that is shutting down is waited for.
    static let predecessorTimeout: TimeInterval = 30
    /// The log is put aside when it is larger than this at a start.
    static let largestLogBytes = 8 << 20
    private static let pollMicroseconds: UInt32 = 10_000

    /// Starts a server in its directory; initialises the data when there is none. Returns when it accepts connections.
    ///
    /// - Parameters:
    ///   - settings: where, and how.
    ///   - onExit: called once, on some thread, when the server has ended for whatever reason.
    public static func start(
        _ settings: EmbeddedPostgresSettings, onExit: (@Sendable () -> Void)? = nil
    ) throws -> EmbeddedPostgres {
        let place = try prepare(settings.directory)
        let version = try? String(contentsOf: place.data.appending(path: "PG_VERSION"), encoding: .utf8)
        let major = version.flatMap { Int($0.prefix { $0.isNumber }) }
        let binaries = try settings.binaryDirectory.map(checked) ?? findBinaries(version: major)
        let output = try openLog(place.log)
        defer { try? output.close() }
        if major == nil { try initialise(place, settings, binaries, output) }
        try clearAfterPredecessor(place)
        return try launch(settings, place, binaries, output, onExit)
    }

    private static func prepare(_ directory: URL) throws -> Place {
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            throw EmbeddedPostgresError("the directory \(directory.plainPath) cannot be made: \(error.localizedDescription)")
        }
        try own(directory)
        guard serverUserCanReach(directory) else {
            throw EmbeddedPostgresError(
                "PostgreSQL does not run as root, and its user \"\(serverUser)\" may not enter a directory above \(directory.plainPath); "
                    + "choose another directory, or run `chmod o+x` on those above it")
        }
        return Place(
            directory: directory, data: directory.appending(path: "data"), log: directory.appending(path: "server.log"),
            sockets: try socketDirectory(for: directory))
    }

    private static func openLog(_ log: URL) throws -> FileHandle {
        let files = FileManager.default
        let size = (try? files.attributesOfItem(atPath: log.plainPath))?[.size] as? Int ?? 0
        if size > largestLogBytes {
            let old = log.appendingPathExtension("old")
            try? files.removeItem(at: old)
            try? files.moveItem(at: log, to: old)
        }
        let descriptor = open(log.plainPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw EmbeddedPostgresError("the log \(log.plainPath) cannot be written: \(String(cString: strerror(errno)))")
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    // Into a directory that gets its name when it is complete: a start that was killed in the middle leaves nothing that looks like data.
    private static func initialise(_ place: Place, _ settings: EmbeddedPostgresSettings, _ binaries: URL, _ output: FileHandle) throws {
        let unfinished = place.directory.appending(path: "data.unfinished")
        try? FileManager.default.removeItem(at: unfinished)
        let initdb = process(
            binaries, "initdb", settings,
            ["-D", unfinished.plainPath, "-U", settings.user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-k"])
        initdb.standardOutput = output
        initdb.standardError = output
        try SpawningThread.start(initdb)
        initdb.waitUntilExit()
        guard initdb.terminationStatus == 0 else { throw EmbeddedPostgresError("initdb failed:\n\(tail(of: place.log))") }
        try FileManager.default.moveItem(at: unfinished, to: place.data)
    }

    // What a crashed server left behind would be taken for a running one, all the more where process ids are used again soon.
    private static func clearAfterPredecessor(_ place: Place) throws {
        let deadline = Date().addingTimeInterval(predecessorTimeout)
        while let owner = firstLine(of: place.postmasterFile).flatMap({ Int32($0) }), isServer(owner, of: place.data) {
            // A predecessor whose owner was killed is writing its last pages.
            guard Date() < deadline else {
                throw EmbeddedPostgresError("a PostgreSQL server (pid \(owner)) is already running in \(place.data.plainPath)")
            }
            usleep(pollMicroseconds)
        }
        for leftover in [place.postmasterFile, place.socketLock] { try? FileManager.default.removeItem(at: leftover) }
    }

    private static func launch(
        _ settings: EmbeddedPostgresSettings, _ place: Place, _ binaries: URL, _ output: FileHandle, _ onExit: (@Sendable () -> Void)?
    ) throws -> EmbeddedPostgres {
        var arguments = ["-D", place.data.plainPath]
        let defaults = [
            "listen_addresses": "", "unix_socket_directories": quotedInList(place.sockets.plainPath), "port": "5432",
            "max_connections": "100", "shared_buffers": "128MB", "max_wal_size": "1GB", "log_min_messages": "warning",
            "lc_messages": "C", "jit": "off",
        ]
        for (name, value) in defaults.merging(settings.parameters, uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
            arguments += ["-c", "\(name)=\(value)"]
        }
        let postgres = process(binaries, "postgres", settings, arguments)
        postgres.standardOutput = output
        postgres.standardError = output
        if let onExit { postgres.terminationHandler = { _ in onExit() } }
        try SpawningThread.start(postgres)

        let deadline = Date().addingTimeInterval(startTimeout)
        while true {
            // The last line of this file says "ready" once connections are accepted.
            let status = (try? String(contentsOf: place.postmasterFile, encoding: .utf8))?.split(separator: "\n").last ?? ""
            if status.hasPrefix("ready") { break }
            guard postgres.isRunning, Date() < deadline else {
                if postgres.isRunning { kill(postgres.processIdentifier, SIGQUIT) }
                throw EmbeddedPostgresError(
                    "the PostgreSQL server did not start (programs in \(binaries.plainPath)):\n\(tail(of: place.log))")
            }
            usleep(pollMicroseconds)
        }
        return EmbeddedPostgres(settings, place, binaries, postgres)
    }

    // MARK: Stopping

    /// How a server stops.
    public enum Shutdown: Sendable {
        /// Sessions are ended, everything is written: `pg_ctl stop -m fast`.
        case fast
        /// As a crash: the next start recovers. `pg_ctl stop -m immediate`.
        case immediate
    }

    /// Stops the server and waits until it is gone. A fast shutdown that takes longer than `timeout` becomes an immediate one.
    public func stop(_ shutdown: Shutdown = .fast, timeout: TimeInterval = 30) {
        guard isRunning else { return }
        kill(processID, shutdown == .fast ? SIGINT : SIGQUIT)
        if wait(timeout) { return }
        kill(processID, SIGQUIT)
        if wait(timeout) { return }
        kill(processID, SIGKILL)
    }

    private func wait(_ timeout: TimeInterval) -> Bool {
        let deadline = Date().addingTimeInterval(timeout)
        while isRunning, Date() < deadline { usleep(Self.pollMicroseconds) }
        return !isRunning
    }

    /// Whether the server's process is there.
    public var isRunning: Bool { process.isRunning }

    /// The last lines of the server's log.
    public var lastLogLines: String { Self.tail(of: log) }
}

extension URL {
    /// The path as the file system takes it, without the slash that a URL puts behind the name of a directory that exists.
    package var plainPath: String {
        let path = path(percentEncoded: false)
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}
