// What a batch of decisions writes, gathered set-wise: one array a column, one statement a table.
//
// Commands are merged by step first, so that a task that was made and taken back in the same transaction leaves no trace, and the
// next step of a sequence takes over the row of the step before it.

import Engine
import Postgres
import WorkflowModel

/// The changes of one run in this transaction.
struct RunChange {
    let id: RunID
    let version: LoadedVersion
    // A run that is being submitted has no row yet.
    let isNew: Bool
    // Whether this transaction starts it.
    var starts: Bool
    var facts: RunFacts
    var ending: RunEnding?
    var tasks: [StepPath: TaskChange] = [:]
    var taskOrder: [StepPath] = []
    var liveSteps: [StepPath: LiveStepChange] = [:]
    var liveStepOrder: [StepPath] = []

    init(id: RunID, version: LoadedVersion, isNew: Bool, facts: RunFacts) {
        self.id = id
        self.version = version
        self.isNew = isNew
        starts = isNew
        self.facts = facts
    }
}

enum TaskChange {
    case insert(node: Int, input: JSONText)
    case ready(TaskFacts)
    case wait(TaskFacts, dueAt: Timestamp)
    case wake
    case delete(hasTimer: Bool)
    case nothing
}

enum LiveStepChange {
    // `hasRow`: an upsert; otherwise it is known to be new in this transaction.
    case keep(node: Int, LiveStepFacts)
    case drop
}

extension RunChange {
    // Merges a command; history rows go to the batch directly.
    mutating func merge(_ command: Command, into batch: inout ChangeSet) {
        switch command {
        case .enqueue(let path, let node, let input): setTask(path, .insert(node: node, input: input))
        case .requeue(let path, let task):
            if case .insert = tasks[path] { return }
            setTask(path, .ready(task))
        case .backOff(let path, let task, let dueAt): setTask(path, .wait(task, dueAt: dueAt))
        case .wake(let path): setTask(path, .wake)
        case .dequeue(let path, let hasTimer):
            switch tasks[path] {
            case .insert: setTask(path, .nothing)
            case .wake: setTask(path, .delete(hasTimer: true))
            case nil, .ready, .wait, .delete, .nothing: setTask(path, .delete(hasTimer: hasTimer))
            }
        case .tellWorker(let path): batch.notices.append((id, path))
        case .keep(let path, let node, let facts):
            if liveSteps[path] == nil { liveStepOrder.append(path) }
            liveSteps[path] = .keep(node: node, facts)
        case .drop(let path):
            if liveSteps[path] == nil { liveStepOrder.append(path) }
            liveSteps[path] = .drop
        case .recordStep(let record): batch.steps.append((id, version, record))
        case .recordAttempt(let record): batch.attempts.append((id, version, record))
        case .recordEvent(let record): batch.events.append((id, version, record))
        case .end(let ending): self.ending = ending
        }
    }

    private mutating func setTask(_ path: StepPath, _ change: TaskChange) {
        if tasks.updateValue(change, forKey: path) == nil { taskOrder.append(path) }
    }
}

/// The changes of all runs of a batch.
struct ChangeSet {
    var steps: [(RunID, LoadedVersion, StepRecord)] = []
    var attempts: [(RunID, LoadedVersion, AttemptRecord)] = []
    var events: [(RunID, LoadedVersion, EventRecord)] = []
    var notices: [(RunID, StepPath)] = []
    var inboxIDs: [Int64] = []
    // Settled tasks whose outcome the engine refused: their rows go, or they would be folded for ever.
    var refused: [(RunID, StepPath)] = []

    /// The statements that write everything, in the order of locks and of what reads what.
    ///
    /// - Parameter runs: the changed runs; the caller holds their locks.
    func statements(for runs: [RunChange], now: Timestamp) -> [(SQL, [Parameter])] {
        var statements: [(SQL, [Parameter])] = []
        appendRunInserts(runs, to: &statements)
        appendHistory(to: &statements)
        appendTasks(runs, to: &statements)
        appendLiveSteps(runs, to: &statements)
        appendTimers(runs, to: &statements)
        appendNotices(to: &statements)
        appendRunUpdates(runs, to: &statements)
        return statements
    }
}

extension RunID {
    var pair: UUIDPair { UUIDPair(high: uuid.high, low: uuid.low) }
    init(_ pair: UUIDPair) { self.init(UUIDBytes(high: pair.high, low: pair.low)) }
}
