// The fold loop: as long as there is much to fold it goes on at once; otherwise it sleeps until somebody wakes it.

#if DEBUG
import Faults
#endif
import Logging
import Postgres
import RunStore
import Telemetry
import WorkflowModel

extension Coordinator {
    // One lane: it passes over the runs that another has locked, so a fold that takes its time holds up nobody but its own runs. It runs on its
    // connection's thread.
    func fold(lane: Int, on thread: PostgresThread) async {
        var connection: PostgresConnection?
        var failures = 0
        var idle: Duration = Self.shortestIdle
        while !Task.isCancelled {
            do throws(PostgresError) {
                let open: PostgresConnection
                if let connection, connection.isUsable {
                    open = connection
                } else {
                    open = try await PostgresConnection.connect(configuration.database, on: thread)
                    connection = open
                    store.forgetFrames()
                }
                let (report, share, passed, duration) = try await foldOnce(lane, on: open)
                failures = 0
                if report.runs == 0, report.hasMore || !passed.isEmpty {
                    // What is due is with others. Each of their outcomes wakes this lane, and each look costs as much as the fold of many a step.
                    foldLanes.rest(lane)
                    try? await Task.sleep(for: min(max(Self.shortestRest, duration * 4), Self.longestRest))
                    foldLanes.rested(lane)
                }
                if report.runs > 0 {
                    idle = Self.shortestIdle
                    // A small fold has taken all there was; whoever adds to it says so.
                    if report.inputs >= FoldLanes.largeFold || report.hasMore || share != .all { continue }
                }
                #if DEBUG
                if PlantedFault.notifyOnly.isPlanted {
                    await foldLanes.wakeups[lane].wait()
                    continue
                }
                #endif
                let isSignal = await foldLanes.wakeups[lane].wait(upTo: idle * Double.random(in: 0.75...1))
                // The first lane looks for what nobody has told; the others are there when it is at work.
                idle = isSignal ? Self.shortestIdle : min(idle * 2, configuration.pollInterval * (lane == 0 ? 1 : 6))
            } catch {
                failures += 1
                metrics.count(.postgresErrors, error.code.rawValue)
                if failures == 1 || failures % 20 == 0 {
                    log.warning("The fold failed; trying again", metadata: [.error: "\(error)", .count: "\(failures)"])
                }
                if !error.wantsRetry { connection = nil }
                try? await Task.sleep(for: BackOffDelay.after(failures))
            }
        }
        await connection?.close()
    }

    private func foldOnce(
        _ lane: Int, on connection: PostgresConnection
    ) async throws(PostgresError) -> (FoldReport, FoldShare, passed: [RunID], Duration) {
        let clock = ContinuousClock()
        let begun = clock.now
        let (share, passed) = foldLanes.begin(lane)
        do throws(PostgresError) {
            let report = try await store.fold(upTo: configuration.foldLimit, share: share, passing: passed, on: connection) { [foldLanes] runs in
                foldLanes.note(lane, large: runs)
            }
            let duration = clock.now - begun
            foldLanes.end(lane, inputs: report.inputs)
            note(report, took: duration)
            return (report, share, passed, duration)
        } catch {
            foldLanes.end(lane, inputs: 0)
            throw error
        }
    }

    private static let shortestIdle: Duration = .milliseconds(100)
    private static let shortestRest: Duration = .milliseconds(20)
    private static let longestRest: Duration = .milliseconds(100)

    private func note(_ report: FoldReport, took duration: Duration) {
        wake(for: report)
        guard report.runs > 0 else { return }
        metrics.observe(.foldDuration, duration: duration)
        metrics.observe(.foldBatchSize, size: report.inputs)
        for (status, count) in report.ended { metrics.count(.runsEnded, status.rawValue, by: count) }
        for (run, reason) in report.refused {
            log.warning("An input was refused", metadata: [.runID: "\(run)", .reason: "\(reason)"])
        }
        for (run, reason) in report.quarantined {
            log.error("A run was set aside: it cannot be folded", metadata: [.runID: "\(run)", .reason: "\(reason)"])
        }
    }
}

/// How long to wait after failures in a row before the database is asked again.
enum BackOffDelay {
    static func after(_ failures: Int) -> Duration {
        let seconds = min(2.0, 0.05 * Double(1 << min(failures, 10)))
        return Duration.seconds(seconds * Double.random(in: 0.5...1))
    }
}
