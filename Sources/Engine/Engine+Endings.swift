// How blocks, forks, loops, machines and runs end, and what they give.

import WorkflowModel

extension Frame {
    mutating func finish(_ instance: Instance?) throws(Rejection) {
        guard let facts = try scope(instance) else { return }
        guard let instance else {
            if case .block(let block) = facts { try finishRun(block) }
            return
        }
        switch facts.ending {
        case .failed(let failure), .timedOut(let failure): try failScope(instance, facts, failure)
        case .cancelled, .succeeded:
            settleScope(instance, facts, SettledFacts(status: .cancelled, failure: Self.cancellation, finishedAt: now))
        case .satisfied, nil: try succeed(instance, facts)
        }
    }

    static let cancellation = Failure(type: .cancelled, message: "the step was cancelled")

    private mutating func succeed(_ instance: Instance, _ facts: LiveStepFacts) throws(Rejection) {
        switch facts {
        case .block:
            guard let plan = blockPlan(instance) else { throw .staleTask(instance.path) }
            let result: Evaluated<JSONText>
            if let mapping = program.nodes[instance.node].output {
                let inner = mapping.reads.result ? try output(of: plan, in: instance) : nil
                result = try evaluate(mapping, at: instance, Bindings(result: inner))
            } else {
                result = .success(try output(of: plan, in: instance))
            }
            try complete(instance, facts, result)
        case .parallel: try complete(instance, facts, try forkOutput(instance))
        case .loop(let loop): try completeLoop(instance, loop)
        case .machine(let machine): try completeMachine(instance, machine)
        // These get their result from the one part that they have.
        case .choice, .caught, .pending, .sleep, .wait, .child: throw .staleTask(instance.path)
        }
    }

    // A scope settles with a result that is its output.
    mutating func complete(_ instance: Instance, _ facts: LiveStepFacts, _ result: Evaluated<JSONText>) throws(Rejection) {
        switch result {
        case .success(let output): settleScope(instance, facts, SettledFacts(status: .succeeded, output: output, finishedAt: now))
        case .failure(let failure): try failScope(instance, facts, failure)
        }
    }

    // A scope has failed for good: its failure is caught, or it settles with it.
    mutating func failScope(_ instance: Instance, _ facts: LiveStepFacts, _ failure: Failure) throws(Rejection) {
        if try isCaught(instance) {
            clearTimers(instance)
            forgetParts(instance, facts)
            return beginCatch(instance, failure, attempts: 0, losses: 0, startedAt: facts.startedAt)
        }
        settleScope(instance, facts, SettledFacts(status: .failed, failure: failure, finishedAt: now))
    }

    mutating func settleScope(_ instance: Instance, _ facts: LiveStepFacts, _ settled: SettledFacts) {
        if case .loop(let loop) = facts { return settleLoop(instance, loop, settled) }
        forgetParts(instance, facts)
        var settled = settled
        settled.startedAt = facts.startedAt
        commands.append(.drop(path: instance.path))
        settle(instance, settled, wasLive: true)
    }

    // What is read of a scope only while it is under way.
    private mutating func forgetParts(_ instance: Instance, _ facts: LiveStepFacts) {
        switch facts {
        case .loop:
            forgetItems(of: instance.path)
            forgetIterations(of: instance.path)
        case .machine(let machine): forgetVisits(instance, machine)
        case .pending, .block, .parallel, .choice, .caught, .sleep, .wait, .child: break
        }
    }

    // The one part of a switch or of a step with a caught failure has settled.
    mutating func partSettled(_ part: SettledFacts, in around: Instance, _ facts: LiveStepFacts) throws(Rejection) {
        let facts = facts.addingLive(-1)
        if facts.ending != nil {
            keep(around, facts)
            return agenda.append(.drained(around))
        }
        if case .caught(let caught) = facts {
            // A failure of the block that catches is the step's; a time-out that was caught may still be an error for `onError`.
            let settled = SettledFacts(
                status: part.status == .failed ? .failed : .succeeded, output: part.status == .failed ? nil : part.output ?? .null,
                failure: part.failure, attempts: caught.attempts, startedAt: caught.block.startedAt, finishedAt: now)
            if settled.status == .failed, caught.isTimeout, let failure = part.failure, try isCaught(around) {
                set(around.path, .live(facts))
                return beginCatch(
                    around, failure, attempts: caught.attempts, losses: caught.losses, startedAt: caught.block.startedAt)
            }
            commands.append(.drop(path: around.path))
            return settle(around, settled, wasLive: true, losses: caught.losses)
        }
        note(around, facts)
        switch part.status {
        case .failed: try failScope(around, facts, part.failure ?? Failure(type: .custom, message: "the case failed"))
        case .pending, .ready, .running, .waiting, .succeeded, .skipped, .cancelled:
            try complete(around, facts, try map(part.output ?? .null, by: around))
        }
    }

    // MARK: Outputs

    // The output of a block without a mapping: the last step's (sequence), or a map of the steps that nobody needs (graph).
    func output(of plan: BlockPlan, in block: Instance?) throws(Rejection) -> JSONText {
        switch plan.kind {
        case .sequence:
            return try outputs(of: [child(plan.children[plan.children.count - 1], of: block)])[0]
        case .graph:
            let texts = try outputs(of: plan.sinks.map { child($0, of: block) })
            return Self.object(zip(plan.sinks.map { program.nodes[$0].id }, texts))
        }
    }

    static func object(_ members: some Sequence<(String, JSONText)>) -> JSONText {
        var buffer = JSONBuffer()
        buffer.raw("{")
        for (position, (key, text)) in members.enumerated() {
            if position > 0 { buffer.raw(",") }
            buffer.string(key)
            buffer.raw(":")
            buffer.raw(text.text)
        }
        buffer.raw("}")
        return JSONText(trusted: buffer.finish())
    }

    // The outputs of settled steps, null where there is none; those of loops are put together in the tables, and asked for.
    func outputs(of instances: [Instance]) throws(Rejection) -> [JSONText] {
        let known = try settledFacts(of: instances)
        var texts: [JSONText] = []
        var missing = MissingFacts()
        for (position, instance) in instances.enumerated() {
            guard program.nodes[instance.node].isLoop, let settled = known[position], settled.hasResults else {
                texts.append(known[position]?.output ?? .null)
                continue
            }
            if let results = loopResults(instance.path) { texts.append(results.output) } else { missing.results.insert(instance.path) }
        }
        if !missing.isEmpty { throw .incomplete(missing) }
        return texts
    }

    // MARK: Runs

    private mutating func finishRun(_ facts: BlockFacts) throws(Rejection) {
        var ending = RunEnding(status: .succeeded, output: nil, failure: nil, at: now)
        switch facts.ending {
        // A machine that is the whole workflow may end it as cancelled.
        case .failed(let failure) where failure.type == .cancelled && program.isMachine && program.nodes[0].path == failure.path:
            ending.status = .cancelled
            ending.failure = failure
        case .failed(let failure):
            ending.status = .failed
            ending.failure = failure
        case .timedOut(let failure):
            ending.status = .timedOut
            ending.failure = failure
        case .cancelled:
            ending.status = .cancelled
            ending.failure = Failure(type: .cancelled, message: run.cancelReason ?? "the run was cancelled")
        case .succeeded(let path):
            guard let node = program.node(at: path) else { throw .unknownStep(path) }
            ending.output = try outputs(of: [Instance(node: node.index, path: path)])[0]
        case .satisfied, nil:
            if let mapping = program.output {
                switch try evaluate(mapping, at: nil) {
                case .success(let output): ending.output = output
                case .failure(let failure):
                    ending.status = .failed
                    ending.failure = failure
                }
            } else if let path = try loopAtTheEnd() {
                ending.outputFrom = path
            } else {
                ending.output = try output(of: program.root, in: nil)
            }
        }
        let chained = try chainStarts(for: &ending)
        run.historyLength += 1
        run.isEnded = true
        commands.append(.end(ending))
        for start in chained { commands.append(.chain(start)) }
    }

    // The loop whose result is the run's: it never passes through here.
    private func loopAtTheEnd() throws(Rejection) -> StepPath? {
        let plan = program.root
        let last = plan.children[plan.children.count - 1]
        guard plan.kind == .sequence, program.nodes[last].isLoop else { return nil }
        let instance = child(last, of: nil)
        guard let settled = try settledFacts(of: [instance])[0], settled.hasResults else { return nil }
        return instance.path
    }

    // The workflows that are started because the run has ended.
    private func chainStarts(for ending: inout RunEnding) throws(Rejection) -> [ChainStart] {
        let trigger: ChainStart.Trigger =
            switch ending.status {
            case .succeeded: .onSuccess
            case .cancelled: .onCancel
            case .failed, .timedOut, .queued, .running, .waiting, .paused: .onFailure
            }
        guard let plans = program.chains[trigger] else { return [] }
        var bindings = Bindings(failure: ending.failure)
        let readsEnding = plans.contains { $0.condition?.reads.ending == true || $0.with?.reads.ending == true }
        if readsEnding, let path = ending.outputFrom, let node = program.node(at: path) {
            bindings.output = try outputs(of: [Instance(node: node.index, path: path)])[0]
        } else {
            bindings.output = ending.output ?? .null
        }
        var starts: [ChainStart] = []
        for (index, plan) in plans.enumerated() {
            func start(_ start: ChainStart.Start) {
                starts.append(ChainStart(workflow: plan.workflow, trigger: trigger, index: index, start: start))
            }
            if let condition = plan.condition {
                switch try decide(condition, at: nil, bindings) {
                case .success(true): break
                case .success(false): continue
                case .failure(let failure):
                    start(.failed(failure))
                    continue
                }
            }
            if let failure = depthFailure(of: plan.workflow) {
                start(.failed(failure))
            } else if let with = plan.with {
                switch try evaluate(with, at: nil, bindings) {
                case .success(let input): start(.input(input))
                case .failure(let failure): start(.failed(failure))
                }
            } else {
                start(.input(JSONText(trusted: "{}")))
            }
        }
        return starts
    }
}

extension SettledFacts {
    // Whether a loop that settled like this may have iterations to read.
    var hasResults: Bool { status == .succeeded || status == .failed }
}
