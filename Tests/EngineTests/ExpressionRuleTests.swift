// What expressions decide in a run: conditions, inputs, outputs, and what becomes of their errors.

import Engine
import Testing
import WorkflowModel

@Suite struct ExpressionRuleTests {
    @Test("a condition that holds runs the step, one that does not skips it")
    func conditions() throws {
        var story = try Story.started(.steps([.agent("a", if: "input.n == 1"), .agent("b", if: "steps.a.output == 'no'"), .agent("c")]))
        #expect(story.ready == ["a"])
        try story.succeed("a", "yes")
        #expect(story.said == ["dequeue a", "succeeded a", "skipped b", "enqueue c"])
        #expect(story.step("b")?.output == nil)
        #expect(story.step("b")?.attempts == 0)
    }

    @Test(
        "an error in a condition fails the step, with the source and never with data",
        arguments: ["input.secret.x > 1", "input.n", "1 / 0 == 1"])
    func conditionError(source: String) throws {
        let story = try Story.started(.steps([.agent("a", if: source), .agent("b")]), input: ["n": 42])
        let failure = try #require(story.ending?.failure)
        #expect(failure.type == .expression)
        #expect(failure.path == StepPath("a"))
        #expect(failure.message.contains("`\(source)`"))
        #expect(!failure.message.contains("42"))
        #expect(story.status("b") == .skipped)
    }

    @Test("an error in a condition can be caught with `onError: continue`")
    func caught() throws {
        let story = try Story.started(
            .steps([.agent("a", if: "input.missing", onError: .continue), .set("b", "${{ steps.a.error.type }}")]))
        #expect(story.output == "expression")
    }

    @Test("an error in `with` or `set` fails the step before anybody is asked")
    func templateErrors() throws {
        let asked = try Story.started(.steps([.agent("a", with: ["x": "${{ input.missing }}"])]))
        #expect(asked.said == ["failed a", "end failed"])
        #expect(asked.ending?.failure?.type == .expression)
        let set = try Story.started(.steps([.set("a", ["x": ["${{ input.missing }}"]])]))
        #expect(set.ending?.failure?.type == .expression)
    }

    @Test("`with` is given to the agent with its types kept; without it the agent gets an empty object")
    func with() throws {
        let story = try Story.started(
            .graph([
                .agent("a", with: ["n": "${{ input.n }}", "text": "n is ${{ input.n }}", "all": "${{ input }}", "plain": [true, nil]]),
                .agent("b"),
            ]))
        #expect(story.input(of: "a") == ["n": 1, "text": "n is 1", "all": ["n": 1], "plain": [true, nil]])
        #expect(story.input(of: "b") == [:])
    }

    @Test("an answer that looks like an expression is plain text")
    func noSecondScan() throws {
        var story = try Story.started(.steps([.agent("a"), .agent("b", with: ["x": "${{ steps.a.output }}"])]))
        try story.succeed("a", "${{ input.n }}")
        #expect(story.input(of: "b") == ["x": "${{ input.n }}"])
    }

    @Test("a step's `output` maps the answer, with `result`, `steps`, `input` and `run` in scope")
    func outputMapping() throws {
        var story = try Story.started(
            .steps([
                .set("base", 10),
                .agent(
                    "a",
                    output: [
                        "sum": "${{ result.x + steps.base.output + input.n }}", "run": "${{ run.id }}", "workflow": "${{ run.workflow }}",
                        "version": "${{ run.version }}", "trigger": "${{ run.trigger }}",
                    ]),
            ]))
        try story.succeed("a", ["x": 5])
        #expect(
            story.output == [
                "sum": 16, "run": "01920000-0000-7000-8000-000000000001", "workflow": "story", "version": 1, "trigger": "api",
            ])
    }

    @Test("`set` may map its own value")
    func setMapping() throws {
        let story = try Story.started(.steps([.set("a", ["x": "${{ input.n }}"], output: "${{ result.x + 1 }}")]))
        #expect(story.output == 2)
    }

    @Test("an error in an output mapping fails the step")
    func outputMappingError() throws {
        var story = try Story.started(.steps([.agent("a", output: "${{ result.x.y }}")]))
        try story.succeed("a", ["x": 5])
        #expect(story.ending?.failure?.type == .expression)
        #expect(story.step("a")?.attempts == 1)
        #expect(story.step("a")?.output == nil)
    }

    @Test("an error in a block's output fails the block, and can be caught there")
    func blockOutputError() throws {
        let story = try Story.started(
            .steps([
                .block("b", .steps([.set("x", 1)]), output: "${{ steps.x.output.y }}", onError: .continue),
                .set("after", ["${{ steps.b.error.type }}", "${{ steps.b.error.path }}"]),
            ]))
        #expect(story.output == ["expression", "b"])
    }

    @Test("the run's output is its mapping, over the steps of the body, the input and the run")
    func runOutput() throws {
        var story = try Story.started(
            .graph([.agent("a"), .agent("b", if: "false")]),
            output: ["a": "${{ steps.a.output }}", "b": "${{ steps.b.status }}", "n": "${{ input.n }}", "trigger": "${{ run.trigger }}"])
        try story.succeed("a", [1, 2])
        #expect(story.output == ["a": [1, 2], "b": "skipped", "n": 1, "trigger": "api"])
    }

    @Test("an error in the run's output fails the run, after all steps have succeeded")
    func runOutputError() throws {
        var story = try Story.started(.steps([.agent("a")]), output: "${{ steps.a.output.missing }}")
        try story.succeed("a", [:])
        #expect(story.status("a") == .succeeded)
        #expect(story.ending?.status == .failed)
        #expect(story.ending?.failure?.type == .expression)
    }

    @Test("a step shows its status, error, attempts and times")
    func stepFields() throws {
        var story = try Story.started(
            .steps([
                .agent("a", retry: RetryEntry(maxAttempts: 2, backoff: .none)),
                .set(
                    "see",
                    [
                        "status": "${{ steps.a.status }}", "error": "${{ steps.a.error }}", "attempts": "${{ steps.a.attempts }}",
                        "started": "${{ steps.a.startedAt }}", "finished": "${{ steps.a.finishedAt }}",
                    ]),
            ]))
        try story.fail("a")
        story.store.now = story.store.now + .seconds(3)
        try story.succeed("a")
        #expect(
            story.output == [
                "status": "succeeded", "error": nil, "attempts": 2, "started": "2023-11-14T22:13:20Z", "finished": "2023-11-14T22:13:23Z",
            ])
    }

    @Test("`run.now` is the moment of the decision, `run.startedAt` that of the first attempt")
    func runTimes() throws {
        var story = try Story.started(
            .steps([.agent("a"), .set("b", ["${{ run.submittedAt }}", "${{ run.startedAt }}", "${{ run.now }}"])]))
        story.store.now = story.store.now + .seconds(1)
        try story.claim("a")
        story.store.now = story.store.now + .seconds(1)
        try story.succeed("a")
        #expect(story.output == ["2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z", "2023-11-14T22:13:22Z"])
    }

    @Test("labels are an empty object where there are none")
    func labels() throws {
        let story = try Story.started(.steps([.set("a", "${{ run.labels }}")]))
        #expect(story.output == [:])
    }

    @Test("an answer that does not match the schema is a failure that names what is wrong")
    func schemaViolation() throws {
        let schema: JSONValue = [
            "type": "object", "required": ["score"], "properties": ["score": ["type": "integer"], "why": ["type": "string"]],
        ]
        var story = try Story.started(.steps([.agent("a", result: schema)]))
        try story.succeed("a", ["why": 7])
        let failure = try #require(story.ending?.failure)
        #expect(failure.type == .schema)
        #expect(failure.path == StepPath("a"))
        #expect(failure.message.contains("score"))
        #expect(failure.message.contains("why"))
        #expect(story.step("a")?.output == nil)
    }

    @Test("an answer that matches the schema goes through, and the schema sees it before the mapping")
    func schemaThenMapping() throws {
        var story = try Story.started(.steps([.agent("a", result: ["type": "integer"], output: ["got": "${{ result }}"])]))
        try story.succeed("a", 5)
        #expect(story.output == ["got": 5])
    }

    @Test("a schema violation is tried again only where the policy names it")
    func schemaRetry() throws {
        let entry = RetryEntry(on: ["schema"], maxAttempts: 2, backoff: .none)
        var story = try Story.started(.steps([.agent("a", result: ["type": "integer"], retry: entry)]))
        try story.succeed("a", "no number")
        #expect(story.said == ["attempt a failed", "requeue a"])
        try story.succeed("a", 3)
        #expect(story.output == 3)
        #expect(story.step("a")?.attempts == 2)
    }

    @Test("a computed text with U+0000, which cannot be stored, is a failure of its own kind")
    func unstorable() throws {
        for source in [#"${{ '\u0000' }}"#, #"${{ {'a': ['x\u0000y']} }}"#] {
            let story = try Story.started(.steps([.set("a", .string(source))]))
            #expect(story.ending?.failure?.type == .unstorable)
            #expect(story.ending?.failure?.code == "E_RESULT_UNSTORABLE")
        }
    }
}
