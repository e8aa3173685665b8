// What is known of a step that is live and is no task: of what it waits, and what it counts. Small, and bounded by the definition.

public import WorkflowModel

/// A live step that is no task.
public enum LiveStepFacts: Sendable, Hashable {
    /// A step of a graph that waits for its needs.
    case pending(PendingFacts)
    /// A block under way: of a `do` step, a branch, an iteration, a case, a catch block, a state.
    case block(BlockFacts)
    /// A loop under way.
    case loop(LoopFacts)
    /// A fork under way.
    case parallel(ParallelFacts)
    /// A `switch` whose case is under way.
    case choice(BlockFacts)
    /// A step that failed, and whose catch block is under way.
    case caught(CatchFacts)
    /// A state machine under way.
    case machine(MachineFacts)
    /// A `sleep`.
    case sleep(SleepFacts)
    /// An `await`.
    case wait(WaitFacts)
    /// A sub-workflow.
    case child(ChildFacts)
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
    /// A time-out passed: of the run, or of the step.
    case timedOut(Failure)
    /// The join has what it needs, or the loop was left: what still runs is no longer wanted.
    case satisfied
    /// A `succeed` step ended the run; its output is the run's.
    case succeeded(by: StepPath)

    /// What the tables keep.
    public var json: JSONValue {
        switch self {
        case .failed(let failure): ["failed": failure.json]
        case .cancelled: ["cancelled": true]
        case .timedOut(let failure): ["timedOut": failure.json]
        case .satisfied: ["satisfied": true]
        case .succeeded(let path): ["succeeded": .string(path.text)]
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
        } else if json["satisfied"] != nil {
            self = .satisfied
        } else if let path = json["succeeded"]?.stringValue {
            self = .succeeded(by: StepPath(path))
        } else {
            return nil
        }
    }
}

/// A loop under way.
public struct LoopFacts: Sendable, Hashable {
    /// Iterations that were made.
    public var created: Int
    /// Iterations that have started and not settled.
    public var live: Int
    /// Iterations that succeeded.
    public var succeeded: Int
    /// Iterations that failed.
    public var failed: Int
    /// Why the loop makes no more iterations.
    public var ending: BlockEnding?
    /// When the loop began.
    public var startedAt: Timestamp?
    /// How many iterations there will be; nil where nobody knows yet (`while`, `until`).
    public var total: Int?
    /// What an operator has changed.
    public var adjustment: LoopAdjustment?
    /// Why the loop fails in the end, while its other iterations run on (`drain`), or the first failure of all.
    public var failure: Failure?
    /// Whether a timer makes it go on: between two iterations, or because the last transaction had made enough of them.
    public var isPausing: Bool

    /// A loop under way.
    public init(
        created: Int = 0, live: Int = 0, succeeded: Int = 0, failed: Int = 0, ending: BlockEnding? = nil, startedAt: Timestamp? = nil,
        total: Int? = nil, adjustment: LoopAdjustment? = nil, failure: Failure? = nil, isPausing: Bool = false
    ) {
        self.created = created
        self.live = live
        self.succeeded = succeeded
        self.failed = failed
        self.ending = ending
        self.startedAt = startedAt
        self.total = total
        self.adjustment = adjustment
        self.failure = failure
        self.isPausing = isPausing
    }
}

/// What an operator changes of a running loop.
public struct LoopAdjustment: Sendable, Hashable {
    /// How many iterations run at once from now on; 0 is all of them, nil leaves it.
    public var maxParallel: Int?
    /// How many iterations may fail: a count; nil leaves it.
    public var tolerance: Int?
    /// How many iterations may fail: a share of all; nil leaves it.
    public var toleranceShare: Share?

    /// A change; what is nil stays.
    public init(maxParallel: Int? = nil, tolerance: Int? = nil, toleranceShare: Share? = nil) {
        self.maxParallel = maxParallel
        self.tolerance = tolerance
        self.toleranceShare = toleranceShare
    }
}

/// A fork under way.
public struct ParallelFacts: Sendable, Hashable {
    /// Branches that have not settled.
    public var unsettled: Int
    /// Branches that have started and not settled.
    public var live: Int
    /// Branches that succeeded.
    public var succeeded: Int
    /// Branches that failed.
    public var failed: Int
    /// Why the join waits only for what is no longer wanted.
    public var ending: BlockEnding?
    /// When the fork began.
    public var startedAt: Timestamp?
    /// The first failure of a branch.
    public var failure: Failure?

    /// A fork under way.
    public init(
        unsettled: Int, live: Int = 0, succeeded: Int = 0, failed: Int = 0, ending: BlockEnding? = nil, startedAt: Timestamp? = nil,
        failure: Failure? = nil
    ) {
        self.unsettled = unsettled
        self.live = live
        self.succeeded = succeeded
        self.failed = failed
        self.ending = ending
        self.startedAt = startedAt
        self.failure = failure
    }
}

/// A step that failed, and whose catch block is under way.
public struct CatchFacts: Sendable, Hashable {
    /// What was caught: `error` in the block.
    public var failure: Failure
    /// Whether it is the block of `onTimeout`, not of `onError`.
    public var isTimeout: Bool
    /// Attempts made before.
    public var attempts: Int
    /// Workers lost before.
    public var losses: Int
    /// The catch block, while it is under way.
    public var block: BlockFacts

    /// A step that failed.
    public init(failure: Failure, isTimeout: Bool = false, attempts: Int, losses: Int = 0, block: BlockFacts) {
        self.failure = failure
        self.isTimeout = isTimeout
        self.attempts = attempts
        self.losses = losses
        self.block = block
    }
}

/// A state machine under way.
public struct MachineFacts: Sendable, Hashable {
    /// The place of the current state in the definition.
    public var state: Int
    /// How often each state was entered, in file order.
    public var visits: [Int]
    /// When the current state was entered.
    public var enteredAt: Timestamp
    /// Transitions so far.
    public var transitions: Int
    /// Whether the state's block has settled, and the machine waits for an event or a time-out.
    public var isWaiting: Bool
    /// Which of the state's time-outs comes next.
    public var nextTimeout: Int
    /// The current state's block, and why the machine goes on no more.
    public var block: BlockFacts

    /// A machine under way.
    public init(
        state: Int, visits: [Int], enteredAt: Timestamp, transitions: Int = 0, isWaiting: Bool = false, nextTimeout: Int = 0,
        block: BlockFacts
    ) {
        self.state = state
        self.visits = visits
        self.enteredAt = enteredAt
        self.transitions = transitions
        self.isWaiting = isWaiting
        self.nextTimeout = nextTimeout
        self.block = block
    }
}

/// A `sleep` under way.
public struct SleepFacts: Sendable, Hashable {
    /// When it began.
    public var startedAt: Timestamp?

    /// A `sleep` under way.
    public init(startedAt: Timestamp?) { self.startedAt = startedAt }
}

/// An `await` under way.
public struct WaitFacts: Sendable, Hashable {
    /// When it began.
    public var startedAt: Timestamp?

    /// An `await` under way.
    public init(startedAt: Timestamp?) { self.startedAt = startedAt }
}

/// A sub-workflow under way.
public struct ChildFacts: Sendable, Hashable {
    /// The number of the child run, from 1, with the counters of the retry policy.
    public var task: TaskFacts
    /// Why the child is no longer wanted, though it has not ended yet.
    public var ending: BlockEnding?

    /// A sub-workflow under way. Its phase is `waiting` during a back-off, and `leased` while there is a child run.
    public init(task: TaskFacts, ending: BlockEnding? = nil) {
        self.task = task
        self.ending = ending
    }
}

extension LiveStepFacts {
    /// When the step began; nil for one that waits for its needs.
    public var startedAt: Timestamp? {
        switch self {
        case .pending: nil
        case .block(let block), .choice(let block): block.startedAt
        case .loop(let loop): loop.startedAt
        case .parallel(let parallel): parallel.startedAt
        case .caught(let caught): caught.block.startedAt
        case .machine(let machine): machine.block.startedAt
        case .sleep(let sleep): sleep.startedAt
        case .wait(let wait): wait.startedAt
        case .child(let child): child.task.startedAt
        }
    }

    /// Why the step starts nothing more.
    public var ending: BlockEnding? {
        switch self {
        case .pending, .sleep, .wait: nil
        case .block(let block), .choice(let block): block.ending
        case .loop(let loop): loop.ending
        case .parallel(let parallel): parallel.ending
        case .caught(let caught): caught.block.ending
        case .machine(let machine): machine.block.ending
        case .child(let child): child.ending
        }
    }

    /// How many steps in it are live; nil for a step that has none inside.
    package var live: Int? {
        switch self {
        case .pending, .sleep, .wait, .child: nil
        case .block(let block), .choice(let block): block.live
        case .loop(let loop): loop.live
        case .parallel(let parallel): parallel.live
        case .caught(let caught): caught.block.live
        case .machine(let machine): machine.block.live
        }
    }

    /// The same step, which starts nothing more.
    func with(ending: BlockEnding) -> LiveStepFacts {
        switch self {
        case .pending, .sleep, .wait: return self
        case .block(var block):
            block.ending = ending
            return .block(block)
        case .choice(var block):
            block.ending = ending
            return .choice(block)
        case .loop(var loop):
            loop.ending = ending
            return .loop(loop)
        case .parallel(var parallel):
            parallel.ending = ending
            return .parallel(parallel)
        case .caught(var caught):
            caught.block.ending = ending
            return .caught(caught)
        case .machine(var machine):
            machine.block.ending = ending
            return .machine(machine)
        case .child(var child):
            child.ending = ending
            return .child(child)
        }
    }

    /// The same step with more or fewer live ones inside.
    func addingLive(_ count: Int) -> LiveStepFacts {
        switch self {
        case .pending, .sleep, .wait, .child: return self
        case .block(var block):
            block.live += count
            return .block(block)
        case .choice(var block):
            block.live += count
            return .choice(block)
        case .loop(var loop):
            loop.live += count
            return .loop(loop)
        case .parallel(var parallel):
            parallel.live += count
            return .parallel(parallel)
        case .caught(var caught):
            caught.block.live += count
            return .caught(caught)
        case .machine(var machine):
            machine.block.live += count
            return .machine(machine)
        }
    }
}
