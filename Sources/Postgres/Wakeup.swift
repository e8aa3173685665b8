// A signal for one sleeper: signals that come while nobody sleeps are kept as one.

import Synchronization

/// Wakes a loop that has nothing to do. Many may signal, one waits; a signal that comes before the wait ends it at once.
public final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
        var sleeper: CheckedContinuation<Bool, Never>?
        // Counts the sleeps, so that what ends one cannot end the next.
        var sleeps: UInt64 = 0
    }

    private let state = Mutex(State())

    /// A wakeup without a signal.
    public init() {}

    /// Wakes the sleeper, or the next one.
    public func signal() {
        let sleeper = state.withLock { state in
            defer { state.sleeper = nil }
            if state.sleeper == nil { state.isSignalled = true }
            return state.sleeper
        }
        sleeper?.resume(returning: true)
    }

    /// Sleeps until somebody signals, the task is cancelled, or the time has passed. Only one task may wait at a time.
    ///
    /// - Returns: whether it was a signal.
    @discardableResult
    public func wait(upTo duration: Duration? = nil, clock: some Clock<Duration> = ContinuousClock()) async -> Bool {
        let (isSignalled, sleep) = state.withLock { state in
            defer { state.isSignalled = false }
            state.sleeps += 1
            return (state.isSignalled, state.sleeps)
        }
        if isSignalled { return true }
        // Nobody waits for this task to end: the sleeper goes on as soon as it is woken.
        let alarm = duration.map { duration in
            Task {
                try? await clock.sleep(for: duration)
                self.end(sleep)
            }
        }
        defer { alarm?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver: Bool? = state.withLock { state in
                    if state.isSignalled {
                        state.isSignalled = false
                        return true
                    }
                    // The alarm or the cancellation was faster.
                    if state.sleeps != sleep || Task.isCancelled { return false }
                    precondition(state.sleeper == nil, "Only one task may wait for a wakeup.")
                    state.sleeper = continuation
                    return nil
                }
                if let isOver { continuation.resume(returning: isOver) }
            }
        } onCancel: {
            end(sleep)
        }
    }

    private func end(_ sleep: UInt64) {
        let sleeper = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard state.sleeps == sleep else { return nil }
            state.sleeps += 1
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume(returning: false)
    }
}
