// The clock of time-outs. A sleep of the concurrency library that is cancelled leaves its timer behind until its time is up: a worker that made 3,000 calls
// a second, each with five minutes to answer, would keep a million of them.
import AsyncHTTPClient
import NIOCore
import Synchronization

/// The continuous clock, with sleeps that leave nothing behind when they are cancelled.
struct TimerClock: Clock {
    typealias Instant = ContinuousClock.Instant

    private static let group = HTTPClient.defaultEventLoopGroup
    private static let longest: Duration = .seconds(86_400 * 365)

    var now: Instant { ContinuousClock.now }
    var minimumResolution: Duration { ContinuousClock().minimumResolution }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let nanoseconds = min(max(deadline - now, .zero), Self.longest) / .nanoseconds(1)
        let sleep = Sleep()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                sleep.begin(continuation) { wake in Self.group.any().scheduleTask(in: .nanoseconds(Int64(nanoseconds)), wake) }
            }
        } onCancel: {
            sleep.cancel()
        }
    }
}

/// One sleep: ends once, by its timer or by a cancellation, which may be faster than its beginning.
private final class Sleep: Sendable {
    private struct State {
        var isOver = false
        var sleeper: CheckedContinuation<Void, any Error>?
        var timer: Scheduled<Void>?
    }

    private let state = Mutex(State())

    func begin(_ sleeper: CheckedContinuation<Void, any Error>, _ schedule: (@escaping @Sendable () -> Void) -> Scheduled<Void>) {
        let isOver = state.withLock { state in
            if !state.isOver { state.sleeper = sleeper }
            return state.isOver
        }
        if isOver { return sleeper.resume(throwing: CancellationError()) }
        let timer = schedule { self.end().sleeper?.resume() }
        let isLate = state.withLock { state in
            if !state.isOver { state.timer = timer }
            return state.isOver
        }
        if isLate { timer.cancel() }
    }

    func cancel() {
        let (sleeper, timer) = end()
        sleeper?.resume(throwing: CancellationError())
        timer?.cancel()
    }

    // What is left to do for whoever comes first; nothing for the others.
    private func end() -> (sleeper: CheckedContinuation<Void, any Error>?, timer: Scheduled<Void>?) {
        state.withLock { state in
            defer { state = State(isOver: true) }
            return (state.sleeper, state.timer)
        }
    }
}
