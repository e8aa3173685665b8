// Sequences, graphs and nested blocks: which step starts when, and what blocks and runs give.

import Engine
import Testing
import WorkflowModel

@Suite struct SequenceTests {
    @Test("a sequence starts its steps one after the other and ends with the last one's output")
    func inOrder() throws {
        var story = try Story(.steps([.agent("a"), .agent("b"), .agent("c")]))
        try story.fold()
        #expect(story.said == ["enqueue a"])
        try story.succeed("a", 1)
        #expect(story.said == ["dequeue a", "succeeded a", "enqueue b"])
        try story.succeed("b", 2)
        try story.succeed("c", ["x": 3])
        #expect(story.said == ["dequeue c", "succeeded c", "end succeeded"])
        #expect(story.output == ["x": 3])
        #expect(story.step("a")?.output?.value == 1)
        #expect(story.step("a")?.attempts == 1)
    }

    @Test("a step that fails for good fails the run, and nothing after it starts")
    func failure() throws {
        var story = try Story.started(.steps([.agent("a"), .agent("b")]))
        try story.fail("a", .clientError, code: "404")
        #expect(story.said == ["dequeue a", "failed a", "skipped b", "end failed"])
        let failure = try #require(story.ending?.failure)
        #expect(failure.type == .clientError)
        #expect(failure.code == "404")
        #expect(failure.path == StepPath("a"))
        #expect(failure.attempt == 1)
        #expect(story.ending?.output == nil)
    }

    @Test("a failure with `onError: continue` is readable, and the sequence goes on")
    func goesOn() throws {
        var story = try Story.started(
            .steps([
                .agent("a", onError: .continue), .agent("b", with: ["why": "${{ steps.a.error.type }}", "was": "${{ steps.a.output }}"]),
            ]))
        try story.fail("a", .clientError)
        #expect(story.said == ["dequeue a", "failed a", "enqueue b"])
        #expect(story.input(of: "b") == ["why": "4xx", "was": nil])
        try story.succeed("b")
        #expect(story.ending?.status == .succeeded)
    }

    @Test("when the last step failed with `onError: continue`, the output is null")
    func nullOutput() throws {
        var story = try Story.started(.steps([.agent("a", onError: .continue)]))
        try story.fail("a", .clientError)
        #expect(story.ending?.status == .succeeded)
        #expect(story.output == .some(.null))
    }

    @Test("a run of computed steps starts and ends in one decision")
    func computed() throws {
        let story = try Story.started(.steps([.set("a", ["n": "${{ input.n + 1 }}"]), .set("b", "${{ steps.a.output.n * 10 }}")]))
        #expect(story.said == ["succeeded a", "succeeded b", "end succeeded"])
        #expect(story.output == 20)
        #expect(story.step("a")?.attempts == 0)
    }

    @Test("ten thousand computed steps need no deep stack")
    func longChain() throws {
        var steps: [Step] = [.set("s0", 0)]
        for index in 1..<10_000 { steps.append(.set("s\(index)", .string("${{ steps.s\(index - 1).output + 1 }}"))) }
        let program = try Program(WorkflowDefinition(name: "chain", body: .steps(steps)))
        let run = RunFacts(
            id: RunID(UUIDBytes(high: 1, low: 1)), version: 1, historyLength: 1, submittedAt: Timestamp(microseconds: 0), trigger: "api",
            input: .null)
        var frame = Frame(program: program, run: run, isComplete: true)
        let commands = try Engine.decide(&frame, .start, at: Timestamp(microseconds: 0))
        #expect(commands.count == 10_001)
        guard case .end(let ending) = commands.last else {
            Issue.record("the run has not ended")
            return
        }
        #expect(ending.output?.text == "9999")
    }
}

@Suite struct GraphTests {
    @Test("in a diamond the join starts when both sides have settled")
    func diamond() throws {
        var story = try Story.started(
            .graph([
                .agent("a"), .agent("b", needs: ["a"]), .agent("c", needs: ["a"]),
                .agent("d", needs: ["b", "c"], with: ["${{ steps.b.output }}", "${{ steps.c.output }}", "${{ steps.a.output }}"]),
            ]))
        #expect(story.ready == ["a"])
        try story.succeed("a", "A")
        #expect(story.said == ["dequeue a", "succeeded a", "enqueue b", "enqueue c"])
        try story.succeed("c", "C")
        #expect(story.said == ["dequeue c", "succeeded c", "keep d 1/1"])
        try story.succeed("b", "B")
        #expect(story.said == ["dequeue b", "succeeded b", "drop d", "enqueue d"])
        #expect(story.input(of: "d") == ["B", "C", "A"])
        try story.succeed("d", 4)
        #expect(story.output == ["d": 4])
    }

    @Test("a step with many needs starts with the last of them, in whatever order they settle")
    func fanIn() throws {
        let sources = (0..<40).map { "s\($0)" }
        var story = try Story.started(.graph(sources.map { .agent($0) } + [.agent("join", needs: sources)]))
        #expect(story.ready == sources)
        for (count, source) in sources.reversed().enumerated() {
            try story.succeed(source)
            #expect(story.ready.contains("join") == (count == sources.count - 1))
        }
        try story.succeed("join", "all")
        #expect(story.output == ["join": "all"])
    }

    @Test("needs that settle in the same fold start their dependent once")
    func sameFold() throws {
        var story = try Story.started(.graph([.agent("a"), .agent("b"), .agent("c", needs: ["a", "b"])]))
        try story.settle("a", .succeeded, output: 1)
        try story.settle("b", .succeeded, output: 2)
        try story.fold()
        #expect(story.said.filter { $0 == "enqueue c" }.count == 1)
    }

    @Test("the output of a graph is a map of the steps that nobody needs, in file order")
    func sinks() throws {
        var story = try Story.started(.graph([.agent("z"), .agent("a", needs: ["z"]), .agent("m", needs: ["z"]), .agent("b")]))
        for path in ["b", "z", "m", "a"] { try story.succeed(path, .string(path)) }
        #expect(story.ending?.output?.text == #"{"a":"a","m":"m","b":"b"}"#)
    }

    @Test("a step is skipped only when all its needs were skipped")
    func skipping() throws {
        var story = try Story.started(
            .graph([
                .agent("no", if: "false"), .agent("never", if: "1 > 2"), .agent("yes"),
                .agent("both", needs: ["no", "never"]), .agent("one", needs: ["no", "yes"]), .agent("after", needs: ["both"]),
            ]))
        #expect(story.status("no") == .skipped)
        #expect(story.status("both") == .skipped)
        #expect(story.status("after") == .skipped)
        #expect(story.ready == ["yes"])
        try story.succeed("yes")
        #expect(story.ready == ["one"])
        try story.succeed("one", 1)
        #expect(story.output == ["one": 1, "after": nil])
    }

    @Test("a failure with `onError: continue` counts as a success for needs")
    func failureMeetsNeeds() throws {
        var story = try Story.started(
            .graph([.agent("a", onError: .continue), .agent("b", needs: ["a"], with: ["error": "${{ steps.a.error.message }}"])]))
        try story.fail("a", .clientError)
        #expect(story.ready == ["b"])
        #expect(story.input(of: "b") == ["error": "a broke"])
    }

    @Test("the condition of a join is decided when its needs have settled")
    func conditionOfJoin() throws {
        var story = try Story.started(
            .graph([.agent("a"), .agent("b"), .agent("c", needs: ["a", "b"], if: "steps.a.output > steps.b.output")]))
        try story.succeed("a", 1)
        try story.succeed("b", 2)
        #expect(story.status("c") == .skipped)
        #expect(story.output == ["c": nil])
    }

    @Test("when a step fails, queued ones are cancelled at once, leased ones are told, and the block waits for them")
    func failFast() throws {
        var story = try Story.started(
            .graph([
                .agent("bad"), .agent("queued"), .agent("working"), .agent("done"), .agent("join", needs: ["done", "working"]),
                .agent("late", needs: ["bad"]),
            ]))
        try story.claim("working")
        try story.succeed("done")
        try story.fail("bad", .clientError)
        #expect(
            story.said == [
                "dequeue bad", "failed bad", "dequeue queued", "cancelled queued", "tell working", "drop join", "skipped join",
                "skipped late",
            ])
        #expect(story.ending == nil)
        #expect(story.step("queued")?.attempts == 0)
        #expect(story.step("queued")?.failure?.type == .cancelled)
        try story.succeed("working", "too late")
        #expect(story.said == ["attempt working succeeded discarded", "dequeue working", "cancelled working", "end failed"])
        #expect(story.ending?.failure?.path == StepPath("bad"))
        #expect(story.status("join") == .skipped)
        #expect(story.status("late") == .skipped)
        #expect(story.store.attempts.last?.outcome.output?.text == "\"too late\"")
    }

    @Test("the first failure is the run's failure, a second one is kept with its step")
    func firstFailure() throws {
        var story = try Story.started(.graph([.agent("a"), .agent("b")]))
        try story.claim("a")
        try story.claim("b")
        try story.fail("b", .clientError, code: "first")
        try story.fail("a", .clientError, code: "second")
        #expect(story.ending?.failure?.code == "first")
        #expect(story.ending?.failure?.path == StepPath("b"))
        #expect(story.status("a") == .cancelled)
        #expect(story.attempts("a") == [.failed])
    }

    @Test("failFast ends the back-off of a sibling, its timer included")
    func failFastBackoff() throws {
        var story = try Story.started(.graph([.agent("a", retry: RetryEntry(maxAttempts: 3, jitter: .none)), .agent("b")]))
        try story.fail("a")
        #expect(story.delay(of: "a") == .seconds(1))
        try story.fail("b", .clientError)
        #expect(story.ending?.status == .failed)
        #expect(story.step("a")?.attempts == 1)
    }

    @Test("a computed step that fails ends its siblings before anybody sees them")
    func computedFailure() throws {
        let story = try Story.started(.graph([.agent("a"), .set("b", "${{ input.missing }}"), .block("c", .steps([.agent("d")]))]))
        #expect(story.ending?.status == .failed)
        #expect(story.ending?.failure?.path == StepPath("b"))
        #expect(story.status("a") == .cancelled)
        #expect(story.status("c") == .cancelled)
        #expect(story.status("c.d") == nil)
    }
}

@Suite struct NestedBlockTests {
    @Test("steps in a graph: the block's step settles with its last step, and its dependents start")
    func sequenceInGraph() throws {
        var story = try Story.started(
            .graph([
                .block("work", .steps([.agent("one"), .agent("two", with: ["got": "${{ steps.one.output }}"])])),
                .agent("after", needs: ["work"], with: ["all": "${{ steps.work.output }}"]),
            ]))
        #expect(story.said == ["keep work", "keep work", "enqueue work.one"])
        try story.succeed("work.one", 1)
        #expect(story.input(of: "work.two") == ["got": 1])
        try story.succeed("work.two", 2)
        #expect(story.status("work") == .succeeded)
        #expect(story.input(of: "after") == ["all": 2])
        try story.succeed("after", 3)
        #expect(story.output == ["after": 3])
    }

    @Test("a graph in steps: the next step starts when all of the graph has settled")
    func graphInSequence() throws {
        var story = try Story.started(
            .steps([
                .agent("first"),
                .block("fan", .graph([.agent("x", with: ["from": "${{ steps.first.output }}"]), .agent("y")])),
                .agent("last", with: ["fan": "${{ steps.fan.output }}"]),
            ]))
        try story.succeed("first", "f")
        #expect(story.ready == ["fan.x", "fan.y"])
        #expect(story.input(of: "fan.x") == ["from": "f"])
        try story.succeed("fan.y", 2)
        #expect(story.ready == ["fan.x"])
        try story.succeed("fan.x", 1)
        #expect(story.input(of: "last") == ["fan": ["x": 1, "y": 2]])
    }

    @Test("an inner step hides an outer one of the same id")
    func shadowing() throws {
        var story = try Story.started(
            .steps([
                .set("x", "outer"),
                .block("b", .steps([.set("x", "inner"), .agent("see", with: ["x": "${{ steps.x.output }}"])])),
            ]))
        #expect(story.input(of: "b.see") == ["x": "inner"])
        try story.succeed("b.see")
        #expect(story.ending?.status == .succeeded)
    }

    @Test("a block's `output` sees the steps inside it and those around it")
    func blockOutput() throws {
        let story = try Story.started(
            .steps([
                .set("base", 100),
                .block(
                    "b", .steps([.set("one", 1), .set("two", 2)]),
                    output: ["sum": "${{ steps.one.output + steps.two.output + steps.base.output }}", "n": "${{ input.n }}"]),
            ]))
        #expect(story.output == ["sum": 103, "n": 1])
    }

    @Test("a failure deep inside fails every block on the way, with the path of the step that failed")
    func deepFailure() throws {
        var story = try Story.started(
            .steps([
                .block("a", .graph([.block("b", .steps([.block("c", .graph([.agent("d"), .agent("e")]))])), .agent("f")])), .agent("g"),
            ]))
        try story.claim("a.b.c.e")
        try story.claim("a.f")
        try story.fail("a.b.c.d", .clientError, code: "deep")
        #expect(story.said.contains("tell a.b.c.e"))
        #expect(story.status("a.b.c") == nil)
        try story.succeed("a.b.c.e")
        #expect(story.status("a.b.c") == .failed)
        #expect(story.status("a.b") == .failed)
        #expect(story.said.contains("tell a.f"))
        try story.succeed("a.f")
        for path in ["a.b.c", "a.b", "a"] { #expect(story.step(path)?.failure?.path == StepPath("a.b.c.d")) }
        #expect(story.ending?.failure?.path == StepPath("a.b.c.d"))
        #expect(story.ending?.failure?.code == "deep")
        #expect(story.status("g") == .skipped)
    }

    @Test("a block with `onError: continue` fails, and the run goes on")
    func blockGoesOn() throws {
        var story = try Story.started(
            .steps([
                .block("b", .steps([.agent("x"), .agent("y")]), onError: .continue),
                .agent("after", with: ["path": "${{ steps.b.error.path }}"]),
            ]))
        try story.fail("b.x", .clientError)
        #expect(story.status("b") == .failed)
        #expect(story.input(of: "after") == ["path": "b.x"])
        try story.succeed("after")
        #expect(story.ending?.status == .succeeded)
    }

    @Test("inside a block, too, a failure with `onError: continue` lets the block go on")
    func goesOnInside() throws {
        for kind in [Block.steps, Block.graph] {
            var story = try Story.started(.steps([.block("b", kind([.agent("x", onError: .continue), .agent("y")]))]))
            try story.fail("b.x", .clientError)
            #expect(story.status("b") == nil)
            try story.succeed("b.y")
            #expect(story.status("b") == .succeeded)
            #expect(story.ending?.status == .succeeded)
        }
    }

    @Test("a skipped block starts nothing, and its output is null")
    func skippedBlock() throws {
        let story = try Story.started(
            .steps([
                .block("b", .steps([.agent("x")]), if: "input.n > 1"), .set("after", ["${{ steps.b.status }}", "${{ steps.b.output }}"]),
            ]))
        #expect(story.status("b") == .skipped)
        #expect(story.status("b.x") == nil)
        #expect(story.output == ["skipped", nil])
    }

    @Test("blocks may be nested deeply; all of them end in one decision")
    func deepNesting() throws {
        var block = Block.steps([.set("x", 7)])
        for level in 0..<60 { block = level % 2 == 0 ? .graph([.block("b", block)]) : .steps([.block("b", block)]) }
        let story = try Story.started(block)
        #expect(story.ending?.status == .succeeded)
        #expect(story.store.steps.values.allSatisfy { $0.settled.status == .succeeded })
    }
}
