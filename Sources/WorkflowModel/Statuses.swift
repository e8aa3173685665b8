// The statuses of runs, steps and attempts: one word each, the same in SQL, API, logs and on the screen.

/// Where a run is. `succeeded`, `failed`, `timed_out` and `cancelled` are endings: there is exactly one, and it never changes.
public enum RunStatus: String, Sendable, Hashable, CaseIterable {
    /// Accepted; nothing has started yet. Can go to: running, waiting, paused, or any ending.
    case queued
    /// At least one step is ready or running. Can go to: waiting, paused, or any ending.
    case running
    /// Every live step waits (for a back-off, a timer, an event, a person, a child). Can go to: running, paused, or any ending.
    case waiting
    /// Stopped by an operator; nothing starts. Can go to: running, waiting, or any ending.
    case paused
    /// Ended well.
    case succeeded
    /// Ended because a step, or the workflow itself, failed.
    case failed
    /// Ended because the run's own time-out passed.
    case timedOut = "timed_out"
    /// Ended because somebody cancelled it.
    case cancelled

    /// Whether this is one of the four endings.
    public var isEnding: Bool {
        switch self {
        case .queued, .running, .waiting, .paused: false
        case .succeeded, .failed, .timedOut, .cancelled: true
        }
    }
}

/// Where a step is. `succeeded`, `failed`, `skipped` and `cancelled` are settled.
public enum StepStatus: String, Sendable, Hashable, CaseIterable {
    /// Waits for what it needs. Can go to: ready, running, skipped, cancelled.
    case pending
    /// Has a task that a worker may claim. Can go to: running, waiting, cancelled.
    case ready
    /// An attempt is with a worker, or the steps of the block are under way. Can go to: waiting, succeeded, failed, cancelled.
    case running
    /// Waits for what its wait reason says. Can go to: ready, running, succeeded, failed, cancelled.
    case waiting
    /// Settled with an output.
    case succeeded
    /// Settled with an error.
    case failed
    /// Settled without having run; its output is null.
    case skipped
    /// Settled because the run, the block or the join that it belonged to no longer wanted it.
    case cancelled

    /// Whether nothing changes any more.
    public var isSettled: Bool {
        switch self {
        case .pending, .ready, .running, .waiting: false
        case .succeeded, .failed, .skipped, .cancelled: true
        }
    }
}

/// What a waiting step waits for.
public enum WaitReason: String, Sendable, Hashable, CaseIterable {
    /// The delay before the next attempt.
    case backoff
    /// A `sleep`.
    case timer
    /// An event from outside.
    case event
    /// A person's decision.
    case approval
    /// An agent that answers later.
    case agent
    /// An open circuit breaker.
    case breaker
    /// A limit whose slots are taken.
    case limit
    /// A sub-workflow.
    case child
    /// The pause of its run.
    case paused
    /// A dead letter that somebody has to decide upon.
    case letter
}

/// How an attempt ended.
public enum AttemptStatus: String, Sendable, Hashable, CaseIterable {
    /// The agent answered, and the answer was accepted.
    case succeeded
    /// The agent could not be asked, or its answer was no success.
    case failed
    /// The attempt took longer than its time-out.
    case timedOut = "timed_out"
    /// The worker's lease ran out; nobody knows how far the call came. Uses up no attempt.
    case lost
    /// A draining worker gave the task back unstarted. Uses up no attempt.
    case released
    /// The run or the step was cancelled meanwhile.
    case cancelled
}
