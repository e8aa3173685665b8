// What a worker process knows of itself: its session, what it is working on, what it has to report.

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
    let task: ClaimedTask
    /// Ends the call: the attempt is no longer wanted, or the session is gone.
    let stop = Wakeup()

    init(task: ClaimedTask) { self.task = task }
}

final class WorkerState: Sendable {
    private struct Inner {
        var phase = SessionPhase.none
        var running: [ExecutionKey: Execution] = [:]
        var outbox: [SettledTask] = []
        // What the last exchange took out and has not confirmed.
        var isDraining = false
        var isStopping = false
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
        inner.withLock { $0.phase = phase }
        wakeup.signal()
    }

    func drain() {
        inner.withLock { $0.isDraining = true }
        wakeup.signal()
    }

    /// Takes what is to be reported, and says how much may be claimed.
    func nextExchange() -> (session: SessionID?, outcomes: [SettledTask], room: Int) {
        inner.withLock { inner in
            let outcomes = Array(inner.outbox.prefix(WorkerConfiguration.exchangeLimit))
            inner.outbox.removeFirst(outcomes.count)
            let mayClaim = if case .alive = inner.phase { !inner.isDraining } else { false }
            return (inner.phase.session, outcomes, mayClaim ? max(0, slots - inner.running.count) : 0)
        }
    }

    /// The fences of everything that is under way or to be reported.
    var knownFences: [Fence] {
        inner.withLock { inner in inner.running.keys.map(\.fence) + inner.outbox.map(\.fence) }
    }

    /// Puts back what could not be reported: it is tried again.
    func putBack(_ outcomes: [SettledTask]) {
        inner.withLock { $0.outbox.insert(contentsOf: outcomes, at: 0) }
    }

    func begin(_ task: ClaimedTask) -> Execution {
        let execution = Execution(task: task)
        inner.withLock { $0.running[ExecutionKey(key: task.key, fence: task.fence)] = execution }
        return execution
    }

    func finish(_ execution: Execution, _ outcome: SettledTask?) {
        inner.withLock { inner in
            inner.running.removeValue(forKey: ExecutionKey(key: execution.task.key, fence: execution.task.fence))
            if let outcome { inner.outbox.append(outcome) }
        }
        wakeup.signal()
    }

    func cancel(_ key: TaskKey, _ fence: Fence) {
        inner.withLock { $0.running[ExecutionKey(key: key, fence: fence)] }?.stop.signal()
    }

    /// The session is gone: what was under way belongs to others, and what was not reported never will be.
    ///
    /// - Returns: how many calls were given up, and the outcomes that nobody will take any more.
    func loseSession() -> (calls: Int, outcomes: [SettledTask]) {
        let (lost, outcomes) = inner.withLock { inner in
            inner.phase = .none
            defer { inner.outbox.removeAll() }
            return (Array(inner.running.values), inner.outbox)
        }
        for execution in lost { execution.stop.signal() }
        return (lost.count, outcomes)
    }

    func stopAll() {
        for execution in inner.withLock({ Array($0.running.values) }) { execution.stop.signal() }
    }
}
