// What the engine knows of a run when it decides: a bounded neighbourhood, never the whole run.

public import WorkflowModel

/// What is known of a run. Facts that are missing are asked for (`Rejection.incomplete`), never guessed.
public struct Frame: Sendable {
    /// The version that the run keeps to its end.
    public let program: Program
    /// What is known of the run itself.
    public internal(set) var run: RunFacts
    /// What is known of its steps.
    public private(set) var steps: [StepPath: StepFacts]
    // The bytes of the outputs among `steps`.
    private var outputBytes = 0
    /// Whether a step that is not among `steps` is known not to have started.
    public private(set) var isComplete: Bool
    // What a decision that is under way has changed, so that it can be taken back.
    private var undo: [(StepPath, StepFacts?)] = []
    private var runBefore: RunFacts?
    // The tasks that were made ready since the last commit: nobody can have claimed them yet.
    private var readied: [StepPath] = []
    private var readiedBefore = 0
    // The decision under way: what it has found to do, and what it still has to look at.
    var commands: [Command] = []
    var agenda: [Work] = []
    var now = Timestamp(microseconds: 0)

    /// A frame.
    ///
    /// - Parameters:
    ///   - isComplete: pass true only when `steps` has every step of the run that has started.
    public init(program: Program, run: RunFacts, steps: [StepPath: StepFacts] = [:], isComplete: Bool) {
        self.program = program
        self.run = run
        self.steps = steps
        self.isComplete = isComplete
        outputBytes = steps.values.reduce(0) { $0 + $1.outputBytes }
    }

    private mutating func put(_ path: StepPath, _ facts: StepFacts?) {
        outputBytes += facts?.outputBytes ?? 0
        let old: StepFacts?
        if let facts { old = steps.updateValue(facts, forKey: path) } else { old = steps.removeValue(forKey: path) }
        outputBytes -= old?.outputBytes ?? 0
    }

    /// Adds facts that were asked for. A path that was asked for and has no row is `notStarted`.
    public mutating func add(_ facts: [(StepPath, StepFacts)]) {
        for (path, fact) in facts {
            put(path, fact)
            // Seen under the row's lock, which the commit gives up.
            if case .task(let task) = fact, task.phase == .ready { readied.append(path) }
        }
    }

    /// Says that what was decided so far is committed: from now on a task that was made ready may have been claimed.
    public mutating func committed() {
        for path in readied {
            if case .task(var task) = steps[path], task.phase == .ready {
                task.phase = .unknown
                steps[path] = .task(task)
            }
        }
        readied.removeAll(keepingCapacity: true)
    }

    /// Adds the input, where it was asked for.
    public mutating func add(input: JSONText) { run.input = input }

    // MARK: For the decision under way

    /// What is known of a step; nil when somebody has to look.
    func facts(of path: StepPath) -> StepFacts? {
        steps[path] ?? (isComplete ? .notStarted : nil)
    }

    mutating func set(_ path: StepPath, _ facts: StepFacts) {
        undo.append((path, steps[path]))
        put(path, facts)
    }

    // A task that is made ready: certain until the commit, anybody's afterwards.
    mutating func setReady(_ path: StepPath, _ task: TaskFacts) {
        var task = task
        task.phase = .ready
        readied.append(path)
        set(path, .task(task))
    }

    mutating func begin(at moment: Timestamp) {
        undo.removeAll(keepingCapacity: true)
        commands = []
        agenda = []
        runBefore = run
        readiedBefore = readied.count
        now = moment
    }

    mutating func rollBack() {
        for (path, facts) in undo.reversed() { put(path, facts) }
        undo.removeAll(keepingCapacity: true)
        if let runBefore { run = runBefore }
        readied.removeLast(readied.count - readiedBefore)
        commands = []
        agenda = []
    }

    mutating func commit() -> [Command] {
        undo.removeAll(keepingCapacity: true)
        runBefore = nil
        defer { commands = [] }
        return commands
    }
}

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
    /// Whether the run has its ending: set by the decision that ends it.
    public internal(set) var isEnded = false

    /// What is known of a run.
    public init(
        id: RunID, version: Int, historyLength: Int, submittedAt: Timestamp, startedAt: Timestamp? = nil, trigger: String,
        labels: JSONText? = nil, input: JSONText?, root: BlockFacts? = nil, cancelRequested: Bool = false, cancelReason: String? = nil
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
    }
}

/// What is known of a step instance.
public enum StepFacts: Sendable {
    /// Nothing of it is in any table. Can go to: pending, task, block, settled.
    case notStarted
    /// A step of a graph, some of whose needs have settled. Can go to: task, block, settled.
    case pending(PendingFacts)
    /// An attempt is queued, under way, or waits for its back-off. Can go to: settled.
    case task(TaskFacts)
    /// The steps of the block are under way. Can go to: settled.
    case block(BlockFacts)
    /// It has its ending; nothing changes any more.
    case settled(SettledFacts)
}

/// A step of a graph that waits for its needs.
public struct PendingFacts: Sendable, Hashable {
    /// Needs that have not settled.
    public var unmet: Int
    /// Needs that settled otherwise than skipped: when there is none in the end, the step is skipped itself.
    public var met: Int

    /// Counts of needs.
    public init(unmet: Int, met: Int) {
        self.unmet = unmet
        self.met = met
    }
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

    /// A live attempt.
    public init(
        attempt: Int = 1, losses: Int = 0, retryCounts: [Int] = [], lastDelay: Duration = .zero, startedAt: Timestamp? = nil,
        phase: Phase = .unknown
    ) {
        self.attempt = attempt
        self.losses = losses
        self.retryCounts = retryCounts
        self.lastDelay = lastDelay
        self.startedAt = startedAt
        self.phase = phase
    }
}

/// A block under way.
public struct BlockFacts: Sendable, Hashable {
    /// Steps of the block that have not settled; only a graph counts them.
    public var unsettled: Int
    /// Steps of the block that have started and not settled.
    public var live: Int
    /// Why the block starts no more steps and waits for the live ones.
    public var ending: BlockEnding?
    /// When the block began; nil for the root.
    public var startedAt: Timestamp?

    /// A block under way.
    public init(unsettled: Int, live: Int = 0, ending: BlockEnding? = nil, startedAt: Timestamp? = nil) {
        self.unsettled = unsettled
        self.live = live
        self.ending = ending
        self.startedAt = startedAt
    }
}

/// Why a block starts no more steps.
public enum BlockEnding: Sendable, Hashable {
    /// A step of it failed.
    case failed(Failure)
    /// The block, or what it belongs to, was cancelled.
    case cancelled
    /// The run's time-out passed.
    case timedOut(Failure)

    /// What the tables keep.
    public var json: JSONValue {
        switch self {
        case .failed(let failure): ["failed": failure.json]
        case .cancelled: ["cancelled": true]
        case .timedOut(let failure): ["timedOut": failure.json]
        }
    }

    /// Reads what `json` wrote; nil for anything else.
    public init?(json: JSONValue) {
        if let failure = json["failed"] {
            self = .failed(Failure(json: failure))
        } else if let failure = json["timedOut"] {
            self = .timedOut(Failure(json: failure))
        } else if json["cancelled"] != nil {
            self = .cancelled
        } else {
            return nil
        }
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

    /// A settled step.
    public init(
        status: StepStatus, output: JSONText? = nil, failure: Failure? = nil, attempts: Int = 0, startedAt: Timestamp? = nil,
        finishedAt: Timestamp
    ) {
        self.status = status
        self.output = output
        self.failure = failure
        self.attempts = attempts
        self.startedAt = startedAt
        self.finishedAt = finishedAt
    }
}

extension Frame {
    /// How much memory the frame takes, in facts: what a cache counts.
    package var weight: Int { 1 + steps.count + ((run.input?.text.utf8.count ?? 0) + outputBytes) / 256 }
}

extension StepFacts {
    fileprivate var outputBytes: Int { if case .settled(let settled) = self { settled.output?.text.utf8.count ?? 0 } else { 0 } }
}

extension Frame {
    /// Takes over what others write to the run's row beside the fold.
    package mutating func refresh(cancelRequested: Bool, cancelReason: String?) {
        run.cancelRequested = cancelRequested
        run.cancelReason = cancelReason
    }
}
