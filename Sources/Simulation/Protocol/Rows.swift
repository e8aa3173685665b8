// The rows of the tables, as sql/migrations has them, without the columns that decide nothing.

package import Engine
package import WorkflowModel

/// A step of a run, where it is the key of a table.
package struct StepKey: Hashable, Comparable, Sendable {
    package let run: RunID
    package let path: StepPath

    package static func < (left: StepKey, right: StepKey) -> Bool { (left.run, left.path) < (right.run, right.path) }
}

/// A live run.
package struct RunRow: ModelRow {
    package var id: RunID
    package var version: VersionID
    package var revision = 0
    package var historyLength = 1
    package var isBegun = true
    package var root: BlockFacts?
    package var startedAt: Timestamp?
    package var cancelRequestedAt: Timestamp?
    package var cancelReason: String?
    package var quarantine: String?
    package var pausedAt: Timestamp?
    package var pausedBy: RunID?
    package var submittedAt: Timestamp
    package var deadlineAt: Timestamp?
    package var trigger: String
    package var relatives = Relatives()
    package var depth = 0
    package var lineage: [String] = []
    package var callees: [String: VersionID] = [:]
    package var input: JSONText

    package var key: RunID { id }
}

/// What a run is below, or comes after.
package struct Relatives: Sendable {
    package var parent: RunID?
    package var parentPath: StepPath?
    package var parentAttempt = 0
    package var isAwaited = false
    package var followsParent = false
    package var source: RunID?
    package var root: RunID?
}

/// A run that has ended.
package struct EndedRunRow: ModelRow {
    package var id: RunID
    package var version: VersionID
    package var ending: RunEnding
    package var output: JSONText?
    package var historyLength: Int
    package var relatives: Relatives
    package var key: RunID { id }
}

/// An idempotency key.
package struct RunKeyRow: ModelRow {
    package var key: String
    package var request: String
    package var run: RunID
}

/// A live attempt.
package struct TaskRow: ModelRow {
    package enum State: Sendable { case ready, leased, settled, waiting }

    package var run: RunID
    package var path: StepPath
    package var version: VersionID
    package var node: Int
    package var priority: Int
    package var state = State.ready
    package var held = false
    package var attempt = 1
    package var losses = 0
    package var retryCounts: [Int] = []
    package var lastDelay = Duration.zero
    package var isUnwanted = false
    package var readyAt: Timestamp
    package var stepStartedAt: Timestamp?
    package var session: SessionID?
    package var fence: Fence?
    package var claimedAt: Timestamp?
    package var settledAt: Timestamp?
    package var outcome: AttemptStatus?
    package var input: JSONText
    package var output: JSONText?
    package var failure: Failure?

    package var key: StepKey { StepKey(run: run, path: path) }
    package var group: RunID? { run }

    mutating func forgetLease() {
        session = nil
        fence = nil
        claimedAt = nil
        settledAt = nil
        outcome = nil
        output = nil
        failure = nil
    }
}

/// A live step that is no task.
package struct LiveStepRow: ModelRow {
    package var run: RunID
    package var path: StepPath
    package var node: Int
    package var facts: LiveStepFacts
    package var key: StepKey { StepKey(run: run, path: path) }
    package var group: RunID? { run }
}

/// What waits for a moment. The empty path is the run's own.
package struct TimerRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let run: RunID
        package let path: StepPath
        package let kind: TimerKind
    }

    package var run: RunID
    package var path: StepPath
    package var kind: TimerKind
    package var dueAt: Timestamp
    package var isAbsolute: Bool
    package var held = false
    package var key: Key { Key(run: run, path: path, kind: kind) }
    package var group: RunID? { run }
}

/// What the fold is told by others.
package struct InboxRow: ModelRow {
    package enum Kind: Sendable {
        case start
        case cancel(reason: String?)
        case child(path: StepPath, run: RunID, refused: ChildEnding?)
        case event(path: StepPath, event: Int64)
        case adjust(path: StepPath, LoopAdjustment)
    }

    package var id: Int64
    package var run: RunID
    package var kind: Kind
    package var held = false
    package var key: Int64 { id }
    package var group: RunID? { run }

    package var isCancel: Bool { if case .cancel = kind { true } else { false } }
}

/// A settled step.
package struct StepRow: ModelRow {
    package var run: RunID
    package var record: StepRecord
    package var key: StepKey { StepKey(run: run, path: record.path) }
    package var group: RunID? { run }
}

/// An attempt that did not settle its step.
package struct AttemptRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let run: RunID
        package let path: StepPath
        package let fence: Fence
    }

    package var run: RunID
    package var record: AttemptRecord
    package var key: Key { Key(run: run, path: record.path, fence: record.outcome.fence) }
    package var group: RunID? { run }
}

/// Something else that happened to a run.
package struct RunEventRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let run: RunID
        package let sequence: Int
    }

    package var run: RunID
    package var sequence: Int
    package var kind: String
    package var path: StepPath?
    package var key: Key { Key(run: run, sequence: sequence) }
    package var group: RunID? { run }
}

/// A life of a worker process.
package struct SessionRow: ModelRow {
    package var id: SessionID
    package var timeline: Int
    package var leaseUntil: Timestamp
    package var deadAt: Timestamp?
    package var reapedAt: Timestamp?
    package var key: SessionID { id }
}

/// What a worker is told with its next heartbeat: this attempt is no longer wanted.
package struct NoticeRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let session: SessionID
        package let run: RunID
        package let path: StepPath
        package let fence: Fence
    }

    package var key: Key
}

/// An event.
package struct EventRow: ModelRow {
    package enum State: Sendable { case buffered, offered, consumed, refused, dropped, expired }

    package var id: Int64
    package var name: String
    package var run: RunID?
    package var correlation: Correlation?
    package var data: JSONText
    package var at: Timestamp
    package var expiresAt: Timestamp
    package var state = State.buffered
    package var takenBy: RunID?
    package var takenPath: StepPath?
    package var key: Int64 { id }
}

/// What names the events and waits that mean each other.
package struct Correlation: Hashable, Comparable, Sendable {
    package let name: String
    package let key: String?

    package static func < (left: Correlation, right: Correlation) -> Bool { (left.name, left.key ?? "") < (right.name, right.key ?? "") }
}

/// The id of an event at its source.
package struct EventKeyRow: ModelRow {
    package var key: String
    package var event: Int64
}

/// An event that was handed to a wait.
package struct DeliveryRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let event: Int64
        package let run: RunID
        package let path: StepPath
    }

    package var key: Key
    package var isBroadcast: Bool
    package var isConsumed = false
    package var group: RunID? { key.run }
}

/// A step that waits for an event.
package struct WaitRow: ModelRow {
    package var run: RunID
    package var path: StepPath
    package var names: [String]?
    package var since: Timestamp
    package var isBroadcast: Bool
    package var createdAt: Timestamp
    package var key: StepKey { StepKey(run: run, path: path) }
    package var group: RunID? { run }
}

/// A key under which a wait is found.
package struct WaitKeyRow: ModelRow {
    package struct Key: Hashable, Sendable {
        package let correlation: Correlation
        package let step: StepKey
    }

    package var key: Key
    package var group: RunID? { key.step.run }
}

/// What the matcher has to look at.
package struct MatchRow: ModelRow {
    package var id: Int64
    package var correlation: Correlation?
    package var run: RunID?
    package var key: Int64 { id }
}

/// The collection of a loop.
package struct ItemsRow: ModelRow {
    package var run: RunID
    package var path: StepPath
    package var items: [JSONText]
    package var key: StepKey { StepKey(run: run, path: path) }
    package var group: RunID? { run }
}

/// How many runs the first run of a tree has below it.
package struct TreeRow: ModelRow {
    package var root: RunID
    package var descendants: Int
    package var key: RunID { root }
}

/// What could not be started.
package struct LetterRow: ModelRow {
    package var id: Int64
    package var run: RunID
    package var workflow: String
    package var failure: Failure
    package var key: Int64 { id }
}

/// A timeline that the database has been on.
package struct EpochRow: ModelRow {
    package var timeline: Int
    package var key: Int { timeline }
}
