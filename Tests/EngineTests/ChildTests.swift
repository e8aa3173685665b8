// Sub-workflows and chained runs.

import Engine
import JSONSchema
import Testing
import WorkflowModel

@Suite struct ChildTests {
    private static func call(_ more: Step...) -> Block {
        .steps(
            [.verb("c", .workflow(WorkflowCall(workflow: "publish")), with: ["n": "${{ input.n }}"], output: ["got": "${{ result }}"])]
                + more)
    }

    @Test("a sub-workflow gets its input, and its output is the step's answer")
    func awaited() throws {
        var story = try Story.started(Self.call())
        let start = try #require(story.store.started.first)
        #expect(start.workflow == "publish")
        #expect(start.input.value == ["n": 1])
        #expect(start.isAwaited)
        #expect(start.followsParent)
        try story.endChild("c", output: "published")
        #expect(story.output == ["got": "published"])
    }

    @Test("its failure is the step's, and the path leads into the child")
    func failing() throws {
        var story = try Story.started(Self.call())
        try story.endChild("c", .failed, failure: Failure(type: .serverError, message: "no", path: StepPath("send[3].x")))
        #expect(story.ending?.failure?.type == .serverError)
        #expect(story.ending?.failure?.path == StepPath("c:send[3].x"))
    }

    @Test("a retry is a new child run, after the back-off")
    func retried() throws {
        let step = Step.verb(
            "c", .workflow(WorkflowCall(workflow: "p")),
            retry: RetryEntry(maxAttempts: 2, backoff: .fixed, delay: .seconds(5), jitter: .none))
        var story = try Story.started(.steps([step]))
        try story.endChild("c", .failed, failure: Failure(type: .serverError, message: "no"))
        #expect(story.due("c", .backoff) == .seconds(5))
        try story.wait(.seconds(5))
        #expect(story.store.started.map(\.attempt) == [1, 2])
        #expect(Set(story.store.started.map(\.runID)).count == 2)
        try story.endChild("c", output: 1)
        #expect(story.step("c")?.attempts == 2)
    }

    @Test("`wait: false` starts it and goes on")
    func unawaited() throws {
        let story = try Story.started(.steps([.verb("c", .workflow(WorkflowCall(workflow: "p", isAwaited: false)))]))
        let start = try #require(story.store.started.first)
        #expect(!start.isAwaited)
        #expect(!start.followsParent)
        #expect(story.output == ["run": .string(start.runID.description), "workflow": "p"])
    }

    @Test("a cancelled parent cancels its child and waits for it, or leaves it alone")
    func cancelled() throws {
        var following = try Story.started(Self.call())
        try following.cancel()
        #expect(following.said == ["event cancel_requested", "cancel child c", "keep c"])
        #expect(following.ending == nil)
        try following.endChild("c", .cancelled)
        #expect(following.ending?.status == .cancelled)
        #expect(following.status("c") == .cancelled)
        let abandoning = Step.verb("c", .workflow(WorkflowCall(workflow: "p", onParentEnd: .abandon)))
        var leaving = try Story.started(.steps([abandoning]))
        try leaving.cancel()
        #expect(leaving.ending?.status == .cancelled)
        #expect(!leaving.store.journal.contains("cancel child c"))
    }

    @Test("a child that takes too long is cancelled, and the step fails when it has ended")
    func overdue() throws {
        var story = try Story.started(.steps([.verb("c", .workflow(WorkflowCall(workflow: "p")), timeout: .seconds(10))]))
        try story.wait(.seconds(10))
        #expect(story.said == ["cancel child c", "keep c"])
        try story.endChild("c", .cancelled)
        #expect(story.ending?.failure?.type == .timeout)
    }

    @Test("a workflow that did not exist when the run was submitted, and an input that does not fit, fail the step")
    func refused() throws {
        var unknown = try Story(Self.call())
        unknown.store.run.callees = [:]
        try unknown.fold()
        #expect(unknown.ending?.failure?.code == "unknownWorkflow")
        var wrong = try Story(Self.call())
        let schema = try CompiledSchema(["type": "object", "required": ["m"]])
        wrong.store.run.callees["publish"] = CalleeFacts(versionID: VersionID(1), number: 3, inputSchema: schema)
        try wrong.fold()
        #expect(wrong.ending?.failure?.type == .schema)
        #expect(wrong.ending?.failure?.message.contains("publish") == true)
    }

    @Test("runs that start each other too deep are refused with the whole chain")
    func depth() throws {
        var story = try Story(Self.call())
        story.store.run.depth = EngineDefaults.depthLimit - 1
        story.store.run.lineage = ["top", "middle"]
        try story.fold()
        #expect(story.ending?.failure?.type == .limit)
        #expect(story.ending?.failure?.message.contains("top → middle → story → publish") == true)
    }
}

@Suite struct ChainTests {
    private static func definition(_ body: Block) -> WorkflowDefinition {
        WorkflowDefinition(
            name: "story",
            onSuccess: [
                Chain(workflow: "archive", with: ["report": "${{ output }}", "n": "${{ input.n }}"]),
                Chain(workflow: "never", condition: "input.n > 5"),
                Chain(workflow: "broken", with: ["x": "${{ output.absent.deep }}"]),
            ], onFailure: [Chain(workflow: "alarm", with: ["why": "${{ error.type }}"])], onCancel: [Chain(workflow: "undo")], body: body)
    }

    @Test("a success starts what it names, in the decision that ends the run; a broken one becomes a letter and changes nothing")
    func success() throws {
        var story = try Story(Self.definition(.steps([.set("a", ["r": 1])])))
        try story.fold()
        #expect(story.ending?.status == .succeeded)
        #expect(story.store.chained.map(\.workflow) == ["archive", "broken"])
        #expect(story.store.chained[0].start == .input(JSONText(["report": ["r": 1], "n": 1])))
        guard case .failed(let failure) = story.store.chained[1].start else {
            Issue.record("the broken chain starts")
            return
        }
        #expect(failure.type == .expression)
        #expect(story.store.chained[1].index == 2)
    }

    @Test("a failure and a cancel start theirs")
    func others() throws {
        var failing = try Story(Self.definition(.steps([.agent("a")])))
        try failing.fold()
        try failing.fail("a", .clientError)
        #expect(failing.store.chained.map(\.start) == [.input(JSONText(["why": "4xx"]))])
        var cancelled = try Story(Self.definition(.steps([.agent("a")])))
        try cancelled.fold()
        try cancelled.cancel()
        #expect(cancelled.store.chained.map(\.trigger) == [.onCancel])
        var early = try Story(Self.definition(.steps([.agent("a")])))
        early.store.cancel()
        try early.fold()
        #expect(early.store.chained.map(\.workflow) == ["undo"])
    }

    @Test("a chain that has become too long is refused, whatever it would do")
    func depth() throws {
        var story = try Story(Self.definition(.steps([.set("a", 1)])))
        story.store.run.depth = EngineDefaults.depthLimit
        try story.fold()
        #expect(story.store.chained.allSatisfy { if case .failed(let failure) = $0.start { failure.type == .limit } else { false } })
    }
}
