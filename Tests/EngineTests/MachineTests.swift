// State machines, events, timers.

import Engine
import Testing
import WorkflowModel

@Suite struct MachineTests {
    private static func order(_ unexpected: StateMachine.UnexpectedEvents = .defer, maxTransitions: Int = 1000) -> Block {
        .states(
            StateMachine(
                initial: "received", maxTransitions: maxTransitions, unexpected: unexpected,
                states: [
                    State(
                        name: "received", block: .steps([.agent("check")]),
                        next: [Transition(condition: "steps.check.output.ok", target: "awaiting"), Transition(target: "rejected")]),
                    State(
                        name: "awaiting",
                        on: [
                            EventTransitions(
                                event: "paid", transitions: [Transition(condition: "event.amount >= input.total", target: "shipping")]),
                            EventTransitions(event: "again", transitions: [Transition(target: "received")]),
                            EventTransitions(event: "cancelled", transitions: [Transition(target: "cancelled")]),
                        ], after: [TimedTransitions(delay: .seconds(86_400), transitions: [Transition(target: "cancelled")])]),
                    State(
                        name: "shipping", block: .steps([.agent("ship", with: "${{ states.received.output }}")]),
                        next: [Transition(target: "done")]),
                    State(name: "done", ending: .succeeded, output: ["shipped": "${{ states.shipping.output }}"]),
                    State(name: "rejected", ending: .failed),
                    State(name: "cancelled", ending: .cancelled),
                ]))
    }

    private static func started(_ unexpected: StateMachine.UnexpectedEvents = .defer) throws -> Story {
        var story = try Story.started(order(unexpected), input: ["total": 10])
        try story.succeed("state/received#1.check", ["ok": true])
        return story
    }

    @Test("a machine works, waits, and ends with the output of its final state")
    func happyPath() throws {
        var story = try Story.started(Self.order(), input: ["total": 10])
        #expect(story.ready == ["state/received#1.check"])
        try story.succeed("state/received#1.check", ["ok": true])
        #expect(story.said.contains("wait state"))
        #expect(story.due("state", .after) == .seconds(86_400))
        try story.signal("paid", ["amount": 10])
        #expect(story.ready == ["state/shipping#1.ship"])
        #expect(story.input(of: "state/shipping#1.ship") == ["ok": true])
        try story.succeed("state/shipping#1.ship", "parcel")
        #expect(story.output == ["shipped": "parcel"])
        let transitions = story.events("transition")
        #expect(transitions.map { $0["to"] } == ["awaiting", "shipping", "done"])
        #expect(transitions[1]["event"] == "paid")
        #expect(transitions[1]["guard"] == "event.amount >= input.total")
        #expect(transitions[1]["values"] == ["event.amount": 10, "input.total": 10])
    }

    @Test("final states end the run as they say")
    func finals() throws {
        var rejected = try Story.started(Self.order(), input: ["total": 10])
        try rejected.succeed("state/received#1.check", ["ok": false])
        #expect(rejected.ending?.status == .failed)
        #expect(rejected.ending?.failure?.code == "rejected")
        var cancelled = try Self.started()
        try cancelled.signal("cancelled")
        #expect(cancelled.ending?.status == .cancelled)
    }

    @Test("a state's time comes")
    func after() throws {
        var story = try Self.started()
        try story.wait(.seconds(86_400))
        #expect(story.ending?.status == .cancelled)
        #expect(story.events("transition").last?["after"] == "1d")
    }

    @Test("an event that no transition takes is kept until one does")
    func deferred() throws {
        var story = try Story.started(Self.order(), input: ["total": 10])
        // Before anybody waits.
        try story.signal("paid", ["amount": 10])
        #expect(story.store.arrivals[0].state == .open)
        try story.succeed("state/received#1.check", ["ok": true])
        try story.fold()
        #expect(story.store.arrivals[0].state == .consumed)
        // A guard that does not hold leaves it.
        var poor = try Self.started()
        try poor.signal("paid", ["amount": 1])
        #expect(poor.store.arrivals[0].state == .open)
        try poor.signal("again")
        #expect(poor.ready == ["state/received#2.check"])
        #expect(poor.store.arrivals.map(\.state) == [.open, .consumed])
    }

    @Test("an unexpected event is refused with a reason, or dropped")
    func unexpected() throws {
        var rejecting = try Self.started(.reject)
        try rejecting.signal("noise")
        #expect(rejecting.store.arrivals[0].state == .refused("the state `awaiting` takes no event `noise` now"))
        var ignoring = try Self.started(.ignore)
        try ignoring.signal("paid", ["amount": 1])
        #expect(ignoring.store.arrivals[0].state == .dropped)
    }

    @Test("a guard that errors fails the run")
    func brokenGuard() throws {
        var story = try Self.started()
        try story.signal("paid", ["sum": 10])
        #expect(story.ending?.failure?.type == .expression)
    }

    @Test("more transitions than allowed fail the machine")
    func endless() throws {
        let machine = StateMachine(
            initial: "a", maxTransitions: 5,
            states: [
                State(name: "a", next: [Transition(condition: "false", target: "end"), Transition(target: "b")]),
                State(name: "b", next: [Transition(target: "a")]), State(name: "end", ending: .succeeded),
            ])
        let story = try Story.started(.states(machine))
        #expect(story.ending?.failure?.code == "maxTransitions")
        #expect(story.status("state/a#3") == .succeeded)
        #expect(story.events("transition").count == 5)
    }

    @Test("a machine inside a step has the step's path, and runs anew in each iteration")
    func nested() throws {
        let machine = StateMachine(
            initial: "a",
            states: [
                State(name: "a", block: .steps([.agent("x", with: "${{ item }}")]), next: [Transition(target: "b")]),
                State(name: "b", ending: .succeeded, output: ["${{ states.a.output }}", "${{ index }}"]),
            ])
        var story = try Story.started(.steps([.block("o", .states(machine), loop: .each(["p", "q"], at: 2))]))
        #expect(story.ready == ["o[0]/a#1.x", "o[1]/a#1.x"])
        try story.succeed("o[1]/a#1.x", 2)
        try story.succeed("o[0]/a#1.x", 1)
        #expect(story.output == [[1, 0], [2, 1]])
    }

    @Test("cancelling a machine that waits leaves no wait and no timer")
    func cancelled() throws {
        var story = try Self.started()
        try story.cancel()
        #expect(
            story.said == [
                "event cancel_requested", "end wait state", "remove after state", "drop state", "cancelled state", "end cancelled",
            ])
    }
}

@Suite struct WaitTests {
    @Test("a wait takes the first event that matches, and its data is the answer")
    func matching() throws {
        var story = try Story.started(
            .steps([
                .await("w", "paid", key: "${{ input.id }}", match: "event.amount > 5", output: ["${{ event.amount }}", "${{ result.by }}"])
            ]),
            input: ["id": "o-1"])
        #expect(story.store.waits[StepPath("w")]?.order.key == "o-1")
        try story.signal("paid", ["amount": 1], key: "o-1")
        try story.signal("paid", ["amount": 9, "by": "me"], key: "o-2")
        #expect(story.ending == nil)
        try story.signal("paid", ["amount": 7, "by": "me"], key: "o-1")
        #expect(story.output == [7, "me"])
        #expect(story.store.arrivals.map(\.state) == [.open, .open, .consumed])
    }

    @Test("an event that came before the wait is not lost")
    func early() throws {
        var story = try Story.started(.steps([.agent("a"), .await("w", "go")]))
        try story.signal("go", ["n": 1])
        try story.succeed("a")
        try story.fold()
        #expect(story.output == ["n": 1])
    }

    @Test("a wait that takes too long fails, goes on with null, or runs its block")
    func timeouts() throws {
        var fails = try Story.started(.steps([.await("w", "go", timeout: .seconds(60))]))
        try fails.wait(.seconds(60))
        #expect(fails.ending?.failure?.type == .timeout)
        var goes = try Story.started(.steps([.await("w", "go", timeout: .seconds(60), onTimeout: .continue)]))
        try goes.wait(.seconds(60))
        #expect(goes.output == .some(.null))
        #expect(goes.status("w") == .failed)
        #expect(goes.step("w")?.failure?.message == "no event `go` came within 1m")
        var runs = try Story.started(
            .steps([.await("w", "go", timeout: .seconds(60), onTimeout: .catch(.steps([.agent("remind", with: "${{ error.type }}")])))]))
        try runs.wait(.seconds(60))
        #expect(runs.input(of: "w/timeout.remind") == "timeout")
        try runs.succeed("w/timeout.remind", "reminded")
        #expect(runs.output == "reminded")
    }

    @Test("emit publishes, and goes on")
    func emitting() throws {
        let emission = Emission(event: "done", key: "${{ input.id }}", data: ["n": "${{ input.n }}"])
        let story = try Story.started(.steps([.verb("e", .emit(emission))]), input: ["id": "k", "n": 3])
        #expect(story.store.emitted.map(\.name) == ["done"])
        #expect(story.store.emitted[0].key == "k")
        #expect(story.store.emitted[0].data.value == ["n": 3])
        #expect(story.output == ["event": "done", "key": "k"])
    }
}

@Suite struct TimerTests {
    @Test("a sleep takes its time; one until a moment keeps it through a pause; one that is over takes none")
    func sleeping() throws {
        var story = try Story.started(
            .steps([
                .verb("a", .sleep(.duration(.seconds(5)))), .verb("b", .sleep(.computed("${{ input.s }}"))),
                .verb("c", .sleep(.until("2023-11-14T23:00:00Z"))), .verb("d", .sleep(.until("2020-01-01T00:00:00Z"))), .set("e", 1),
            ]), input: ["s": "90s"])
        #expect(story.due("a", .sleep) == .seconds(5))
        try story.wait(.seconds(5))
        #expect(story.due("b", .sleep) == .seconds(90))
        try story.wait(.seconds(90))
        #expect(story.store.timers[ModelStore.TimerKey(path: StepPath("c"), kind: .sleep)]?.isAbsolute == true)
        try story.wait(.seconds(3600))
        #expect(story.output == 1)
    }

    @Test("a sleep that is given nonsense fails its step")
    func nonsense() throws {
        let story = try Story.started(.steps([.verb("a", .sleep(.until("${{ input.n }}")))]))
        #expect(story.ending?.failure?.type == .expression)
    }

    @Test("totalTimeout ends a step that waits for its next attempt")
    func totalWhileWaiting() throws {
        var story = try Story.started(
            .steps([.agent("a", total: .seconds(10), retry: RetryEntry(maxAttempts: 9, delay: .seconds(60), jitter: .none))]))
        try story.fail("a")
        try story.wait(.seconds(10))
        #expect(story.ending?.failure?.message.contains("totalTimeout") == true)
        #expect(story.step("a")?.attempts == 1)
    }

    @Test("totalTimeout tells the worker, and does not apply what comes back")
    func totalWhileRunning() throws {
        var story = try Story.started(.steps([.agent("a", total: .seconds(10)), .agent("b")]))
        try story.claim("a")
        try story.wait(.seconds(10))
        #expect(story.said == ["tell a"])
        try story.succeed("a", "too late")
        #expect(story.ending?.failure?.type == .timeout)
        #expect(story.store.attempts.first?.discarded == true)
    }

    @Test("the time-out of a block cancels what is in it, and can be caught")
    func blocks() throws {
        var story = try Story.started(
            .steps([
                .block(
                    "b", .graph([.agent("x"), .agent("y")]), timeout: .seconds(10),
                    onError: .catch(.steps([.set("c", "${{ error.type }}")])))
            ]))
        try story.claim("b.x")
        try story.wait(.seconds(10))
        #expect(story.status("b.y") == .cancelled)
        try story.release("b.x")
        #expect(story.output == "timeout")
    }
}
