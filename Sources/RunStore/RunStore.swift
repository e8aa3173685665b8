// Loads what the engine needs and saves what it decides, set-wise, one transaction for a batch.

public import Postgres
public import WorkflowModel

/// The runs of a database, as coordinators work on them.
///
/// All state is in PostgreSQL; what is kept here are caches that are checked against the database before they are used.
public final class RunStore: Sendable {
    package let programs: ProgramCache
    package let frames: FrameCache
    // The most runs that the run at the top of a tree may have below it.
    let descendantLimit: Int
    // Wakes the workers: there are tasks.
    let tasksNotice: CommitNotice?

    /// A store with empty caches.
    ///
    /// - Parameters:
    ///   - frameWeight: how much to remember of live runs, in facts of some hundred bytes.
    ///   - descendantLimit: the most runs that a run may have below it, sub-workflows of sub-workflows included.
    ///   - tasksNotice: who is to be woken when tasks have become ready.
    public init(frameWeight: Int = 200_000, descendantLimit: Int = 100_000, tasksNotice: CommitNotice? = nil) {
        programs = ProgramCache()
        frames = FrameCache(weightLimit: frameWeight)
        self.descendantLimit = descendantLimit
        self.tasksNotice = tasksNotice
    }
}

/// The runs that a lane folds before all others: one of several equal shares, by the run's id.
public struct FoldShare: Sendable, Hashable {
    /// Which share, from 0.
    let index: Int32
    /// How many shares there are.
    let count: Int32

    /// All runs.
    public static let all = FoldShare(index: 0, of: 1)

    /// The share of one lane; `count` is at least 1.
    public init(index: Int, of count: Int) {
        self.count = Int32(clamping: max(1, count))
        self.index = Int32(clamping: index) % self.count
    }
}

/// What a fold did.
public struct FoldReport: Sendable {
    /// Runs that were locked and decided upon.
    public var runs = 0
    /// Outcomes, orders and timers that were folded.
    public var inputs = 0
    /// Tasks that became ready.
    public var tasksReady = 0
    /// Timers that were set.
    public var timersSet = 0
    /// Runs for which there is something in the inbox now: their sub-workflows ended, or they are to be cancelled.
    public var ordersLeft = 0
    /// Events and waits that somebody has to bring together.
    public var waitsToMatch = 0
    /// Steps that settled.
    public var stepsSettled = 0
    /// Runs that ended, by their ending.
    public var ended: [RunStatus: Int] = [:]
    /// Inputs that the engine refused, with the reason: somebody should look.
    public var refused: [(RunID, String)] = []
    /// Runs whose fold failed; they were set aside.
    public var quarantined: [(RunID, String)] = []

    /// Whether there was more to fold than was taken.
    public var hasMore = false

    mutating func add(_ other: FoldReport) {
        runs += other.runs
        inputs += other.inputs
        tasksReady += other.tasksReady
        timersSet += other.timersSet
        waitsToMatch += other.waitsToMatch
        ordersLeft += other.ordersLeft
        stepsSettled += other.stepsSettled
        ended.merge(other.ended, uniquingKeysWith: +)
        refused += other.refused
        quarantined += other.quarantined
        hasMore = hasMore || other.hasMore
    }
}

extension SQLState {
    /// A row that this release cannot read, or that cannot be true: its run is set aside.
    static let unreadableRow = SQLState(rawValue: "SK100")
}

extension PostgresError {
    /// A row that cannot be read; `reason` is a sentence.
    static func unreadable(_ reason: String) -> PostgresError { PostgresError(code: .server, sqlState: .unreadableRow, message: reason) }
}
