// The table of all pairs of state and input, with the answer to each. A new state, input or refusal stops the build here.

import Engine
import Testing
import WorkflowModel

/// Where a run is, as far as an input cares.
enum RunPhase: CaseIterable {
    case accepted
    case running
    case failing
    case cancelling
    case timingOut
    case succeeding
    case ended

    init(_ run: RunFacts) {
        if run.isEnded {
            self = .ended
        } else if let root = run.root {
            switch root.ending {
            case nil: self = .running
            case .failed: self = .failing
            case .cancelled: self = .cancelling
            case .timedOut: self = .timingOut
            case .satisfied, .succeeded: self = .succeeding
            }
        } else {
            self = .accepted
        }
    }
}

/// What a frame knows of a step.
enum StepPhase: CaseIterable {
    case foreign, unlooked, notStarted, pending
    case unknownTask, readyTask, leasedTask, unwantedTask, settledTask, waitingTask
    case block, loop, parallel, choice, caught, workingMachine, waitingMachine, sleep, wait, child, waitingChild
    case settled

    init(_ facts: StepFacts) {
        switch facts {
        case .notStarted: self = .notStarted
        case .task(let task):
            switch task.phase {
            case .unknown: self = .unknownTask
            case .ready: self = .readyTask
            case .leased: self = task.isUnwanted ? .unwantedTask : .leasedTask
            case .settled: self = .settledTask
            case .waiting: self = .waitingTask
            }
        case .live(let live):
            switch live {
            case .pending: self = .pending
            case .block: self = .block
            case .loop: self = .loop
            case .parallel: self = .parallel
            case .choice: self = .choice
            case .caught: self = .caught
            case .machine(let machine): self = machine.isWaiting ? .waitingMachine : .workingMachine
            case .sleep: self = .sleep
            case .wait: self = .wait
            case .child(let child): self = child.task.phase == .waiting ? .waitingChild : .child
            }
        case .settled: self = .settled
        }
    }

    private static let inner = BlockFacts(unsettled: 0, live: 1)
    private static let moment = Timestamp(microseconds: 1)

    var facts: StepFacts? {
        switch self {
        case .foreign, .unlooked: nil
        case .notStarted: .notStarted
        case .pending: .live(.pending(PendingFacts(unmet: 1, met: 1)))
        case .unknownTask: .task(TaskFacts(phase: .unknown))
        case .readyTask: .task(TaskFacts(phase: .ready))
        case .leasedTask: .task(TaskFacts(phase: .leased))
        case .unwantedTask: .task(TaskFacts(phase: .leased, isUnwanted: true))
        case .settledTask: .task(TaskFacts(phase: .settled))
        case .waitingTask: .task(TaskFacts(phase: .waiting))
        case .block: .live(.block(Self.inner))
        case .loop: .live(.loop(LoopFacts(created: 1, live: 1, total: 3)))
        case .parallel: .live(.parallel(ParallelFacts(unsettled: 1, live: 1)))
        case .choice: .live(.choice(Self.inner))
        case .caught: .live(.caught(CatchFacts(failure: Failure(type: .exit, message: "no"), attempts: 1, block: Self.inner)))
        case .workingMachine: .live(.machine(MachineFacts(state: 0, visits: [1, 0], enteredAt: Self.moment, block: Self.inner)))
        case .waitingMachine:
            .live(
                .machine(
                    MachineFacts(
                        state: 0, visits: [1, 0], enteredAt: Self.moment, isWaiting: true, block: BlockFacts(unsettled: 0, live: 0))))
        case .sleep: .live(.sleep(SleepFacts(startedAt: Self.moment)))
        case .wait: .live(.wait(WaitFacts(startedAt: Self.moment)))
        case .child: .live(.child(ChildFacts(task: TaskFacts(phase: .leased))))
        case .waitingChild: .live(.child(ChildFacts(task: TaskFacts(attempt: 2, phase: .waiting))))
        case .settled: .settled(SettledFacts(status: .succeeded, finishedAt: Self.moment))
        }
    }

    // A step that can be in this phase.
    var step: Step {
        let inner = Block.steps([.agent("y")])
        switch self {
        case .foreign, .unlooked, .notStarted, .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .settled:
            return .agent("x")
        case .pending: return .agent("x", needs: ["done", "other"])
        case .block: return .block("x", inner)
        case .loop: return .agent("x", loop: .each([1, 2, 3], at: 2))
        case .parallel: return .parallel("x", [("b", inner)])
        case .choice: return .verb("x", .switch(Switch(cases: [Switch.Case(condition: "true", block: inner)])))
        case .caught: return .agent("x", onError: .catch(inner))
        case .workingMachine, .waitingMachine:
            let state = State(
                name: "m", block: inner, on: [EventTransitions(event: "go", transitions: [Transition(target: "end")])],
                after: [TimedTransitions(delay: .seconds(1), transitions: [Transition(target: "end")])])
            return .block("x", .states(StateMachine(initial: "m", states: [state, State(name: "end", ending: .succeeded)])))
        case .sleep: return .verb("x", .sleep(.duration(.seconds(5))))
        case .wait: return .await("x", "go")
        case .child, .waitingChild: return .verb("x", .workflow(WorkflowCall(workflow: "c")))
        }
    }

    // What is under way inside it.
    var insides: [String: StepFacts] {
        let leased = StepFacts.task(TaskFacts(phase: .leased))
        let block = StepFacts.live(.block(Self.inner))
        return switch self {
        case .block: ["x.y": leased]
        case .loop: ["x[0]": leased]
        case .parallel: ["x.b": block, "x.b.y": leased]
        case .choice: ["x/case1": block, "x/case1.y": leased]
        case .caught: ["x/catch": block, "x/catch.y": leased]
        case .workingMachine: ["x/m#1": block, "x/m#1.y": leased]
        case .foreign, .unlooked, .notStarted, .pending, .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask,
            .waitingMachine, .sleep, .wait, .child, .waitingChild, .settled:
            [:]
        }
    }

    // Whether the step counts among the live ones of its block.
    var isLive: Bool {
        switch self {
        case .foreign, .notStarted, .pending, .settled: false
        case .unlooked, .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .block, .loop, .parallel, .choice,
            .caught, .workingMachine, .waitingMachine, .sleep, .wait, .child, .waitingChild:
            true
        }
    }
}

/// The kinds of inputs.
enum InputKind: Hashable, CaseIterable {
    case start
    case outcome(AttemptStatus)
    case timer(TimerKind)
    case deadline
    case cancel
    case event
    case childEnded
    case adjust

    static var allCases: [InputKind] {
        [.start] + AttemptStatus.allCases.map { .outcome($0) } + TimerKind.allCases.map { .timer($0) }
            + [.deadline, .cancel, .event, .childEnded, .adjust]
    }

    init(_ input: Input) {
        switch input {
        case .start: self = .start
        case .outcome(let outcome): self = .outcome(outcome.status)
        case .timer(nil, _): self = .deadline
        case .timer(_, let kind): self = .timer(kind)
        case .cancel: self = .cancel
        case .event: self = .event
        case .childEnded: self = .childEnded
        case .adjust: self = .adjust
        }
    }

    func input(for path: StepPath) -> Input {
        switch self {
        case .start: .start
        case .outcome(let status):
            .outcome(
                TaskOutcome(
                    path: path, fence: Fence(1), session: SessionID(1), status: status, output: status == .succeeded ? .null : nil,
                    failure: status == .succeeded ? nil : Failure(type: .exit, message: "no"), claimedAt: Timestamp(microseconds: 1),
                    settledAt: Timestamp(microseconds: 2), task: TaskFacts(phase: .settled)))
        case .timer(let kind): .timer(path: path, kind: kind)
        case .deadline: .timer(path: nil, kind: .deadline)
        case .cancel: .cancel(reason: nil)
        case .event: .event(wait: path, EventFacts(id: 1, name: "go", data: .null, at: Timestamp(microseconds: 3)))
        case .childEnded:
            .childEnded(
                ChildEnding(path: path, runID: RunID(UUIDBytes(high: 2, low: 2)), attempt: 1, status: .succeeded, output: .null))
        case .adjust: .adjust(path: path, LoopAdjustment(maxParallel: 3))
        }
    }
}

/// The kinds of answers.
enum Answer: Hashable {
    case commands
    case nothing
    case incomplete
    case suspended
    case wrongPhase
    case alreadyEnded
    case unknownStep
    case alreadySettled
    case staleTask

    init(_ rejection: Rejection) {
        switch rejection {
        case .incomplete: self = .incomplete
        case .suspended: self = .suspended
        case .wrongPhase: self = .wrongPhase
        case .alreadyEnded: self = .alreadyEnded
        case .unknownStep: self = .unknownStep
        case .alreadySettled: self = .alreadySettled
        case .staleTask: self = .staleTask
        }
    }
}

@Suite struct CoverageTests {
    // The table.
    private static func answer(_ run: RunPhase, _ step: StepPhase, _ input: InputKind) -> Answer {
        switch run {
        case .ended: .alreadyEnded
        case .accepted:
            switch input {
            case .start, .cancel: .commands
            case .outcome, .timer, .deadline, .event, .childEnded, .adjust: .wrongPhase
            }
        case .running, .failing, .cancelling, .timingOut, .succeeding:
            switch input {
            case .start: .wrongPhase
            case .cancel, .deadline: run == .running ? ending(step) : .nothing
            case .outcome: outcome(step)
            case .timer(let kind): timer(kind, step, isEnding: run != .running)
            case .event: event(step, isEnding: run != .running)
            case .childEnded: childEnded(step)
            case .adjust: step == .loop ? (run == .running ? .commands : .staleTask) : .unknownStep
            }
        }
    }

    private static func ending(_ step: StepPhase) -> Answer {
        switch step {
        case .unlooked, .unknownTask: .incomplete
        case .foreign, .notStarted, .pending, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .block, .loop, .parallel,
            .choice, .caught, .workingMachine, .waitingMachine, .sleep, .wait, .child, .waitingChild, .settled:
            .commands
        }
    }

    private static func outcome(_ step: StepPhase) -> Answer {
        switch step {
        // Only an agent's step has attempts.
        case .foreign, .block, .loop, .parallel, .choice, .workingMachine, .waitingMachine, .sleep, .wait, .child, .waitingChild:
            .unknownStep
        // The row that it was read from is the proof.
        case .unlooked, .unknownTask, .leasedTask, .unwantedTask, .settledTask: .commands
        case .notStarted, .pending, .readyTask, .waitingTask, .caught: .staleTask
        case .settled: .alreadySettled
        }
    }

    private static func timer(_ kind: TimerKind, _ step: StepPhase, isEnding: Bool) -> Answer {
        switch step {
        case .foreign: return .unknownStep
        case .unlooked: return .incomplete
        case .settled: return .alreadySettled
        case .notStarted, .pending, .caught: return .staleTask
        case .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .block, .loop, .parallel, .choice,
            .workingMachine, .waitingMachine, .sleep, .wait, .child, .waitingChild:
            break
        }
        if isEnding { return .staleTask }
        switch kind {
        case .backoff: return [.unknownTask, .waitingTask, .waitingChild].contains(step) ? .commands : .staleTask
        case .deadline: return .staleTask
        case .sleep: return step == .sleep ? .commands : .staleTask
        case .timeout:
            return [.unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask].contains(step)
                ? .staleTask : .commands
        case .totalTimeout: return step == .unknownTask ? .incomplete : step == .unwantedTask ? .staleTask : .commands
        case .every: return step == .loop ? .commands : .staleTask
        case .joinDeadline: return step == .loop || step == .parallel ? .commands : .staleTask
        case .after: return step == .waitingMachine ? .commands : .staleTask
        case .awaitTimeout: return step == .wait ? .commands : .staleTask
        }
    }

    private static func event(_ step: StepPhase, isEnding: Bool) -> Answer {
        switch step {
        case .foreign: .unknownStep
        case .unlooked: .incomplete
        case .settled: .alreadySettled
        case .wait, .waitingMachine: isEnding ? .staleTask : .commands
        case .notStarted, .pending, .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .block, .loop,
            .parallel,
            .choice, .caught, .workingMachine, .sleep, .child, .waitingChild:
            .staleTask
        }
    }

    // Also where nothing is wanted any more: the step settles with it.
    private static func childEnded(_ step: StepPhase) -> Answer {
        switch step {
        case .foreign: .unknownStep
        case .unlooked: .incomplete
        case .settled: .alreadySettled
        case .child: .commands
        case .notStarted, .pending, .unknownTask, .readyTask, .leasedTask, .unwantedTask, .settledTask, .waitingTask, .block, .loop,
            .parallel,
            .choice, .caught, .workingMachine, .waitingMachine, .sleep, .wait, .waitingChild:
            .staleTask
        }
    }

    // A graph with the step in question and another one that a worker has.
    private static func frame(_ run: RunPhase, _ step: StepPhase) throws -> Frame {
        let program = try Program(WorkflowDefinition(name: "w", body: .graph([step.step, .agent("other"), .agent("done")])))
        var facts = RunFacts(
            id: RunID(UUIDBytes(high: 1, low: 1)), version: 1, historyLength: 9, submittedAt: Timestamp(microseconds: 0), trigger: "api",
            input: .null, callees: ["c": CalleeFacts(versionID: VersionID(1), number: 1)])
        if run == .ended {
            // Only a decision can end a run.
            var frame = Frame(program: program, run: facts, isComplete: true)
            _ = try Engine.decide(&frame, .cancel(reason: nil), at: Timestamp(microseconds: 1))
            return frame
        }
        var root = BlockFacts(unsettled: step == .settled ? 1 : 2, live: step.isLive ? 2 : 1)
        switch run {
        case .accepted, .ended, .running: break
        case .failing: root.ending = .failed(Failure(type: .exit, message: "no"))
        case .cancelling: root.ending = .cancelled
        case .timingOut: root.ending = .timedOut(Failure(type: .timeout, message: "late"))
        case .succeeding: root.ending = .succeeded(by: StepPath("done"))
        }
        facts.root = run == .accepted ? nil : root
        var steps: [StepPath: StepFacts] = [
            StepPath("other"): .task(TaskFacts(phase: .leased)),
            StepPath("done"): .settled(SettledFacts(status: .succeeded, finishedAt: Timestamp(microseconds: 1))),
        ]
        if run == .accepted { steps = [:] }
        steps[StepPath("x")] = step.facts
        for (path, facts) in step.insides { steps[StepPath(path)] = facts }
        return Frame(program: program, run: facts, steps: steps, isComplete: step != .unlooked || run == .accepted)
    }

    @Test("every pair of state and input has the answer of the table", arguments: RunPhase.allCases)
    func table(run: RunPhase) throws {
        for step in StepPhase.allCases {
            for kind in InputKind.allCases {
                var frame = try Self.frame(run, step)
                #expect(RunPhase(frame.run) == run)
                if let facts = step.facts { #expect(StepPhase(facts) == step) }
                let input = kind.input(for: StepPath(step == .foreign ? "nowhere" : "x"))
                #expect(InputKind(input) == kind)
                let answer: Answer
                do throws(Rejection) {
                    answer = try Engine.decide(&frame, input, at: Timestamp(microseconds: 5)).isEmpty ? .nothing : .commands
                } catch {
                    answer = Answer(error)
                }
                #expect(answer == Self.answer(run, step, kind), "\(kind) on a step that is \(step) in a run that is \(run)")
            }
        }
    }
}
