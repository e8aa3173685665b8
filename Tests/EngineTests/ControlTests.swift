// Conditions, `switch`, `when`, catching, ending by order: one example for each rule.

import Engine
import Testing
import WorkflowModel

@Suite struct ConditionTests {
    @Test("a decision is kept with its condition, its result and the values it was taken on")
    func decisions() throws {
        let story = try Story.started(
            .steps([.set("mean", 0.7), .agent("a", if: "steps.mean.output < input.limit"), .agent("b", if: "true")]), input: ["limit": 0.8])
        #expect(
            story.events("decision") == [
                [
                    "condition": "steps.mean.output < input.limit", "result": true,
                    "values": ["steps.mean.output": 0.7, "input.limit": 0.8],
                ]
            ])
        #expect(story.store.events.first?.path == StepPath("a"))
        #expect(story.ready == ["a"])
    }

    @Test("a value that is too long to be kept with a decision is kept by its length")
    func longValues() throws {
        let text = String(repeating: "x", count: 2000)
        let story = try Story.started(.steps([.agent("a", if: "input.text != ''")]), input: ["text": .string(text)])
        #expect(story.events("decision").first?["values"] == ["input.text": "(2002 bytes)"])
    }

    private static let choice = Step.verb(
        "route",
        .switch(
            Switch(
                cases: [
                    Switch.Case(condition: "input.n > 10", block: .steps([.agent("big")])),
                    Switch.Case(condition: "input.n > 5", block: .steps([.agent("middle")])),
                ], otherwise: .steps([.agent("small")]))), output: ["got": "${{ result }}"])

    @Test(
        "the first case that holds runs, its output is the step's",
        arguments: [(11, "route/case1.big"), (6, "route/case2.middle"), (1, "route/else.small")])
    func switching(n: Int, path: String) throws {
        var story = try Story.started(.steps([Self.choice]), input: ["n": .int(Int64(n))])
        #expect(story.ready == [path])
        try story.succeed(path, 42)
        #expect(story.output == ["got": 42])
        #expect(story.status("route") == .succeeded)
    }

    @Test("a switch without a case that holds and without `else` fails its step")
    func noCase() throws {
        let step = Step.verb("route", .switch(Switch(cases: [Switch.Case(condition: "false", block: .steps([.agent("x")]))])))
        let story = try Story.started(.steps([step]))
        #expect(story.ending?.failure?.code == "noCase")
        #expect(story.ending?.failure?.path == StepPath("route"))
    }

    @Test("a condition that cannot be evaluated fails the step, and says nothing of the data")
    func broken() throws {
        let story = try Story.started(.steps([.agent("a", if: "input.secret > 1")]), input: ["secret": "hunter2"])
        #expect(story.ending?.failure?.type == .expression)
        #expect(story.ending?.failure?.message.contains("hunter2") == false)
    }
}

@Suite struct RunRuleTests {
    @Test(
        "a step of a graph runs when a need of it was skipped, and is skipped when all were; `success` wants all, `always` asks for nothing"
    )
    func needs() throws {
        let story = try Story.started(
            .graph([
                .set("yes", 1), .set("no", 1, if: "false"), .set("some", 1, needs: ["yes", "no"]), .set("none", 1, needs: ["no"]),
                .set("strict", 1, needs: ["yes", "no"], when: .success), .set("whatever", 1, needs: ["no"], when: .always),
                .set("sorry", 1, needs: ["yes"], when: .failure), .set("idle", 1, when: .failure),
            ]))
        #expect(story.ending?.status == .succeeded)
        #expect(["some", "whatever"].map { story.status($0) } == [.succeeded, .succeeded])
        #expect(["none", "strict", "sorry", "idle"].map { story.status($0) } == [.skipped, .skipped, .skipped, .skipped])
    }

    @Test("in a sequence `always` is the finally, `failure` runs only after one, and the block fails afterwards")
    func sequence() throws {
        let body = Block.steps([
            .agent("work"), .agent("after"), .agent("sorry", when: .failure), .agent("finally", when: .always),
        ])
        var failing = try Story.started(body)
        try failing.fail("work", .clientError)
        #expect(failing.ready == ["sorry"])
        try failing.succeed("sorry")
        #expect(failing.ready == ["finally"])
        #expect(failing.ending == nil)
        try failing.succeed("finally")
        #expect(failing.ending?.status == .failed)
        #expect(failing.ending?.failure?.path == StepPath("work"))
        #expect(failing.status("after") == .skipped)

        var passing = try Story.started(body)
        try passing.succeed("work")
        try passing.succeed("after")
        #expect(passing.status("sorry") == .skipped)
        try passing.succeed("finally", "end")
        #expect(passing.output == "end")
    }

    @Test("in a graph that fails, what cleans up still runs, in the order of its needs; a failure of it changes nothing")
    func graph() throws {
        var story = try Story.started(
            .graph([
                .agent("a"), .agent("b"), .agent("c", needs: ["b"]), .agent("undo", needs: ["a"], when: .failure),
                .agent("unconcerned", needs: ["b"], when: .failure), .agent("log", needs: ["undo", "c"], when: .always),
            ]))
        try story.succeed("b")
        #expect(story.ready == ["a", "c"])
        try story.fail("a", .clientError)
        // `c` was queued and is cancelled; `undo` concerns the failure, `unconcerned` does not.
        #expect(story.status("c") == .cancelled)
        #expect(story.status("unconcerned") == .skipped)
        #expect(story.ready == ["undo"])
        try story.fail("undo", .clientError)
        #expect(story.ready == ["log"])
        try story.succeed("log")
        #expect(story.ending?.failure?.path == StepPath("a"))
    }

    @Test("a cancel ends cleaning up, and a cancelled run cleans up nothing")
    func cancelled() throws {
        let body = Block.steps([.agent("work"), .agent("finally", when: .always)])
        var early = try Story.started(body)
        try early.cancel("enough")
        #expect(early.ending?.status == .cancelled)
        #expect(early.status("finally") == nil)
        var late = try Story.started(body)
        try late.fail("work", .clientError)
        #expect(late.ready == ["finally"])
        try late.cancel("enough")
        #expect(late.ending?.status == .cancelled)
        #expect(late.status("finally") == .cancelled)
    }
}

@Suite struct CatchTests {
    @Test("a catch block sees the error, and its output becomes the step's")
    func caught() throws {
        var story = try Story.started(
            .steps([
                .agent(
                    "charge", onError: .catch(.steps([.agent("refund", with: ["why": "${{ error.type }}", "at": "${{ error.path }}"])]))),
                .set("after", ["${{ steps.charge.output }}", "${{ steps.charge.status }}", "${{ steps.charge.attempts }}"]),
            ]))
        try story.fail("charge", .clientError)
        #expect(story.ready == ["charge/catch.refund"])
        #expect(story.input(of: "charge/catch.refund") == ["why": "4xx", "at": "charge"])
        #expect(story.attempts("charge") == [.failed])
        try story.succeed("charge/catch.refund", "given back")
        #expect(story.output == ["given back", "succeeded", 1])
    }

    @Test("a catch block that fails fails the step with its own error")
    func failsAgain() throws {
        var story = try Story.started(.steps([.agent("a", onError: .catch(.steps([.agent("b")])))]))
        try story.fail("a", .clientError)
        try story.fail("a/catch.b", .serverError)
        #expect(story.ending?.failure?.type == .serverError)
        #expect(story.ending?.failure?.path == StepPath("a/catch.b"))
    }

    @Test("what fails before it ever ran is caught as well, and so is the failure of a whole block")
    func others() throws {
        var story = try Story.started(
            .steps([
                .set("bad", "${{ input.absent }}", onError: .catch(.steps([.set("x", "${{ error.type }}")]))),
                .block("b", .graph([.agent("p"), .agent("q")]), onError: .catch(.steps([.set("x", "${{ error.path }}")]))),
            ]))
        #expect(story.step("bad")?.output?.value == "expression")
        try story.fail("b.p", .clientError)
        #expect(story.status("b.q") == .cancelled)
        #expect(story.output == "b.p")
        #expect(story.status("b") == .succeeded)
    }

    @Test("steps that settle while their block is already failing do not disturb the block that catches it")
    func caughtAtOnce() throws {
        let block = Block.graph([
            .set("bad", "${{ input.absent }}"), .set("good", 1), .set("after", 2, needs: ["good"]), .agent("x", needs: ["after"]),
        ])
        var story = try Story.started(
            .steps([.block("b", block, onError: .catch(.steps([.agent("c")]))), .set("d", "${{ steps.b.output }}")]))
        #expect(story.ready == ["b/catch.c"])
        try story.succeed("b/catch.c", "mended")
        #expect(story.output == "mended")
        #expect(story.status("b.x") == .skipped)
    }

    @Test("a cancelled step is not caught")
    func cancelled() throws {
        var story = try Story.started(.steps([.agent("a", onError: .catch(.steps([.agent("b")])))]))
        try story.claim("a")
        try story.cancel()
        try story.fail("a", .clientError)
        #expect(story.ending?.status == .cancelled)
        #expect(story.status("a/catch") == nil)
    }
}

@Suite struct OrderedEndingTests {
    @Test("`fail` ends its own block with its message and code")
    func fail() throws {
        let story = try Story.started(
            .steps([
                .block(
                    "inner", .steps([.verb("no", .fail(Failing(message: "n is ${{ input.n }}", code: "E_N"))), .agent("never")]),
                    onError: .continue),
                .set("after", ["${{ steps.inner.error.code }}", "${{ steps.inner.error.message }}"]),
            ]))
        #expect(story.output == ["E_N", "n is 1"])
    }

    @Test("`succeed` ends the whole run with its value, and cancels the rest")
    func succeed() throws {
        var story = try Story.started(
            .graph([
                .agent("busy"), .agent("queued"), .block("b", .steps([.agent("first"), .verb("done", .succeed(["n": "${{ input.n }}"]))])),
            ]))
        try story.claim("busy")
        try story.succeed("b.first")
        #expect(story.ending == nil)
        #expect(story.status("queued") == .cancelled)
        try story.succeed("busy")
        #expect(story.ending?.status == .succeeded)
        #expect(story.output == ["n": 1])
        #expect(story.status("busy") == .cancelled)
    }

    @Test("`succeed` in a loop gives the run its value, also when other work of the loop ends later")
    func succeedInLoop() throws {
        let body: [Step] = [
            .agent("busy"), .agent("first"), .verb("done", .succeed(["n": "${{ item }}"]), needs: ["first"]),
        ]
        var story = try Story.started(.steps([.block("each", .graph(body), loop: .each([7, 8])), .agent("never")]))
        try story.claim("each[0].busy")
        try story.succeed("each[0].first")
        #expect(story.ending == nil)
        try story.succeed("each[0].busy")
        #expect(story.ending?.status == .succeeded)
        #expect(story.output == ["n": 7])
        #expect(story.status("each") == .cancelled)
    }

    @Test("`validate` fails with every violation, and passes the value on")
    func validate() throws {
        let schema: JSONValue = ["type": "object", "required": ["a", "b"], "properties": ["a": ["type": "string"]]]
        func check(_ value: JSONValue) -> Step { .verb("v", .validate(Validation(value: value, schema: schema))) }
        #expect(try Story.started(.steps([check(["a": "x", "b": 1])])).output == ["a": "x", "b": 1])
        let failure = try Story.started(.steps([check(["a": 1])])).ending?.failure
        #expect(failure?.type == .schema)
        #expect(failure?.message.contains("/a") == true)
        #expect(failure?.message.contains("b") == true)
    }
}
