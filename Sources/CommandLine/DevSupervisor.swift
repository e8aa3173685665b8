// `skein dev`: a private PostgreSQL, a coordinator and workers, started together, watched, and stopped in order.

import EmbeddedPostgres
import Foundation
import Postgres
import Programs
import Schema
import WorkflowModel

/// Runs everything until it is told to stop.
package actor DevSupervisor {
    enum Event: Sendable {
        case signal(Int32)
        case ready(name: String, line: String)
        case ended(name: String, how: String)
        case postgresEnded
        case tick
    }

    enum Phase {
        /// Not everything has said that it is ready.
        case starting
        /// Everything runs, or is being started again.
        case running
        /// Workers finish what they are at.
        case draining(deadline: ContinuousClock.Instant)
        /// The coordinator answers its last requests.
        case closing(deadline: ContinuousClock.Instant)
        /// Nothing is left but the database.
        case over
    }

    // How one child fares.
    struct Child {
        var process: ChildProcess?
        var isReady = false
        var failures = 0
        var restartAt: ContinuousClock.Instant?
    }

    static let coordinatorName = "coordinator"
    static let drainSeconds = 10
    /// How long a process has beyond what it was told before it is killed.
    static let grace: Duration = .seconds(2)
    static let closeTimeout: Duration = .seconds(5)
    /// A child that lived longer has not failed at its start.
    static let soundLife: Duration = .seconds(10)
    static let mostFailures = 5
    static let firstPause: Duration = .milliseconds(200)
    static let longestPause: Duration = .seconds(5)
    static let tickInterval: Duration = .milliseconds(100)
    /// A log is put aside when it is larger than this at a start.
    static let largestLogBytes = 8 << 20

    let settings: DevSettings
    let console: Console
    private let begun = ContinuousClock.now
    private var postgres: EmbeddedPostgres?
    private var serverVersion = ""
    private var databaseURL = ""
    private var port = 0
    private var children: [String: Child] = [:]
    private var phase = Phase.starting
    private var exitStatus = CommandStatus.succeeded
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation

    package init(_ settings: DevSettings, console: Console) {
        self.settings = settings
        self.console = console
        (events, post) = AsyncStream.makeStream()
    }

    private var serverURL: String { "http://127.0.0.1:\(port)" }
    private var workerNames: [String] { (1...max(1, settings.workers)).prefix(settings.workers).map { "worker-\($0)" } }

    /// Runs until a signal comes or something dies that cannot be started again.
    package func run() async throws -> CommandStatus {
        try settings.prepareDirectory()
        guard let lock = try DevLock.take(in: settings.directory) else {
            let running = DevState.running(in: settings.directory)
            let who = running.map { "pid \($0.processID), \($0.serverURL)" } ?? "it is just starting or stopping"
            throw CommandFailure(
                .conflict, "skein dev is already running here: \(who)", fix: "use it as it is, stop it first, or give another --data-dir")
        }
        defer { withExtendedLifetime(lock) {} }
        // Addresses of a predecessor that was killed lead nowhere.
        DevState.remove(from: settings.directory)
        let signals = Interrupts.stream()
        let ticker = Task { [post] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await number in signals { post.yield(.signal(number)) } }
                group.addTask {
                    while !Task.isCancelled {
                        post.yield(.tick)
                        try? await Task.sleep(for: Self.tickInterval)
                    }
                }
            }
        }
        defer { ticker.cancel() }
        do {
            try await startDatabase()
            try startPrograms()
            for await event in events {
                try handle(event)
                if case .over = phase { break }
            }
        } catch {
            await stopEverything()
            throw error
        }
        await stopEverything()
        return exitStatus
    }

    // MARK: Starting

    private func startDatabase() async throws {
        port = try LoopbackPort.free(from: settings.port)
        if settings.port != 0, port != settings.port { console.note("port \(settings.port) is taken; using \(port)") }
        if let given = settings.databaseURL {
            databaseURL = given
        } else {
            let place = settings.postgresDirectory
            let postgresSettings = EmbeddedPostgresSettings(
                directory: place, parameters: ["max_connections": "100", "shared_buffers": "64MB"],
                binaryDirectory: settings.binaryDirectory)
            let post = post
            do {
                postgres = try await Blocking.run {
                    try EmbeddedPostgres.start(postgresSettings, onExit: { post.yield(.postgresEnded) })
                }
            } catch let error as EmbeddedPostgresError {
                throw CommandFailure(.unexpected, error.description)
            }
        }
        do {
            if let postgres {
                let maintenance = try await PostgresConnection.connect(PostgresConfiguration(postgres.connectionString()))
                if try await maintenance.query("select 1 from pg_database where datname = 'skein'").isEmpty {
                    try await maintenance.script("create database skein")
                }
                await maintenance.close()
                databaseURL = postgres.connectionString(database: "skein")
            }
            let connection = try await PostgresConnection.connect(PostgresConfiguration(databaseURL))
            serverVersion = DatabaseVersion.text(await connection.serverVersion)
            _ = try await Migrator.migrate(connection)
            await connection.close()
        } catch let error as PostgresError {
            throw CommandFailure(error)
        } catch let error as MigrationError {
            throw CommandFailure(.unexpected, error.description, details: [error.debugDescription])
        }
    }

    private func startPrograms() throws {
        for name in [Self.coordinatorName] + workerNames {
            rotate(settings.log(name))
            children[name] = Child()
            try start(name)
        }
    }

    private func rotate(_ log: URL) {
        let files = FileManager.default
        guard let size = (try? files.attributesOfItem(atPath: log.plainPath))?[.size] as? Int, size > Self.largestLogBytes else { return }
        let old = log.appendingPathExtension("old")
        try? files.removeItem(at: old)
        try? files.moveItem(at: log, to: old)
    }

    private func start(_ name: String) throws {
        // The database's address goes through the environment: a command line can be read by everybody on the machine.
        var environment = ProcessInfo.processInfo.environment
        environment["SKEIN_DATABASE_URL"] = databaseURL
        let isCoordinator = name == Self.coordinatorName
        let program = try settings.program(isCoordinator ? "skein-coordinator" : "skein-worker")
        let arguments =
            isCoordinator
            ? ["--address", "127.0.0.1", "--port", String(port), "--drain-timeout", "3s"]
            : [
                "--name", name, "--slots", String(settings.slots), "--exec-allow", "*", "--drain-timeout", "\(Self.drainSeconds)s",
            ]
        let post = post
        children[name]?.restartAt = nil
        children[name]?.isReady = false
        children[name]?.process = try ChildProcess.start(
            name, program: program, arguments: arguments, environment: environment, log: settings.log(name),
            onReady: { post.yield(.ready(name: name, line: $0)) }, onExit: { post.yield(.ended(name: name, how: $0)) })
    }

    // MARK: While it runs

    private func handle(_ event: Event) throws {
        switch event {
        case .signal(let number): handle(signal: number)
        case .ready(let name, _): try becameReady(name)
        case .ended(let name, let how): try ended(name, how)
        case .postgresEnded: try postgresEnded()
        case .tick: try tick()
        }
    }

    private func becameReady(_ name: String) throws {
        children[name]?.isReady = true
        switch phase {
        case .starting:
            guard children.values.allSatisfy(\.isReady) else { return }
            phase = .running
            try DevState(processID: ProcessInfo.processInfo.processIdentifier, serverURL: serverURL, databaseURL: databaseURL)
                .write(to: settings.directory)
            showBanner()
        case .running: console.note("\(name) runs again")
        case .draining, .closing, .over: return
        }
    }

    private func ended(_ name: String, _ how: String) throws {
        guard let child = children[name], let process = child.process else { return }
        children[name]?.process = nil
        switch phase {
        case .starting, .running:
            let failures = ContinuousClock.now - process.startedAt > Self.soundLife ? 0 : child.failures + 1
            // Who has never been ready will not be the next time either.
            guard failures < Self.mostFailures, child.isReady || failures < 2 else {
                throw CommandFailure(
                    .unexpected, "\(name) ended again and again (\(how))", fix: "read \(settings.log(name).plainPath)",
                    details: ChildProcess.tail(of: settings.log(name)))
            }
            let pause = min(Self.longestPause, Self.firstPause * (1 << max(0, failures - 1)))
            children[name]?.failures = failures
            children[name]?.restartAt = .now + pause
            console.note("\(name) ended unexpectedly (\(how)); starting it again. Its log: \(settings.log(name).plainPath)")
        case .draining:
            if workerNames.allSatisfy({ children[$0]?.process == nil }) { closeCoordinator() }
        case .closing:
            if children[Self.coordinatorName]?.process == nil { phase = .over }
        case .over: return
        }
    }

    private func postgresEnded() throws {
        switch phase {
        case .over: return
        case .starting, .running, .draining, .closing:
            guard let server = postgres else { return }
            postgres = nil
            throw CommandFailure(
                .unexpected, "the PostgreSQL server has ended",
                fix: "read \(server.log.plainPath), then start again: no committed work is lost",
                details: server.lastLogLines.split(separator: "\n").suffix(12).map { Console.printable(String($0)) })
        }
    }

    private func tick() throws {
        let now = ContinuousClock.now
        switch phase {
        case .starting, .running:
            for (name, child) in children.sorted(by: { $0.key < $1.key }) {
                if let restartAt = child.restartAt, restartAt <= now { try start(name) }
            }
        case .draining(let deadline):
            if now > deadline { for name in workerNames { children[name]?.process?.killTree() } }
        case .closing(let deadline):
            if now > deadline { children[Self.coordinatorName]?.process?.send(SIGKILL) }
        case .over: return
        }
    }

    // MARK: Stopping

    private func handle(signal: Int32) {
        switch phase {
        case .starting, .running:
            console.note("\nstopping: workers have \(Self.drainSeconds) s to finish what they are at; once more for at once")
            for (name, child) in children where child.process == nil { children[name]?.restartAt = nil }
            if workerNames.allSatisfy({ children[$0]?.process == nil }) { return closeCoordinator() }
            phase = .draining(deadline: .now + .seconds(Self.drainSeconds) + Self.grace)
            for name in workerNames { children[name]?.process?.send(SIGTERM) }
        case .draining, .closing:
            console.note("stopping at once")
            phase = .over
        case .over: return
        }
    }

    private func closeCoordinator() {
        guard let coordinator = children[Self.coordinatorName]?.process else {
            phase = .over
            return
        }
        phase = .closing(deadline: .now + Self.closeTimeout)
        coordinator.send(SIGTERM)
    }

    // Whatever is left, in the order of dependence.
    private func stopEverything() async {
        let isOrderly = children.values.allSatisfy { $0.process == nil }
        phase = .over
        for child in children.values { child.process?.killTree() }
        DevState.remove(from: settings.directory)
        if let server = postgres {
            postgres = nil
            _ = try? await Blocking.run { server.stop(isOrderly ? .fast : .immediate, timeout: 30) }
        }
        if settings.isEphemeral { try? FileManager.default.removeItem(at: settings.directory) }
    }

    // MARK: The banner

    private func showBanner() {
        let took = HumanTime.duration((ContinuousClock.now - begun).seconds)
        var lines: [(String, String)] = [("server", serverURL)]
        if let postgres {
            lines.append(("database", "\(databaseURL)"))
            lines.append(("", "PostgreSQL \(serverVersion), private, in \(postgres.settings.directory.plainPath)"))
        } else {
            lines.append(("database", "\(PostgresConfiguration(databaseURL).redacted)  (PostgreSQL \(serverVersion))"))
        }
        if settings.workers > 0 {
            let count = settings.workers == 1 ? "1 worker" : "\(settings.workers) workers"
            lines.append(("workers", "\(count) with \(settings.slots) slots; exec agents may start any program of this machine"))
        } else {
            lines.append(("workers", "none; start skein-worker with SKEIN_DATABASE_URL set"))
        }
        lines.append(
            ("state", settings.directory.plainPath + (settings.isEphemeral ? "  (removed at the end)" : "  (kept; logs are there)")))
        lines.append(("ready", "in \(took)"))
        lines.append(("try", "skein workflow apply FILE, then skein run start NAME --watch"))
        lines.append(("stop", "Ctrl-C"))
        console.print(console.styled("skein dev \(Release.version)", .bold))
        for (title, text) in lines {
            console.print("  \(console.styled(title.padding(toLength: 10, withPad: " ", startingAt: 0), .dim))\(text)")
        }
    }
}
