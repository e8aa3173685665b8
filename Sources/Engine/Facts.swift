// What a frame knows of a run and of its steps.

public import JSONSchema
public import WorkflowModel

/// What is known of a run.
public struct RunFacts: Sendable {
    /// The run.
    public var id: RunID
    /// The number of the version, as people count them.
    public var version: Int
    /// The highest number in the run's history.
    public var historyLength: Int
    /// When it was accepted.
    public var submittedAt: Timestamp
    /// When its first attempt began.
    public var startedAt: Timestamp?
    /// What started it: `api`, `cli`, `sql`, `schedule`, ….
    public var trigger: String
    /// Its labels: a JSON object.
    public var labels: JSONText?
    /// Its input; nil when nobody has looked yet.
    public var input: JSONText?
    /// The root block; nil before the start.
    public var root: BlockFacts?
    /// Whether somebody asked for its cancellation, and the reason given.
    public var cancelRequested: Bool
    /// The reason given for the cancellation.
    public var cancelReason: String?
    /// The sub-workflows that the run may start, by name. One that is missing did not exist when the run was submitted.
    public var callees: [String: CalleeFacts]
    /// How many runs are above this one: parents, and runs that it is chained to.
    public var depth: Int
    /// The workflows of the runs above it, the topmost first: for the message when there are too many.
    public var lineage: [String]
    /// The parent run.
    public var parentID: RunID?
    /// For which due time of a schedule it was started.
    public var scheduledAt: Timestamp?
    /// Whether the run has its ending: set by the decision that ends it.
    public internal(set) var isEnded = false

    /// What is known of a run.
    public init(
        id: RunID, version: Int, historyLength: Int, submittedAt: Timestamp, startedAt: Timestamp? = nil, trigger: String,
        labels: JSONText? = nil, input: JSONText?, root: BlockFacts? = nil, cancelRequested: Bool = false, cancelReason: String? = nil,
        callees: [String: CalleeFacts] = [:], depth: Int = 0, lineage: [String] = [], parentID: RunID? = nil,
        scheduledAt: Timestamp? = nil
    ) {
        self.id = id
        self.version = version
        self.historyLength = historyLength
        self.submittedAt = submittedAt
        self.startedAt = startedAt
        self.trigger = trigger
        self.labels = labels
        self.input = input
        self.root = root
        self.cancelRequested = cancelRequested
        self.cancelReason = cancelReason
        self.callees = callees
        self.depth = depth
        self.lineage = lineage
        self.parentID = parentID
        self.scheduledAt = scheduledAt
    }
}

/// What is known of a step instance. What is large lies elsewhere: a table of facts is moved as it grows, and read all the time.
public enum StepFacts: Sendable {
    /// Nothing of it is in any table. Can go to: live, task, settled.
    case notStarted
    /// It waits for something, or steps inside it are under way. Can go to: task (its needs are met), another kind of live, settled.
    indirect case live(LiveStepFacts)
    /// An attempt is queued, under way, or waits for its back-off. Can go to: live (its failure is caught), settled.
    case task(TaskFacts)
    /// It has its ending; nothing changes any more.
    indirect case settled(SettledFacts)
}

/// A live attempt.
public struct TaskFacts: Sendable, Hashable {
    /// What only the row can say. The engine asks for it (under the row's lock) where it matters, in a cancel.
    public enum Phase: Sendable, Hashable {
        /// Nobody has looked: it may have been claimed meanwhile.
        case unknown
        /// No worker has it.
        case ready
        /// A worker has it.
        case leased
        /// Its outcome waits to be folded.
        case settled
        /// It waits for its back-off.
        case waiting
    }

    /// The number of the attempt, from 1.
    public var attempt: Int
    /// Workers lost with this step.
    public var losses: Int
    /// Failures so far, by entry of the retry policy.
    public var retryCounts: [Int]
    /// The delay before this attempt; decorrelated jitter builds on it.
    public var lastDelay: Duration
    /// When the step's first attempt began.
    public var startedAt: Timestamp?
    /// Where the attempt is.
    public var phase: Phase
    /// Whether its worker was told that it is no longer wanted (`tellWorker`): what comes back is not applied.
    public var isUnwanted: Bool

    /// A live attempt.
    public init(
        attempt: Int = 1, losses: Int = 0, retryCounts: [Int] = [], lastDelay: Duration = .zero, startedAt: Timestamp? = nil,
        phase: Phase = .unknown, isUnwanted: Bool = false
    ) {
        self.attempt = attempt
        self.losses = losses
        self.retryCounts = retryCounts
        self.lastDelay = lastDelay
        self.startedAt = startedAt
        self.phase = phase
        self.isUnwanted = isUnwanted
    }
}

/// A settled step, as expressions see it.
public struct SettledFacts: Sendable, Hashable {
    /// `succeeded`, `failed`, `skipped` or `cancelled`.
    public var status: StepStatus
    /// The output; nil where no expression can read it (the frame then does not keep it) and where there is none.
    public var output: JSONText?
    /// The failure.
    public var failure: Failure?
    /// Attempts made.
    public var attempts: Int
    /// When the first attempt, or the block, began.
    public var startedAt: Timestamp?
    /// When it settled.
    public var finishedAt: Timestamp
    /// Of a loop: how its output is put together from its iterations' rows, in place of `output`. The engine needs it in commands only.
    public var collected: CollectedOutput?

    /// A settled step.
    public init(
        status: StepStatus, output: JSONText? = nil, failure: Failure? = nil, attempts: Int = 0, startedAt: Timestamp? = nil,
        finishedAt: Timestamp, collected: CollectedOutput? = nil
    ) {
        self.status = status
        self.output = output
        self.failure = failure
        self.attempts = attempts
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.collected = collected
    }
}

/// How the output of a loop is put together from the rows of its iterations (`path[0]` to `path[count - 1]`).
public struct CollectedOutput: Sendable, Hashable {
    /// The length of the list: as long as the collection.
    public var count: Int
    /// All outputs (null where an iteration did not succeed), that of the last one that succeeded, or null.
    public var collect: Loop.Collection

    /// A list of outputs.
    public init(count: Int, collect: Loop.Collection) {
        self.count = count
        self.collect = collect
    }
}

/// What expressions read of a loop that has settled.
public struct LoopResults: Sendable, Hashable {
    /// The loop's output.
    public var output: JSONText
    /// The outputs of the iterations that succeeded: a list.
    public var ok: JSONText
    /// `{index, item, error}` of the iterations that failed: a list.
    public var failed: JSONText

    /// Results.
    public init(output: JSONText, ok: JSONText, failed: JSONText) {
        self.output = output
        self.ok = ok
        self.failed = failed
    }
}

/// The version of a sub-workflow that a run uses, resolved when the run was submitted.
public struct CalleeFacts: Sendable {
    /// The version.
    public var versionID: VersionID
    /// Its number, as people count.
    public var number: Int
    /// What its input must look like; nil takes anything.
    public var inputSchema: CompiledSchema?

    /// A version.
    public init(versionID: VersionID, number: Int, inputSchema: CompiledSchema? = nil) {
        self.versionID = versionID
        self.number = number
        self.inputSchema = inputSchema
    }
}
