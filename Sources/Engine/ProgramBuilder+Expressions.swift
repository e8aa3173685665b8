// Compiles the expressions of a definition and finds what each of them reads.

import Expressions
import WorkflowModel

extension ProgramBuilder {
    // Expressions are compiled once all ids are known.
    mutating func resolve() throws(ProgramError) {
        for index in nodes.indices {
            let place = nodes[index].path.text
            let parent = nodes[index].parent
            switch sources[index] {
            case .part: break
            case .step(let step):
                if let source = step.condition { nodes[index].condition = try condition(source, inside: parent, place: place + ".if") }
                try resolveVerb(of: step, index)
            case .body(let step): try resolveVerb(of: step, index)
            case .loop(let step, let loop):
                if let source = step.condition { nodes[index].condition = try condition(source, inside: parent, place: place + ".if") }
                try resolve(loop, index)
            case .visit(let state):
                if let template = state.output {
                    nodes[index].output = try evaluation(of: template, inside: index, place: place + ".output")
                }
            }
            if case .machine(let plan) = nodes[index].verb { try resolve(plan, index) }
        }
        for index in nodes.indices { markReads(of: nodes[index]) }
    }

    private mutating func resolveVerb(of step: Step, _ index: Int) throws(ProgramError) {
        let place = nodes[index].path.text
        let parent = nodes[index].parent
        func template(_ template: JSONValue?, _ key: String) throws(ProgramError) -> Evaluation? {
            guard let template else { return nil }
            return try evaluation(of: template, inside: parent, place: place + "." + key)
        }
        func text(_ source: String?, _ key: String) throws(ProgramError) -> Evaluation? {
            try template(source.map { .string($0) }, key)
        }
        switch step.verb {
        case .agent, .workflow: nodes[index].with = try template(step.with, "with")
        case .set(let value): nodes[index].with = try template(value, "set")
        case .validate(let validation): nodes[index].with = try template(validation.value, "validate.value")
        case .succeed(let value): nodes[index].with = try template(value, "succeed")
        case .fail(let failing):
            let message = try evaluation(of: .string(failing.message), inside: parent, place: place + ".fail.message")
            nodes[index].verb = .fail(FailPlan(message: message, code: failing.code))
        case .sleep(let sleep):
            let plan: SleepPlan
            switch sleep {
            case .duration(let duration): plan = .duration(duration)
            case .computed(let source):
                plan = .computed(try evaluation(of: .string(source), inside: parent, place: place + ".sleep.duration"))
            case .until(let source): plan = .until(try evaluation(of: .string(source), inside: parent, place: place + ".sleep.until"))
            }
            nodes[index].verb = .sleep(plan)
        case .emit(let emission):
            nodes[index].verb = .emit(
                EmitPlan(
                    event: emission.event, key: try text(emission.key, "emit.key"), data: try template(emission.data, "emit.data"),
                    run: try text(emission.run, "emit.run")))
        case .await(let wait):
            var patterns: [(event: String, match: Condition?)] = []
            for pattern in wait.patterns {
                var match: Condition?
                if let source = pattern.match { match = try condition(source, inside: parent, place: place + ".await.match") }
                patterns.append((pattern.event, match))
            }
            nodes[index].verb = .wait(
                WaitPlan(
                    patterns: patterns, key: try template(wait.key, "await.key"), lookback: wait.lookback,
                    isExclusive: wait.consume == .exclusive))
        case .parallel(let parallel):
            if case .parallel(var plan) = nodes[index].verb {
                if let output = parallel.output {
                    plan.output = try evaluation(of: output, inside: parent, place: place + ".parallel.output", branchesOf: index)
                }
                nodes[index].verb = .parallel(plan)
            }
        case .switch(let choice):
            if case .choice(var plan) = nodes[index].verb {
                for (position, entry) in choice.cases.enumerated() {
                    plan.cases[position].condition = try condition(
                        entry.condition, inside: parent, place: place + ".switch[\(position)].if")
                }
                nodes[index].verb = .choice(plan)
            }
        case .block, .approve: break
        }
        if let output = step.output {
            // A block's own `output` sees the steps inside it.
            let inside: Int? = if case .block = step.verb { index } else { parent }
            var branches: Int?
            if case .parallel = step.verb { branches = index }
            nodes[index].output = try evaluation(of: output, inside: inside, place: place + ".output", branchesOf: branches)
        }
    }

    private mutating func resolve(_ loop: Loop, _ index: Int) throws(ProgramError) {
        guard case .loop(var plan) = nodes[index].verb else { return }
        let place = nodes[index].path.text
        // What is tested after an iteration sees the steps in it.
        let after: Int
        if case .block = nodes[plan.body].verb { after = plan.body } else { after = index }
        switch loop.source {
        case .each(let template): plan.source = .each(try evaluation(of: template, inside: nodes[index].parent, place: place + ".each"))
        case .while(let source): plan.source = .while(try condition(source, inside: index, place: place + ".while"))
        case .until(let source): plan.source = .until(try condition(source, inside: after, place: place + ".until"))
        }
        if let initial = loop.initial {
            plan.initial = try evaluation(of: initial, inside: nodes[index].parent, place: place + ".initial")
        }
        if let source = loop.breakIf { plan.breakIf = try condition(source, inside: after, place: place + ".breakIf") }
        nodes[index].verb = .loop(plan)
    }

    private mutating func resolve(_ machine: MachinePlan, _ index: Int) throws(ProgramError) {
        var plan = machine
        for position in plan.states.indices {
            let visit = plan.states[position].visit
            guard case .visit(let state) = sources[visit] else { continue }
            let place = nodes[visit].path.text
            func transitions(_ list: [Transition], _ key: String) throws(ProgramError) -> [TransitionPlan] {
                var result: [TransitionPlan] = []
                for transition in list {
                    guard let target = machine.states.firstIndex(where: { $0.name == transition.target }) else {
                        throw ProgramError(place: "\(place).\(key)", message: "there is no state \"\(transition.target)\"")
                    }
                    var guardCondition: Condition?
                    if let source = transition.condition {
                        guardCondition = try condition(source, inside: visit, place: "\(place).\(key).if")
                    }
                    result.append(TransitionPlan(condition: guardCondition, target: target))
                }
                return result
            }
            plan.states[position].next = try transitions(state.next, "next")
            for entry in state.on { plan.states[position].on.append((entry.event, try transitions(entry.transitions, "on"))) }
            for entry in state.after.enumerated().sorted(by: { ($0.element.delay, $0.offset) < ($1.element.delay, $1.offset) }) {
                plan.states[position].after.append((entry.element.delay, try transitions(entry.element.transitions, "after")))
            }
        }
        nodes[index].verb = .machine(plan)
    }

    func chains(_ list: [Chain], _ trigger: ChainStart.Trigger, inside: Int?) throws(ProgramError) -> [ChainPlan] {
        var plans: [ChainPlan] = []
        for (position, chain) in list.enumerated() {
            let place = "\(trigger.rawValue)[\(position)]"
            var test: Condition?
            if let source = chain.condition { test = try condition(source, inside: inside, place: place + ".if", isChain: true) }
            var with: Evaluation?
            if let template = chain.with { with = try evaluation(of: template, inside: inside, place: place + ".with", isChain: true) }
            plans.append(ChainPlan(workflow: chain.workflow, condition: test, with: with))
        }
        return plans
    }

    // MARK: Compiling

    func condition(_ source: String, inside: Int?, place: String, isChain: Bool = false) throws(ProgramError) -> Condition {
        do throws(ExpressionError) {
            let expression = try CompiledExpression(try bareExpression(source))
            return Condition(
                expression: expression, reads: reads(expression.references, inside: inside, isChain: isChain), inside: inside)
        } catch {
            throw ProgramError(place: place, message: error.message)
        }
    }

    func evaluation(
        of template: JSONValue, inside: Int?, place: String, branchesOf fork: Int? = nil, isChain: Bool = false
    ) throws(ProgramError) -> Evaluation {
        do throws(ExpressionError) {
            let compiled = try CompiledTemplate(template)
            return Evaluation(
                template: compiled, reads: reads(compiled.references, inside: inside, branchesOf: fork, isChain: isChain), inside: inside)
        } catch {
            throw ProgramError(place: place, message: error.message)
        }
    }

    // MARK: Names

    private func reads(_ references: [Reference], inside: Int?, branchesOf fork: Int? = nil, isChain: Bool) -> Reads {
        var reads = Reads()
        for reference in references {
            if let (loop, isIndex) = loopName(reference.root, inside: inside) {
                if isIndex {
                    if !reads.indexes.contains(where: { $0.name == reference.root }) { reads.indexes.append((reference.root, loop)) }
                } else if !reads.items.contains(where: { $0.name == reference.root }) {
                    reads.items.append((reference.root, loop))
                }
                continue
            }
            switch reference.root {
            case "input": reads.input = true
            case "run": reads.run = true
            case "result": reads.result = true
            case "event": reads.event = true
            case "previous": reads.previous = enclosing(inside) { if case .loop = $0.verb { true } else { false } }
            case "output": reads.ending = true
            case "error" where isChain: reads.ending = true
            case "error": reads.error = enclosing(inside) { $0.placement == .handler }.flatMap { nodes[$0].parent }
            case "branches":
                if let fork { addBranches(reference, of: fork, to: &reads) }
            case "states": addStates(reference, inside: inside, to: &reads)
            case "steps":
                guard let id = reference.path.first, !reads.steps.contains(where: { $0.id == id }), let node = find(id, inside: inside)
                else { continue }
                reads.steps.append((id, node))
            default: continue
            }
        }
        return reads
    }

    // Where the names of the next enclosing scope are: a step's own insides are not visible to the block that handles its failure.
    private func outward(_ node: Int) -> Int? {
        nodes[node].placement == .handler ? nodes[node].parent.flatMap { nodes[$0].parent } : nodes[node].parent
    }

    private func enclosing(_ inside: Int?, where matches: (NodeDraft) -> Bool) -> Int? {
        var here = inside
        while let node = here {
            if matches(nodes[node]) { return node }
            here = outward(node)
        }
        return nil
    }

    // The loop whose item or index a name is, the innermost first.
    private func loopName(_ name: String, inside: Int?) -> (loop: Int, isIndex: Bool)? {
        var here = inside
        while let node = here {
            if case .loop(_, let loop) = sources[node] {
                if name == "index" { return (node, true) }
                // Only a collection has items.
                if case .each = loop.source {
                    if name == loop.variable { return (node, false) }
                    if name == loop.variable + "_index" { return (node, true) }
                }
            }
            here = outward(node)
        }
        return nil
    }

    private func find(_ id: String, inside: Int?) -> Int? {
        var here = inside
        while true {
            if let found = idsByBlock[here]?[id] { return found }
            guard let node = here else { return nil }
            here = outward(node)
        }
    }

    private func addBranches(_ reference: Reference, of fork: Int, to reads: inout Reads) {
        guard case .parallel(let plan) = nodes[fork].verb else { return }
        for branch in plan.branches {
            let name = nodes[branch].id
            if let wanted = reference.path.first, wanted != name { continue }
            for (id, node) in (idsByBlock[branch] ?? [:]).sorted(by: { $0.value < $1.value }) {
                if reference.path.count > 1, reference.path[1] != id { continue }
                if !reads.branches.contains(where: { $0.node == node }) { reads.branches.append((name, id, node)) }
            }
        }
    }

    private func addStates(_ reference: Reference, inside: Int?, to reads: inout Reads) {
        let found = enclosing(inside) { if case .machine = $0.verb { true } else { false } }
        guard let machine = found, case .machine(let plan) = nodes[machine].verb else { return }
        for (position, state) in plan.states.enumerated() where reference.path.first == nil || reference.path.first == state.name {
            if !reads.states.contains(where: { $0.name == state.name }) { reads.states.append((state.name, machine, position)) }
        }
    }

    // MARK: What frames have to keep

    mutating func mark(_ reads: Reads?) {
        guard let reads else { return }
        for (_, node) in reads.steps { nodes[node].outputIsRead = true }
        for (_, _, node) in reads.branches { nodes[node].outputIsRead = true }
        for (_, machine, state) in reads.states {
            if case .machine(let plan) = nodes[machine].verb { nodes[plan.states[state].visit].outputIsRead = true }
        }
        if let loop = reads.previous, case .loop(var plan) = nodes[loop].verb {
            plan.previousIsRead = true
            nodes[plan.body].outputIsRead = true
            nodes[loop].verb = .loop(plan)
        }
    }

    mutating func markOutputs(of plan: BlockPlan) {
        switch plan.kind {
        case .sequence: if let last = plan.children.last { nodes[last].outputIsRead = true }
        case .graph: for sink in plan.sinks { nodes[sink].outputIsRead = true }
        }
    }

    private mutating func markReads(of node: NodeDraft) {
        mark(node.with?.reads)
        mark(node.output?.reads)
        mark(node.condition?.reads)
        switch node.verb {
        case .agent, .set, .nothing, .validate, .workflow: break
        case .succeed: nodes[node.index].outputIsRead = true
        case .fail(let plan): mark(plan.message.reads)
        case .sleep(.computed(let evaluation)), .sleep(.until(let evaluation)): mark(evaluation.reads)
        case .sleep(.duration): break
        case .emit(let plan): for evaluation in [plan.key, plan.data, plan.run] { mark(evaluation?.reads) }
        case .wait(let plan):
            mark(plan.key?.reads)
            for pattern in plan.patterns { mark(pattern.match?.reads) }
        case .block(let plan): markOutputs(of: plan)
        case .loop(let plan):
            mark(plan.initial?.reads)
            mark(plan.breakIf?.reads)
            switch plan.source {
            case .each(let evaluation): mark(evaluation.reads)
            case .while(let condition), .until(let condition): mark(condition.reads)
            case nil: break
            }
        case .parallel(let plan):
            if let output = plan.output { mark(output.reads) } else { for branch in plan.branches { nodes[branch].outputIsRead = true } }
        case .choice(let plan):
            for entry in plan.cases {
                mark(entry.condition?.reads)
                nodes[entry.node].outputIsRead = true
            }
            if let otherwise = plan.otherwise { nodes[otherwise].outputIsRead = true }
        case .machine(let plan):
            for state in plan.states {
                let guards = state.next + state.on.flatMap(\.transitions) + state.after.flatMap(\.transitions)
                for transition in guards { mark(transition.condition?.reads) }
            }
        }
        if node.placement == .handler { nodes[node.index].outputIsRead = true }
    }
}
