// What is let in: bounds on what waits, so that more work than can be done is refused at once and costs no memory.

import Logging
import Postgres
import Synchronization
import Telemetry
import WorkflowModel

/// Decides whether there is room for what a request brings.
///
/// Two things are bounded: the bytes of bodies that requests hold while they are answered, and the runs that were accepted and have not
/// ended. The runs are counted in the database, now and then as long as some are submitted or many are under way; in between those count that were let in here.
final class Admission: Sendable {
    private struct State {
        var bytes = 0
        // Live runs when they were counted last.
        var counted = 0
        // Runs that were let in and may not have been committed yet: a count may see them or not.
        var pending = 0
        // Runs that were committed since the last count began.
        var since = 0

        var known: Int { counted + pending + since }
    }

    private let backlogLimit: Int
    private let bytesLimit: Int
    private let pool: PostgresPool
    private let log: Logger
    private let sleep: @Sendable (Duration) async -> Void
    private let state = Mutex(State())
    private let wakeup = Wakeup()

    // Counting may take this part of the time at most; but on a busy machine it takes long for other reasons. So whatever it took, the next
    // count comes before all that was counted can have ended: no cluster ends a run in less than this.
    private static let countingShare = 0.02
    private static let shortestRun: Duration = .microseconds(10)
    private static let shortestPause: Duration = .milliseconds(100)
    private static let pauseAfterFailure: Duration = .seconds(1)

    /// `sleep` returns after a time, or at once when the task is cancelled.
    init(
        backlogLimit: Int, bytesLimit: Int, pool: PostgresPool, log: Logger,
        sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
    ) {
        self.backlogLimit = backlogLimit
        self.bytesLimit = bytesLimit
        self.pool = pool
        self.log = log
        self.sleep = sleep
    }

    // MARK: Bodies

    /// Takes room for a body; the answer is whether there was some. A single body has room whenever there is no other.
    func take(bytes: Int) -> Bool {
        state.withLock { state in
            guard state.bytes == 0 || state.bytes + bytes <= bytesLimit else { return false }
            state.bytes += bytes
            return true
        }
    }

    /// Gives room back.
    func give(bytes: Int) { state.withLock { $0.bytes -= bytes } }

    // MARK: Runs

    /// How many runs are under way, as far as is known.
    var knownRuns: Int { state.withLock { $0.known } }

    /// Whether there is no room for a single run more, so that a request for some can be refused before its body is looked at.
    var isFull: Bool {
        guard backlogLimit > 0 else { return false }
        // Whoever asks wants to be let in: that is what the next count is for.
        defer { wakeup.signal() }
        return state.withLock { $0.known > 0 && $0.known >= backlogLimit }
    }

    /// Whether there is room for so many more runs. What is let in counts at once.
    func admit(runs: Int) -> Bool {
        guard backlogLimit > 0 else { return true }
        defer { wakeup.signal() }
        return state.withLock { state in
            // A batch that is larger than the bound is let in when there is nothing else.
            guard state.known == 0 || state.known + runs <= backlogLimit else { return false }
            state.pending += runs
            return true
        }
    }

    /// So many of those that were let in have been committed.
    func confirm(runs: Int) {
        guard backlogLimit > 0 else { return }
        state.withLock { state in
            state.pending -= runs
            state.since += runs
        }
        // What was counted before the commit lacks them.
        wakeup.signal()
    }

    /// So many of those that were let in have not become runs.
    func withdraw(runs: Int) {
        if backlogLimit > 0 { state.withLock { $0.pending -= runs } }
    }

    /// How long to wait after a count that took so long.
    static func pause(after took: Duration, counting counted: Int) -> Duration {
        min(max(shortestPause, took / countingShare), shortestPause + shortestRun * counted)
    }

    /// Waits between a count that took so long and the next one.
    func rest(after took: Duration, counting counted: Int) async {
        let pause = Self.pause(after: took, counting: counted)
        await sleep(pause)
        // There is no hurry while there is much room; and a count is slow, however few runs there are, when somebody holds a snapshot.
        var left = took / Self.countingShare - pause
        while left > .zero, hasMuchRoom, !Task.isCancelled {
            await sleep(Self.shortestPause)
            left -= Self.shortestPause
        }
    }

    /// Counts runs whenever some are submitted, until the task is cancelled.
    func run() async {
        guard backlogLimit > 0 else { return }
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            let before = state.withLock { $0.since }
            let known: Int
            do {
                let counted = try await pool.withConnection { connection in
                    try await connection.query(
                        "select count(*) from (select from skein.run limit $1) as live", [.int64(Int64(self.backlogLimit) + 1)])[0].int64(0)
                }
                known = state.withLock { state in
                    state.counted = Int(counted)
                    state.since -= before
                    return state.known
                }
                await rest(after: ContinuousClock.now - begun, counting: Int(counted))
            } catch {
                log.debug("The live runs could not be counted", metadata: [.error: "\(error)"])
                known = backlogLimit
                await sleep(Self.pauseAfterFailure)
            }
            if Task.isCancelled { return }
            // As long as there is much, what is known gets old by itself: whoever comes next must not be refused for runs that have ended.
            if known <= backlogLimit / 2 { await wakeup.wait() }
        }
    }

    private var hasMuchRoom: Bool { knownRuns <= backlogLimit / 2 }
}

/// The room that one request has for its body, until it is answered.
final class BodyRoom: Sendable {
    private let admission: Admission
    private let taken = Mutex(0)

    init(_ admission: Admission) { self.admission = admission }

    /// Takes room for a body.
    func take(bytes: Int) throws {
        guard admission.take(bytes: bytes) else {
            throw Problem.tooMuch("The requests that are being answered hold as many bytes as this coordinator takes at a time.", .bytes)
        }
        taken.withLock { $0 += bytes }
    }

    /// Gives everything back.
    func giveBack() {
        let bytes = taken.withLock { taken in
            defer { taken = 0 }
            return taken
        }
        if bytes > 0 { admission.give(bytes: bytes) }
    }
}

extension Problem {
    /// Which bound was reached.
    enum Bound: String {
        /// Runs that have not ended.
        case backlog
        /// Submits that wait to be committed.
        case waiting
        /// Bytes of bodies.
        case bytes

        // The backlog shrinks by work that is done, the others by a commit.
        var retryAfterSeconds: Int {
            switch self {
            case .backlog: 5
            case .waiting, .bytes: 1
            }
        }
    }

    /// A bound was reached; nothing was done.
    static func tooMuch(_ detail: String, _ bound: Bound) -> Problem {
        var problem = Problem(.tooManyRequests, detail, [("bound", .string(bound.rawValue))])
        problem.retryAfterSeconds = bound.retryAfterSeconds
        return problem
    }
}
