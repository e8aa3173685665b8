// What a batch of decisions writes, and the statements that write it (RunStore's change set).

import Engine
import WorkflowModel

/// The changes of one run in a transaction.
struct RunChange {
    let id: RunID
    let version: WorkflowVersion
    let isNew: Bool
    let relatives: Relatives
    var starts: Bool
    var facts: RunFacts
    var ending: RunEnding?
    var tasks: [StepPath: TaskChange] = [:]
    var taskOrder: [StepPath] = []
    var liveSteps: [StepPath: LiveStepChange] = [:]
    var liveStepOrder: [StepPath] = []
    var timers: [TimerRow.Key: TimerChange] = [:]
    var timerOrder: [TimerRow.Key] = []
    var waits: [StepPath: WaitOrder?] = [:]
    var waitOrder: [StepPath] = []

    enum TaskChange {
        case insert(node: Int, input: JSONText)
        case ready(TaskFacts)
        case wait(TaskFacts)
        case wake
        case delete
        case nothing
    }

    enum LiveStepChange {
        case keep(node: Int, LiveStepFacts)
        case drop
    }

    enum TimerChange {
        case set(Timestamp, isAbsolute: Bool)
        case remove
    }

    init(id: RunID, version: WorkflowVersion, isNew: Bool, facts: RunFacts, relatives: Relatives) {
        self.id = id
        self.version = version
        self.isNew = isNew
        starts = isNew
        self.facts = facts
        self.relatives = relatives
    }

    var root: RunID { relatives.root ?? id }

    /// When the run's own time-out passes.
    var deadline: Timestamp? { version.program.definition.timeout.map { facts.submittedAt + $0 } }

    mutating func setTask(_ path: StepPath, _ change: TaskChange) {
        if tasks.updateValue(change, forKey: path) == nil { taskOrder.append(path) }
    }

    mutating func setTimer(_ path: StepPath?, _ kind: TimerKind, _ change: TimerChange) {
        let key = TimerRow.Key(run: id, path: path ?? StepPath(""), kind: kind)
        if timers.updateValue(change, forKey: key) == nil { timerOrder.append(key) }
    }

    private mutating func setLiveStep(_ path: StepPath, _ change: LiveStepChange) {
        if liveSteps.updateValue(change, forKey: path) == nil { liveStepOrder.append(path) }
    }

    private mutating func setWait(_ path: StepPath, _ order: WaitOrder?) {
        if waits.updateValue(order, forKey: path) == nil { waitOrder.append(path) }
    }

    mutating func merge(_ command: Command, into batch: inout Changes) {
        switch command {
        case .enqueue(let path, let node, let input): setTask(path, .insert(node: node, input: input))
        case .requeue(let path, let task):
            if case .insert = tasks[path] { return }
            setTask(path, .ready(task))
        case .backOff(let path, let task, let dueAt):
            setTask(path, .wait(task))
            setTimer(path, .backoff, .set(dueAt, isAbsolute: false))
        case .wake(let path): setTask(path, .wake)
        case .dequeue(let path, let hasTimer):
            if hasTimer { setTimer(path, .backoff, .remove) }
            if case .insert = tasks[path] { setTask(path, .nothing) } else { setTask(path, .delete) }
        case .tellWorker(let path): batch.notices.append(StepKey(run: id, path: path))
        case .setTimer(let path, let kind, let dueAt, let isAbsolute): setTimer(path, kind, .set(dueAt, isAbsolute: isAbsolute))
        case .removeTimer(let path, let kind): setTimer(path, kind, .remove)
        case .keepItems(let path, let items): batch.items.append(ItemsRow(run: id, path: path, items: items))
        case .startChild(let start): batch.children.append((id, start))
        case .cancelChild(let path): batch.childCancels.append(StepKey(run: id, path: path))
        case .wait(let order): setWait(order.path, order)
        case .endWait(let path): setWait(path, nil)
        case .consume(let event, let path): batch.decide(event, of: id, path, .consumed)
        case .refuse(let event, let path, _): batch.decide(event, of: id, path, .refused)
        case .dropEvent(let event, let path): batch.decide(event, of: id, path, .dropped)
        case .emit(let order): batch.emits.append((id, order))
        case .chain(let start): batch.chains.append((id, start))
        case .keep(let path, let node, let facts): setLiveStep(path, .keep(node: node, facts))
        case .drop(let path): setLiveStep(path, .drop)
        case .recordStep(let record): batch.steps.append(StepRow(run: id, record: record))
        case .recordAttempt(let record): batch.attempts.append(AttemptRow(run: id, record: record))
        case .recordEvent(let record):
            batch.notes.append(RunEventRow(run: id, sequence: record.sequence, kind: record.kind, path: record.path))
        case .end(let ending): self.ending = ending
        }
    }
}

/// The changes of all runs of a batch.
struct Changes {
    struct EventDecision {
        let event: Int64
        let run: RunID
        var state: EventRow.State
        let path: StepPath
    }

    var steps: [StepRow] = []
    var attempts: [AttemptRow] = []
    var notes: [RunEventRow] = []
    var notices: [StepKey] = []
    var inboxIDs: [Int64] = []
    var refused: [StepKey] = []
    var items: [ItemsRow] = []
    var children: [(RunID, ChildStart)] = []
    var chains: [(RunID, ChainStart)] = []
    var letters: [(RunID, String, Failure)] = []
    var refusedChildren: [(RunID, ChildStart, Failure)] = []
    var childCancels: [StepKey] = []
    var events: [EventDecision] = []
    var emits: [(RunID, EmitOrder)] = []

    mutating func decide(_ event: Int64, of run: RunID, _ path: StepPath, _ state: EventRow.State) {
        guard let index = events.firstIndex(where: { $0.event == event && $0.run == run && $0.path == path }) else { return }
        events[index].state = state
    }

    mutating func forgetWritten() {
        steps = []
        attempts = []
        notes = []
        items = []
    }
}
