// Waiting for events, and publishing them.

import JSONSchema
import WorkflowModel

extension Frame {
    mutating func startWait(_ instance: Instance, _ plan: WaitPlan) throws(Rejection) {
        var key: String?
        if let template = plan.key {
            switch try text(template, at: instance) {
            case .success(let text): key = text
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        var names: [String] = []
        for pattern in plan.patterns where !names.contains(pattern.event) { names.append(pattern.event) }
        enliven(instance, .wait(WaitFacts(startedAt: now)))
        commands.append(
            .wait(WaitOrder(path: instance.path, names: names, key: key, lookback: plan.lookback, isExclusive: plan.isExclusive)))
    }

    // A template that gives a text: a string as it is, everything else as JSON.
    private func text(_ template: Evaluation, at instance: Instance) throws(Rejection) -> Evaluated<String> {
        switch try evaluate(template, at: instance) {
        case .success(let text): .success(text.value.stringValue ?? text.text)
        case .failure(let failure): .failure(failure)
        }
    }

    mutating func take(_ event: EventFacts, at path: StepPath) throws(Rejection) {
        guard let node = program.node(at: path) else { throw .unknownStep(path) }
        let instance = Instance(node: node.index, path: path)
        switch facts(of: path) {
        case nil: throw .incomplete(MissingFacts(steps: [path]))
        case .settled: throw .alreadySettled(path)
        case .live(.machine(let machine)): try take(event, at: instance, machine)
        case .live(.wait(let wait)):
            guard try !isEnding(instance) else { throw .staleTask(path) }
            try take(event, at: instance, wait)
        case .notStarted, .live, .task: throw .staleTask(path)
        }
    }

    // The first pattern that takes the event ends the wait; an event that none takes is left where it is.
    private mutating func take(_ event: EventFacts, at instance: Instance, _ wait: WaitFacts) throws(Rejection) {
        guard case .wait(let plan) = program.nodes[instance.node].verb else { throw .staleTask(instance.path) }
        for pattern in plan.patterns where pattern.event == event.name {
            if let match = pattern.match {
                switch try decide(match, at: instance, Bindings(event: event.data)) {
                case .success(true): break
                case .success(false): continue
                case .failure(let failure):
                    commands.append(.consume(event: event.id, path: instance.path))
                    return try finishWait(instance, wait, .failure(failure))
                }
            }
            commands.append(.consume(event: event.id, path: instance.path))
            return try finishWait(instance, wait, try accept(event.data, by: instance, event: event.data))
        }
    }

    private func accept(_ answer: JSONText, by instance: Instance, event: JSONText) throws(Rejection) -> Evaluated<JSONText> {
        if let schema = program.nodes[instance.node].resultSchema {
            let violations = schema.validate(answer.value)
            if !violations.isEmpty {
                return .failure(
                    Failure(type: .schema, message: "the event does not match the step's `result` schema: \(Self.list(violations))"))
            }
        }
        return try map(answer, by: instance, event: event)
    }

    private mutating func finishWait(
        _ instance: Instance, _ wait: WaitFacts, _ result: Evaluated<JSONText>
    ) throws(Rejection) {
        commands.append(.endWait(path: instance.path))
        commands.append(.drop(path: instance.path))
        switch result {
        case .success(let output):
            let settled = SettledFacts(status: .succeeded, output: output, startedAt: wait.startedAt, finishedAt: now)
            settle(instance, settled, wasLive: true)
        case .failure(let failure): try fail(instance, failure, wasLive: true, startedAt: wait.startedAt)
        }
    }

    // Nothing came in time.
    mutating func waitTimedOut(_ instance: Instance, _ wait: WaitFacts) throws(Rejection) {
        let failure = Failure(type: .timeout, code: Self.awaitTimeoutCode, message: lateness(of: instance))
        if program.nodes[instance.node].timeoutNode != nil {
            commands.append(.endWait(path: instance.path))
            clearTimers(instance)
            return beginCatch(instance, failure, isTimeout: true, attempts: 0, losses: 0, startedAt: wait.startedAt)
        }
        guard program.nodes[instance.node].continuesOnTimeout else { return try finishWait(instance, wait, .failure(failure)) }
        // An iteration has no step after it that could ask: it gives null.
        if program.nodes[instance.node].placement == .iteration { return try finishWait(instance, wait, .success(.null)) }
        // The next step can read that nothing came.
        commands.append(.endWait(path: instance.path))
        commands.append(.drop(path: instance.path))
        let settled = SettledFacts(status: .failed, failure: failure, startedAt: wait.startedAt, finishedAt: now)
        settle(instance, settled, wasLive: true)
    }

    static let awaitTimeoutCode = "awaitTimeout"

    private func lateness(of instance: Instance) -> String {
        guard case .wait(let plan) = program.nodes[instance.node].verb, let timeout = program.nodes[instance.node].blockTimeout else {
            return "no event came in time"
        }
        let names = plan.patterns.map { "`\($0.event)`" }.joined(separator: " or ")
        return "no event \(names) came within \(DurationText.format(timeout))"
    }

    // MARK: Publishing

    mutating func emit(_ instance: Instance, _ plan: EmitPlan) throws(Rejection) {
        var order = EmitOrder(path: instance.path, name: plan.event, data: JSONText(trusted: "{}"))
        if let template = plan.key {
            switch try text(template, at: instance) {
            case .success(let text): order.key = text
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        if let template = plan.data {
            switch try evaluate(template, at: instance) {
            case .success(let text): order.data = text
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        if let template = plan.run {
            switch try text(template, at: instance) {
            case .success(let text):
                guard let id = RunID(text) else {
                    return try fail(instance, Failure(type: .expression, message: "`emit.run` does not give the id of a run"))
                }
                order.runID = id
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        commands.append(.emit(order))
        var answer = JSONObject()
        answer["event"] = .string(order.name)
        if let key = order.key { answer["key"] = .string(key) }
        try settle(instance, mapped: JSONText(.object(answer)))
    }
}
