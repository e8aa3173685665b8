// State machines: one state at a time, entered, worked through, and left by a transition.

import Expressions
import WorkflowModel

extension Frame {
    mutating func startMachine(_ instance: Instance, _ plan: MachinePlan) {
        let machine = MachineFacts(
            state: plan.initial, visits: Array(repeating: 0, count: plan.states.count), enteredAt: now,
            block: BlockFacts(unsettled: 0, live: 1, startedAt: now))
        enliven(instance, .machine(machine))
        agenda.append(.enter(instance, state: plan.initial))
    }

    mutating func enter(_ instance: Instance, state: Int) throws(Rejection) {
        guard case .machine(var machine) = try scope(instance) else { return }
        // The state that was to be entered was counted as live already.
        guard machine.block.ending == nil else {
            machine.block.live = 0
            keep(instance, .machine(machine))
            return agenda.append(.drained(instance))
        }
        let plan = try machinePlan(instance)
        machine.state = state
        machine.visits[state] += 1
        machine.enteredAt = now
        machine.isWaiting = false
        machine.nextTimeout = 0
        keep(instance, .machine(machine))
        agenda.append(.start(visit(machine.visits[state], of: state, plan, in: instance)))
    }

    // The block of the current state has settled.
    mutating func visitSettled(
        _ visit: Instance, _ settled: SettledFacts, in instance: Instance, _ facts: MachineFacts
    ) throws(Rejection) {
        let plan = try machinePlan(instance)
        var machine = facts
        machine.block.live = 0
        if machine.block.ending != nil {
            keep(instance, .machine(machine))
            return agenda.append(.drained(instance))
        }
        // The visit before this one is read by nobody any more.
        let number = machine.visits[machine.state]
        if number > 1 { forget(self.visit(number - 1, of: machine.state, plan, in: instance)) }
        if settled.status == .failed {
            return try end(instance, .machine(machine), .failed(Self.failure(of: settled, at: visit)))
        }
        let state = plan.states[machine.state]
        if state.ending != nil {
            note(instance, .machine(machine))
            return agenda.append(.finish(instance))
        }
        switch try choose(state.next, at: visit) {
        case .success(let found?): return try go(instance, machine, plan, along: found, body: JSONObject())
        case .failure(let failure): return try end(instance, .machine(machine), .failed(failure))
        case .success(nil): break
        }
        guard !state.on.isEmpty || !state.after.isEmpty else {
            let failure = Failure(
                type: .expression, code: "noTransition", message: "no transition of the state `\(state.name)` holds", path: visit.path)
            return try end(instance, .machine(machine), .failed(failure))
        }
        machine.isWaiting = true
        keep(instance, .machine(machine))
        if plan.waitsForEvents(in: machine.state) {
            var names: [String]?
            if plan.unexpected == .defer {
                var known: [String] = []
                for entry in state.on where !known.contains(entry.event) { known.append(entry.event) }
                names = known
            }
            commands.append(.wait(WaitOrder(path: instance.path, names: names)))
        }
        if let first = state.after.first {
            commands.append(.setTimer(path: instance.path, kind: .after, dueAt: machine.enteredAt + first.delay, isAbsolute: false))
        }
    }

    // MARK: Transitions

    // The first transition whose guard holds, with the guard's values.
    private func choose(
        _ transitions: [TransitionPlan], at visit: Instance, event: JSONText? = nil
    ) throws(Rejection) -> Evaluated<(target: Int, body: JSONObject)?> {
        for transition in transitions {
            guard let condition = transition.condition else { return .success((transition.target, JSONObject())) }
            let bindings = Bindings(event: event)
            switch try decide(condition, at: visit, bindings) {
            case .success(true):
                var body = JSONObject()
                body["guard"] = .string(condition.expression.source)
                body["values"] = .object(
                    Self.values(condition.expression.references, try names(for: condition.reads, at: visit, bindings)))
                return .success((transition.target, body))
            case .success(false): continue
            case .failure(let failure): return .failure(failure)
            }
        }
        return .success(nil)
    }

    private mutating func go(
        _ instance: Instance, _ facts: MachineFacts, _ plan: MachinePlan, along found: (target: Int, body: JSONObject), body: JSONObject
    ) throws(Rejection) {
        var machine = facts
        stopWaiting(instance, .machine(machine))
        machine.isWaiting = false
        let left = visit(machine.visits[machine.state], of: machine.state, plan, in: instance)
        machine.transitions += 1
        guard machine.transitions <= plan.maxTransitions else {
            let failure = Failure(
                type: .limit, code: "maxTransitions",
                message: "the state machine needs more than its \(plan.maxTransitions) transitions", path: left.path)
            return try end(instance, .machine(machine), .failed(failure))
        }
        var record = JSONObject()
        record["from"] = .string(plan.states[machine.state].name)
        record["to"] = .string(plan.states[found.target].name)
        record["visit"] = .string(left.path.text)
        for (key, value) in body.members { record[key] = value }
        for (key, value) in found.body.members { record[key] = value }
        recordEvent("transition", at: instance.path, .object(record))
        forget(inside: left)
        machine.block.live = 1
        note(instance, .machine(machine))
        agenda.append(.enter(instance, state: found.target))
    }

    // An event for a machine that waits.
    mutating func take(_ event: EventFacts, at instance: Instance, _ facts: MachineFacts) throws(Rejection) {
        guard facts.isWaiting, facts.block.ending == nil, try !isEnding(instance) else { throw .staleTask(instance.path) }
        let plan = try machinePlan(instance)
        let state = plan.states[facts.state]
        let here = visit(facts.visits[facts.state], of: facts.state, plan, in: instance)
        for entry in state.on where entry.event == event.name {
            switch try choose(entry.transitions, at: here, event: event.data) {
            case .success(let found?):
                var body = JSONObject()
                body["event"] = .string(event.name)
                body["eventID"] = .int(event.id)
                if let actor = event.actor { body["actor"] = .string(actor) }
                commands.append(.consume(event: event.id, path: instance.path))
                return try go(instance, facts, plan, along: found, body: body)
            case .success(nil): continue
            case .failure(let failure):
                commands.append(.consume(event: event.id, path: instance.path))
                return try end(instance, .machine(facts), .failed(failure))
            }
        }
        switch plan.unexpected {
        case .defer: break
        case .reject: commands.append(.refuse(event: event.id, path: instance.path, reason: "the state `\(state.name)` takes no event `\(event.name)` now"))
        case .ignore: commands.append(.dropEvent(event: event.id, path: instance.path))
        }
    }

    // A state's time has come.
    mutating func waitedLongEnough(_ instance: Instance, _ facts: MachineFacts) throws(Rejection) {
        let plan = try machinePlan(instance)
        let state = plan.states[facts.state]
        guard facts.isWaiting, facts.nextTimeout < state.after.count else { throw .staleTask(instance.path) }
        let here = visit(facts.visits[facts.state], of: facts.state, plan, in: instance)
        let entry = state.after[facts.nextTimeout]
        switch try choose(entry.transitions, at: here) {
        case .success(let found?):
            var body = JSONObject()
            body["after"] = .string(DurationText.format(entry.delay))
            try go(instance, facts, plan, along: found, body: body)
        case .failure(let failure): try end(instance, .machine(facts), .failed(failure))
        case .success(nil):
            var machine = facts
            machine.nextTimeout += 1
            keep(instance, .machine(machine))
            if machine.nextTimeout < state.after.count {
                let next = state.after[machine.nextTimeout]
                commands.append(.setTimer(path: instance.path, kind: .after, dueAt: machine.enteredAt + next.delay, isAbsolute: false))
            } else if state.on.isEmpty {
                let failure = Failure(
                    type: .expression, code: "noTransition", message: "no transition of the state `\(state.name)` holds", path: here.path)
                try end(instance, .machine(machine), .failed(failure))
            }
        }
    }

    // MARK: Endings

    // The machine has come to a final state.
    mutating func completeMachine(_ instance: Instance, _ machine: MachineFacts) throws(Rejection) {
        let plan = try machinePlan(instance)
        let state = plan.states[machine.state]
        let last = visit(machine.visits[machine.state], of: machine.state, plan, in: instance)
        switch state.ending {
        case .succeeded, nil:
            guard let settled = try settledFacts(of: [last])[0] else { throw .staleTask(last.path) }
            lastVisits[instance.path] = machine.visits
            let output = settled.output ?? .null
            guard let mapping = program.nodes[instance.node].output else {
                return try complete(instance, .machine(machine), .success(output))
            }
            try complete(instance, .machine(machine), try evaluate(mapping, at: instance, Bindings(result: output)))
        case .failed:
            let failure = Failure(
                type: .custom, code: state.name, message: "the state machine ended in the state `\(state.name)`", path: last.path)
            try failScope(instance, .machine(machine), failure)
        case .cancelled:
            let failure = Failure(
                type: .cancelled, code: state.name, message: "the state machine ended in the state `\(state.name)`", path: instance.path)
            try failScope(instance, .machine(machine), failure)
        }
    }

    // Where a machine is repeated, its visits go with it.
    mutating func forgetVisits(_ instance: Instance, _ machine: MachineFacts) {
        guard !program.nodes[instance.node].isStatic, case .machine(let plan) = program.nodes[instance.node].verb else { return }
        for (state, count) in machine.visits.enumerated() where count > 0 { forget(visit(count, of: state, plan, in: instance)) }
    }
}
