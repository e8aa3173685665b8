// Sub-workflows: each attempt of the step is a run of its own.

import JSONSchema
import WorkflowModel

extension Frame {
    mutating func startChild(_ instance: Instance, _ task: TaskFacts, isFirst: Bool) throws(Rejection) {
        guard case .workflow(let call) = program.nodes[instance.node].verb else { throw .staleTask(instance.path) }
        func refuse(_ failure: Failure) throws(Rejection) {
            if !isFirst { commands.append(.drop(path: instance.path)) }
            try fail(
                instance, failure, wasLive: !isFirst, attempts: task.attempt - 1, startedAt: isFirst ? nil : task.startedAt)
        }
        guard let callee = run.callees[call.workflow] else {
            return try refuse(
                Failure(
                    type: .custom, code: "unknownWorkflow",
                    message: "there was no workflow `\(call.workflow)` when this run was submitted; apply it and start the run again"))
        }
        if let failure = depthFailure(of: call.workflow) { return try refuse(failure) }
        var input = JSONText(trusted: "{}")
        if let with = program.nodes[instance.node].with {
            switch try evaluate(with, at: instance) {
            case .success(let text): input = text
            case .failure(let failure): return try refuse(failure)
            }
        }
        if let schema = callee.inputSchema {
            let violations = schema.validate(input.value)
            if !violations.isEmpty {
                return try refuse(
                    Failure(
                        type: .schema,
                        message:
                            "`with` does not match the input of `\(call.workflow)` (version \(callee.number)): \(Self.list(violations))"))
            }
        }
        let id = childID(of: instance.path, attempt: task.attempt)
        let start = ChildStart(
            path: instance.path, runID: id, workflow: call.workflow, input: input, isAwaited: call.isAwaited,
            followsParent: call.onParentEnd == .cancel, attempt: task.attempt)
        guard call.isAwaited else {
            commands.append(.startChild(start))
            return try settle(instance, mapped: JSONText(["run": .string(id.description), "workflow": .string(call.workflow)]))
        }
        var task = task
        task.phase = .leased
        task.startedAt = task.startedAt ?? now
        if isFirst { enliven(instance, .child(ChildFacts(task: task))) } else { keep(instance, .child(ChildFacts(task: task))) }
        commands.append(.startChild(start))
        if !isFirst, let timeout = program.nodes[instance.node].blockTimeout {
            commands.append(.setTimer(path: instance.path, kind: .timeout, dueAt: now + timeout, isAbsolute: false))
        }
    }

    // The failure of a run that would stand too deep below others; it prints the chain.
    func depthFailure(of workflow: String) -> Failure? {
        guard run.depth + 1 >= EngineDefaults.depthLimit else { return nil }
        let chain = (run.lineage + [program.definition.name, workflow]).joined(separator: " → ")
        return Failure(
            type: .limit, code: "depth",
            message: "runs may start each other \(EngineDefaults.depthLimit) deep, and this one would be deeper: \(chain)")
    }

    // The child's id: the moment in front, and behind it a hash of parent, path and attempt. The same decision gives the same id.
    private func childID(of path: StepPath, attempt: Int) -> RunID {
        var random = HashedBits(run: run.id, path: path, attempt: attempt)
        return RunID(UUIDBytes.version7(unixMilliseconds: now.microseconds / 1000, random: &random))
    }

    // MARK: Endings of children

    mutating func take(_ ending: ChildEnding) throws(Rejection) {
        guard let node = program.node(at: ending.path) else { throw .unknownStep(ending.path) }
        let instance = Instance(node: node.index, path: ending.path)
        switch facts(of: ending.path) {
        case nil: throw .incomplete(MissingFacts(steps: [ending.path]))
        case .settled: throw .alreadySettled(ending.path)
        case .live(.child(let child)):
            guard child.task.phase != .waiting, child.task.attempt == ending.attempt else { throw .staleTask(ending.path) }
            try take(ending, at: instance, child)
        case .notStarted, .live, .task: throw .staleTask(ending.path)
        }
    }

    private mutating func take(_ ending: ChildEnding, at instance: Instance, _ child: ChildFacts) throws(Rejection) {
        let task = child.task
        if try isEnding(instance) {
            commands.append(.drop(path: instance.path))
            let settled = SettledFacts(
                status: .cancelled, failure: Self.cancellation, attempts: task.attempt, startedAt: task.startedAt, finishedAt: now)
            return settle(instance, settled, wasLive: true)
        }
        if case .timedOut(let failure) = child.ending {
            return try retryOrFail(instance, child, failure)
        }
        guard ending.status == .succeeded else { return try retryOrFail(instance, child, Self.failure(of: ending)) }
        switch try accept(ending.output ?? .null, by: instance) {
        case .success(let output):
            commands.append(.drop(path: instance.path))
            let settled = SettledFacts(
                status: .succeeded, output: output, attempts: task.attempt, startedAt: task.startedAt, finishedAt: now)
            settle(instance, settled, wasLive: true)
        case .failure(let failure): try retryOrFail(instance, child, failure)
        }
    }

    // The child's failure as the step's: the path leads on into the child.
    private static func failure(of ending: ChildEnding) -> Failure {
        guard var failure = ending.failure else {
            return Failure(type: .custom, message: "the sub-workflow's run \(ending.runID) ended as \(ending.status.rawValue)")
        }
        if let inner = failure.path { failure.path = StepPath(ending.path.text + ":" + inner.text) }
        failure.retryAfter = nil
        return failure
    }

    // A failed child is followed by a new one, as the step's policy says.
    private mutating func retryOrFail(_ instance: Instance, _ child: ChildFacts, _ failure: Failure) throws(Rejection) {
        var failure = failure
        failure.attempt = child.task.attempt
        var task = child.task
        let schedule = RetrySchedule(policy: program.nodes[instance.node].retry, runID: run.id, path: instance.path)
        let isOverdue = failure.type == .timeout && failure.code == Self.totalTimeoutCode && child.ending != nil
        let decision = isOverdue ? nil : schedule.next(after: failure, task: &task, now: now)
        guard let delay = decision else {
            commands.append(.drop(path: instance.path))
            return try fail(instance, failure, wasLive: true, attempts: task.attempt, startedAt: task.startedAt)
        }
        recordEvent(
            "child_failed", at: instance.path, ["attempt": .int(Int64(task.attempt)), "error": failure.json])
        if program.nodes[instance.node].blockTimeout != nil { commands.append(.removeTimer(path: instance.path, kind: .timeout)) }
        task.attempt += 1
        task.lastDelay = delay
        guard delay > .zero else { return try startChild(instance, task, isFirst: false) }
        task.phase = .waiting
        keep(instance, .child(ChildFacts(task: task)))
        commands.append(.setTimer(path: instance.path, kind: .backoff, dueAt: now + delay, isAbsolute: false))
    }
}
