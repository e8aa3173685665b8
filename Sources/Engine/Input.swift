// What reaches the engine, what it answers, and why it refuses.

public import WorkflowModel

/// Something that happened to a run.
public enum Input: Sendable {
    /// The run was accepted.
    case start
    /// An attempt settled.
    case outcome(TaskOutcome)
    /// A back-off is over.
    case backoffElapsed(StepPath)
    /// The run's time-out has passed.
    case deadlinePassed
    /// Somebody asked for the run's cancellation.
    case cancel(reason: String?)
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
}

/// What has to be written. The order within a decision is the order in which it came about.
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
    /// The step has this row among the live ones.
    case keep(path: StepPath, node: Int, facts: LiveStepFacts)
    /// The step's row among the live ones goes.
    case drop(path: StepPath)
    /// The step has settled.
    case recordStep(StepRecord)
    /// An attempt ended that did not settle its step.
    case recordAttempt(AttemptRecord)
    /// Something else happened to the run.
    case recordEvent(EventRecord)
    /// The run has ended.
    case end(RunEnding)
}

/// A live step that is no task.
public enum LiveStepFacts: Sendable, Hashable {
    /// A step of a graph that waits for its needs.
    case pending(PendingFacts)
    /// A block under way.
    case block(BlockFacts)
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
    /// What happened: `cancel_requested`, `timed_out`.
    public var kind: String
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
}

/// Why the engine did not decide. The frame is as it was.
public enum Rejection: Error, Sendable {
    /// The decision depends on facts that the frame does not have. Add them, and decide again.
    case incomplete(MissingFacts)
    /// The run has not started, or has started already.
    case wrongPhase
    /// The run has its ending.
    case alreadyEnded
    /// The version has no step of this path.
    case unknownStep(StepPath)
    /// The step has settled; the input came too late.
    case alreadySettled(StepPath)
    /// The step has no task in that state.
    case staleTask(StepPath)
}

/// What a decision needs to know beyond its frame.
public struct MissingFacts: Sendable, Hashable {
    /// Whether the run's input is needed.
    public var input = false
    /// Steps of which nothing is known.
    public var steps: Set<StepPath> = []
    /// Steps whose task must be read under its row's lock, so that its phase is certain.
    public var lockedTasks: Set<StepPath> = []

    /// What is missing.
    public init(input: Bool = false, steps: Set<StepPath> = [], lockedTasks: Set<StepPath> = []) {
        self.input = input
        self.steps = steps
        self.lockedTasks = lockedTasks
    }

    /// Whether nothing is missing.
    public var isEmpty: Bool { !input && steps.isEmpty && lockedTasks.isEmpty }
}
