// What a batch of decisions writes, gathered set-wise: one array a column, one statement a table, history and many new tasks in portions.
//
// Commands are merged by step first, so that a task that was made and taken back in the same transaction leaves no trace, and the
// next step of a sequence takes over the row of the step before it.

import Engine
import OrderedCollections
import Postgres
import WorkflowModel

/// The changes of one run in this transaction.
struct RunChange {
    let id: RunID
    let version: LoadedVersion
    // A run that is being submitted has no row yet.
    let isNew: Bool
    // What a new run is below, or comes after.
    let relatives: Relatives
    // Whether this transaction starts it.
    var starts: Bool
    var facts: RunFacts
    var ending: RunEnding?
    // In the order in which they came about.
    var tasks: OrderedDictionary<StepPath, TaskChange> = [:]
    var liveSteps: OrderedDictionary<StepPath, LiveStepChange> = [:]
    var timers: OrderedDictionary<TimerKey, TimerChange> = [:]
    var waits: OrderedDictionary<StepPath, WaitChange> = [:]

    init(id: RunID, version: LoadedVersion, isNew: Bool, facts: RunFacts, relatives: Relatives) {
        self.id = id
        self.version = version
        self.isNew = isNew
        starts = isNew
        self.facts = facts
        self.relatives = relatives
    }
}

/// Where a run stands among others.
struct Relatives: Sendable {
    // The run whose step started it, that step, and which try of it this is.
    var parent: RunID?
    var parentPath: StepPath?
    var parentAttempt = 0
    var isAwaited = false
    var followsParent = false
    // The run after whose ending it was started.
    var source: RunID?
    // The first run of its tree; nil is itself.
    var root: RunID?
    // The versions of its sub-workflows, as the tables keep them.
    var callees: String?

    static let none = Relatives()

    var isNone: Bool { parent == nil && source == nil && callees == nil }
}

struct TimerKey: Hashable {
    // Empty for the run itself.
    let path: String
    let kind: TimerKind
}

enum TimerChange {
    case set(Timestamp, isAbsolute: Bool)
    case remove
}

enum TaskChange {
    case insert(node: Int, input: JSONText)
    case ready(TaskFacts)
    case wait(TaskFacts)
    case wake
    case delete
    case nothing
}

enum LiveStepChange {
    indirect case keep(node: Int, LiveStepFacts)
    case drop
}

enum WaitChange {
    case set(WaitOrder)
    case end
}

extension RunChange {
    // Merges a command; history rows go to the batch directly.
    mutating func merge(_ command: Command, into batch: inout ChangeSet) {
        switch command {
        case .enqueue(let path, let node, let input): tasks[path] = .insert(node: node, input: input)
        case .requeue(let path, let task):
            if case .insert = tasks[path] { return }
            tasks[path] = .ready(task)
        case .backOff(let path, let task, let dueAt):
            tasks[path] = .wait(task)
            timers[TimerKey(path: path.text, kind: .backoff)] = .set(dueAt, isAbsolute: false)
        case .wake(let path): tasks[path] = .wake
        case .dequeue(let path, let hasTimer):
            if hasTimer { removeTimer(TimerKey(path: path.text, kind: .backoff)) }
            if case .insert = tasks[path] { tasks[path] = .nothing } else { tasks[path] = .delete }
        case .tellWorker(let path): batch.notices.append((id, path))
        case .setTimer(let path, let kind, let dueAt, let isAbsolute):
            timers[TimerKey(path: path?.text ?? "", kind: kind)] = .set(dueAt, isAbsolute: isAbsolute)
        case .removeTimer(let path, let kind): removeTimer(TimerKey(path: path?.text ?? "", kind: kind))
        case .keepItems(let path, let items): batch.items.append((id, version.namespaceID, path, items))
        case .startChild(let start): batch.children.append((self.id, start))
        case .cancelChild(let path): batch.childCancels.append((id, path))
        case .wait(let order): waits[order.path] = .set(order)
        case .endWait(let path): waits[path] = .end
        case .consume(let event, let path): batch.events[EventKey(event, id, path)] = EventDecision(state: .consumed)
        case .refuse(let event, let path, let reason): batch.events[EventKey(event, id, path)]?.refuse(reason)
        case .dropEvent(let event, let path): batch.events[EventKey(event, id, path)]?.state = .dropped
        case .emit(let order): batch.emits.append((id, version.namespaceID, order))
        case .chain(let start): batch.chains.append((id, start))
        case .keep(let path, let node, let facts): liveSteps[path] = .keep(node: node, facts)
        case .drop(let path): liveSteps[path] = .drop
        case .recordStep(let record): batch.steps.append((id, version, record))
        case .recordAttempt(let record): batch.attempts.append((id, version, record))
        case .recordEvent(let record): batch.notes.append((id, version, record))
        case .end(let ending): self.ending = ending
        }
    }

    mutating func removeTimer(_ key: TimerKey) { timers[key] = .remove }
}

/// An event that was handed to a run. A broadcast goes to several at once.
struct EventKey: Hashable, Comparable {
    let event: Int64
    let run: RunID
    let path: StepPath

    init(_ event: Int64, _ run: RunID, _ path: StepPath) {
        self.event = event
        self.run = run
        self.path = path
    }

    static func < (left: EventKey, right: EventKey) -> Bool {
        (left.event, left.run, left.path) < (right.event, right.run, right.path)
    }
}

/// What became of an event that was handed to a wait.
struct EventDecision {
    enum State: String {
        case buffered, consumed, refused, dropped
    }

    // Buffered: the wait did not take it, and another one may.
    var state: State = .buffered
    var reason: String?

    mutating func refuse(_ reason: String) {
        state = .refused
        self.reason = reason
    }
}

/// The changes of all runs of a batch.
struct ChangeSet {
    var steps: [(RunID, LoadedVersion, StepRecord)] = []
    // How many steps were written ahead of the rest.
    var written = 0
    var attempts: [(RunID, LoadedVersion, AttemptRecord)] = []
    var notes: [(RunID, LoadedVersion, EventRecord)] = []
    var notices: [(RunID, StepPath)] = []
    var inboxIDs: [Int64] = []
    // Settled tasks whose outcome the engine refused: their rows go, or they would be folded for ever.
    var refused: [(RunID, StepPath)] = []
    // Collections of loops that have begun.
    var items: [(RunID, Int32, StepPath, [JSONText])] = []
    // What is started: the run that does it, and what. Taken out as it becomes runs of its own.
    var children: [(RunID, ChildStart)] = []
    var chains: [(RunID, ChainStart)] = []
    // What could not be started.
    var letters: [DeadLetter] = []
    // Sub-workflows that could not be started, and for which a step waits.
    var refusedChildren: [(RunID, ChildStart, Failure)] = []
    var childCancels: [(RunID, StepPath)] = []
    /// Whether the transaction has locked tasks that workers may be about to settle.
    var holdsTasks = false
    // Events that were handed to a wait.
    var events: [EventKey: EventDecision] = [:]
    var emits: [(RunID, Int32, EmitOrder)] = []

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
        appendItems(to: &statements)
        appendEvents(runs, to: &statements)
        appendRelatives(runs, to: &statements)
        appendRunUpdates(runs, to: &statements)
        return statements
    }
}

extension RunID {
    var pair: UUIDPair { UUIDPair(high: uuid.high, low: uuid.low) }
    init(_ pair: UUIDPair) { self.init(UUIDBytes(high: pair.high, low: pair.low)) }
}
