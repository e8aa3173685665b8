import AgentCalls
// A clock whose time is up when a test says so.
import Testing

/// Every sleep lasts until `ring()`.
final class ManualClock: Clock {
    typealias Instant = ContinuousClock.Instant

    private let bells: AsyncStream<Void>
    private let bell: AsyncStream<Void>.Continuation

    init() { (bells, bell) = AsyncStream.makeStream() }

    var now: Instant { ContinuousClock.now }
    var minimumResolution: Duration { .zero }

    /// Ends all sleeps, those to come too.
    func ring() { bell.finish() }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        for await _ in bells {}
        try Task.checkCancellation()
    }
}

/// Performs a call whose time is up as soon as `condition` holds.
func perform(
    _ agentCall: AgentCall, settings: AgentCallSettings = AgentCallSettings(allowedExecutables: ["*"], killGrace: .milliseconds(300)),
    timeOverWhen condition: @escaping () -> Bool
) async throws -> AgentResult {
    let clock = ManualClock()
    let caller = AgentCaller(settings: settings, clock: clock)
    async let result = caller.perform(agentCall)
    try await eventually("the call did not get as far as the test wants it", condition)
    clock.ring()
    let ended = await result
    try await caller.shutdown()
    return ended
}
