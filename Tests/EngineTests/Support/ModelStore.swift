// The tables of one run in memory, with the rules by which workers, orders and folds may change them.

import Engine
import Simulation
import WorkflowModel

/// A store that behaves like the real one. Whatever breaks a promise is thrown as a `Violation`.
struct ModelStore {
    /// The row of a live attempt.
    struct TaskRow {
        enum State { case ready, leased, settled, waiting }

        let node: Int
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
        var isUnwanted = false
    }

    /// What a worker holds.
    struct Lease: Equatable {
        let path: StepPath
        let fence: Fence
        let session: SessionID
        let claimedAt: Timestamp
    }

    struct LiveRow {
        let node: Int
        var facts: LiveStepFacts
    }

    struct TimerKey: Hashable {
        let path: StepPath?
        let kind: TimerKind
    }

    struct Timer {
        let dueAt: Timestamp
        let isAbsolute: Bool
    }

    /// An event that came in.
    struct EventRow {
        enum State: Equatable { case open, consumed, refused(String), dropped }

        let facts: EventFacts
        var state = State.open
        // The waits that it was handed to.
        var handedTo: Set<Int> = []
    }

    struct WaitRow {
        let order: WaitOrder
        // Tells a wait from the next one of the same step.
        let number: Int
    }

    /// A run of a sub-workflow that the parent waits for.
    struct ChildRow {
        let start: ChildStart
        var isCancelled = false
        var ending: ChildEnding?
    }

    enum Order {
        case start
        case cancel
        case adjust(StepPath, LoopAdjustment)
    }

    let definition: WorkflowDefinition
    let program: Program
    let runInput: JSONText

    // The tables.
    var tasks: [StepPath: TaskRow] = [:]
    var live: [StepPath: LiveRow] = [:]
    var steps: [StepPath: StepRecord] = [:]
    var stepOrder: [StepPath] = []
    var timers: [TimerKey: Timer] = [:]
    var waits: [StepPath: WaitRow] = [:]
    var arrivals: [EventRow] = []
    var children: [StepPath: ChildRow] = [:]
    var items: [StepPath: [JSONText]] = [:]
    // The settled iterations of each loop.
    var iterations: [StepPath: Set<Int>] = [:]
    var emitted: [EmitOrder] = []
    var started: [ChildStart] = []
    var chained: [ChainStart] = []
    var attempts: [AttemptRecord] = []
    var events: [EventRecord] = []
    var orders: [Order] = []
    var deadline: Timestamp?
    var run: RunFacts
    var ending: RunEnding?
    var told: Set<StepPath> = []
    // What a fold has decided and not written yet.
    var unwritten: [Command] = []
    // Everything that ever had a row as a task or live step.
    var begun: Set<StepPath> = []

    // The root block after the decision that is being written.
    var rootAfter: BlockFacts?

    // What a coordinator remembers between folds.
    var keptFrame: Frame?
    var now = Timestamp(microseconds: 1_700_000_000_000_000)
    var lastFence: Int64 = 0
    var lastWait = 0
    // The highest fence that was ever granted for each step.
    var fences: [StepPath: Fence] = [:]
    // Commands of all folds so far, as text.
    var journal: [String] = []
    // The output of a run whose result is a loop's.
    var output: JSONText?

    /// Accepts a run. It starts with the next fold.
    init(_ definition: WorkflowDefinition, input: JSONValue = ["n": 1]) throws {
        self.definition = definition
        program = try Program(definition)
        runInput = JSONText(input)
        run = RunFacts(
            id: RunID(UUIDBytes(high: 0x0192_0000_0000_7000, low: 0x8000_0000_0000_0001)), version: 1, historyLength: 1, submittedAt: now,
            trigger: "api", input: nil)
        for name in program.callees { run.callees[name] = CalleeFacts(versionID: VersionID(7), number: 2) }
        orders = [.start]
        deadline = definition.timeout.map { now + $0 }
    }

    /// The node of a path.
    func node(_ path: StepPath) throws(Violation) -> Node {
        guard let node = program.node(at: path) else { throw Violation("numbering", "there is no step \(path)") }
        return node
    }

    // MARK: Workers

    private func sorted(_ state: TaskRow.State) -> [StepPath] {
        tasks.filter { $0.value.state == state && !($0.value.held && state == .ready) }
            .sorted { ($0.value.node, $0.key.text.utf8.count, $0.key) < ($1.value.node, $1.key.text.utf8.count, $1.key) }.map(\.key)
    }

    var claimable: [StepPath] { sorted(.ready) }
    var leased: [StepPath] { sorted(.leased) }

    mutating func claim(_ path: StepPath, session: Int64 = 1) -> Lease? {
        guard tasks[path]?.state == .ready, tasks[path]?.held == false else { return nil }
        lastFence += 1
        let lease = Lease(path: path, fence: Fence(lastFence), session: SessionID(session), claimedAt: now)
        tasks[path]?.state = .leased
        tasks[path]?.lease = lease
        fences[path] = lease.fence
        return lease
    }

    /// Reports an outcome. False when the lease has passed on: nothing has changed.
    @discardableResult
    mutating func settle(_ lease: Lease, _ status: AttemptStatus, output: JSONText? = nil, failure: Failure? = nil) -> Bool {
        guard let row = tasks[lease.path], row.state == .leased, row.lease == lease else { return false }
        tasks[lease.path]?.state = .settled
        tasks[lease.path]?.outcome = TaskOutcome(
            path: lease.path, fence: lease.fence, session: lease.session, status: status, output: output, failure: failure,
            claimedAt: lease.claimedAt, settledAt: now, task: Self.facts(of: row, phase: .settled))
        return true
    }

    /// The lease of a worker that is gone runs out.
    mutating func reap(_ path: StepPath) {
        guard let lease = tasks[path]?.lease else { return }
        settle(lease, .lost, failure: Failure(type: .lost, message: "the worker was lost in mid-call"))
    }

    // MARK: Orders, events and children

    /// Acknowledges a cancellation: from now on nothing of the run can be claimed.
    mutating func cancel(reason: String? = nil) {
        guard ending == nil, !run.cancelRequested else { return }
        run.cancelRequested = true
        run.cancelReason = reason
        for path in tasks.keys where tasks[path]?.state == .ready { tasks[path]?.held = true }
        orders.append(.cancel)
    }

    /// An event comes in.
    mutating func signal(_ name: String, _ data: JSONValue = [:], key: String? = nil, actor: String? = nil) {
        arrivals.append(
            EventRow(
                facts: EventFacts(
                    id: Int64(arrivals.count + 1), name: name, key: key, data: JSONText(data), actor: actor, at: now)))
    }

    /// The run of a sub-workflow ends.
    mutating func endChild(_ path: StepPath, _ status: RunStatus, output: JSONValue? = nil, failure: Failure? = nil) {
        guard let child = children[path], child.ending == nil else { return }
        children[path]?.ending = ChildEnding(
            path: path, runID: child.start.runID, attempt: child.start.attempt, status: status, output: output.map { JSONText($0) },
            failure: failure)
    }

    // MARK: Looking

    /// What waits and events there are to bring together, in the order of the events. An event is with one wait at a time.
    var matches: [(StepPath, Int)] {
        var found: [(StepPath, Int)] = []
        for (index, row) in arrivals.enumerated() where row.state == .open {
            for (path, wait) in waits.sorted(by: { $0.key < $1.key }) where !row.handedTo.contains(wait.number) {
                guard wait.order.names.map({ $0.contains(row.facts.name) }) ?? true, wait.order.key == row.facts.key else { continue }
                found.append((path, index))
                break
            }
        }
        return found
    }

    /// Whether there is something for a fold to do.
    var isDue: Bool {
        ending == nil
            && (!orders.isEmpty || tasks.values.contains { $0.state == .settled } || timers.values.contains { $0.dueAt <= now }
                || children.values.contains { $0.ending != nil } || !matches.isEmpty || deadline.map { $0 <= now } ?? false)
    }

    /// The next moment at which a timer is due.
    var nextTimer: Timestamp? { (timers.values.map(\.dueAt) + [deadline].compactMap { $0 }).min() }

    static func facts(of row: TaskRow, phase: TaskFacts.Phase) -> TaskFacts {
        TaskFacts(
            attempt: row.attempt, losses: row.losses, retryCounts: row.retryCounts, lastDelay: Duration(seconds: row.lastDelay.seconds),
            startedAt: row.startedAt, phase: phase, isUnwanted: row.isUnwanted)
    }

    /// What the tables say of a step; nil where no table has a row.
    func facts(of path: StepPath, locked: Bool) -> StepFacts? {
        if let record = steps[path] {
            var settled = record.settled
            settled.failure = settled.failure.map { Failure(json: $0.json) }
            settled.collected = nil
            if program.nodes[record.node].isLoop { settled.output = nil }
            return .settled(settled)
        }
        return liveFacts(of: path, locked: locked)
    }

    /// What the tables of live rows say of a step.
    func liveFacts(of path: StepPath, locked: Bool) -> StepFacts? {
        if let row = live[path] { return LiveStepFacts(stored: row.facts.stored).map { .live($0) } }
        guard let row = tasks[path] else { return nil }
        let phase: TaskFacts.Phase =
            switch row.state {
            case .waiting: .waiting
            case .settled: .settled
            case .leased: locked ? .leased : .unknown
            case .ready: locked ? .ready : .unknown
            }
        return .task(Self.facts(of: row, phase: phase))
    }

    // MARK: Loops

    /// The list that a loop gives, from the rows of its iterations.
    func collect(_ loop: StepPath, _ collected: CollectedOutput) -> JSONText {
        let settled = (0..<collected.count).map { steps[StepPath("\(loop)[\($0)]")]?.settled }
        switch collected.collect {
        case .none: return .null
        case .last: return settled.last { $0?.status == .succeeded }??.output ?? .null
        case .list:
            return JSONText(.array(settled.map { $0?.status == .succeeded ? $0?.output?.value ?? .null : .null }))
        }
    }

    func results(of loop: StepPath) -> LoopResults {
        var ok: [JSONValue] = []
        var failed: [JSONValue] = []
        for index in (iterations[loop] ?? []).sorted() {
            guard let settled = steps[StepPath("\(loop)[\(index)]")]?.settled else { continue }
            switch settled.status {
            case .succeeded: ok.append(settled.output?.value ?? .null)
            case .failed:
                let item = items[loop].flatMap { index < $0.count ? $0[index].value : nil } ?? .null
                failed.append(["index": .int(Int64(index)), "item": item, "error": settled.failure?.json ?? .null])
            case .pending, .ready, .running, .waiting, .skipped, .cancelled: continue
            }
        }
        return LoopResults(
            output: steps[loop]?.settled.output ?? .null, ok: JSONText(.array(ok)), failed: JSONText(.array(failed)))
    }
}
