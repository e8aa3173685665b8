// How blocks begin, go on from step to step, and clean up when they fail.

import WorkflowModel

extension Frame {
    mutating func startBlock(_ block: Instance?) {
        guard let plan = blockPlan(block) else { return }
        switch plan.kind {
        case .sequence: agenda.append(.start(child(plan.children[0], of: block)))
        case .graph:
            for node in plan.children where program.nodes[node].needs.isEmpty && !plan.idle.contains(node) {
                agenda.append(.start(child(node, of: block)))
            }
            if !plan.idle.isEmpty { agenda.append(.quiesced(block)) }
        }
    }

    // A step of a block has settled: what follows.
    mutating func stepSettled(
        _ step: Instance, _ settled: SettledFacts, wasLive: Bool, in around: Instance?, _ facts: BlockFacts
    ) throws(Rejection) {
        guard let plan = blockPlan(around) else { throw .staleTask(step.path) }
        var block = facts
        if wasLive { block.live -= 1 }
        if plan.kind == .graph { block.unsettled -= 1 }
        if block.ending != nil {
            keep(around, .block(block))
            if block.live == 0 { agenda.append(.drained(around)) }
            return
        }
        if settled.status == .failed, !continues(after: settled, step) {
            var failure = settled.failure ?? Failure(type: .custom, message: "the step failed")
            if failure.path == nil { failure.path = step.path }
            block.ending = .failed(failure)
            var ending = LiveStepFacts.block(block)
            if block.live > 0 || plan.kind == .graph {
                ending = try cancelLive(in: around, ending, except: step, sparesCleanup: true)
            }
            keep(around, ending)
            skipUnstarted(after: step, plan, in: around)
            if ending.live == 0 { agenda.append(.drained(around)) }
            return
        }
        switch plan.kind {
        case .sequence:
            // A nested block's row is written with what comes next; where nothing was live, nothing has changed.
            if wasLive, around != nil { keep(around, .block(block)) } else { note(around, .block(block)) }
            let next = program.nodes[step.node].ordinal + 1
            if next < plan.children.count {
                agenda.append(.start(child(plan.children[next], of: around)))
            } else {
                agenda.append(.finish(around))
            }
        case .graph:
            keep(around, .block(block))
            try meetNeeds(of: step, settled, in: around)
            if block.unsettled == 0 {
                agenda.append(.finish(around))
            } else if !plan.idle.isEmpty, block.live == 0 {
                agenda.append(.quiesced(around))
            }
        }
    }

    // Whether a failure is one with which things go on.
    func continues(after settled: SettledFacts, _ step: Instance) -> Bool {
        program.nodes[step.node].continuesOnError
            || (program.nodes[step.node].continuesOnTimeout && settled.failure?.code == Self.awaitTimeoutCode)
    }

    // Tells the dependents of a graph's step, and starts or skips those that have nothing left to wait for.
    private mutating func meetNeeds(of step: Instance, _ settled: SettledFacts, in around: Instance?) throws(Rejection) {
        let dependents = program.nodes[step.node].dependents
        var missing: Set<StepPath> = []
        for node in dependents where program.nodes[node].needs.count > 1 {
            let path = child(node, of: around).path
            if facts(of: path) == nil { missing.insert(path) }
        }
        if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
        for node in dependents {
            let dependent = child(node, of: around)
            var counts = PendingFacts(unmet: program.nodes[node].needs.count, met: 0)
            var hasRow = false
            if counts.unmet > 1, case .live(.pending(let known)) = facts(of: dependent.path) {
                counts = known
                hasRow = true
            }
            counts.unmet -= 1
            if settled.status != .skipped { counts.met += 1 }
            if counts.unmet > 0 {
                keep(dependent, .pending(counts))
                continue
            }
            if hasRow { commands.append(.drop(path: dependent.path)) }
            set(dependent.path, .notStarted)
            if runs(program.nodes[node].when, met: counts.met, of: program.nodes[node].needs.count) {
                agenda.append(.start(dependent))
            } else {
                settle(dependent, SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
            }
        }
    }

    // Whether a step of a graph that is not failing runs, now that its needs have settled.
    private func runs(_ rule: RunRule?, met: Int, of needs: Int) -> Bool {
        switch rule {
        case nil: met > 0
        case .success: met == needs
        case .failure: false
        case .always: true
        }
    }

    // A graph in which nothing is under way, but steps that run only when it fails have not settled: they are skipped.
    mutating func quiesced(_ around: Instance?) throws(Rejection) {
        guard case .block(let block) = try scope(around), block.ending == nil, block.live == 0, let plan = blockPlan(around) else { return }
        let known = try settledFacts(of: plan.children.map { child($0, of: around) })
        var isSettled: [Int: Bool] = [:]
        for (position, node) in plan.children.enumerated() { isSettled[node] = known[position] != nil }
        for node in plan.children where isSettled[node] == false && !plan.idle.contains(node) {
            // Something that is about to start.
            if program.nodes[node].needs.allSatisfy({ isSettled[$0] == true }) { return }
        }
        for node in plan.idle where isSettled[node] == false {
            settle(child(node, of: around), SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
        }
    }

    // What a failing block will never start is skipped, so that everybody sees it; what cleans up has its turn later.
    private mutating func skipUnstarted(after step: Instance, _ plan: BlockPlan, in around: Instance?) {
        for node in plan.children where !program.nodes[node].isCleanup {
            if plan.kind == .sequence, program.nodes[node].ordinal <= program.nodes[step.node].ordinal { continue }
            let child = child(node, of: around)
            switch facts(of: child.path) {
            // Of a sequence nothing is known of what comes later, because there is nothing to know.
            case nil: if plan.kind == .graph { continue }
            case .notStarted: break
            case .live, .task, .settled: continue
            }
            record(child, SettledFacts(status: .skipped, finishedAt: now))
        }
    }

    // MARK: Cleaning up

    // Nothing of an ending scope is live any more: a failing block runs the steps that are for that, everything else has ended.
    mutating func drained(_ instance: Instance?) throws(Rejection) {
        guard let facts = try scope(instance), facts.live == 0 else { return }
        if case .block(let block) = facts, case .failed = block.ending, let plan = blockPlan(instance), plan.hasCleanup {
            if let instance, try isEnding(instance) { return agenda.append(.finish(instance)) }
            if try cleanUp(instance, plan) { return }
        }
        agenda.append(.finish(instance))
    }

    // Starts what runs although the block is failing; false when there is nothing left.
    private mutating func cleanUp(_ around: Instance?, _ plan: BlockPlan) throws(Rejection) -> Bool {
        let children = plan.children.map { child($0, of: around) }
        let known = try settledFacts(of: children)
        var settled: [Int: SettledFacts] = [:]
        for (position, node) in plan.children.enumerated() { settled[node] = known[position] }
        var found = false
        for (position, node) in plan.children.enumerated() where program.nodes[node].isCleanup && settled[node] == nil {
            let needs = program.nodes[node].needs
            // One cleaning step waits for another; a step that will never run is waited for by nobody.
            if needs.contains(where: { program.nodes[$0].isCleanup && settled[$0] == nil }) { continue }
            if program.nodes[node].when == .failure, !needs.isEmpty, !followsFailure(node, settled) {
                settle(children[position], SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
            } else {
                agenda.append(.start(children[position]))
            }
            found = true
            if plan.kind == .sequence { break }
        }
        return found
    }

    // Whether something that a step needs has failed, was cancelled, or never ran because of that.
    private func followsFailure(_ node: Int, _ settled: [Int: SettledFacts]) -> Bool {
        var open = program.nodes[node].needs
        var seen = Set(open)
        while let need = open.popLast() {
            switch settled[need]?.status {
            case .cancelled, nil: return true
            case .failed where !program.nodes[need].continuesOnError: return true
            case .skipped: for next in program.nodes[need].needs where seen.insert(next).inserted { open.append(next) }
            case .failed, .succeeded, .pending, .ready, .running, .waiting: continue
            }
        }
        return false
    }

    // What is known of settled steps, aligned with `instances`; nil for one that has not settled. Asks for all that are unknown at once.
    func settledFacts(of instances: [Instance]) throws(Rejection) -> [SettledFacts?] {
        var missing: Set<StepPath> = []
        var found: [SettledFacts?] = []
        found.reserveCapacity(instances.count)
        for instance in instances {
            switch facts(of: instance.path) {
            case nil: missing.insert(instance.path)
            case .settled(let settled): found.append(settled)
            case .notStarted, .live, .task: found.append(nil)
            }
        }
        if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
        return found
    }
}
