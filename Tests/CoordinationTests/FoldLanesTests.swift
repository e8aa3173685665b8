// Which lane is woken, and what it passes over.

import Postgres
import RunStore
import Testing
import WorkflowModel

@testable import Coordination

@Suite("Lanes", .timeLimit(.minutes(1)))
struct FoldLanesTests {
    private let lanes = FoldLanes(count: 2)
    private let run: RunID

    init() throws { run = try #require(RunID("0190a000-0000-7000-8000-000000000001")) }

    // Whether somebody has woken the lane.
    private func isWoken(_ lane: Int) async -> Bool { await lanes.wakeups[lane].wait(upTo: .zero) }

    @Test("the first lane does everything while it keeps up; the second one is woken when it is at work")
    func woken() async {
        lanes.wake()
        #expect(await isWoken(0))
        #expect(await !isWoken(1))
        _ = lanes.begin(0)
        lanes.wake()
        #expect(await isWoken(1))
        #expect(await !isWoken(0))
        _ = lanes.begin(1)
        lanes.wake()
        #expect(await isWoken(0))
        #expect(await isWoken(1))
        lanes.end(0, inputs: 1)
        #expect(await !isWoken(1))
        lanes.end(1, inputs: FoldLanes.largeFold)
        #expect(await isWoken(0))
    }

    @Test("a lane that rests is not the one to be woken while another one sleeps")
    func resting() async {
        _ = lanes.begin(0)
        lanes.end(0, inputs: 0)
        lanes.rest(0)
        lanes.wake()
        #expect(await !isWoken(0))
        #expect(await isWoken(1))
        // Nobody sleeps: it looks when it has rested.
        _ = lanes.begin(1)
        lanes.wake()
        #expect(await isWoken(0))
        lanes.rested(0)
        lanes.wake()
        #expect(await isWoken(0))
    }

    @Test("lanes at work share the runs, and pass over those of which another has much until it has ended")
    func passed() {
        let first = lanes.begin(0)
        #expect(first.share == .all && first.passed.isEmpty)
        let shared = lanes.begin(1)
        #expect(shared.share == FoldShare(index: 1, of: 2) && shared.passed.isEmpty)
        lanes.end(1, inputs: 0)
        lanes.note(0, large: [run])
        let passing = lanes.begin(1)
        #expect(passing.share == .all && passing.passed == [run])
        lanes.end(0, inputs: 1000)
        #expect(lanes.begin(0).passed.isEmpty)
        lanes.end(1, inputs: 0)
        lanes.end(0, inputs: 0)
        #expect(lanes.begin(1).passed.isEmpty)
    }
}
