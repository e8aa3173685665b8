// The lease: one row renewed on a connection of its own, however many tasks the process holds.

import Logging
import Postgres
import TaskQueue
import Telemetry
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension Worker {
    func keepLease() async {
        let clock = ContinuousClock()
        var connection: PostgresConnection?
        var lastGood = clock.now
        var failures = 0
        while !Task.isCancelled {
            let sent = clock.now
            do throws(TaskQueueError) {
                let open: PostgresConnection
                if let connection, connection.isUsable {
                    open = connection
                } else {
                    open = try await connected()
                    connection = open
                }
                if let session = state.phase.session {
                    do throws(TaskQueueError) {
                        let orders = try await TaskQueue.heartbeat(session, draining: state.isDraining, on: open)
                        metrics.count(.heartbeats, "renewed")
                        lastGood = sent
                        if state.phase == .doubtful(session) { log.notice("The lease was renewed in time after all") }
                        if state.phase != .alive(session), state.phase.session == session { state.set(.alive(session)) }
                        for (key, fence) in orders.cancels { state.cancel(key, fence) }
                    } catch {
                        guard case .sessionDead = error else { throw error }
                        abandon(session)
                        continue
                    }
                } else if !state.isDraining {
                    let session = try await TaskQueue.register(description, on: open)
                    lastGood = sent
                    state.set(.alive(session))
                    log.info("Session registered", metadata: [.sessionID: "\(session)", .queue: "\(configuration.queues.joined(separator: ","))"])
                }
                failures = 0
                metrics.set(.workerSlotsUsed, to: Double(state.runningCount))
                try? await Task.sleep(for: configuration.lease / 3)
            } catch {
                failures += 1
                if failures == 1 || failures % 20 == 0 {
                    log.warning("The lease could not be renewed; trying again", metadata: [.error: "\(error)", .count: "\(failures)"])
                }
                connection = nil
                // A worker that cannot be sure of its lease claims nothing more.
                if case .alive(let session) = state.phase, clock.now - lastGood > configuration.lease * 0.8 {
                    state.set(.doubtful(session))
                    log.warning("The lease is in doubt: nothing more is claimed", metadata: [.sessionID: "\(session)"])
                }
                try? await Task.sleep(for: min(BackOffDelay.after(failures), configuration.lease / 6))
            }
        }
        await connection?.close()
    }

    private func connected() async throws(TaskQueueError) -> PostgresConnection {
        var database = configuration.database
        // An answer that does not come within the lease is as good as none.
        database.answerTimeout = configuration.lease / 2
        do throws(PostgresError) {
            return try await PostgresConnection.connect(database)
        } catch {
            throw .unavailable(error)
        }
    }

    private var description: WorkerDescription {
        WorkerDescription(
            namespace: configuration.namespace, worker: configuration.name, host: Self.hostName, processID: getpid(),
            version: configuration.version, queues: configuration.queues, slots: configuration.slots, lease: configuration.lease)
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
