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
            }
        } else {
            self = .accepted
        }
    }
}

/// What a frame knows of a step.
enum StepPhase: CaseIterable {
    case foreign
    case unlooked
    case notStarted
    case pending
    case unknownTask
    case readyTask
    case leasedTask
    case settledTask
    case waitingTask
    case block
    case settled

    init(_ facts: StepFacts) {
        switch facts {
        case .notStarted: self = .notStarted
        case .pending: self = .pending
        case .task(let task):
            switch task.phase {
            case .unknown: self = .unknownTask
            case .ready: self = .readyTask
            case .leased: self = .leasedTask
            case .settled: self = .settledTask
            case .waiting: self = .waitingTask
            }
        case .block: self = .block
        case .settled: self = .settled
        }
    }

    var facts: StepFacts? {
        switch self {
        case .foreign, .unlooked: nil
        case .notStarted: .notStarted
        case .pending: .pending(PendingFacts(unmet: 1, met: 1))
        case .unknownTask: .task(TaskFacts(phase: .unknown))
        case .readyTask: .task(TaskFacts(phase: .ready))
        case .leasedTask: .task(TaskFacts(phase: .leased))
        case .settledTask: .task(TaskFacts(phase: .settled))
        case .waitingTask: .task(TaskFacts(phase: .waiting))
        case .block: .block(BlockFacts(unsettled: 0, live: 1))
        case .settled: .settled(SettledFacts(status: .succeeded, finishedAt: Timestamp(microseconds: 1)))
        }
    }

    // Whether the step counts among the live ones of its block.
    var isLive: Bool {
        switch self {
        case .unlooked, .unknownTask, .readyTask, .leasedTask, .settledTask, .waitingTask, .block: true
        case .foreign, .notStarted, .pending, .settled: false
        }
    }
}

/// The kinds of inputs.
enum InputKind: Hashable, CaseIterable {
    case start
    case outcome(AttemptStatus)
    case backoffElapsed
    case deadlinePassed
    case cancel

    static var allCases: [InputKind] {
        [.start] + AttemptStatus.allCases.map { .outcome($0) } + [.backoffElapsed, .deadlinePassed, .cancel]
    }

    init(_ input: Input) {
        switch input {
        case .start: self = .start
        case .outcome(let outcome): self = .outcome(outcome.status)
        case .backoffElapsed: self = .backoffElapsed
        case .deadlinePassed: self = .deadlinePassed
        case .cancel: self = .cancel
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
        case .backoffElapsed: .backoffElapsed(path)
        case .deadlinePassed: .deadlinePassed
        case .cancel: .cancel(reason: nil)
        }
    }
}

/// The kinds of answers.
enum Answer: Hashable {
    case commands
    case nothing
    case incomplete
    case wrongPhase
    case alreadyEnded
    case unknownStep
    case alreadySettled
    case staleTask

    init(_ rejection: Rejection) {
        switch rejection {
        case .incomplete: self = .incomplete
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
        switch (run, input) {
        case (.ended, _): .alreadyEnded
        case (.accepted, .start), (.accepted, .cancel): .commands
        case (.accepted, .outcome), (.accepted, .backoffElapsed), (.accepted, .deadlinePassed): .wrongPhase
        case (.running, .start), (.failing, .start), (.cancelling, .start), (.timingOut, .start): .wrongPhase
        case (.running, .cancel), (.running, .deadlinePassed): ending(step)
        case (.failing, .cancel), (.cancelling, .cancel), (.timingOut, .cancel): .nothing
        case (.failing, .deadlinePassed), (.cancelling, .deadlinePassed), (.timingOut, .deadlinePassed): .nothing
        case (.running, .outcome), (.failing, .outcome), (.cancelling, .outcome), (.timingOut, .outcome): outcome(step)
        case (.running, .backoffElapsed): wake(step)
        case (.failing, .backoffElapsed), (.cancelling, .backoffElapsed), (.timingOut, .backoffElapsed): wakeInEnding(step)
        }
    }

    private static func ending(_ step: StepPhase) -> Answer {
        switch step {
        case .unlooked, .unknownTask: .incomplete
        case .foreign, .notStarted, .pending, .readyTask, .leasedTask, .settledTask, .waitingTask, .block, .settled: .commands
        }
    }

    private static func outcome(_ step: StepPhase) -> Answer {
        switch step {
        case .foreign: .unknownStep
        // The row that it was read from is the proof.
        case .unlooked, .unknownTask, .leasedTask, .settledTask: .commands
        case .notStarted, .pending, .readyTask, .waitingTask, .block: .staleTask
        case .settled: .alreadySettled
        }
    }

    private static func wake(_ step: StepPhase) -> Answer {
        switch step {
        case .foreign: .unknownStep
        case .unlooked: .incomplete
        case .waitingTask, .unknownTask: .commands
        case .notStarted, .pending, .readyTask, .leasedTask, .settledTask, .block: .staleTask
        case .settled: .alreadySettled
        }
    }

    private static func wakeInEnding(_ step: StepPhase) -> Answer {
        switch step {
        case .foreign: .unknownStep
        case .unlooked: .incomplete
        case .notStarted, .pending, .unknownTask, .readyTask, .leasedTask, .settledTask, .waitingTask, .block: .staleTask
        case .settled: .alreadySettled
        }
    }

    // A graph with the step in question and another one that a worker has.
    private static func frame(_ run: RunPhase, _ step: StepPhase) throws -> Frame {
        let x: Step = step == .block ? .block("x", .steps([.agent("y")])) : .agent("x", needs: step == .pending ? ["done", "other"] : [])
        let program = try Program(WorkflowDefinition(name: "w", body: .graph([x, .agent("other"), .agent("done")])))
        var facts = RunFacts(
            id: RunID(UUIDBytes(high: 1, low: 1)), version: 1, historyLength: 9, submittedAt: Timestamp(microseconds: 0), trigger: "api",
            input: .null)
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
        }
        facts.root = run == .accepted ? nil : root
        var steps: [StepPath: StepFacts] = [
            StepPath("other"): .task(TaskFacts(phase: .leased)),
            StepPath("done"): .settled(SettledFacts(status: .succeeded, finishedAt: Timestamp(microseconds: 1))),
        ]
        if run == .accepted { steps = [:] }
        steps[StepPath("x")] = step.facts
        if step == .block { steps[StepPath("x.y")] = .task(TaskFacts(phase: .leased)) }
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
