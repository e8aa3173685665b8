// The loop that reports and claims: one round trip, one durable commit, for everything that has come together meanwhile.

#if DEBUG
import Faults
#endif
import Logging
import Postgres
import TaskQueue
import Telemetry
import WorkflowModel

extension Worker {
    // Runs on its connection's thread; the calls run elsewhere.
    func exchangeUntilDrained(on thread: PostgresThread) async {
        await withDiscardingTaskGroup { group in
            var connection: PostgresConnection?
            var idle = IdleWait(longest: configuration.pollInterval)
            var failures = 0
            var strays = StrayLooks()
            while !(state.isDraining && state.isIdle), !Task.isCancelled {
                let session: SessionID
                let outcomes: [SettledTask]
                let room: Int
                switch state.next(at: .now) {
                case .exchange(let alive, let finished, let free):
                    (session, outcomes, room) = (alive, finished, free)
                case .drop(let finished):
                    // Without a session there is nobody to report to; the outcomes' leases are over.
                    for outcome in finished { noteDropped(outcome, because: Self.sessionLost) }
                    continue
                case .wait(let duration):
                    let longest = duration ?? idle.next()
                    if await !state.wakeup.wait(upTo: longest), duration == nil { state.lookForTasks() }
                    continue
                }
                do throws(TaskQueueError) {
                    let open = try await opened(&connection, on: thread)
                    if strays.isDue(at: .now) {
                        let known = state.knownFences + outcomes.map(\.fence)
                        let released = try await TaskQueue.releaseStrays(session, known: known, on: open)
                        strays.noteLook(at: .now)
                        if released > 0 { log.notice("Gave back tasks of a claim whose answer was lost", metadata: [.count: "\(released)"]) }
                    }
                    let asked = ContinuousClock.now
                    let (kept, claimed) = try await exchange(session, outcomes, room, on: open)
                    failures = 0
                    note(kept, outcomes, claimed, asked: asked)
                    if !claimed.isEmpty { calls.expect(claimed) }
                    for task in claimed {
                        let execution = state.begin(task)
                        group.addTask(executorPreference: globalConcurrentExecutor) { await self.execute(execution) }
                    }
                    if claimed.count == room, room > 0 { state.lookForTasks() }
                    if !claimed.isEmpty || !outcomes.isEmpty { idle.reset() }
                } catch {
                    switch error {
                    case .sessionDead:
                        await settleAlone(session, outcomes, on: connection)
                        abandon(session)
                    case .unknownNamespace, .unavailable:
                        state.putBack(outcomes)
                        state.lookForTasks()
                        strays.noteFailure(at: .now)
                        failures += 1
                        log.warning("The queue could not be asked; trying again", metadata: [.error: "\(error)", .count: "\(failures)"])
                        metrics.count(.postgresErrors, error.reason)
                        connection = nil
                        try? await Task.sleep(for: BackOffDelay.after(failures))
                    }
                }
            }
            await connection?.close()
        }
    }

    private func opened(
        _ connection: inout PostgresConnection?, on thread: PostgresThread
    ) async throws(TaskQueueError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        do throws(PostgresError) {
            let open = try await PostgresConnection.connect(configuration.database, on: thread)
            connection = open
            return open
        } catch {
            throw .unavailable(error)
        }
    }

    private func exchange(
        _ session: SessionID, _ outcomes: [SettledTask], _ room: Int, on connection: PostgresConnection
    ) async throws(TaskQueueError) -> (kept: [Bool], claimed: [ClaimedTask]) {
        let clock = ContinuousClock()
        let begun = clock.now
        defer { metrics.observe(.claimDuration, duration: clock.now - begun) }
        do throws(TaskQueueError) {
            return try await TaskQueue.exchange(session, settling: outcomes, claimingUpTo: room, notifying: outcomesNotice, on: connection)
        } catch {
            // One value that cannot be stored must not hold up the others: each is reported alone, and the culprit as unstorable.
            guard case .unavailable(let cause) = error, cause.isAboutData, !outcomes.isEmpty else { throw error }
            var kept: [Bool] = []
            for outcome in outcomes { kept.append(try await settleOne(session, outcome, on: connection)) }
            return (kept, [])
        }
    }

    private func settleOne(
        _ session: SessionID, _ outcome: SettledTask, on connection: PostgresConnection
    ) async throws(TaskQueueError) -> Bool {
        do throws(TaskQueueError) {
            return try await TaskQueue.exchange(session, settling: [outcome], claimingUpTo: 0, notifying: outcomesNotice, on: connection).kept[0]
        } catch {
            guard case .unavailable(let cause) = error, cause.isAboutData else { throw error }
            let failure = Failure(type: .unstorable, code: "E_RESULT_UNSTORABLE", message: "the answer cannot be stored: \(cause)")
            let refused = SettledTask(key: outcome.key, fence: outcome.fence, status: .failed, failure: failure)
            return try await TaskQueue.exchange(session, settling: [refused], claimingUpTo: 0, notifying: outcomesNotice, on: connection).kept[0]
        }
    }

    // The session is dead, but as long as nobody has reaped a task its result still counts.
    private func settleAlone(_ session: SessionID, _ outcomes: [SettledTask], on connection: PostgresConnection?) async {
        guard !outcomes.isEmpty, let connection else { return }
        let asked = ContinuousClock.now
        do throws(TaskQueueError) {
            let (kept, _) = try await TaskQueue.exchange(session, settling: outcomes, claimingUpTo: 0, notifying: outcomesNotice, on: connection)
            note(kept, outcomes, [], asked: asked)
        } catch {
            metrics.count(.resultsDropped, by: outcomes.count)
            log.warning("Results dropped: the session is dead", metadata: [.count: "\(outcomes.count)", .error: "\(error)"])
        }
    }

    private func note(_ kept: [Bool], _ outcomes: [SettledTask], _ claimed: [ClaimedTask], asked: ContinuousClock.Instant) {
        state.noteReported(outcomes, kept: kept, isDurable: !claimed.isEmpty, asked: asked)
        for (outcome, held) in zip(outcomes, kept) {
            let isRepeated = state.wasRepeated(outcome.fence)
            if held {
                metrics.count(.tasksSettled, outcome.status.rawValue)
            } else if !isRepeated {
                noteDropped(outcome, because: "the database refused it")
            }
        }
        if !claimed.isEmpty {
            metrics.count(.tasksClaimed, configuration.queues.joined(separator: ","), by: claimed.count)
            metrics.observe(.claimBatchSize, size: claimed.count)
        }
    }

    private static let sessionLost = "the session is lost"

    private func noteDropped(_ outcome: SettledTask, because reason: String) {
        metrics.count(.resultsDropped)
        log.notice(
            "Result dropped: the lease had passed on",
            metadata: [
                .runID: "\(outcome.key.runID)", .stepPath: "\(outcome.key.path)", .fence: "\(outcome.fence)", .reason: "\(reason)",
            ])
    }

    /// The session is gone: calls are ended, results dropped, and a new session registered.
    func abandon(_ session: SessionID) {
        guard state.phase.session == session else { return }
        let (calls, outcomes) = state.loseSession()
        metrics.count(.leasesLost)
        log.warning("The lease was lost", metadata: [.sessionID: "\(session)", .count: "\(calls)"])
        for outcome in outcomes { noteDropped(outcome, because: Self.sessionLost) }
    }
}

/// How long a loop with nothing to do sleeps: longer each time, with jitter, up to a bound.
struct IdleWait {
    private var current: Duration = .milliseconds(100)
    private let longest: Duration

    init(longest: Duration) { self.longest = longest }

    mutating func next() -> Duration {
        defer { current = min(current * 2, longest) }
        return current * Double.random(in: 0.75...1)
    }

    mutating func reset() { current = .milliseconds(100) }
}

/// When to look for tasks that the session holds without knowing it. After a failure nobody knows whether the last claim was carried out, and the
/// server may still be at it, for whatever time: so one look is not enough (`sql/models/lease.pml`), but each may be later than the one before.
struct StrayLooks {
    private static let shortest: Duration = .seconds(1)
    private static let longest: Duration = .seconds(300)
    private var next: ContinuousClock.Instant?
    private var pause = StrayLooks.shortest

    mutating func noteFailure(at now: ContinuousClock.Instant) {
        next = now
        pause = Self.shortest
    }

    func isDue(at now: ContinuousClock.Instant) -> Bool {
        #if DEBUG
        if PlantedFault.noLookForStrays.isPlanted { return false }
        #endif
        return next.map { $0 <= now } ?? false
    }

    mutating func noteLook(at now: ContinuousClock.Instant) {
        next = now + pause
        pause = min(pause * 2, Self.longest)
    }
}

/// How long to wait after failures in a row before the database is asked again.
enum BackOffDelay {
    static func after(_ failures: Int) -> Duration {
        let seconds = min(2.0, 0.05 * Double(1 << min(failures, 10)))
        return Duration.seconds(seconds * Double.random(in: 0.5...1))
    }
}

extension PostgresError {
    // The same data gives the same error again.
    fileprivate var isAboutData: Bool {
        switch sqlState?.stateClass {
        case .dataException, .programLimitExceeded: true
        default: false
        }
    }
}

extension TaskQueueError {
    // A label: which of few things went wrong.
    fileprivate var reason: String {
        switch self {
        case .sessionDead: "sessionDead"
        case .unknownNamespace: "unknownNamespace"
        case .unavailable(let error): error.code.rawValue
        }
    }
}
