// The parts of a worker process: it waits for a database that it can work with, then works until it is told to stop.

import AgentCalls
import Foundation
import Logging
import Postgres
import Programs
import ServiceLifecycle
import ServerSettings
import Telemetry
import WorkflowModel
import Working

/// A worker, put together from its settings.
struct WorkerProcess {
    private let settings: Settings
    private let log: Logger
    private let database: PostgresConfiguration
    private let worker: Worker
    private let name: String

    init(_ settings: Settings) {
        self.settings = settings
        log = Logger(label: "skein.worker")
        var database = PostgresConfiguration(settings.string(.databaseURL), applicationName: "skein-worker")
        database.statementTimeout = .seconds(30)
        database.idleInTransactionTimeout = .seconds(30)
        self.database = database
        name = Self.name(settings)
        let queues = settings.list(.queues)
        let executables = settings.list(.execAllow)
        worker = Worker(
            WorkerConfiguration(
                database: database, namespace: settings.string(.namespace), name: name, version: Release.version, queues: queues,
                slots: settings.integer(.slots), lease: settings.duration(.lease), drainTimeout: settings.duration(.drainTimeout),
                pollInterval: settings.duration(.pollInterval),
                calls: AgentCallSettings(
                    allowedExecutables: executables.isEmpty ? nil : executables, guardArguments: ["--exec-guard"],
                    allowNoop: settings.isOn(.allowNoop), userAgent: "skein/\(Release.version)")), log: log)
    }

    /// The name that is shown: the host's, unless somebody gave another.
    static func name(_ settings: Settings) -> String { settings.text(.name) ?? ProcessInfo.processInfo.hostName }

    func run() async throws {
        let services: [any Service] = [
            Work("worker") {
                await cancelWhenGracefulShutdown { await self.waitForSchema() }
                if Task.isShuttingDownGracefully || Task.isCancelled { return try await self.worker.close() }
                try await self.worker.run()
            },
            Work("announcement") {
                await cancelWhenGracefulShutdown {
                    while !self.worker.isRegistered, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(50)) }
                }
                if worker.isRegistered {
                    announce("skein-worker ready: \(name), \(settings.integer(.slots)) slots, queues \(settings.list(.queues).joined(separator: ","))")
                }
                try? await gracefulShutdown()
            },
        ]
        try await runServices("skein-worker", services, drainTimeout: settings.duration(.drainTimeout), log: log)
    }

    // A worker's role may see nothing of the schema but the functions that it calls; those it waits for.
    private func waitForSchema() async {
        var failures = 0
        var lastReason = ""
        while !Task.isCancelled {
            var reason: String
            do throws(PostgresError) {
                let connection = try await PostgresConnection.connect(database)
                let isThere = try await connection.query(
                    """
                    select bool_and(to_regprocedure(f) is not null) from unnest(array[
                      'skein.claim_tasks_v1(bigint, integer)', 'skein.heartbeat_v1(bigint, boolean)', 'skein.step_calls_v1(bigint[], integer[])']) as f
                    """)[0].bool(0)
                await connection.close()
                if isThere { return }
                reason = "the schema is missing or older than this release needs: run skein migrate"
            } catch {
                if error.sqlState == .unknownSchema || error.sqlState == .insufficientPrivilege {
                    reason = "the schema is missing, or this role may not use it: run skein migrate"
                } else {
                    reason = "\(error)"
                }
            }
            if reason != lastReason {
                log.warning("The database is not ready; trying again", metadata: [.reason: "\(reason)", .database: "\(database.redacted)"])
                lastReason = reason
            }
            failures += 1
            try? await Task.sleep(for: .milliseconds(min(2000, 100 << min(failures, 5))))
        }
    }
}
