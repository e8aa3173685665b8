// How a step starts, and how the outcome of an attempt becomes the step's ending or its next attempt.

import Expressions
import JSONSchema
import WorkflowModel

extension Frame {
    mutating func start(_ node: Node) throws(Rejection) {
        guard var block = try liveBlock(node.parent), block.ending == nil else { return }
        if let condition = node.condition {
            switch try decide(condition) {
            case .success(true): break
            case .success(false): return settle(node, SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
            case .failure(let failure): return fail(node, failure)
            }
        }
        switch node.verb {
        case .agent:
            let input: JSONText
            if let with = node.with {
                switch try evaluate(with) {
                case .success(let text): input = text
                case .failure(let failure): return fail(node, failure)
                }
            } else {
                input = JSONText(trusted: "{}")
            }
            block.live += 1
            setBlock(node.parent, block)
            setReady(node.path, TaskFacts())
            commands.append(.enqueue(path: node.path, node: node.index, input: input))
        case .set:
            guard let value = node.with else { return fail(node, Failure(type: .expression, message: "the step has no value")) }
            switch try evaluate(value) {
            case .success(let text):
                switch try map(text, by: node) {
                case .success(let output):
                    settle(
                        node, SettledFacts(status: .succeeded, output: output, startedAt: now, finishedAt: now), wasLive: false)
                case .failure(let failure): fail(node, failure)
                }
            case .failure(let failure): fail(node, failure)
            }
        case .block(let plan):
            block.live += 1
            setBlock(node.parent, block)
            let facts = BlockFacts(unsettled: plan.unsettledAtStart, startedAt: now)
            set(node.path, .block(facts))
            commands.append(.keep(path: node.path, node: node.index, facts: .block(facts)))
            agenda.append(.startBlock(node.index))
        }
    }

    // MARK: Outcomes

    mutating func take(_ outcome: TaskOutcome) throws(Rejection) {
        guard let node = program.node(at: outcome.path) else { throw .unknownStep(outcome.path) }
        switch facts(of: outcome.path) {
        // The task's row is the proof that the step is live, also where the frame knows nothing of it.
        case nil: break
        case .task(let known):
            guard known.attempt == outcome.task.attempt, known.phase != .ready, known.phase != .waiting else {
                throw .staleTask(outcome.path)
            }
        case .settled: throw .alreadySettled(outcome.path)
        case .notStarted, .pending, .block: throw .staleTask(outcome.path)
        }
        if run.startedAt == nil { run.startedAt = outcome.claimedAt }
        var task = outcome.task
        task.startedAt = task.startedAt ?? outcome.claimedAt

        if try isEnding(node.parent) {
            // The step is no longer wanted: whatever came back is kept with the attempt, and not applied.
            recordAttempt(outcome, discarded: outcome.status == .succeeded)
            commands.append(.dequeue(path: outcome.path, hasTimer: false))
            if outcome.status == .lost { task.losses += 1 }
            // What was given back unstarted was no attempt.
            let attempts = outcome.status == .released ? task.attempt - 1 : task.attempt
            let settled = SettledFacts(
                status: .cancelled, failure: Failure(type: .cancelled, message: "the step was cancelled", attempt: attempts),
                attempts: attempts, startedAt: task.startedAt, finishedAt: outcome.settledAt)
            return settle(node, settled, wasLive: true, losses: task.losses)
        }
        switch outcome.status {
        case .succeeded:
            switch try accept(outcome.output ?? .null, by: node) {
            case .success(let output):
                finish(node, outcome, task, SettledFacts(status: .succeeded, output: output, finishedAt: outcome.settledAt))
            case .failure(let failure): try retryOrFail(node, outcome, task, failure)
            }
        case .failed, .timedOut:
            try retryOrFail(node, outcome, task, outcome.failure ?? Failure(type: .custom, message: "the agent failed"))
        case .lost:
            task.losses += 1
            if task.losses > EngineDefaults.lossLimit {
                let failure = Failure(
                    type: .poison, message: "\(task.losses) workers were lost with this step", attempt: outcome.task.attempt)
                finish(node, outcome, task, SettledFacts(status: .failed, failure: failure, finishedAt: outcome.settledAt))
            } else {
                requeue(outcome, task)
            }
        // Given back by a draining worker, or given up by one that believed it cancelled: nothing is used up.
        case .released, .cancelled: requeue(outcome, task)
        }
    }

    private mutating func requeue(_ outcome: TaskOutcome, _ task: TaskFacts) {
        recordAttempt(outcome, discarded: false)
        setReady(outcome.path, task)
        commands.append(.requeue(path: outcome.path, task: task))
    }

    private mutating func retryOrFail(
        _ node: Node, _ outcome: TaskOutcome, _ task: TaskFacts, _ failure: Failure
    ) throws(Rejection) {
        var failure = failure
        failure.attempt = task.attempt
        var task = task
        let schedule = RetrySchedule(policy: node.retry, runID: run.id, path: node.path)
        let decision = schedule.next(after: failure, task: &task, now: now)
        guard let delay = decision else {
            return finish(node, outcome, task, SettledFacts(status: .failed, failure: failure, finishedAt: outcome.settledAt))
        }
        var recorded = outcome
        recorded.failure = failure
        if recorded.status == .succeeded { recorded.status = .failed }
        recordAttempt(recorded, discarded: false)
        task.attempt += 1
        task.lastDelay = delay
        if delay > .zero {
            task.phase = .waiting
            set(outcome.path, .task(task))
            commands.append(.backOff(path: outcome.path, task: task, dueAt: now + delay))
        } else {
            setReady(outcome.path, task)
            commands.append(.requeue(path: outcome.path, task: task))
        }
    }

    // The attempt settles its step.
    private mutating func finish(_ node: Node, _ outcome: TaskOutcome, _ task: TaskFacts, _ facts: SettledFacts) {
        var facts = facts
        facts.attempts = task.attempt
        facts.startedAt = task.startedAt
        commands.append(.dequeue(path: node.path, hasTimer: false))
        settle(
            node, facts, wasLive: true, losses: task.losses,
            attempt: SettlingAttempt(fence: outcome.fence, session: outcome.session, claimedAt: outcome.claimedAt))
    }

    private mutating func recordAttempt(_ outcome: TaskOutcome, discarded: Bool) {
        commands.append(
            .recordAttempt(AttemptRecord(path: outcome.path, sequence: nextSequence(), outcome: outcome, discarded: discarded)))
    }

    private mutating func fail(_ node: Node, _ failure: Failure) {
        settle(node, SettledFacts(status: .failed, failure: failure, startedAt: now, finishedAt: now), wasLive: false)
    }

    mutating func settle(
        _ node: Node, _ facts: SettledFacts, wasLive: Bool, losses: Int = 0, attempt: SettlingAttempt? = nil
    ) {
        commands.append(
            .recordStep(
                StepRecord(
                    path: node.path, node: node.index, sequence: nextSequence(), settled: facts, losses: losses, attempt: attempt)))
        var kept = facts
        if !node.outputIsRead { kept.output = nil }
        set(node.path, .settled(kept))
        agenda.append(.settled(node.index, wasLive: wasLive))
    }

    // MARK: Answers

    // The answer of an attempt becomes the step's output: checked against its schema, then mapped.
    private func accept(_ answer: JSONText, by node: Node) throws(Rejection) -> Evaluated<JSONText> {
        if let schema = node.resultSchema {
            let violations = schema.validate(answer.value)
            if !violations.isEmpty {
                let shown = violations.prefix(5).map { "\($0)" }.joined(separator: "; ")
                let rest = violations.count > 5 ? " and \(violations.count - 5) more" : ""
                return .failure(Failure(type: .schema, message: "the answer does not match the step's `result` schema: \(shown)\(rest)"))
            }
        }
        return try map(answer, by: node)
    }

    private func map(_ answer: JSONText, by node: Node) throws(Rejection) -> Evaluated<JSONText> {
        guard let mapping = node.output else { return .success(answer) }
        return try evaluate(mapping, result: answer)
    }
}
