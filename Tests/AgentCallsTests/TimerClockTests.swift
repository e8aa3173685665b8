// The clock of time-outs.

@testable import AgentCalls
import Testing

@Suite("The clock of time-outs", .timeLimit(.minutes(1)))
struct TimerClockTests {
    private let clock = TimerClock()

    @Test("a sleep ends when its time is over, and not before", arguments: [0, 1, 30])
    func sleeps(milliseconds: Int) async throws {
        let begun = clock.now
        try await clock.sleep(for: .milliseconds(milliseconds))
        #expect(clock.now - begun >= .milliseconds(milliseconds))
    }

    @Test("a sleep that is cancelled ends at once, whether it has begun or not")
    func cancelled() async {
        for _ in 0..<200 {
            let sleeping = Task { try await clock.sleep(for: .seconds(3600)) }
            sleeping.cancel()
            await #expect(throws: CancellationError.self) { try await sleeping.value }
        }
    }

    @Test("whoever has been cancelled while it slept is told, and the longest time that there is can be waited for")
    func longest() async throws {
        let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
        let sleeping = Task {
            beginning.yield()
            try await clock.sleep(for: .seconds(Int64.max / 2))
        }
        for await _ in begun { break }
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
    }
}
