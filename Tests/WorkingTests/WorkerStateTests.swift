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

    // Without new leases, and answered at once.
    private func noteKept(_ outcome: SettledTask, asked: ContinuousClock.Instant) {
        state.noteReported([outcome], kept: [true], isDurable: false, asked: asked, now: asked)
    }

    private func noteNothing(asked: ContinuousClock.Instant) {
        state.noteReported([], kept: [], isDurable: false, asked: asked, now: asked)
    }

    @Test("what was reported without new leases is reported once more when the connection is lost, however late that is noticed")
    func reportsAgain() {
        // An hour passes between the answer and the failure: the process has stood still.
        noteKept(outcome(1), asked: begun - .seconds(3600))
        state.putBack([outcome(2)])
        #expect(next == [Fence(1), Fence(2)])
        #expect(state.wasRepeated(Fence(1)) && !state.wasRepeated(Fence(2)))
    }

    @Test("what the server has answered a second later says that it was durable by then; that the answer was read late says nothing")
    func forgets() {
        noteKept(outcome(1), asked: begun)
        state.noteReported([outcome(2)], kept: [true], isDurable: false, asked: begun + .milliseconds(500), now: begun + .seconds(60))
        state.putBack([])
        #expect(next == [Fence(1), Fence(2)])
        noteNothing(asked: begun + .seconds(61))
        noteKept(outcome(3), asked: begun + .seconds(62))
        noteNothing(asked: begun + .seconds(63))
        state.putBack([outcome(4)])
        #expect(next == [Fence(4)])
    }

    @Test("what is reported again and refused stays in doubt: the first report may not be on the disk when the next connection is lost to a crash")
    func staysInDoubt() {
        noteKept(outcome(1), asked: begun)
        state.putBack([])
        #expect(next == [Fence(1)])
        state.noteReported([outcome(1)], kept: [false], isDurable: false, asked: begun + .milliseconds(100), now: begun + .milliseconds(100))
        state.putBack([])
        #expect(next == [Fence(1)])
        // Lost with the crash, and kept now.
        noteKept(outcome(1), asked: begun + .milliseconds(200))
        noteNothing(asked: begun + .milliseconds(1100))
        state.putBack([])
        #expect(next == [Fence(1)])
        noteNothing(asked: begun + .milliseconds(1200))
        state.putBack([])
        #expect(next == [])
    }

    @Test("a report whose answer was lost may have been kept: refused the second time, it stays in doubt; what was reported once does not")
    func mayHaveBeenKept() {
        state.putBack([outcome(1)], now: begun)
        #expect(next == [Fence(1)])
        state.noteReported(
            [outcome(1), outcome(2)], kept: [false, false], isDurable: false, asked: begun + .seconds(2), now: begun + .seconds(2))
        state.putBack([], now: begun + .seconds(2))
        #expect(next == [Fence(1)])
        noteNothing(asked: begun + .seconds(3))
        state.putBack([])
        #expect(next == [])
    }

    @Test("nothing is reported twice in one request, however often the connection is lost")
    func isListedOnce() {
        noteKept(outcome(1), asked: begun)
        state.putBack([outcome(2)], now: begun)
        state.putBack([], now: begun)
        #expect(next == [Fence(1), Fence(2)])
        state.putBack([outcome(1), outcome(2)], now: begun)
        #expect(next == [Fence(1), Fence(2)])
    }

    @Test("with new leases in the same commit it is durable, and so is everything before it")
    func isDurable() {
        noteKept(outcome(1), asked: begun)
        state.noteReported([outcome(2)], kept: [true], isDurable: true, asked: begun, now: begun)
        state.putBack([outcome(3)])
        #expect(next == [Fence(3)])
    }
}
