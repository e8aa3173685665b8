// Cancelling a run, and its own time-out, in each phase of its life.

import Engine
import Testing
import WorkflowModel

@Suite struct CancelTests {
    @Test("a run that is cancelled before it started ends at once, and starts nothing")
    func beforeStart() throws {
        var story = try Story(.steps([.agent("a")]))
        try story.cancel("changed my mind")
        #expect(story.said == ["end cancelled"])
        #expect(story.ending?.failure?.message == "changed my mind")
        #expect(story.status("a") == nil)
    }

    @Test("queued work ends with the cancel")
    func queued() throws {
        var story = try Story.started(.graph([.agent("a"), .agent("b"), .agent("c", needs: ["a"])]))
        try story.cancel()
        #expect(story.said == ["event cancel_requested", "dequeue a", "cancelled a", "dequeue b", "cancelled b", "end cancelled"])
        #expect(story.step("a")?.attempts == 0)
        #expect(story.status("c") == nil)
        #expect(story.ending?.output == nil)
    }

    @Test("running work is told, the run ends when it has settled, and a late result is kept as discarded")
    func leased() throws {
        var story = try Story.started(.steps([.agent("a"), .agent("b")]))
        try story.claim("a")
        try story.cancel("enough")
        #expect(story.said == ["event cancel_requested", "tell a"])
        #expect(story.ending == nil)
        #expect(story.store.events.first?.body == ["reason": "enough"])
        try story.succeed("a", ["late": true])
        #expect(story.said == ["attempt a succeeded discarded", "dequeue a", "cancelled a", "end cancelled"])
        #expect(story.store.attempts.first?.outcome.output?.value == ["late": true])
        #expect(story.store.attempts.first?.discarded == true)
        #expect(story.step("a")?.output == nil)
        #expect(story.step("a")?.attempts == 1)
        #expect(story.status("b") == nil)
        #expect(story.ending?.failure?.message == "enough")
    }

    @Test(
        "whatever comes back after the cancel settles the step as cancelled, and nothing is tried again",
        arguments: [AttemptStatus.failed, .timedOut, .lost, .released, .cancelled])
    func lateOutcome(status: AttemptStatus) throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(maxAttempts: 5, backoff: .none))]))
        try story.claim("a")
        try story.cancel()
        try story.settle("a", status, failure: Failure(type: .serverError, message: "no"))
        try story.fold()
        #expect(story.said == ["attempt a \(status.rawValue)", "dequeue a", "cancelled a", "end cancelled"])
        #expect(story.step("a")?.attempts == (status == .released ? 0 : 1))
        #expect(story.store.steps[StepPath("a")]?.losses == (status == .lost ? 1 : 0))
    }

    @Test("an outcome that waits for its fold when the cancel comes is too late")
    func settled() throws {
        var story = try Story.started(.steps([.agent("a"), .agent("b")]))
        try story.settle("a", .succeeded, output: 1)
        try story.cancel()
        #expect(story.status("a") == .cancelled)
        #expect(story.store.attempts.first?.discarded == true)
        #expect(story.ending?.status == .cancelled)
        #expect(!story.said.contains("enqueue b"))
    }

    @Test("a back-off ends with the cancel, its timer too")
    func backoff() throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(maxAttempts: 3, jitter: .none))]))
        try story.fail("a")
        try story.cancel()
        #expect(story.said == ["event cancel_requested", "dequeue a", "cancelled a", "end cancelled"])
        #expect(story.step("a")?.attempts == 1)
    }

    @Test("a timer that is due in the same fold as the cancel wakes nothing")
    func dueTimer() throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(maxAttempts: 3, jitter: .none))]))
        try story.fail("a")
        story.store.cancel()
        try story.wait(.seconds(60))
        #expect(story.said == ["event cancel_requested", "dequeue a", "cancelled a", "end cancelled"])
    }

    @Test("nested blocks end with the run: at once where nothing runs, otherwise with what runs in them")
    func nested() throws {
        var story = try Story.started(
            .graph([
                .block("idle", .steps([.block("deep", .graph([.agent("x"), .agent("y")]))])),
                .block("busy", .steps([.block("deep", .graph([.agent("x"), .agent("y")]))])),
            ]))
        try story.claim("busy.deep.y")
        try story.cancel()
        #expect(story.status("idle.deep.x") == .cancelled)
        #expect(story.status("idle.deep") == .cancelled)
        #expect(story.status("idle") == .cancelled)
        #expect(story.status("busy.deep.x") == .cancelled)
        #expect(story.status("busy.deep") == nil)
        #expect(story.said.contains("tell busy.deep.y"))
        try story.succeed("busy.deep.y")
        #expect(
            story.said == [
                "attempt busy.deep.y succeeded discarded", "dequeue busy.deep.y", "cancelled busy.deep.y", "keep busy.deep",
                "drop busy.deep", "cancelled busy.deep", "keep busy", "drop busy", "cancelled busy", "end cancelled",
            ])
    }

    @Test("a second cancel changes nothing")
    func twice() throws {
        var story = try Story.started(.steps([.agent("a")]))
        try story.claim("a")
        try story.cancel("first")
        try story.cancel("second")
        #expect(story.said == [])
        try story.succeed("a")
        #expect(story.ending?.failure?.message == "first")
    }

    @Test("the engine itself takes the reason of the first cancel, and answers a second one with nothing")
    func reasonWithoutStore() throws {
        var story = try Story.started(.steps([.agent("a")]))
        try story.claim("a")
        var frame = try #require(story.store.keptFrame)
        var locked: Set<StepPath> = []
        _ = try story.store.decide(.cancel(reason: "first"), &frame, &locked)
        #expect(frame.run.cancelReason == "first")
        let second = try Engine.decide(&frame, .cancel(reason: "second"), at: story.store.now)
        #expect(second.isEmpty)
        #expect(frame.run.cancelReason == "first")
    }

    @Test("a run that is failing already keeps its failure when it is cancelled")
    func failingFirst() throws {
        var story = try Story.started(.graph([.agent("a"), .agent("b")]))
        try story.claim("b")
        try story.fail("a", .clientError)
        try story.cancel()
        try story.succeed("b")
        #expect(story.ending?.status == .failed)
        #expect(story.ending?.failure?.path == StepPath("a"))
    }

    @Test("a cancel while a nested block is failing: the block keeps its failure, the run is cancelled")
    func failingInside() throws {
        var story = try Story.started(.graph([.block("b", .graph([.agent("x"), .agent("y")])), .agent("z")]))
        try story.claim("b.y")
        try story.fail("b.x", .clientError)
        try story.cancel()
        #expect(story.status("z") == .cancelled)
        try story.succeed("b.y")
        #expect(story.status("b") == .failed)
        #expect(story.ending?.status == .cancelled)
    }
}

@Suite struct DeadlineTests {
    @Test("when the run's time-out passes, its work ends and the run is timed out")
    func passes() throws {
        var story = try Story.started(.graph([.agent("a"), .agent("b")]), timeout: .seconds(30))
        try story.claim("a")
        try story.wait(.seconds(29))
        #expect(story.said == [])
        try story.wait(.seconds(1))
        #expect(story.said == ["event timed_out", "tell a", "dequeue b", "cancelled b"])
        try story.succeed("a")
        #expect(story.ending?.status == .timedOut)
        #expect(story.ending?.failure?.type == .timeout)
        #expect(story.status("a") == .cancelled)
    }

    @Test("a run without live work left ends with its time-out at once")
    func atOnce() throws {
        var story = try Story.started(.steps([.agent("a")]), timeout: .seconds(1))
        try story.wait(.seconds(1))
        #expect(story.said == ["event timed_out", "dequeue a", "cancelled a", "end timed_out"])
    }

    @Test("a cancel after the time-out, or a time-out after the cancel, changes nothing")
    func both() throws {
        var first = try Story.started(.steps([.agent("a")]), timeout: .seconds(10))
        try first.claim("a")
        try first.wait(.seconds(10))
        try first.cancel()
        #expect(first.said == [])
        try first.succeed("a")
        #expect(first.ending?.status == .timedOut)

        var second = try Story.started(.steps([.agent("a")]), timeout: .seconds(10))
        try second.claim("a")
        try second.cancel()
        try second.wait(.seconds(10))
        #expect(second.said == [])
        try second.succeed("a")
        #expect(second.ending?.status == .cancelled)
    }

    @Test("an outcome that settled before the time-out, and is folded with it, counts")
    func sameFold() throws {
        var story = try Story.started(.steps([.agent("a")]), timeout: .seconds(10))
        try story.settle("a", .succeeded, output: 5)
        try story.wait(.seconds(10))
        #expect(story.ending?.status == .succeeded)
        #expect(story.output == 5)
    }
}
