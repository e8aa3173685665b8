// What the timers of a run mean.

import WorkflowModel

extension Frame {
    mutating func elapsed(_ kind: TimerKind, _ path: StepPath?) throws(Rejection) {
        guard let path else {
            guard kind == .deadline else { throw .unknownStep(StepPath("")) }
            return try endTree(
                .timedOut(Failure(type: .timeout, message: Self.tooLong("run", "timeout", program.definition.timeout))), event: "timed_out")
        }
        guard let node = program.node(at: path) else { throw .unknownStep(path) }
        let instance = Instance(node: node.index, path: path)
        switch facts(of: path) {
        case nil: throw .incomplete(MissingFacts(steps: [path]))
        case .settled: throw .alreadySettled(path)
        case .notStarted: throw .staleTask(path)
        case .task(let task): try elapsed(kind, instance, task)
        case .live(let live):
            guard try !isEnding(instance), live.ending == nil else { throw .staleTask(path) }
            try elapsed(kind, instance, live)
        }
    }

    private mutating func elapsed(_ kind: TimerKind, _ instance: Instance, _ task: TaskFacts) throws(Rejection) {
        guard try !isEnding(instance) else { throw .staleTask(instance.path) }
        switch kind {
        case .backoff:
            guard task.phase == .waiting || task.phase == .unknown else { throw .staleTask(instance.path) }
            setReady(instance.path, task)
            commands.append(.wake(path: instance.path))
        case .totalTimeout:
            switch task.phase {
            case .unknown: throw .incomplete(MissingFacts(lockedTasks: [instance.path]))
            case .ready, .waiting:
                commands.append(.dequeue(path: instance.path, hasTimer: task.phase == .waiting))
                try fail(
                    instance, overdue(instance, task.attempt - 1), wasLive: true, attempts: task.attempt - 1, startedAt: task.startedAt,
                    losses: task.losses)
            // Its worker is told; what comes back is no longer wanted.
            case .leased, .settled:
                guard !task.isUnwanted else { throw .staleTask(instance.path) }
                var task = task
                task.isUnwanted = true
                set(instance.path, .task(task))
                commands.append(.tellWorker(path: instance.path))
            }
        case .deadline, .sleep, .timeout, .every, .joinDeadline, .after, .awaitTimeout: throw .staleTask(instance.path)
        }
    }

    static let totalTimeoutCode = "totalTimeout"

    func overdue(_ instance: Instance, _ attempt: Int = 0) -> Failure {
        Failure(
            type: .timeout, code: Self.totalTimeoutCode,
            message: Self.tooLong("step", "totalTimeout", program.nodes[instance.node].totalTimeout), attempt: attempt)
    }

    static func tooLong(_ what: String, _ setting: String, _ limit: Duration?) -> String {
        "the \(what) took longer than its `\(setting)`" + (limit.map { " of \(DurationText.format($0))" } ?? "")
    }

    private mutating func elapsed(_ kind: TimerKind, _ instance: Instance, _ live: LiveStepFacts) throws(Rejection) {
        switch (kind, live) {
        case (.backoff, .child(let child)):
            guard child.task.phase == .waiting else { throw .staleTask(instance.path) }
            try startChild(instance, child.task, isFirst: false)
        case (.sleep, .sleep(let sleep)):
            commands.append(.drop(path: instance.path))
            settle(
                instance, SettledFacts(status: .succeeded, output: .null, startedAt: sleep.startedAt, finishedAt: now), wasLive: true)
        case (.timeout, _):
            let limit = program.nodes[instance.node].blockTimeout
            try timeOut(instance, live, Failure(type: .timeout, message: Self.tooLong("step", "timeout", limit)))
        case (.totalTimeout, _): try timeOut(instance, live, overdue(instance))
        case (.every, .loop(let loop)): goOn(instance, loop)
        case (.joinDeadline, .loop), (.joinDeadline, .parallel): try joinOverdue(instance, live)
        case (.after, .machine(let machine)): try waitedLongEnough(instance, machine)
        case (.awaitTimeout, .wait(let wait)): try waitTimedOut(instance, wait)
        case (.backoff, _), (.deadline, _), (.sleep, _), (.every, _), (.joinDeadline, _), (.after, _), (.awaitTimeout, _):
            throw .staleTask(instance.path)
        }
    }

    // A step that no worker watches has taken too long.
    private mutating func timeOut(_ instance: Instance, _ live: LiveStepFacts, _ failure: Failure) throws(Rejection) {
        switch live {
        case .pending, .caught: throw .staleTask(instance.path)
        case .sleep, .wait:
            stopWaiting(instance, live)
            commands.append(.drop(path: instance.path))
            try fail(instance, failure, wasLive: true, startedAt: live.startedAt)
        case .child(var child):
            if child.task.phase == .waiting {
                commands.append(.removeTimer(path: instance.path, kind: .backoff))
                commands.append(.drop(path: instance.path))
                return try fail(
                    instance, failure, wasLive: true, attempts: child.task.attempt - 1, startedAt: child.task.startedAt)
            }
            child.ending = .timedOut(failure)
            commands.append(.cancelChild(path: instance.path))
            keep(instance, .child(child))
        case .block, .loop, .parallel, .choice, .machine: try end(instance, live, .timedOut(failure))
        }
    }

    // The timers that a node may have, once it has settled or its failure is being caught.
    mutating func clearTimers(_ instance: Instance) {
        let path = instance.path
        if program.nodes[instance.node].totalTimeout != nil { commands.append(.removeTimer(path: path, kind: .totalTimeout)) }
        switch program.nodes[instance.node].verb {
        case .agent, .set, .nothing, .validate, .fail, .succeed, .emit: break
        case .sleep, .block, .choice, .workflow:
            if program.nodes[instance.node].blockTimeout != nil { commands.append(.removeTimer(path: path, kind: .timeout)) }
        case .wait:
            if program.nodes[instance.node].blockTimeout != nil { commands.append(.removeTimer(path: path, kind: .awaitTimeout)) }
        case .parallel(let plan):
            if program.nodes[instance.node].blockTimeout != nil { commands.append(.removeTimer(path: path, kind: .timeout)) }
            if plan.join.deadline != nil { commands.append(.removeTimer(path: path, kind: .joinDeadline)) }
        case .machine:
            if program.nodes[instance.node].blockTimeout != nil { commands.append(.removeTimer(path: path, kind: .timeout)) }
        case .loop(let plan): if plan.join.deadline != nil { commands.append(.removeTimer(path: path, kind: .joinDeadline)) }
        }
    }

    // What a step no longer waits for, when it ends before that came.
    mutating func stopWaiting(_ instance: Instance, _ live: LiveStepFacts) {
        switch live {
        case .pending, .block, .parallel, .choice, .caught, .child: break
        case .sleep: commands.append(.removeTimer(path: instance.path, kind: .sleep))
        case .wait: commands.append(.endWait(path: instance.path))
        case .loop(let loop):
            if loop.isPausing { commands.append(.removeTimer(path: instance.path, kind: .every)) }
        case .machine(let machine):
            guard machine.isWaiting, case .machine(let plan) = program.nodes[instance.node].verb else { return }
            if plan.waitsForEvents(in: machine.state) { commands.append(.endWait(path: instance.path)) }
            if machine.nextTimeout < plan.states[machine.state].after.count {
                commands.append(.removeTimer(path: instance.path, kind: .after))
            }
        }
    }
}

extension MachinePlan {
    // Whether anything becomes of an event that comes in this state.
    func waitsForEvents(in state: Int) -> Bool { !states[state].on.isEmpty || unexpected != .defer }
}
