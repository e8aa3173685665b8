// What reaches the engine, what it answers, and why it refuses.

public import WorkflowModel

/// Something that happened to a run.
public enum Input: Sendable {
    /// The run was accepted.
    case start
    /// An attempt settled.
    case outcome(TaskOutcome)
    /// A timer is due: of a step, or (without a path) of the run. It is gone with this, whatever is decided.
    case timer(path: StepPath?, kind: TimerKind)
    /// Somebody asked for the run's cancellation.
    case cancel(reason: String?)
    /// An event for a wait of this run. Each event is handed to a wait at most once.
    case event(wait: StepPath, EventFacts)
    /// A sub-workflow has ended.
    case childEnded(ChildEnding)
    /// An operator changes a running loop.
    case adjust(path: StepPath, LoopAdjustment)
}

/// How an attempt ended, with what its task row says.
public struct TaskOutcome: Sendable {
    /// The step.
    public var path: StepPath
    /// The lease under which it was reported.
    public var fence: Fence
    /// The worker session.
    public var session: SessionID
    /// How it ended.
    public var status: AttemptStatus
    /// The answer of an attempt that succeeded.
    public var output: JSONText?
    /// What went wrong, otherwise.
    public var failure: Failure?
    /// When the attempt was claimed.
    public var claimedAt: Timestamp
    /// When it settled.
    public var settledAt: Timestamp
    /// The attempt's counters.
    public var task: TaskFacts

    /// An outcome.
    public init(
        path: StepPath, fence: Fence, session: SessionID, status: AttemptStatus, output: JSONText? = nil, failure: Failure? = nil,
        claimedAt: Timestamp, settledAt: Timestamp, task: TaskFacts
    ) {
        self.path = path
        self.fence = fence
        self.session = session
        self.status = status
        self.output = output
        self.failure = failure
        self.claimedAt = claimedAt
        self.settledAt = settledAt
        self.task = task
    }

    /// Whether there may be a worker that believes to have the task and has it no longer: a lease of it was lost, or it was given back.
    package var hasStrayed: Bool { status == .lost || status == .released || task.losses > 0 }
}

/// What has to be written. The order within a decision is the order in which it came about. What is large lies elsewhere, as lists of
/// commands grow to tens of thousands.
public enum Command: Sendable {
    /// A step's first task is ready.
    case enqueue(path: StepPath, node: Int, input: JSONText)
    /// The step's task row is ready again, for the same or the next attempt.
    case requeue(path: StepPath, task: TaskFacts)
    /// The step's task row waits until `dueAt` for its next attempt; a timer wakes it.
    case backOff(path: StepPath, task: TaskFacts, dueAt: Timestamp)
    /// The back-off is over: the task row is ready, the timer gone.
    case wake(path: StepPath)
    /// The step's task row goes, and with it the timer of a back-off.
    case dequeue(path: StepPath, hasTimer: Bool)
    /// The worker that has the task is told that it is no longer wanted.
    case tellWorker(path: StepPath)
    /// A timer of the step, or (without a path) of the run, is due then; it replaces one of the same kind. A back-off of a task has its
    /// own command. An absolute one keeps its moment through a pause.
    case setTimer(path: StepPath?, kind: TimerKind, dueAt: Timestamp, isAbsolute: Bool)
    /// The timer goes, if it is still there.
    case removeTimer(path: StepPath?, kind: TimerKind)
    /// The collection of a loop, once, at its start. It goes with the loop's row.
    case keepItems(path: StepPath, items: [JSONText])
    /// A run of a sub-workflow starts.
    indirect case startChild(ChildStart)
    /// The sub-workflow's run, for which the step waits, is to be cancelled; the step stays live until it has ended.
    case cancelChild(path: StepPath)
    /// The step waits for an event; a wait of the same step is replaced.
    indirect case wait(WaitOrder)
    /// The step waits no more.
    case endWait(path: StepPath)
    /// The event was taken by the wait.
    case consume(event: Int64, path: StepPath)
    /// The event is refused: its sender is told why.
    case refuse(event: Int64, path: StepPath, reason: String)
    /// The event is dropped.
    case dropEvent(event: Int64, path: StepPath)
    /// An event goes out to other runs.
    indirect case emit(EmitOrder)
    /// A workflow is started because this run has ended; after `end`, in the same decision.
    indirect case chain(ChainStart)
    /// The step has this row among the live ones.
    indirect case keep(path: StepPath, node: Int, facts: LiveStepFacts)
    /// The step's row among the live ones goes.
    case drop(path: StepPath)
    /// The step has settled.
    indirect case recordStep(StepRecord)
    /// An attempt ended that did not settle its step.
    indirect case recordAttempt(AttemptRecord)
    /// Something else happened to the run.
    indirect case recordEvent(EventRecord)
    /// The run has ended.
    indirect case end(RunEnding)
}

/// The row of a settled step.
public struct StepRecord: Sendable {
    /// The step.
    public var path: StepPath
    /// Its number within the version.
    public var node: Int
    /// The place in the run's history.
    public var sequence: Int
    /// The step as it settled; unlike a frame's, always with its output.
    public var settled: SettledFacts
    /// Workers lost with it.
    public var losses: Int
    /// The attempt that settled it; nil for steps that run on the coordinator, or never ran.
    public var attempt: SettlingAttempt?
}

/// The attempt that settled a step.
public struct SettlingAttempt: Sendable {
    /// Its lease.
    public var fence: Fence
    /// Its worker session.
    public var session: SessionID
    /// When it was claimed.
    public var claimedAt: Timestamp
}

/// The row of an attempt that did not settle its step.
public struct AttemptRecord: Sendable {
    /// The step.
    public var path: StepPath
    /// The place in the run's history.
    public var sequence: Int
    /// The outcome.
    public var outcome: TaskOutcome
    /// Whether it was a result that came after the step was cancelled.
    public var discarded: Bool
}

/// The row of something else that happened to a run.
public struct EventRecord: Sendable {
    /// What happened: `cancel_requested`, `timed_out`, `transition`, `decision`, `adjusted`, `event_left`.
    public var kind: String
    /// The step that it happened to; nil for the run.
    public var path: StepPath?
    /// The place in the run's history.
    public var sequence: Int
    /// When.
    public var at: Timestamp
    /// More about it.
    public var body: JSONValue?
}

/// A run's one ending.
public struct RunEnding: Sendable {
    /// One of the four endings.
    public var status: RunStatus
    /// The output of a run that succeeded.
    public var output: JSONText?
    /// Why it failed or timed out.
    public var failure: Failure?
    /// When it ended.
    public var at: Timestamp
    /// The step whose output, as the tables have it, is the run's: the result list of a loop, which never passes through here. `output`
    /// is nil then.
    public var outputFrom: StepPath?
}

/// Why the engine did not decide. The frame is as it was, unless the case says otherwise.
public enum Rejection: Error, Sendable {
    /// The decision depends on facts that the frame does not have. Add them, and decide again.
    case incomplete(MissingFacts)
    /// The decision has come so far, and goes on with results that only its own commands have brought about: those of a loop that settled
    /// in it. The commands stand and the frame is as after them. Write them, load the facts, and call `Engine.proceed`.
    case suspended([Command], MissingFacts)
    /// The run has not started, or has started already.
    case wrongPhase
    /// The run has its ending.
    case alreadyEnded
    /// The version has no step of this path.
    case unknownStep(StepPath)
    /// The step has settled; the input came too late.
    case alreadySettled(StepPath)
    /// The step is not in a state that the input is for.
    case staleTask(StepPath)
}

/// What a decision needs to know beyond its frame. Everything is asked for at once, as far as it is known.
public struct MissingFacts: Sendable, Hashable {
    /// Whether the run's input is needed.
    public var input = false
    /// Steps of which nothing is known.
    public var steps: Set<StepPath> = []
    /// Steps whose task must be read under its row's lock, so that its phase is certain.
    public var lockedTasks: Set<StepPath> = []
    /// Loops of which every live row is needed: the tasks (under their rows' locks) and live steps whose path begins with the loop's path
    /// and a `[`. `Frame.add(live:under:)` answers, also where there is none.
    public var liveUnder: Set<StepPath> = []
    /// Slices of the collections of loops, by number.
    public var items: [StepPath: Set<Int>] = [:]
    /// Loops that have settled, whose results an expression reads.
    public var results: Set<StepPath> = []

    /// What is missing.
    public init(input: Bool = false, steps: Set<StepPath> = [], lockedTasks: Set<StepPath> = []) {
        self.input = input
        self.steps = steps
        self.lockedTasks = lockedTasks
    }

    /// Whether nothing is missing.
    public var isEmpty: Bool {
        !input && steps.isEmpty && lockedTasks.isEmpty && liveUnder.isEmpty && items.isEmpty && results.isEmpty
    }
}
