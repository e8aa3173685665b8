// A signal for one sleeper: signals that come while nobody sleeps are kept as one.

import Synchronization

/// Wakes a loop that has nothing to do. Many may signal, one waits; a signal that comes before the wait ends it at once.
public final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// A wakeup without a signal.
    public init() {}

    /// Wakes the sleeper, or the next one.
    public func signal() {
        let sleeper = state.withLock { state in
            guard let sleeper = state.sleeper else {
                state.isSignalled = true
                return CheckedContinuation<Void, Never>?.none
            }
            state.sleeper = nil
            return sleeper
        }
        sleeper?.resume()
    }

    /// Sleeps until somebody signals, the task is cancelled, or the time has passed. Only one task may wait at a time.
    ///
    /// - Returns: whether it was a signal.
    @discardableResult
    public func wait(upTo duration: Duration? = nil, clock: some Clock<Duration> = ContinuousClock()) async -> Bool {
        let signalled = state.withLock { state in
            defer { state.isSignalled = false }
            return state.isSignalled
        }
        if signalled { return true }
        guard let duration else {
            await sleep()
            return !Task.isCancelled
        }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.sleep()
                return !Task.isCancelled
            }
            group.addTask {
                try? await clock.sleep(for: duration)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            let second = await group.next() ?? false
            return first || second
        }
    }

    private func sleep() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isAwake = state.withLock { state in
                    if state.isSignalled || Task.isCancelled {
                        state.isSignalled = false
                        return true
                    }
                    precondition(state.sleeper == nil, "Only one task may wait for a wakeup.")
                    state.sleeper = continuation
                    return false
                }
                if isAwake { continuation.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                defer { state.sleeper = nil }
                return state.sleeper
            }
            sleeper?.resume()
        }
    }
}
