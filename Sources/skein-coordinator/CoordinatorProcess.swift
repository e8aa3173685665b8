// The parts of a coordinator and the order in which they start and stop.

import AdminAPI
import ArgumentParser
import Coordination
import Logging
import Postgres
import Programs
import RunStore
import Schema
import ServerSettings
import ServiceLifecycle
import Synchronization
import Telemetry
import WorkflowModel

/// A coordinator, put together from its settings.
///
/// It starts whatever state the database is in: it answers to `/livez` at once, says through `/readyz` what is missing, and begins to
/// work when the database is there and has the right schema.
struct CoordinatorProcess {
    private let settings: Settings
    private let log: Logger
    private let readiness: Readiness
    private let coordinator: Coordinator
    private let api: AdminAPI
    private let corePool: PostgresPool
    private let apiPool: PostgresPool
    private let announcement: Announcement
    private static let corePoolSize = 4

    init(_ settings: Settings) {
        self.settings = settings
        log = Logger(label: "skein.coordinator")
        var database = PostgresConfiguration(settings.string(.databaseURL), applicationName: "skein-coordinator")
        database.statementTimeout = .seconds(30)
        database.idleInTransactionTimeout = .seconds(30)
        let metrics = MetricsRegistry(showing: MetricName.ofCoordinator)
        readiness = Readiness(database, log: log)
        corePool = PostgresPool(database, size: Self.corePoolSize)
        let coordinator = Coordinator(
            CoordinatorConfiguration(
                database: database, foldLimit: settings.integer(.foldLimit), foldLanes: settings.integer(.foldLanes),
                pollInterval: settings.duration(.pollInterval), reapInterval: min(.seconds(1), settings.duration(.lease) / 2),
                lease: settings.duration(.lease), historyRetention: settings.duration(.historyRetention),
                checkInterval: settings.duration(.checkInterval), checkedRuns: settings.integer(.checkRuns)), pool: corePool, log: log, metrics: metrics)
        self.coordinator = coordinator
        var requests = database
        requests.statementTimeout = .seconds(10)
        apiPool = PostgresPool(requests, size: settings.integer(.poolSize))
        let address = settings.string(.address)
        api = AdminAPI(
            AdminConfiguration(
                requiresKeys: Self.requiresKeys(settings), inputLimit: settings.integer(.inputLimit),
                bodyLimit: settings.integer(.bodyLimit), batchLimit: settings.integer(.batchLimit), allowNoop: settings.isOn(.allowNoop),
                backlogLimit: settings.integer(.backlogLimit), waitingLimit: settings.integer(.submitWaiting),
                bytesLimit: settings.integer(.requestBytes),
                version: Release.version), pool: apiPool, store: coordinator.store, readiness: readiness, log: Logger(label: "skein.api"),
            metrics: metrics, wakeWorkers: { coordinator.wakeWorkers() }, wakeFold: { coordinator.wakeFold() }, noteSubmits: { coordinator.noteSubmits($0) })
        announcement = Announcement(address: address)
    }

    /// Keys are required wherever others than this machine can connect, unless somebody says otherwise.
    static func requiresKeys(_ settings: Settings) -> Bool {
        settings.boolean(.requireApiKeys) ?? !BindRule.isLoopback(settings.string(.address))
    }

    func run() async throws {
        try refuseOpenAddress()
        let (readiness, api, coordinator) = (readiness, api, coordinator)
        // Stopped from the last to the first: streams end, requests finish, then the work behind them stops.
        let services: [any Service] = [
            Work("readiness") { await cancelWhenGracefulShutdown { await readiness.run() } },
            Work("schema") { try await cancelWhenGracefulShutdown { try await self.watchSchema() } },
            Work("coordinator") {
                try await cancelWhenGracefulShutdown { try await self.waitUntilReady() }
                if Task.isShuttingDownGracefully || Task.isCancelled { return }
                self.announcement.isReady()
                try await coordinator.run()
            },
            Work("api") { await cancelWhenGracefulShutdown { await api.run() } },
            Work("http") { try await self.serve() },
            Work("streams") {
                try? await gracefulShutdown()
                api.endStreams()
            },
        ]
        defer {
            apiPool.close()
            corePool.close()
        }
        try await runServices("skein-coordinator", services, drainTimeout: settings.duration(.drainTimeout), log: log)
    }

    // What can be known without the database is refused without it.
    private func refuseOpenAddress() throws {
        do throws(BindRule.Refusal) {
            try BindRule.check(settings.string(.address), requiresKeys: api.requiresKeys, hasValidKey: true)
        } catch {
            Ending.explain("skein-coordinator", error.description)
            throw Ending.badConfiguration
        }
    }

    private func waitUntilReady() async throws {
        if settings.isOn(.migrate) { try await migrate() }
        await readiness.untilReady()
    }

    // A schema that this release would harm, or a server that loses what it confirmed, is nothing to wait for.
    private func watchSchema() async throws {
        for await state in readiness.states {
            switch state {
            case .schemaNewer(let reason): throw Stop(code: Ending.conflict, reason: reason)
            case .unsafe(let reason): throw Stop(code: Ending.badConfiguration, reason: "database.url: \(reason)")
            case .unknown, .unreachable, .schemaOlder, .ready: break
            }
        }
    }

    private func migrate() async throws {
        while !Task.isCancelled {
            do throws(MigrationError) {
                let connection: PostgresConnection
                do throws(PostgresError) {
                    connection = try await PostgresConnection.connect(
                        PostgresConfiguration(settings.string(.databaseURL), applicationName: "skein-migrate"))
                } catch {
                    throw .database(error)
                }
                let report = try await Migrator.migrate(connection)
                await connection.close()
                if !report.isUnchanged { log.info("The schema was migrated", metadata: [.version: "\(report.to)"]) }
                return
            } catch {
                switch error {
                case .database(let cause) where cause.isTransient:
                    try? await Task.sleep(for: .seconds(1))
                case .busy:
                    log.notice("Somebody else migrates; waiting", metadata: [.reason: "\(error)"])
                case .newerDatabase, .checksumChanged:
                    throw Stop(code: Ending.conflict, reason: error.description)
                case .database, .failed, .olderDatabase, .missingFunctions, .malformed:
                    throw Stop(code: ExitCode.failure, reason: error.debugDescription)
                }
            }
        }
    }

    private func serve() async throws {
        let address = settings.string(.address)
        if !BindRule.isLoopback(address) {
            // Whether there is a key can be asked only when the schema is there.
            await cancelWhenGracefulShutdown { await readiness.untilReady() }
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
            let hasKey = try await apiPool.withConnection { connection in try await ApiKeys.anyIsValid(on: connection) }
            do throws(BindRule.Refusal) {
                try BindRule.check(address, requiresKeys: api.requiresKeys, hasValidKey: hasKey)
            } catch {
                throw Stop(code: Ending.badConfiguration, reason: error.description)
            }
        }
        do {
            try await api.serve(
                address: address, port: settings.integer(.port), connectionLimit: settings.integer(.connectionLimit)
            ) { port in
                log.info("Listening", metadata: [.address: "\(address):\(port)"])
                announcement.isListening(on: port)
            }
        } catch let error where !announcement.wasListening {
            throw Stop(
                code: Ending.badConfiguration, reason: "address \(address), port \(settings.integer(.port)): cannot be listened on (\(error))")
        }
    }
}

/// The one line on standard output: said when requests are answered and work is done, whichever comes last.
private final class Announcement: Sendable {
    private struct State {
        var port: Int?
        var isReady = false
    }

    private let state = Mutex(State())
    private let address: String

    init(address: String) { self.address = address }

    var wasListening: Bool { state.withLock { $0.port != nil } }

    func isListening(on port: Int) { change { $0.port = port } }
    func isReady() { change { $0.isReady = true } }

    private func change(_ change: (inout State) -> Void) {
        let port = state.withLock { state in
            change(&state)
            return state.isReady ? state.port : nil
        }
        guard let port else { return }
        announce("skein-coordinator ready on http://\(address.contains(":") && !address.hasPrefix("[") ? "[\(address)]" : address):\(port)")
    }
}
