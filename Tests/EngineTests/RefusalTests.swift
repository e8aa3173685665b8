// What the engine refuses, and that a refusal leaves no trace.

import Engine
import Simulation
import Testing
import WorkflowModel

@Suite struct RefusalTests {
    // What a refusal must not change.
    private static func picture(_ frame: Frame) -> [String] {
        let run = frame.run
        var lines = frame.steps.map { "\($0.key): \($0.value)" }.sorted()
        lines.append(
            "\(run.historyLength) \(String(describing: run.root)) \(String(describing: run.startedAt)) \(run.cancelRequested) "
                + "\(run.cancelReason ?? "-") \(run.isEnded) \(run.input?.text ?? "-") \(frame.isComplete)")
        return lines
    }

    private static func refusal(_ frame: inout Frame, _ input: Input) -> Rejection? {
        do throws(Rejection) {
            _ = try Engine.decide(&frame, input, at: Timestamp(microseconds: 5))
            return nil
        } catch {
            return error
        }
    }

    private static func answer(_ frame: inout Frame, _ input: Input) -> Answer? {
        refusal(&frame, input).map { Answer($0) }
    }

    // What the engine asks for.
    private static func missing(_ frame: inout Frame, _ input: Input) throws -> MissingFacts {
        let refusal = refusal(&frame, input)
        guard case .incomplete(let missing) = refusal else {
            throw Violation("questions", "\(input) was answered: \(String(describing: refusal))")
        }
        return missing
    }

    private static func outcome(_ path: String, attempt: Int = 1) -> Input {
        .outcome(
            TaskOutcome(
                path: StepPath(path), fence: Fence(1), session: SessionID(1), status: .succeeded, output: .null,
                claimedAt: Timestamp(microseconds: 1), settledAt: Timestamp(microseconds: 2), task: TaskFacts(attempt: attempt)))
    }

    private static func frame(
        _ body: Block, output: JSONValue? = nil, root: BlockFacts? = nil, steps: [StepPath: StepFacts] = [:], isComplete: Bool = true,
        input: JSONText? = .null
    ) throws -> Frame {
        let run = RunFacts(
            id: RunID(UUIDBytes(high: 1, low: 1)), version: 1, historyLength: 1, submittedAt: Timestamp(microseconds: 0), trigger: "api",
            input: input, root: root)
        return Frame(
            program: try Program(WorkflowDefinition(name: "w", output: output, body: body)), run: run, steps: steps, isComplete: isComplete)
    }

    @Test("a run starts once")
    func startTwice() throws {
        var frame = try Self.frame(.steps([.agent("a")]))
        #expect(Self.refusal(&frame, .start) == nil)
        #expect(Self.answer(&frame, .start) == .wrongPhase, "it started twice")
    }

    @Test("nothing reaches a run before its start but its start and its cancel")
    func beforeStart() throws {
        for input in [Self.outcome("a"), .timer(path: StepPath("a"), kind: .backoff), .timer(path: nil, kind: .deadline)] {
            var frame = try Self.frame(.steps([.agent("a")]))
            #expect(Self.answer(&frame, input) == .wrongPhase, "\(input) was taken")
        }
    }

    @Test("nothing reaches a run after its ending")
    func afterEnding() throws {
        var frame = try Self.frame(.steps([.set("a", 1)]))
        #expect(Self.refusal(&frame, .start) == nil)
        #expect(frame.run.isEnded)
        let before = Self.picture(frame)
        for input in [
            .start, Self.outcome("a"), .timer(path: StepPath("a"), kind: .backoff), .timer(path: nil, kind: .deadline),
            .cancel(reason: nil),
        ] as [Input] {
            #expect(Self.answer(&frame, input) == .alreadyEnded, "\(input) was taken")
            #expect(Self.picture(frame) == before)
        }
    }

    @Test("a path that the version does not have is refused")
    func unknownStep() throws {
        var frame = try Self.frame(.steps([.agent("a")]))
        #expect(Self.refusal(&frame, .start) == nil)
        #expect(Self.answer(&frame, Self.outcome("b")) == .unknownStep, "it was taken")
    }

    @Test("a second result of a step is refused")
    func alreadySettled() throws {
        var frame = try Self.frame(.steps([.agent("a"), .agent("b")]))
        #expect(Self.refusal(&frame, .start) == nil)
        frame.committed()
        #expect(Self.refusal(&frame, Self.outcome("a")) == nil)
        let before = Self.picture(frame)
        #expect(Self.answer(&frame, Self.outcome("a")) == .alreadySettled, "it was taken")
        #expect(Self.picture(frame) == before)
    }

    @Test("a result of an older attempt is refused")
    func olderAttempt() throws {
        var frame = try Self.frame(.steps([.agent("a", retry: RetryEntry(maxAttempts: 3, backoff: .none))]))
        #expect(Self.refusal(&frame, .start) == nil)
        frame.committed()
        var failed = TaskOutcome(
            path: StepPath("a"), fence: Fence(1), session: SessionID(1), status: .failed, failure: Failure(type: .exit, message: "no"),
            claimedAt: Timestamp(microseconds: 1), settledAt: Timestamp(microseconds: 2), task: TaskFacts())
        #expect(Self.refusal(&frame, .outcome(failed)) == nil)
        frame.committed()
        #expect(Self.answer(&frame, .outcome(failed)) == .staleTask, "it was taken")
        failed.task.attempt = 2
        #expect(Self.refusal(&frame, .outcome(failed)) == nil)
    }

    @Test("a result of a task that nobody can have claimed is refused")
    func nobodyHasIt() throws {
        var frame = try Self.frame(.steps([.agent("a")]))
        #expect(Self.refusal(&frame, .start) == nil)
        // Not committed: no worker has seen the task yet.
        #expect(Self.answer(&frame, Self.outcome("a")) == .staleTask, "it was taken")
        frame.committed()
        #expect(Self.refusal(&frame, Self.outcome("a")) == nil)
    }

    @Test("a task that was seen as ready under its row's lock may have been claimed after the commit")
    func lockedFactsExpire() throws {
        var frame = try Self.frame(
            .graph([.agent("a"), .agent("b")]), root: BlockFacts(unsettled: 2, live: 2), isComplete: false)
        frame.add([(StepPath("a"), .task(TaskFacts(phase: .ready))), (StepPath("b"), .task(TaskFacts(phase: .unknown)))])
        frame.committed()
        // Whoever has given up the lock has to look again.
        let missing = try Self.missing(&frame, .cancel(reason: nil))
        #expect(missing.lockedTasks == [StepPath("a"), StepPath("b")])
    }

    @Test("a cancel asks for every step of the blocks under way, and for nothing else")
    func cancelAsks() throws {
        let body = Block.graph([.agent("a"), .agent("b", needs: ["a"]), .block("c", .steps([.agent("d"), .agent("e")])), .agent("f")])
        var frame = try Self.frame(body, root: BlockFacts(unsettled: 4, live: 2), isComplete: false)
        let first = try Self.missing(&frame, .cancel(reason: nil))
        #expect(first == MissingFacts(lockedTasks: [StepPath("a"), StepPath("b"), StepPath("c"), StepPath("f")]))
        frame.add([
            (StepPath("a"), .task(TaskFacts(phase: .leased))), (StepPath("b"), .notStarted),
            (StepPath("c"), .live(.block(BlockFacts(unsettled: 0, live: 1)))),
            (StepPath("f"), .settled(SettledFacts(status: .succeeded, finishedAt: Timestamp(microseconds: 1)))),
        ])
        let second = try Self.missing(&frame, .cancel(reason: nil))
        #expect(second == MissingFacts(lockedTasks: [StepPath("c.d"), StepPath("c.e")]))
    }

    @Test("an outcome asks for the block, the dependents that have other needs, and what expressions read: all at once where it can")
    func outcomeAsks() throws {
        let body = Block.graph([
            .agent("a"), .agent("b"), .agent("c", needs: ["a"], with: ["x": "${{ steps.b.output }}", "n": "${{ input.n }}"]),
            .agent("d", needs: ["a", "b"]), .agent("e", needs: ["a", "b"]),
        ])
        var frame = try Self.frame(body, root: BlockFacts(unsettled: 5, live: 2), isComplete: false, input: nil)
        let before = Self.picture(frame)
        let first = try Self.missing(&frame, Self.outcome("a"))
        #expect(first == MissingFacts(steps: [StepPath("d"), StepPath("e")]))
        #expect(Self.picture(frame) == before)
        frame.add([(StepPath("d"), .notStarted), (StepPath("e"), .notStarted)])
        let second = try Self.missing(&frame, Self.outcome("a"))
        #expect(second == MissingFacts(input: true, steps: [StepPath("b")]))
        frame.add([(StepPath("b"), .notStarted)])
        frame.add(input: JSONText(["n": 3]))
        // `b` has no output yet: the definition is wrong, the step fails.
        #expect(Self.refusal(&frame, Self.outcome("a")) == nil)
    }

    @Test("the output of a graph asks for all its sinks at once")
    func sinksAsked() throws {
        let body = Block.graph((0..<5).map { .agent("s\($0)") })
        var frame = try Self.frame(body, root: BlockFacts(unsettled: 1, live: 1), isComplete: false)
        let missing = try Self.missing(&frame, Self.outcome("s0"))
        #expect(missing == MissingFacts(steps: Set((1..<5).map { StepPath("s\($0)") })))
    }

    @Test("a decision that throws in the middle leaves the frame exactly as it was")
    func rollBack() throws {
        // The last expression of the decision asks for the input, after much has been decided already.
        let body = Block.graph([
            .agent("a"), .agent("b", needs: ["a"]), .block("c", .steps([.set("x", 1), .agent("y")]), needs: ["a"]),
            .set("d", "${{ 1 }}", needs: ["a"]), .agent("e", needs: ["d"], with: "${{ input }}"),
        ])
        var frame = try Self.frame(body, input: nil)
        #expect(Self.refusal(&frame, .start) == nil)
        frame.committed()
        let before = Self.picture(frame)
        for _ in 0..<3 {
            let missing = try Self.missing(&frame, Self.outcome("a"))
            #expect(missing.input)
            #expect(Self.picture(frame) == before)
        }
        frame.add(input: JSONText(["n": 1]))
        let commands = try Engine.decide(&frame, Self.outcome("a"), at: Timestamp(microseconds: 5))
        #expect(
            commands.map(\.line) == [
                "dequeue a", "succeeded a", "enqueue b", "keep c", "succeeded d", "succeeded c.x", "enqueue e", "keep c", "enqueue c.y",
            ])
        // The same numbers as if nothing had been thrown before.
        #expect(frame.run.historyLength == 4)
    }

    @Test("a back-off wakes only a step that waits")
    func wakeRefused() throws {
        var frame = try Self.frame(
            .graph([.agent("a"), .agent("b"), .agent("c", needs: ["a", "b"]), .block("d", .steps([.agent("e")]))]))
        #expect(Self.refusal(&frame, .start) == nil)
        #expect(Self.answer(&frame, .timer(path: StepPath("a"), kind: .backoff)) == .staleTask, "a ready step woke")
        frame.committed()
        #expect(Self.refusal(&frame, Self.outcome("a")) == nil)
        #expect(Self.answer(&frame, .timer(path: StepPath("a"), kind: .backoff)) == .alreadySettled, "a settled step woke")
        #expect(Self.answer(&frame, .timer(path: StepPath("c"), kind: .backoff)) == .staleTask, "a pending step woke")
        #expect(Self.answer(&frame, .timer(path: StepPath("d"), kind: .backoff)) == .staleTask, "a block woke")
        var empty = try Self.frame(.steps([.agent("a")]), root: BlockFacts(unsettled: 0, live: 1), isComplete: false)
        #expect(Self.answer(&empty, .timer(path: StepPath("a"), kind: .backoff)) == .incomplete, "nothing was asked")
    }
}

@Suite struct ProgramTests {
    @Test("steps are numbered in file order, a block's step before the steps inside it")
    func numbering() throws {
        let program = try Program(
            WorkflowDefinition(name: "w", body: .steps([.agent("a"), .block("b", .graph([.agent("c"), .set("d", 1)])), .agent("e")])))
        #expect(program.stepDescriptions.map(\.path.text) == ["a", "b", "b.c", "b.d", "e"])
        #expect(program.stepDescriptions.map(\.index) == [0, 1, 2, 3, 4])
        #expect(program.stepDescriptions.map(\.verb) == ["agent", "do", "agent", "set", "agent"])
        #expect(program.stepDescriptions.map { $0.agent == nil } == [false, true, false, true, false])
        #expect(program.stepDescriptions[0].timeout == EngineDefaults.attemptTimeout)
    }

    @Test("a definition that cannot run is refused with the place")
    func refused() {
        func place(_ body: Block, output: JSONValue? = nil) -> String? {
            do throws(ProgramError) {
                _ = try Program(WorkflowDefinition(name: "w", output: output, body: body))
                return nil
            } catch {
                return error.place
            }
        }
        #expect(place(.steps([.agent("a"), .agent("a")])) == "a")
        #expect(place(.graph([.agent("a", needs: ["b"])])) == "a")
        #expect(place(.steps([.agent("a", if: "1 +")])) == "a.if")
        #expect(place(.steps([.agent("a", with: ["x": "${{ 1 + }}"])])) == "a.with")
        #expect(place(.steps([.block("b", .steps([.set("s", "${{ ) }}")]))])) == "b.s.set")
        #expect(place(.steps([.agent("a", output: "${{ ( }}")])) == "a.output")
        #expect(place(.steps([.agent("a", result: ["type": "nonsense"])])) == "a.result")
        #expect(place(.steps([.agent("a")]), output: "${{ ] }}") == "output")
        #expect(place(.steps([Step(id: "a", verb: .agent(.named("nobody")))])) == "a")
        #expect(place(.steps([.agent("a")])) == nil)
    }

    @Test("a frame keeps an output only where something reads it")
    func keptOutputs() throws {
        let program = try Program(
            WorkflowDefinition(
                name: "w",
                body: .graph([
                    .agent("unread"), .agent("read"), .agent("reader", needs: ["unread", "read"], with: "${{ steps.read.output }}"),
                ])))
        #expect(program.nodes.map(\.outputIsRead) == [false, true, true])
    }
}
