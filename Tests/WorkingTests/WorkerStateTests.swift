// What a worker reports once more when the server may have lost it.

import TaskQueue
import Testing
import WorkflowModel

@testable import Working

@Suite("What a worker knows of what it has reported")
struct WorkerStateTests {
    private let state = WorkerState(slots: 4)
    private let begun = ContinuousClock.now

    private func outcome(_ number: Int64) -> SettledTask {
        let run = RunID(UUIDBytes(high: 0x0189_0000_0000_7000, low: 0x8000_0000_0000_0001))
        return SettledTask(key: TaskKey(runID: run, path: StepPath("s\(number)")), fence: Fence(number), status: .succeeded, output: .null)
    }

    // What it reports next.
    private var next: [Fence] {
        state.set(.alive(SessionID(1)))
        guard case .exchange(_, let outcomes, _) = state.next(at: .now) else { return [] }
        return outcomes.map(\.fence)
    }

    @Test("what was reported without new leases is reported once more when the connection is lost, however late that is noticed")
    func reportsAgain() {
        // An hour passes between the answer and the failure: the process has stood still.
        state.noteReported([outcome(1)], isDurable: false, asked: begun - .seconds(3600), now: begun - .seconds(3600))
        state.putBack([outcome(2)])
        #expect(next == [Fence(1), Fence(2)])
        #expect(state.wasRepeated(Fence(1)) && !state.wasRepeated(Fence(2)))
    }

    @Test("what the server has answered a second later says that it was durable by then; that the answer was read late says nothing")
    func forgets() {
        state.noteReported([outcome(1)], isDurable: false, asked: begun, now: begun)
        state.noteReported([outcome(2)], isDurable: false, asked: begun + .milliseconds(500), now: begun + .seconds(60))
        state.putBack([])
        #expect(next == [Fence(1), Fence(2)])
        state.noteReported([outcome(3)], isDurable: false, asked: begun, now: begun)
        state.noteReported([], isDurable: false, asked: begun + .seconds(1), now: begun + .seconds(1))
        state.putBack([outcome(4)])
        #expect(next == [Fence(4)])
    }

    @Test("with new leases in the same commit it is durable, and so is everything before it")
    func isDurable() {
        state.noteReported([outcome(1)], isDurable: false, asked: begun, now: begun)
        state.noteReported([outcome(2)], isDurable: true, asked: begun, now: begun)
        state.putBack([outcome(3)])
        #expect(next == [Fence(3)])
    }
}
