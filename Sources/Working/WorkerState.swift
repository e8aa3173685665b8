// What a worker process knows of itself: its session, what it is working on, what it has to report.

import AgentCalls
import Postgres
import Synchronization
import TaskQueue
import WorkflowModel

/// The lease as the process sees it.
enum SessionPhase: Equatable {
    /// No session: it is being registered.
    case none
    /// The lease was renewed in time.
    case alive(SessionID)
    /// No renewal has been confirmed for 80 % of the lease: nothing more is claimed, running calls go on.
    case doubtful(SessionID)

    var session: SessionID? {
        switch self {
        case .none: nil
        case .alive(let id), .doubtful(let id): id
        }
    }
}

/// One attempt that this process carries out.
final class Execution: Sendable {
    private struct Inner {
        var isStopped = false
        var call: Task<AgentResult, Never>?
    }

    let task: ClaimedTask
    private let inner = Mutex(Inner())

    init(task: ClaimedTask) { self.task = task }

    /// Ends the call: the attempt is no longer wanted, or the session is gone. A call that begins later ends at once.
    func stop() {
        inner.withLock { inner in
            inner.isStopped = true
            return inner.call
        }?.cancel()
    }

    /// Waits for the call, and ends it when it is to be stopped or this task is cancelled.
    func result(of call: Task<AgentResult, Never>) async -> AgentResult {
        let isStopped = inner.withLock { inner in
            inner.call = call
            return inner.isStopped
        }
        if isStopped { call.cancel() }
        return await withTaskCancellationHandler {
            await call.value
        } onCancel: {
            call.cancel()
        }
    }
}

final class WorkerState: Sendable {
    private struct Inner {
        var phase = SessionPhase.none
        var running: [ExecutionKey: Execution] = [:]
        var outbox: [SettledTask] = []
        // Reported and kept, or perhaps kept, but perhaps not durable yet: since when the server has had them at the latest.
        var reported: [(outcome: SettledTask, at: ContinuousClock.Instant)] = []
        // Reported once more, because a crash may have taken the first report with it.
        var repeated: Set<Fence> = []
        // When the first outcome came that has not been taken out.
        var waitingSince: ContinuousClock.Instant?
        // Whether there may be tasks to claim: a notification came, the last claim left some, or it is time to look.
        var mayFindTasks = true
        var isDraining = false

        mutating func takeOutcomes(upTo limit: Int) -> [SettledTask] {
            let outcomes = Array(outbox.prefix(limit))
            outbox.removeFirst(outcomes.count)
            waitingSince = outbox.isEmpty ? nil : waitingSince
            return outcomes
        }

        mutating func add(_ outcomes: some Collection<SettledTask>) {
            if outbox.isEmpty { waitingSince = ContinuousClock.now }
            outbox += outcomes
        }

        mutating func remember(_ outcomes: [SettledTask], since moment: ContinuousClock.Instant) {
            let fences = Set(outcomes.map(\.fence))
            reported.removeAll { fences.contains($0.outcome.fence) }
            reported += outcomes.map { ($0, moment) }
        }
    }

    private struct ExecutionKey: Hashable {
        let key: TaskKey
        let fence: Fence
    }

    private let inner = Mutex(Inner())
    let slots: Int
    /// Wakes the exchange loop.
    let wakeup = Wakeup()

    init(slots: Int) { self.slots = slots }

    var phase: SessionPhase { inner.withLock { $0.phase } }
    var isDraining: Bool { inner.withLock { $0.isDraining } }
    var runningCount: Int { inner.withLock { $0.running.count } }
    /// Whether nothing is under way and nothing is left to report.
    var isIdle: Bool { inner.withLock { $0.running.isEmpty && $0.outbox.isEmpty } }

    func set(_ phase: SessionPhase) {
        inner.withLock { inner in
            inner.phase = phase
            inner.mayFindTasks = true
        }
        wakeup.signal()
    }

    func drain() {
        inner.withLock { $0.isDraining = true }
        wakeup.signal()
    }

    /// There may be tasks to claim.
    func noteTasksReady() {
        lookForTasks()
        wakeup.signal()
    }

    /// The next exchange claims, whether anybody said that there are tasks or not.
    func lookForTasks() { inner.withLock { $0.mayFindTasks = true } }

    /// What the exchange loop does next.
    enum Next {
        /// Report these, and claim up to `room` tasks.
        case exchange(SessionID, [SettledTask], room: Int)
        /// There is no session, and nobody takes these.
        case drop([SettledTask])
        /// Nothing to do before something happens, or this time has passed.
        case wait(Duration?)
    }

    /// What to do now. Outcomes go together with those that come within a millisecond, so that a busy worker reports by the dozen; one
    /// that no other can follow goes at once.
    func next(at now: ContinuousClock.Instant) -> Next {
        inner.withLock { inner in
            guard let session = inner.phase.session else {
                let outcomes = inner.takeOutcomes(upTo: .max)
                return outcomes.isEmpty ? .wait(nil) : .drop(outcomes)
            }
            let mayClaim = if case .alive = inner.phase { !inner.isDraining } else { false }
            let room = mayClaim ? max(0, slots - inner.running.count) : 0
            if !inner.outbox.isEmpty {
                let waited = inner.waitingSince.map { now - $0 } ?? .zero
                let goesNow = inner.outbox.count >= WorkerConfiguration.reportSize || inner.running.isEmpty
                    || waited >= WorkerConfiguration.reportDelay
                guard goesNow else { return .wait(WorkerConfiguration.reportDelay - waited) }
            } else if room == 0 || !inner.mayFindTasks {
                return .wait(nil)
            }
            // A notification that comes while the claim is under way is meant for the next one.
            if room > 0 { inner.mayFindTasks = false }
            return .exchange(session, inner.takeOutcomes(upTo: WorkerConfiguration.exchangeLimit), room: room)
        }
    }

    /// The fences of everything that is under way or to be reported.
    var knownFences: [Fence] {
        inner.withLock { inner in inner.running.keys.map(\.fence) + inner.outbox.map(\.fence) }
    }

    /// Puts back what could not be reported: it is tried again. With it goes what was reported just before the last answer: when the server has
    /// crashed since, that may be lost, too, however late this process notices. All of it stays in doubt: to be refused because the first report
    /// is there makes that one no more durable, and the next connection may be lost to a crash.
    func putBack(_ outcomes: [SettledTask], now: ContinuousClock.Instant = .now) {
        inner.withLock { inner in
            let listed = Set((outcomes + inner.outbox).map(\.fence))
            let doubtful = inner.reported.map(\.outcome).filter { !listed.contains($0.fence) }
            inner.repeated.formUnion(inner.reported.map(\.outcome.fence))
            inner.add(doubtful + outcomes)
            inner.remember(outcomes, since: now)
        }
    }

    /// What is committed without a lease is durable a little later: three times `wal_writer_delay` at most, 0.6 s unless somebody has changed it.
    static let durableAfter: Duration = .seconds(1)

    /// These were reported. With new leases in the same commit they and all before them are durable; without, those that were kept, now or perhaps
    /// by an earlier report, are remembered for a while: until the server has answered something that was asked that much later. The clock of
    /// this process says nothing, it may have stood still.
    ///
    /// - Parameters:
    ///   - kept: which of them were kept.
    ///   - asked: when the request was sent whose answer this is.
    ///   - now: when the answer came.
    func noteReported(
        _ outcomes: [SettledTask], kept: [Bool], isDurable: Bool, asked: ContinuousClock.Instant, now: ContinuousClock.Instant = .now
    ) {
        inner.withLock { inner in
            guard !isDurable else { return inner.reported = [] }
            let known = Set(inner.reported.map(\.outcome.fence))
            inner.reported.removeAll { asked - $0.at >= Self.durableAfter }
            inner.remember(zip(outcomes, kept).filter { $1 || known.contains($0.fence) }.map(\.0), since: now)
        }
    }

    /// Whether an outcome that the database refused was only reported once more.
    func wasRepeated(_ fence: Fence) -> Bool { inner.withLock { $0.repeated.remove(fence) != nil } }

    func begin(_ task: ClaimedTask) -> Execution {
        let execution = Execution(task: task)
        inner.withLock { $0.running[ExecutionKey(key: task.key, fence: task.fence)] = execution }
        return execution
    }

    func finish(_ execution: Execution, _ outcome: SettledTask) {
        let changesWhatIsNext = inner.withLock { inner in
            inner.running.removeValue(forKey: ExecutionKey(key: execution.task.key, fence: execution.task.fence))
            inner.add(CollectionOfOne(outcome))
            return inner.outbox.count == 1 || inner.outbox.count == WorkerConfiguration.reportSize || inner.running.isEmpty
        }
        if changesWhatIsNext { wakeup.signal() }
    }

    func cancel(_ key: TaskKey, _ fence: Fence) {
        inner.withLock { $0.running[ExecutionKey(key: key, fence: fence)] }?.stop()
    }

    /// The session is gone: what was under way belongs to others, and what was not reported never will be.
    ///
    /// - Returns: how many calls were given up, and the outcomes that nobody will take any more.
    func loseSession() -> (calls: Int, outcomes: [SettledTask]) {
        let (lost, outcomes) = inner.withLock { inner in
            inner.phase = .none
            inner.reported = []
            inner.repeated = []
            return (Array(inner.running.values), inner.takeOutcomes(upTo: .max))
        }
        for execution in lost { execution.stop() }
        return (lost.count, outcomes)
    }

    func stopAll() {
        for execution in inner.withLock({ Array($0.running.values) }) { execution.stop() }
    }
}
