// Tells those who wait that a run has changed: one query for all of them, however many wait.

import Logging
import Postgres
import RunStore
import Synchronization
import Telemetry
import WorkflowModel

/// Watches the runs that somebody waits for.
final class RunWatcher: Sendable {
    /// What ended a wait.
    enum News: Sendable, Hashable {
        /// What was waited for has happened; this is where the run stands.
        case changed(RunMark)
        /// The time was over.
        case nothing
        /// The service is stopping.
        case stopping
        /// Too many are waiting already.
        case overloaded
    }

    /// The most that may wait at a time.
    static let waiterLimit = 20_000
    private static let shortestPause: Duration = .milliseconds(25)
    private static let longestPause: Duration = .milliseconds(500)

    private struct Waiter {
        let run: RunID
        /// What the run was like when the waiter looked; nil waits for the ending.
        let known: RunMark?
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<News, Never>
    }

    private struct State {
        var waiters: [UInt64: Waiter] = [:]
        var last: UInt64 = 0
        var hasNew = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeup = Wakeup()
    private let reader: RunReader
    private let log: Logger

    init(_ reader: RunReader, log: Logger) {
        self.reader = reader
        self.log = log
    }

    /// Waits until the run is gone from the live ones.
    func ending(of run: RunID, until deadline: ContinuousClock.Instant) async -> News { await wait(run, nil, deadline) }

    /// Waits until the run differs from what is known of it.
    func change(of run: RunID, since known: RunMark, until deadline: ContinuousClock.Instant) async -> News {
        await wait(run, known, deadline)
    }

    private func wait(_ run: RunID, _ known: RunMark?, _ deadline: ContinuousClock.Instant) async -> News {
        let id = state.withLock { state in
            state.last += 1
            return state.last
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refusal = state.withLock { state -> News? in
                    if state.isStopped || Task.isCancelled { return .stopping }
                    if state.waiters.count >= Self.waiterLimit { return .overloaded }
                    state.waiters[id] = Waiter(run: run, known: known, deadline: deadline, continuation: continuation)
                    state.hasNew = true
                    return nil
                }
                if let refusal { continuation.resume(returning: refusal) } else { wakeup.signal() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(returning: .stopping)
        }
    }

    /// Works until the task is cancelled.
    func run() async {
        var pause = Self.shortestPause
        var failures = 0
        while !Task.isCancelled {
            let (waiters, hasNew) = state.withLock { state in
                defer { state.hasNew = false }
                return (state.waiters, state.hasNew)
            }
            guard !waiters.isEmpty else {
                await wakeup.wait()
                pause = Self.shortestPause
                continue
            }
            if hasNew { pause = Self.shortestPause }
            do {
                let runs = Array(Set(waiters.values.map(\.run)))
                let marks = Dictionary(uniqueKeysWithValues: zip(runs, try await reader.marks(of: runs)))
                failures = 0
                let changed = tell(waiters, marks)
                pause = changed ? Self.shortestPause : min(pause * 1.5, Self.longestPause)
            } catch {
                failures += 1
                if failures == 1 { log.debug("Runs could not be watched; trying again", metadata: [.error: "\(error)"]) }
                _ = tell(waiters, [:])
                pause = Self.longestPause
            }
            try? await Task.sleep(for: pause)
        }
        stop()
    }

    /// Ends all waits, now and from now on.
    func stop() {
        let left = state.withLock { state in
            defer { state.waiters = [:] }
            state.isStopped = true
            return state.waiters
        }
        for waiter in left.values { waiter.continuation.resume(returning: .stopping) }
        wakeup.signal()
    }

    private func tell(_ waiters: [UInt64: Waiter], _ marks: [RunID: RunMark]) -> Bool {
        let now = ContinuousClock.now
        var anyChanged = false
        for (id, waiter) in waiters {
            let news: News
            if let mark = marks[waiter.run], waiter.known.map({ $0 != mark }) ?? (mark == .gone) {
                news = .changed(mark)
                anyChanged = true
            } else if waiter.deadline <= now {
                news = .nothing
            } else {
                continue
            }
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(returning: news)
        }
        return anyChanged
    }
}
