// Ending what is under way: a cancelled run, a run out of time, the siblings of a step that failed.

import WorkflowModel

extension Frame {
    // The run's whole tree ends. Queued work ends now, running work is told, and the run ends when the last of it has settled.
    mutating func endTree(_ ending: BlockEnding, event: String, reason: String? = nil) throws(Rejection) {
        guard var root = run.root else { throw .wrongPhase }
        // The first reason to end counts; a second one changes nothing.
        guard root.ending == nil else { return }
        if case .cancelled = ending { noteCancel(reason) }
        recordEvent(event, reason.map { ["reason": .string($0)] })
        root.ending = ending
        root = try cancelLiveSteps(of: program.root, block: root, except: nil)
        setBlock(nil, root)
        if root.live == 0 { agenda.append(.finishBlock(nil)) }
    }

    // The reason that was given first counts.
    mutating func noteCancel(_ reason: String?) {
        run.cancelRequested = true
        run.cancelReason = run.cancelReason ?? reason
    }

    // Cancels what is live in a block and in the blocks within it. Answers with the block's counters after it: what a worker still
    // has stays live until its outcome is folded.
    mutating func cancelLiveSteps(of plan: BlockPlan, block: BlockFacts, except settledStep: Int?) throws(Rejection) -> BlockFacts {
        guard block.live > 0 || plan.kind == .graph else { return block }
        var missing = MissingFacts()
        gather(&missing, in: plan)
        if !missing.isEmpty { throw .incomplete(missing) }

        var block = block
        for child in plan.children where child != settledStep {
            let node = program.nodes[child]
            switch facts(of: node.path) {
            case nil, .notStarted, .settled: continue
            case .pending:
                commands.append(.drop(path: node.path))
                set(node.path, .notStarted)
            case .task(let task):
                switch task.phase {
                case .leased, .settled, .unknown: commands.append(.tellWorker(path: node.path))
                case .ready, .waiting:
                    commands.append(.dequeue(path: node.path, hasTimer: task.phase == .waiting))
                    cancelled(node, attempts: task.attempt - 1, startedAt: task.startedAt, losses: task.losses)
                    block.live -= 1
                    if plan.kind == .graph { block.unsettled -= 1 }
                }
            case .block(var inner):
                inner.ending = inner.ending ?? .cancelled
                inner = try cancelLiveSteps(of: self.plan(of: child), block: inner, except: nil)
                if inner.live == 0 {
                    commands.append(.drop(path: node.path))
                    cancelled(node, attempts: 0, startedAt: inner.startedAt, losses: 0)
                    block.live -= 1
                    if plan.kind == .graph { block.unsettled -= 1 }
                } else {
                    setBlock(child, inner)
                }
            }
        }
        return block
    }

    // The step's row, without what follows in its block: the block is ending, and its counters are the caller's.
    private mutating func cancelled(_ node: Node, attempts: Int, startedAt: Timestamp?, losses: Int) {
        let facts = SettledFacts(
            status: .cancelled, failure: Failure(type: .cancelled, message: "the step was cancelled"), attempts: attempts,
            startedAt: startedAt, finishedAt: now)
        commands.append(
            .recordStep(
                StepRecord(path: node.path, node: node.index, sequence: nextSequence(), settled: facts, losses: losses, attempt: nil)))
        set(node.path, .settled(facts))
    }

    // What has to be known before a block can be cancelled: every step of it, and of each task whether a worker has it.
    private func gather(_ missing: inout MissingFacts, in plan: BlockPlan) {
        for child in plan.children {
            let path = program.nodes[child].path
            switch facts(of: path) {
            case nil: missing.lockedTasks.insert(path)
            case .task(let task) where task.phase == .unknown: missing.lockedTasks.insert(path)
            case .block: gather(&missing, in: self.plan(of: child))
            case .notStarted, .pending, .task, .settled: continue
            }
        }
    }

    // Whether a step's block, or any block around it, starts no more steps.
    func isEnding(_ block: Int?) throws(Rejection) -> Bool {
        var block = block
        while true {
            if try blockFacts(block).ending != nil { return true }
            guard let inside = block else { return false }
            block = program.nodes[inside].parent
        }
    }
}
