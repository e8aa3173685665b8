// How blocks begin, go on from step to step, and end.

import WorkflowModel

extension Frame {
    func plan(of block: Int?) -> BlockPlan {
        guard let block, case .block(let plan) = program.nodes[block].verb else { return program.root }
        return plan
    }

    // The block under way that a step belongs to; nil when the block has ended or is not known.
    func blockFacts(_ block: Int?) throws(Rejection) -> BlockFacts {
        guard let block else {
            guard let root = run.root else { throw .wrongPhase }
            return root
        }
        let path = program.nodes[block].path
        switch facts(of: path) {
        case .block(let facts): return facts
        case nil: throw .incomplete(MissingFacts(steps: [path]))
        case .settled: throw .alreadySettled(path)
        case .notStarted, .pending, .task: throw .staleTask(path)
        }
    }

    // The same for work that was found earlier in this decision: nil when the block has ended in the meantime.
    func liveBlock(_ block: Int?) throws(Rejection) -> BlockFacts? {
        guard let block else { return run.isEnded ? nil : run.root }
        if case .settled = facts(of: program.nodes[block].path) { return nil }
        return try blockFacts(block)
    }

    mutating func setBlock(_ block: Int?, _ facts: BlockFacts) {
        guard let block else {
            run.root = facts
            return
        }
        let node = program.nodes[block]
        set(node.path, .block(facts))
        commands.append(.keep(path: node.path, node: node.index, facts: .block(facts)))
    }

    mutating func startBlock(_ block: Int?) {
        let plan = plan(of: block)
        switch plan.kind {
        case .sequence: agenda.append(.start(plan.children[0]))
        case .graph: for child in plan.children where program.nodes[child].needs.isEmpty { agenda.append(.start(child)) }
        }
    }

    // A step has settled: what follows in its block.
    mutating func propagate(_ node: Node, wasLive: Bool) throws(Rejection) {
        guard var block = try liveBlock(node.parent) else { return }
        if wasLive { block.live -= 1 }
        let plan = plan(of: node.parent)
        if plan.kind == .graph { block.unsettled -= 1 }
        guard case .settled(let settled) = facts(of: node.path) else { throw .staleTask(node.path) }

        if block.ending != nil {
            setBlock(node.parent, block)
            if block.live == 0 { agenda.append(.finishBlock(node.parent)) }
            return
        }
        if settled.status == .failed, node.onError == .fail {
            var failure = settled.failure ?? Failure(type: .custom, message: "the step failed")
            if failure.path == nil { failure.path = node.path }
            block.ending = .failed(failure)
            block = try cancelLiveSteps(of: plan, block: block, except: node.index)
            setBlock(node.parent, block)
            if block.live == 0 { agenda.append(.finishBlock(node.parent)) }
            return
        }
        switch plan.kind {
        case .sequence:
            if wasLive, node.parent != nil { setBlock(node.parent, block) } else { storeQuietly(node.parent, block) }
            agenda.append(node.ordinal + 1 < plan.children.count ? .start(plan.children[node.ordinal + 1]) : .finishBlock(node.parent))
        case .graph:
            setBlock(node.parent, block)
            try meetNeeds(of: node, settled: settled)
            if block.unsettled == 0 { agenda.append(.finishBlock(node.parent)) }
        }
    }

    // The root's counters are columns of the run's row, which is written anyway.
    private mutating func storeQuietly(_ block: Int?, _ facts: BlockFacts) {
        guard let block else {
            run.root = facts
            return
        }
        set(program.nodes[block].path, .block(facts))
    }

    // Tells the dependents of a graph's step, and starts or skips those that have nothing left to wait for.
    private mutating func meetNeeds(of node: Node, settled: SettledFacts) throws(Rejection) {
        var missing: Set<StepPath> = []
        for dependent in node.dependents where facts(of: program.nodes[dependent].path) == nil && program.nodes[dependent].needs.count > 1 {
            missing.insert(program.nodes[dependent].path)
        }
        if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
        for index in node.dependents {
            let dependent = program.nodes[index]
            var counts = PendingFacts(unmet: dependent.needs.count, met: 0)
            var hasRow = false
            if dependent.needs.count > 1, case .pending(let known) = facts(of: dependent.path) {
                counts = known
                hasRow = true
            }
            counts.unmet -= 1
            if settled.status != .skipped { counts.met += 1 }
            if counts.unmet > 0 {
                set(dependent.path, .pending(counts))
                commands.append(.keep(path: dependent.path, node: index, facts: .pending(counts)))
                continue
            }
            if hasRow { commands.append(.drop(path: dependent.path)) }
            set(dependent.path, .notStarted)
            if counts.met > 0 {
                agenda.append(.start(index))
            } else {
                settle(dependent, SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
            }
        }
    }

    // MARK: Endings

    mutating func finishBlock(_ block: Int?) throws(Rejection) {
        guard let facts = try liveBlock(block) else { return }
        guard let block else { return try finishRun(facts) }
        let node = program.nodes[block]
        var settled = SettledFacts(status: .succeeded, startedAt: facts.startedAt, finishedAt: now)
        switch facts.ending {
        case .failed(let failure), .timedOut(let failure):
            settled.status = .failed
            settled.failure = failure
        case .cancelled: settled.status = .cancelled
        case nil:
            switch try output(of: plan(of: block), mapping: node.output) {
            case .success(let output): settled.output = output
            case .failure(let failure):
                settled.status = .failed
                settled.failure = failure
            }
        }
        commands.append(.drop(path: node.path))
        settle(node, settled, wasLive: true)
    }

    private mutating func finishRun(_ facts: BlockFacts) throws(Rejection) {
        var ending = RunEnding(status: .succeeded, output: nil, failure: nil, at: now)
        switch facts.ending {
        case .failed(let failure):
            ending.status = .failed
            ending.failure = failure
        case .timedOut(let failure):
            ending.status = .timedOut
            ending.failure = failure
        case .cancelled:
            ending.status = .cancelled
            ending.failure = Failure(type: .cancelled, message: run.cancelReason ?? "the run was cancelled")
        case nil:
            switch try output(of: program.root, mapping: program.output) {
            case .success(let output): ending.output = output
            case .failure(let failure):
                ending.status = .failed
                ending.failure = failure
            }
        }
        run.historyLength += 1
        run.isEnded = true
        commands.append(.end(ending))
    }

    // The output of a block: its mapping, or the last step's (sequence), or a map of the steps that nobody needs (graph).
    private func output(of plan: BlockPlan, mapping: Evaluation?) throws(Rejection) -> Evaluated<JSONText> {
        if let mapping { return try evaluate(mapping) }
        switch plan.kind {
        case .sequence:
            let last = program.nodes[plan.children[plan.children.count - 1]]
            return .success(try settledFacts(of: [last.index])[0]?.output ?? .null)
        case .graph:
            let facts = try settledFacts(of: plan.sinks)
            var buffer = JSONBuffer()
            buffer.raw("{")
            for (position, sink) in plan.sinks.enumerated() {
                if position > 0 { buffer.raw(",") }
                buffer.string(program.nodes[sink].id)
                buffer.raw(":")
                buffer.raw(facts[position]?.output?.text ?? "null")
            }
            buffer.raw("}")
            return .success(JSONText(trusted: buffer.finish()))
        }
    }

    // What is known of settled steps, aligned with `nodes`; nil for one that has not settled. Asks for all that are unknown at once.
    func settledFacts(of nodes: [Int]) throws(Rejection) -> [SettledFacts?] {
        var missing: Set<StepPath> = []
        var found: [SettledFacts?] = []
        found.reserveCapacity(nodes.count)
        for index in nodes {
            switch facts(of: program.nodes[index].path) {
            case nil: missing.insert(program.nodes[index].path)
            case .settled(let settled): found.append(settled)
            case .notStarted, .pending, .task, .block: found.append(nil)
            }
        }
        if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
        return found
    }
}
