// How the outcome of an attempt becomes the step's ending, or its next attempt.

import WorkflowModel

extension Frame {
    mutating func take(_ outcome: TaskOutcome) throws(Rejection) {
        guard let node = program.node(at: outcome.path), case .agent = node.verb else { throw .unknownStep(outcome.path) }
        let instance = Instance(node: node.index, path: outcome.path)
        var isUnwanted = outcome.task.isUnwanted
        switch facts(of: outcome.path) {
        // The task's row is the proof that the step is live, also where the frame knows nothing of it.
        case nil: break
        case .task(let known):
            guard known.attempt == outcome.task.attempt, known.phase != .ready, known.phase != .waiting else {
                throw .staleTask(outcome.path)
            }
            isUnwanted = isUnwanted || known.isUnwanted
        case .settled: throw .alreadySettled(outcome.path)
        case .notStarted, .live: throw .staleTask(outcome.path)
        }
        if run.startedAt == nil { run.startedAt = outcome.claimedAt }
        var task = outcome.task
        task.isUnwanted = false
        task.startedAt = task.startedAt ?? outcome.claimedAt

        if try isEnding(instance) { return drop(instance, outcome, task) }
        if isUnwanted {
            // The step has used up its time: whatever came back is kept with the attempt, and not applied.
            recordAttempt(outcome, discarded: outcome.status == .succeeded)
            commands.append(.dequeue(path: outcome.path, hasTimer: false))
            return try fail(
                instance, overdue(instance, task.attempt), wasLive: true, attempts: task.attempt, startedAt: task.startedAt,
                losses: task.losses)
        }
        switch outcome.status {
        case .succeeded:
            switch try accept(outcome.output ?? .null, by: instance) {
            case .success(let output):
                finish(instance, outcome, task, SettledFacts(status: .succeeded, output: output, finishedAt: outcome.settledAt))
            case .failure(let failure): try retryOrFail(instance, outcome, task, failure)
            }
        case .failed, .timedOut:
            try retryOrFail(instance, outcome, task, outcome.failure ?? Failure(type: .custom, message: "the agent failed"))
        case .lost:
            task.losses += 1
            if task.losses > EngineDefaults.lossLimit {
                let failure = Failure(
                    type: .poison, message: "\(task.losses) workers were lost with this step", attempt: outcome.task.attempt)
                try finish(instance, outcome, task, failure)
            } else {
                requeue(outcome, task)
            }
        // Given back by a draining worker, or given up by one that believed it cancelled: nothing is used up.
        case .released, .cancelled: requeue(outcome, task)
        }
    }

    // The step is no longer wanted: whatever came back is kept with the attempt, and not applied.
    private mutating func drop(_ instance: Instance, _ outcome: TaskOutcome, _ task: TaskFacts) {
        recordAttempt(outcome, discarded: outcome.status == .succeeded)
        commands.append(.dequeue(path: outcome.path, hasTimer: false))
        let losses = task.losses + (outcome.status == .lost ? 1 : 0)
        // What was given back unstarted was no attempt.
        let attempts = outcome.status == .released ? task.attempt - 1 : task.attempt
        let settled = SettledFacts(
            status: .cancelled, failure: Failure(type: .cancelled, message: "the step was cancelled", attempt: attempts),
            attempts: attempts, startedAt: task.startedAt, finishedAt: outcome.settledAt)
        settle(instance, settled, wasLive: true, losses: losses)
    }

    private mutating func requeue(_ outcome: TaskOutcome, _ task: TaskFacts) {
        recordAttempt(outcome, discarded: false)
        setReady(outcome.path, task)
        commands.append(.requeue(path: outcome.path, task: task))
    }

    private mutating func retryOrFail(
        _ instance: Instance, _ outcome: TaskOutcome, _ task: TaskFacts, _ failure: Failure
    ) throws(Rejection) {
        var failure = failure
        failure.attempt = task.attempt
        var task = task
        let schedule = RetrySchedule(policy: program.nodes[instance.node].retry, runID: run.id, path: instance.path)
        let decision = schedule.next(after: failure, task: &task, now: now)
        guard let delay = decision else { return try finish(instance, outcome, task, failure) }
        recordFailure(outcome, failure)
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
    private mutating func finish(_ instance: Instance, _ outcome: TaskOutcome, _ task: TaskFacts, _ facts: SettledFacts) {
        var facts = facts
        facts.attempts = task.attempt
        facts.startedAt = task.startedAt
        commands.append(.dequeue(path: instance.path, hasTimer: false))
        settle(
            instance, facts, wasLive: true, losses: task.losses,
            attempt: SettlingAttempt(fence: outcome.fence, session: outcome.session, claimedAt: outcome.claimedAt))
    }

    // The attempt was the last one, and failed.
    private mutating func finish(_ instance: Instance, _ outcome: TaskOutcome, _ task: TaskFacts, _ failure: Failure) throws(Rejection) {
        guard try isCaught(instance) else {
            return finish(instance, outcome, task, SettledFacts(status: .failed, failure: failure, finishedAt: outcome.settledAt))
        }
        recordFailure(outcome, failure)
        commands.append(.dequeue(path: instance.path, hasTimer: false))
        clearTimers(instance)
        beginCatch(instance, failure, attempts: task.attempt, losses: task.losses, startedAt: task.startedAt)
    }

    private mutating func recordFailure(_ outcome: TaskOutcome, _ failure: Failure) {
        var recorded = outcome
        recorded.failure = failure
        if recorded.status == .succeeded { recorded.status = .failed }
        recordAttempt(recorded, discarded: false)
    }

    private mutating func recordAttempt(_ outcome: TaskOutcome, discarded: Bool) {
        commands.append(
            .recordAttempt(AttemptRecord(path: outcome.path, sequence: nextSequence(), outcome: outcome, discarded: discarded)))
    }

    // MARK: Catching

    // Whether a failure of the step is caught by a block of it. Nothing is caught where nothing starts any more.
    func isCaught(_ instance: Instance) throws(Rejection) -> Bool {
        guard program.nodes[instance.node].catchNode != nil else { return false }
        return try !isEnding(instance)
    }

    // A step that was never live has to be counted, now that its failure is being caught.
    mutating func countLive(_ instance: Instance) {
        let around = parent(of: instance)
        if around == nil {
            run.root?.live += 1
        } else if let around, case .live(let scope) = facts(of: around.path), case .block = scope {
            keep(around, scope.addingLive(1))
        }
    }

    mutating func beginCatch(
        _ instance: Instance, _ failure: Failure, isTimeout: Bool = false, attempts: Int, losses: Int, startedAt: Timestamp?
    ) {
        let handler = isTimeout ? program.nodes[instance.node].timeoutNode : program.nodes[instance.node].catchNode
        guard let handler else { return }
        var failure = failure
        if failure.path == nil { failure.path = instance.path }
        keep(
            instance,
            .caught(
                CatchFacts(
                    failure: failure, isTimeout: isTimeout, attempts: attempts, losses: losses,
                    block: BlockFacts(unsettled: 0, live: 1, startedAt: startedAt))))
        agenda.append(.start(child(handler, of: instance)))
    }
}
