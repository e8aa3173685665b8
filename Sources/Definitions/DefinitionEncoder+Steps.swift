// The normal form of blocks and steps.

import WorkflowModel

extension DefinitionEncoder {
    static func put(_ block: Block, into object: inout JSONObject) {
        switch block {
        case .steps(let steps): object["steps"] = .array(steps.map(step))
        case .graph(let steps): object["graph"] = .array(steps.map(step))
        case .states(let machine): object["states"] = states(machine)
        }
    }

    private static func block(_ block: Block) -> JSONValue {
        var object = JSONObject()
        put(block, into: &object)
        return .object(object)
    }

    static func chain(_ chain: Chain) -> JSONValue {
        var object = JSONObject()
        object["workflow"] = .string(chain.workflow)
        object["if"] = chain.condition.map { .string($0) }
        object["with"] = chain.with
        return .object(object)
    }

    private static func step(_ step: Step) -> JSONValue {
        var object = JSONObject()
        object["id"] = .string(step.id)
        object["if"] = step.condition.map { .string($0) }
        if !step.needs.isEmpty { object["needs"] = .array(step.needs.map { .string($0) }) }
        object["when"] = step.when.map { .string($0.rawValue) }
        if let loop = step.loop { put(loop, into: &object) }
        put(step.verb, into: &object)
        object["with"] = step.with
        object["result"] = step.resultSchema
        object["output"] = step.output
        object["timeout"] = step.timeout.map(duration)
        object["totalTimeout"] = step.totalTimeout.map(duration)
        object["startTimeout"] = step.startTimeout.map(duration)
        object["onTimeout"] = handling(step.onTimeout)
        object["retry"] = step.retry.map(retry)
        object["onError"] = handling(step.onError)
        object["effect"] = step.effect.map { .string($0.rawValue) }
        object["queue"] = step.queue.map { .string($0) }
        object["priority"] = step.priority.map { .int(Int64($0)) }
        if !step.labels.isEmpty { object["labels"] = labels(step.labels) }
        return .object(object)
    }

    // `fail` is what happens when nothing is written.
    private static func handling(_ handling: ErrorHandling) -> JSONValue? {
        switch handling {
        case .fail: nil
        case .continue: "continue"
        case .catch(let inner): ["do": block(inner)]
        }
    }

    // MARK: Verbs

    private static func put(_ verb: Verb, into object: inout JSONObject) {
        switch verb {
        case .agent(.named(let name)): object["agent"] = .string(name)
        case .agent(.inline(let definition)): object["agent"] = agent(definition)
        case .workflow(let call):
            object["workflow"] = .string(call.workflow)
            if !call.isAwaited { object["wait"] = false }
            let standard = WorkflowCall(workflow: call.workflow, isAwaited: call.isAwaited)
            if call.onParentEnd != standard.onParentEnd { object["onParentEnd"] = .string(call.onParentEnd.rawValue) }
        case .block(let inner): object["do"] = block(inner)
        case .parallel(let parallel): object["parallel"] = self.parallel(parallel)
        case .switch(let choice):
            var cases: [JSONValue] = choice.cases.map { ["if": .string($0.condition), "do": block($0.block)] }
            if let otherwise = choice.otherwise { cases.append(["else": block(otherwise)]) }
            object["switch"] = .array(cases)
        case .await(let wait): object["await"] = eventWait(wait)
        case .approve(let approval): object["approve"] = approve(approval)
        case .sleep(.duration(let length)): object["sleep"] = duration(length)
        case .sleep(.computed(let template)): object["sleep"] = ["duration": .string(template)]
        case .sleep(.until(let template)): object["sleep"] = ["until": .string(template)]
        case .emit(let emission): object["emit"] = emit(emission)
        case .set(let value): object["set"] = value
        case .validate(let validation): object["validate"] = ["value": validation.value, "schema": validation.schema]
        case .fail(let failing):
            var inner = JSONObject()
            inner["message"] = .string(failing.message)
            inner["code"] = failing.code.map { .string($0) }
            object["fail"] = .object(inner)
        case .succeed(let output): object["succeed"] = output
        }
    }

    private static func parallel(_ parallel: Parallel) -> JSONValue {
        var object = JSONObject()
        var branches = JSONObject()
        for branch in parallel.branches { branches[branch.name] = block(branch.block) }
        object["branches"] = .object(branches)
        object["join"] = join(parallel.join)
        object["output"] = parallel.output
        return .object(object)
    }

    private static func eventWait(_ wait: EventWait) -> JSONValue {
        func pattern(_ pattern: EventPattern) -> JSONObject {
            var object = JSONObject()
            object["event"] = .string(pattern.event)
            object["match"] = pattern.match.map { .string($0) }
            return object
        }
        var object = JSONObject()
        if wait.patterns.count == 1 {
            object = pattern(wait.patterns[0])
        } else {
            object["any"] = .array(wait.patterns.map { .object(pattern($0)) })
        }
        object["key"] = wait.key
        object["lookback"] = wait.lookback.map(duration)
        if wait.consume != .exclusive { object["consume"] = .string(wait.consume.rawValue) }
        return .object(object)
    }

    private static func approve(_ approval: Approval) -> JSONValue {
        var object = JSONObject()
        object["by"] = .array(approval.by.map { .string($0) })
        if approval.count != 1 { object["count"] = .int(Int64(approval.count)) }
        object["form"] = approval.form
        if approval.excludesStarter { object["notSelf"] = true }
        return .object(object)
    }

    private static func emit(_ emission: Emission) -> JSONValue {
        var object = JSONObject()
        object["event"] = .string(emission.event)
        object["key"] = emission.key.map { .string($0) }
        object["data"] = emission.data
        object["run"] = emission.run.map { .string($0) }
        return .object(object)
    }

    // MARK: Loops and joins

    private static func put(_ loop: Loop, into object: inout JSONObject) {
        switch loop.source {
        case .each(let items): object["each"] = items
        case .while(let condition): object["while"] = .string(condition)
        case .until(let condition): object["until"] = .string(condition)
        }
        if loop.variable != "item" { object["as"] = .string(loop.variable) }
        object["initial"] = loop.initial
        object["every"] = loop.every.map(duration)
        object["batch"] = loop.batch.map { .int(Int64($0)) }
        if loop.maxParallel != 1 { object["maxParallel"] = .int(Int64(loop.maxParallel ?? 0)) }
        object["join"] = join(loop.join)
        if loop.collect != .list { object["collect"] = .string(loop.collect.rawValue) }
        object["maxIterations"] = loop.maxIterations.map { .int(Int64($0)) }
        object["breakIf"] = loop.breakIf.map { .string($0) }
    }

    private static func join(_ join: JoinPolicy) -> JSONValue? {
        if join == JoinPolicy() { return nil }
        var object = JSONObject()
        switch join.rule {
        case .all: break
        case .any: object["policy"] = "any"
        case .first: object["policy"] = "first"
        case .quorum(let least): object["quorum"] = .int(Int64(least))
        case .ratio(let share): object["ratio"] = .string(share.percentage)
        case .tolerate(let most): object["tolerate"] = .int(Int64(most))
        case .tolerateShare(let share): object["tolerate"] = .string(share.percentage)
        }
        if join.onError != .failFast { object["onError"] = .string(join.onError.rawValue) }
        object["deadline"] = join.deadline.map(duration)
        if join.onDeadline != .fail { object["onDeadline"] = .string(join.onDeadline.rawValue) }
        return .object(object)
    }

    // MARK: State machines

    private static func states(_ machine: StateMachine) -> JSONValue {
        var object = JSONObject()
        object["initial"] = .string(machine.initial)
        if machine.maxTransitions != StateMachine.defaultMaxTransitions { object["maxTransitions"] = .int(Int64(machine.maxTransitions)) }
        if machine.unexpected != .defer { object["unexpected"] = .string(machine.unexpected.rawValue) }
        for state in machine.states { object[state.name] = self.state(state) }
        return .object(object)
    }

    private static func state(_ state: State) -> JSONValue {
        var object = JSONObject()
        object["do"] = state.block.map(block)
        if !state.next.isEmpty { object["next"] = transitions(state.next) }
        if !state.on.isEmpty {
            var on = JSONObject()
            for event in state.on { on[event.event] = transitions(event.transitions) }
            object["on"] = .object(on)
        }
        if !state.after.isEmpty {
            var after = JSONObject()
            for timed in state.after { after[DurationText.format(timed.delay)] = transitions(timed.transitions) }
            object["after"] = .object(after)
        }
        object["final"] = state.ending.map { .string($0.rawValue) }
        object["output"] = state.output
        return .object(object)
    }

    private static func transitions(_ transitions: [Transition]) -> JSONValue {
        .array(
            transitions.map { transition in
                var object = JSONObject()
                object["if"] = transition.condition.map { .string($0) }
                object["to"] = .string(transition.target)
                return .object(object)
            })
    }
}
