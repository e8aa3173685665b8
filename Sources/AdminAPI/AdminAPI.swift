// The HTTP API of a coordinator: it registers workflows, accepts runs, and shows what there is.

import Hummingbird
public import Logging
import NIOCore
public import Postgres
public import RunStore
import Synchronization
public import Telemetry

/// The API under `/api/v1`, with health, metrics and the pages of problem codes beside it.
///
/// `run` carries its background work; `responder` answers requests. It keeps nothing that another coordinator would miss.
public final class AdminAPI: Sendable {
    let configuration: AdminConfiguration
    let reader: RunReader
    let pool: PostgresPool
    let submitter: Submitter
    let admission: Admission
    let watcher: RunWatcher
    let readiness: Readiness
    let authenticator: Authenticator
    let metrics: MetricsRegistry
    let log: Logger
    let table: RouteTable
    let wakeFold: @Sendable () -> Void
    let wakeWorkers: @Sendable () -> Void
    let gaugeSchedule = Mutex(GaugeSchedule())

    /// An API.
    ///
    /// - Parameters:
    ///   - configuration: how it works.
    ///   - pool: connections for requests. They should have a statement time-out.
    ///   - store: accepts runs.
    ///   - readiness: what is known of the database. Whoever makes it runs it.
    ///   - wakeWorkers: called when there may be tasks to claim again, after the commit that set them free.
    ///   - noteSubmits: called with what runs that were accepted have left to do, after their commit.
    ///   - wakeFold: called when there is something to fold, after its commit.
    public init(
        _ configuration: AdminConfiguration, pool: PostgresPool, store: RunStore, readiness: Readiness, log: Logger, metrics: MetricsRegistry,
        wakeWorkers: @escaping @Sendable () -> Void, wakeFold: @escaping @Sendable () -> Void,
        noteSubmits: @escaping @Sendable (FoldReport) -> Void
    ) {
        self.configuration = configuration
        self.pool = pool
        self.readiness = readiness
        self.metrics = metrics
        self.log = log
        self.wakeFold = wakeFold
        self.wakeWorkers = wakeWorkers
        reader = RunReader(pool)
        submitter = Submitter(
            store: store, database: pool.configuration, timeout: configuration.submitTimeout, waitingLimit: configuration.waitingLimit,
            log: log, metrics: metrics, note: noteSubmits)
        admission = Admission(backlogLimit: configuration.backlogLimit, bytesLimit: configuration.bytesLimit, pool: pool, log: log)
        watcher = RunWatcher(reader, log: log)
        authenticator = Authenticator(pool, requiresKeys: configuration.requiresKeys, cacheTime: configuration.keyCacheTime)
        table = RouteTable(Self.routes)
    }

    /// All routes. The OpenAPI document describes exactly these.
    static let routes: [Route] = workflowRoutes + submitRoutes + runRoutes + orderRoutes + streamRoutes + fleetRoutes + healthRoutes

    /// Whether every request must carry a valid API key.
    public var requiresKeys: Bool { configuration.requiresKeys }

    /// What answers requests.
    public var responder: AdminResponder { AdminResponder(api: self) }

    /// Commits submits and watches runs until the task is cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.submitter.run() }
            group.addTask { await self.watcher.run() }
            group.addTask { await self.admission.run() }
        }
    }

    /// Ends streams and long waits, so that a server that is told to stop need not wait for them.
    public func endStreams() { watcher.stop() }

    /// Serves HTTP until the task is cancelled or a graceful shutdown begins; then requests that are under way finish.
    ///
    /// - Parameters:
    ///   - address: where it listens. See `BindRule`.
    ///   - port: 0 takes any free one.
    ///   - connectionLimit: how many connections may be open at a time.
    ///   - onListening: called with the port once connections are accepted.
    public func serve(
        address: String, port: Int, connectionLimit: Int = 10_000, onListening: @escaping @Sendable (Int) async -> Void
    ) async throws {
        // The library's own lines are about its parts, not about ours; what it throws is explained by whoever catches it.
        var quiet = log
        quiet.logLevel = .critical
        let application = Application(
            responder: responder, server: .http1(configuration: .init(idleTimeout: Self.idleTimeout)),
            configuration: ApplicationConfiguration(
                address: .hostname(address, port: port), serverName: "skein", backlog: 1024,
                availableConnectionsDelegate: .maximum(connectionLimit, logger: quiet)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) }, logger: quiet)
        try await application.run()
    }

    private static let idleTimeout: TimeAmount = .seconds(120)
}
