// Timers, events, sub-workflows and chained runs, as the engine and the store speak of them.

public import WorkflowModel

/// What a timer is for. The raw values are those of the tables. A step has at most one of each kind.
public enum TimerKind: String, Sendable, Hashable, CaseIterable {
    /// The delay before the next attempt of a task, or of a sub-workflow, is over.
    case backoff
    /// The run's time-out has passed; it has no path.
    case deadline
    /// A `sleep` is over.
    case sleep
    /// The step's time-out of one attempt has passed, for steps that no worker watches: blocks, sub-workflows.
    case timeout
    /// The step's time-out over all attempts has passed.
    case totalTimeout = "total_timeout"
    /// A loop goes on: after the pause between two iterations, or because one decision had done enough.
    case every
    /// A join has waited long enough.
    case joinDeadline = "join_deadline"
    /// A state's `after`.
    case after
    /// A wait for an event has taken too long.
    case awaitTimeout = "await_timeout"
}

/// An event that came in.
public struct EventFacts: Sendable, Hashable {
    /// The number that the database gave it.
    public var id: Int64
    /// Its name.
    public var name: String
    /// Its correlation key.
    public var key: String?
    /// What it carries.
    public var data: JSONText
    /// Who sent it.
    public var actor: String?
    /// When it was accepted.
    public var at: Timestamp

    /// An event.
    public init(id: Int64, name: String, key: String? = nil, data: JSONText, actor: String? = nil, at: Timestamp) {
        self.id = id
        self.name = name
        self.key = key
        self.data = data
        self.actor = actor
        self.at = at
    }
}

/// What a step waits for. Events that came before, since the run started (or earlier by `lookback`), count.
public struct WaitOrder: Sendable, Hashable {
    /// The step; of a state machine, the machine.
    public var path: StepPath
    /// The names of the events; nil is any.
    public var names: [String]?
    /// The correlation key; nil is for events that are addressed to this run.
    public var key: String?
    /// How long before the run's start an event with a key may have come.
    public var lookback: Duration?
    /// Whether an event is for one wait, or for each that waits for it.
    public var isExclusive: Bool

    /// What a step waits for.
    public init(path: StepPath, names: [String]?, key: String? = nil, lookback: Duration? = nil, isExclusive: Bool = true) {
        self.path = path
        self.names = names
        self.key = key
        self.lookback = lookback
        self.isExclusive = isExclusive
    }
}

/// An event that a step publishes.
public struct EmitOrder: Sendable, Hashable {
    /// The step.
    public var path: StepPath
    /// The event's name.
    public var name: String
    /// Its correlation key.
    public var key: String?
    /// What it carries.
    public var data: JSONText
    /// The run that it is addressed to; nil is all that wait for its name and key.
    public var runID: RunID?
}

/// A run of a sub-workflow that starts.
public struct ChildStart: Sendable, Hashable {
    /// The parent's step.
    public var path: StepPath
    /// The run's id: made from the parent's, the path and the attempt, so that the same decision starts the same run.
    public var runID: RunID
    /// The workflow; its version is that of the parent's callees.
    public var workflow: String
    /// Its input, which fits the version's schema.
    public var input: JSONText
    /// Whether the step waits for its ending.
    public var isAwaited: Bool
    /// Whether it is cancelled when the parent ends before it.
    public var followsParent: Bool
    /// Which run of the step it is, from 1.
    public var attempt: Int
}

/// How a sub-workflow ended.
public struct ChildEnding: Sendable, Hashable {
    /// The parent's step.
    public var path: StepPath
    /// The child.
    public var runID: RunID
    /// Which run of the step it was.
    public var attempt: Int
    /// How it ended.
    public var status: RunStatus
    /// Its output, when it succeeded.
    public var output: JSONText?
    /// Why it did not.
    public var failure: Failure?

    /// An ending.
    public init(path: StepPath, runID: RunID, attempt: Int, status: RunStatus, output: JSONText? = nil, failure: Failure? = nil) {
        self.path = path
        self.runID = runID
        self.attempt = attempt
        self.status = status
        self.output = output
        self.failure = failure
    }
}

/// A workflow that is started because a run has ended.
public struct ChainStart: Sendable, Hashable {
    /// Which list of the definition names it.
    public enum Trigger: String, Sendable, Hashable, CaseIterable {
        /// The run succeeded.
        case onSuccess
        /// The run failed or timed out.
        case onFailure
        /// The run was cancelled.
        case onCancel
    }

    /// What it is started with, or why it is not.
    public enum Start: Sendable, Hashable {
        /// Its input.
        case input(JSONText)
        /// It becomes a dead letter.
        case failed(Failure)
    }

    /// The workflow; its version is the one that is live now.
    public var workflow: String
    /// Which list names it.
    public var trigger: Trigger
    /// The place in the list.
    public var index: Int
    /// What it is started with, or why it is not.
    public var start: Start
}
