// A step or part of a run: which node of the program it is, and its path in this run.

import WorkflowModel

struct Instance: Hashable {
    let node: Int
    let path: StepPath
}

extension Frame {
    /// The step or part that an instance is in; nil for the root block.
    func parent(of instance: Instance) -> Instance? {
        guard let parent = program.nodes[instance.node].parent else { return nil }
        if program.nodes[parent].isStatic { return Instance(node: parent, path: program.nodes[parent].path) }
        return Instance(node: parent, path: instance.path.dropping(program.nodes[instance.node].placement))
    }

    /// A step, branch, case or handler in an instance (nil: in the root block).
    func child(_ node: Int, of parent: Instance?) -> Instance {
        if program.nodes[node].isStatic { return Instance(node: node, path: program.nodes[node].path) }
        let prefix = parent?.path.text ?? ""
        switch program.nodes[node].placement {
        case .step, .branch: return Instance(node: node, path: StepPath(prefix + "." + program.nodes[node].id))
        case .arm, .handler: return Instance(node: node, path: StepPath(prefix + "/" + program.nodes[node].id))
        // These have indexes; see below.
        case .iteration, .visit: return Instance(node: node, path: program.nodes[node].path)
        }
    }

    func iteration(_ index: Int, of loop: Instance, _ plan: LoopPlan) -> Instance {
        Instance(node: plan.body, path: StepPath(loop.path.text + "[\(index)]"))
    }

    func visit(_ number: Int, of state: Int, _ plan: MachinePlan, in machine: Instance) -> Instance {
        Instance(node: plan.states[state].visit, path: StepPath(machine.path.text + "/\(plan.states[state].name)#\(number)"))
    }

    /// The instance of a node around this one, or this one itself.
    func enclosing(_ node: Int, of instance: Instance?) -> Instance? {
        if program.nodes[node].isStatic { return Instance(node: node, path: program.nodes[node].path) }
        var here = instance
        while let current = here, current.node != node { here = parent(of: current) }
        return here
    }

    /// The index of the iteration of a loop that an instance is in.
    func index(in loop: Int, of instance: Instance?) -> Int? {
        var here = instance
        while let current = here {
            if program.nodes[current.node].parent == loop, program.nodes[current.node].placement == .iteration {
                return current.path.iterationIndex
            }
            here = parent(of: current)
        }
        return nil
    }

    // MARK: What is known of scopes

    func loopPlan(_ loop: Instance) throws(Rejection) -> LoopPlan {
        guard case .loop(let plan) = program.nodes[loop.node].verb else { throw .staleTask(loop.path) }
        return plan
    }

    func parallelPlan(_ fork: Instance) throws(Rejection) -> ParallelPlan {
        guard case .parallel(let plan) = program.nodes[fork.node].verb else { throw .staleTask(fork.path) }
        return plan
    }

    func machinePlan(_ machine: Instance) throws(Rejection) -> MachinePlan {
        guard case .machine(let plan) = program.nodes[machine.node].verb else { throw .staleTask(machine.path) }
        return plan
    }

    /// The plan of a block; nil is the root block.
    func blockPlan(_ block: Instance?) -> BlockPlan? {
        guard let block else { return program.root }
        guard case .block(let plan) = program.nodes[block.node].verb else { return nil }
        return plan
    }

    /// What holds steps or parts, and is under way; nil when it has settled in the meantime.
    func scope(_ instance: Instance?) throws(Rejection) -> LiveStepFacts? {
        guard let instance else {
            guard let root = run.root else { throw .wrongPhase }
            return run.isEnded ? nil : .block(root)
        }
        switch facts(of: instance.path) {
        case .live(let facts): return facts
        case .settled: return nil
        case nil: throw .incomplete(MissingFacts(steps: [instance.path]))
        case .notStarted, .task: throw .staleTask(instance.path)
        }
    }

    /// Writes what is known of a scope. The root's counters are columns of the run's row, which is written anyway.
    mutating func keep(_ instance: Instance?, _ facts: LiveStepFacts) {
        guard let instance else {
            if case .block(let block) = facts { run.root = block }
            return
        }
        set(instance.path, .live(facts))
        commands.append(.keep(path: instance.path, node: instance.node, facts: facts))
    }

    // The same, without writing it: it is written with what comes next.
    mutating func note(_ instance: Instance?, _ facts: LiveStepFacts) {
        if let instance { set(instance.path, .live(facts)) } else { keep(nil, facts) }
    }
}

extension StepPath {
    // The path of what this one is in.
    func dropping(_ placement: Node.Placement) -> StepPath {
        let separator: UInt8 =
            switch placement {
            case .step, .branch: 0x2E
            case .iteration: 0x5B
            case .arm, .handler, .visit: 0x2F
            }
        guard let place = text.utf8.lastIndex(of: separator) else { return self }
        return StepPath(String(text[..<place]))
    }

    // The number in the brackets at the end.
    var iterationIndex: Int? {
        guard let open = text.utf8.lastIndex(of: 0x5B) else { return nil }
        return Int(text[text.utf8.index(after: open)...].dropLast())
    }
}
