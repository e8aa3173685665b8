// The tables of one run in memory, with the rules by which workers, orders and folds may change them.

import Engine
import WorkflowModel

/// A store that behaves like the real one. Whatever breaks a promise is thrown as a `Violation`.
struct ModelStore {
    /// The row of a live attempt.
    struct TaskRow {
        enum State { case ready, leased, settled, waiting }

        var state = State.ready
        var held = false
        var attempt = 1
        var losses = 0
        var retryCounts: [Int] = []
        var lastDelay = Duration.zero
        var startedAt: Timestamp?
        var input: JSONText
        var lease: Lease?
        var outcome: TaskOutcome?
    }

    /// What a worker holds.
    struct Lease: Equatable {
        let node: Int
        let fence: Fence
        let session: SessionID
        let claimedAt: Timestamp
    }

    enum Order {
        case start
        case cancel
    }

    let outline: Outline
    let program: Program
    let runInput: JSONText

    // The tables; those of steps are aligned with the outline.
    var tasks: [TaskRow?]
    var liveSteps: [LiveStepFacts?]
    var backoffs: [Timestamp?]
    var steps: [StepRecord?]
    var attempts: [AttemptRecord] = []
    var events: [EventRecord] = []
    var orders: [Order] = []
    var deadline: Timestamp?
    var run: RunFacts
    var ending: RunEnding?
    var told: Set<Int> = []

    // What a coordinator remembers between folds.
    var keptFrame: Frame?
    var now = Timestamp(microseconds: 1_700_000_000_000_000)
    var lastFence: Int64 = 0
    // The highest fence that was ever granted for each step.
    var fences: [Fence?]
    // Commands of all folds so far, as text.
    var journal: [String] = []

    /// Accepts a run. It starts with the next fold.
    init(_ definition: WorkflowDefinition, input: JSONValue = ["n": 1]) throws {
        outline = try Outline(definition)
        program = try Program(definition)
        runInput = JSONText(input)
        let count = outline.entries.count
        tasks = Array(repeating: nil, count: count)
        liveSteps = Array(repeating: nil, count: count)
        backoffs = Array(repeating: nil, count: count)
        steps = Array(repeating: nil, count: count)
        fences = Array(repeating: nil, count: count)
        run = RunFacts(
            id: RunID(UUIDBytes(high: 0x0192_0000_0000_7000, low: 0x8000_0000_0000_0001)), version: 1, historyLength: 1, submittedAt: now,
            trigger: "api", input: nil)
        orders = [.start]
        deadline = definition.timeout.map { now + $0 }
        guard program.nodes.map(\.path) == outline.entries.map(\.path) else {
            throw Violation("numbering", "the program numbers its steps otherwise than the file")
        }
    }

    // MARK: Workers

    var claimable: [Int] { tasks.indices.filter { tasks[$0]?.state == .ready && tasks[$0]?.held == false } }
    var leased: [Int] { tasks.indices.filter { tasks[$0]?.state == .leased } }

    mutating func claim(_ node: Int, session: Int64 = 1) -> Lease? {
        guard tasks[node]?.state == .ready, tasks[node]?.held == false else { return nil }
        lastFence += 1
        let lease = Lease(node: node, fence: Fence(lastFence), session: SessionID(session), claimedAt: now)
        tasks[node]?.state = .leased
        tasks[node]?.lease = lease
        fences[node] = lease.fence
        return lease
    }

    /// Reports an outcome. False when the lease has passed on: nothing has changed.
    @discardableResult
    mutating func settle(_ lease: Lease, _ status: AttemptStatus, output: JSONText? = nil, failure: Failure? = nil) -> Bool {
        guard let row = tasks[lease.node], row.state == .leased, row.lease == lease else { return false }
        tasks[lease.node]?.state = .settled
        tasks[lease.node]?.outcome = TaskOutcome(
            path: outline.entries[lease.node].path, fence: lease.fence, session: lease.session, status: status, output: output,
            failure: failure, claimedAt: lease.claimedAt, settledAt: now, task: Self.facts(of: row, phase: .settled))
        return true
    }

    /// The lease of a worker that is gone runs out.
    mutating func reap(_ node: Int) {
        guard let lease = tasks[node]?.lease else { return }
        settle(lease, .lost, failure: Failure(type: .lost, message: "the worker was lost in mid-call"))
    }

    // MARK: Orders

    /// Acknowledges a cancellation: from now on nothing of the run can be claimed.
    mutating func cancel(reason: String? = nil) {
        guard ending == nil, !run.cancelRequested else { return }
        run.cancelRequested = true
        run.cancelReason = reason
        for node in tasks.indices where tasks[node]?.state == .ready { tasks[node]?.held = true }
        orders.append(.cancel)
    }

    // MARK: Looking

    /// Whether there is something for a fold to do.
    var isDue: Bool {
        ending == nil
            && (!orders.isEmpty || tasks.contains { $0?.state == .settled } || backoffs.contains { $0.map { $0 <= now } ?? false }
                || deadline.map { $0 <= now } ?? false)
    }

    /// The next moment at which a timer is due.
    var nextTimer: Timestamp? { (backoffs.compactMap { $0 } + [deadline].compactMap { $0 }).min() }

    static func facts(of row: TaskRow, phase: TaskFacts.Phase) -> TaskFacts {
        TaskFacts(
            attempt: row.attempt, losses: row.losses, retryCounts: row.retryCounts, lastDelay: Duration(seconds: row.lastDelay.seconds),
            startedAt: row.startedAt, phase: phase)
    }

    /// What the tables say of a step; nil where no table has a row.
    func facts(of node: Int, locked: Bool) -> StepFacts? {
        if let record = steps[node] {
            var settled = record.settled
            settled.failure = settled.failure.map { Failure(json: $0.json) }
            return .settled(settled)
        }
        switch liveSteps[node] {
        case .pending(let pending): return .pending(pending)
        case .block(var block):
            block.ending = block.ending.flatMap { BlockEnding(json: $0.json) }
            return .block(block)
        case nil: break
        }
        guard let row = tasks[node] else { return nil }
        let phase: TaskFacts.Phase =
            switch row.state {
            case .waiting: .waiting
            case .settled: .settled
            case .leased: locked ? .leased : .unknown
            case .ready: locked ? .ready : .unknown
            }
        return .task(Self.facts(of: row, phase: phase))
    }

    /// The step as expressions see it; nil while it has not settled.
    func settledValue(_ node: Int) -> JSONValue? {
        guard let settled = steps[node]?.settled else { return nil }
        return [
            "output": settled.output?.value ?? .null, "status": .string(settled.status.rawValue),
            "error": settled.failure?.json ?? .null, "attempts": .int(Int64(settled.attempts)),
        ]
    }
}
