// Loops: iterations are made as slots free up; what is over is forgotten.

import WorkflowModel

extension Frame {
    mutating func startLoop(_ instance: Instance, _ plan: LoopPlan) throws(Rejection) {
        guard case .each(let collection) = plan.source else {
            if let initial = plan.initial, case .failure(let failure) = try evaluate(initial, at: instance) {
                return try fail(instance, failure)
            }
            enliven(instance, .loop(LoopFacts(startedAt: now)))
            setJoinDeadline(instance, plan.join)
            return agenda.append(.fill(instance))
        }
        let list: [JSONValue]
        switch try evaluate(collection, at: instance) {
        case .success(let text):
            guard let values = text.value.arrayValue else {
                return try fail(
                    instance, Failure(type: .expression, message: "`each` goes through a list, and gives \(Self.kind(of: text.value)) here")
                )
            }
            list = values
        case .failure(let failure): return try fail(instance, failure)
        }
        let items = Self.items(list, batch: plan.batch)
        if let limit = plan.maxIterations, items.count > limit {
            return try fail(instance, Self.tooMany("the collection makes \(items.count) iterations, and `maxIterations` is \(limit)"))
        }
        if items.isEmpty {
            let collected = CollectedOutput(count: 0, collect: plan.collect)
            let output = plan.collect == .list ? JSONText(trusted: "[]") : .null
            add(
                results: LoopResults(output: output, ok: JSONText(trusted: "[]"), failed: JSONText(trusted: "[]")), of: instance.path)
            return settle(
                instance, SettledFacts(status: .succeeded, startedAt: now, finishedAt: now, collected: collected), wasLive: false)
        }
        enliven(instance, .loop(LoopFacts(startedAt: now, total: items.count)))
        setJoinDeadline(instance, plan.join)
        keepItems(items, of: instance.path)
        commands.append(.keepItems(path: instance.path, items: items))
        agenda.append(.fill(instance))
    }

    private static func kind(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "a map"
        }
    }

    private static func items(_ list: [JSONValue], batch: Int?) -> [JSONText] {
        guard let batch, batch > 0 else { return list.map { JSONText($0) } }
        return stride(from: 0, to: list.count, by: batch).map { start in
            JSONText(.array(Array(list[start..<min(start + batch, list.count)])))
        }
    }

    private static func tooMany(_ message: String) -> Failure { Failure(type: .limit, code: "maxIterations", message: message) }

    // MARK: Making iterations

    // Makes as many iterations as there are slots.
    mutating func fill(_ instance: Instance) throws(Rejection) {
        guard case .loop(var loop) = try scope(instance), loop.ending == nil else { return }
        let plan = try loopPlan(instance)
        guard let total = loop.total else { return try makeNext(instance, plan, loop) }
        let slots = loop.adjustment?.maxParallel ?? plan.maxParallel ?? 0
        let before = loop.created
        while loop.created < total, slots == 0 || loop.live < slots {
            // In portions, so that no transaction becomes long: the next one goes on at once.
            if iterationsMade >= EngineDefaults.iterationsPerTransaction { return pause(instance, loop, until: now) }
            agenda.append(.start(iteration(loop.created, of: instance, plan)))
            loop.created += 1
            loop.live += 1
            iterationsMade += 1
        }
        if loop.created > before { keep(instance, .loop(loop)) }
    }

    // The loop goes on when its timer is due.
    private mutating func pause(_ instance: Instance, _ facts: LoopFacts, until dueAt: Timestamp) {
        var loop = facts
        loop.isPausing = true
        keep(instance, .loop(loop))
        commands.append(.setTimer(path: instance.path, kind: .every, dueAt: dueAt, isAbsolute: false))
    }

    mutating func goOn(_ instance: Instance, _ facts: LoopFacts) {
        var loop = facts
        loop.isPausing = false
        keep(instance, .loop(loop))
        agenda.append(.fill(instance))
    }

    // The next iteration of a loop that runs as long as, or until, a condition holds.
    private mutating func makeNext(_ instance: Instance, _ plan: LoopPlan, _ facts: LoopFacts) throws(Rejection) {
        var loop = facts
        guard loop.live == 0 else { return }
        if iterationsMade >= EngineDefaults.iterationsPerTransaction { return pause(instance, loop, until: now) }
        let next = iteration(loop.created, of: instance, plan)
        if case .while(let condition) = plan.source {
            switch try decide(condition, at: next) {
            case .success(true): break
            case .success(false): return try leave(instance, plan, loop)
            case .failure(let failure): return try end(instance, .loop(loop), .failed(failure))
            }
        }
        if let limit = plan.maxIterations, loop.created >= limit {
            return try end(instance, .loop(loop), .failed(Self.tooMany("the loop needs more than its \(limit) iterations")))
        }
        loop.created += 1
        loop.live += 1
        iterationsMade += 1
        keep(instance, .loop(loop))
        agenda.append(.start(next))
    }

    // No more iterations: the loop is joined with what there is.
    private mutating func leave(_ instance: Instance, _ plan: LoopPlan, _ facts: LoopFacts) throws(Rejection) {
        var loop = facts
        loop.total = loop.created
        if loop.live > 0 { return try end(instance, .loop(loop), .satisfied) }
        let join = Join(policy: plan.join, total: loop.total, succeeded: loop.succeeded, failed: loop.failed)
        if case .failed = join.verdict { return try end(instance, .loop(loop), .failed(loop.failure ?? Self.failure(of: join))) }
        note(instance, .loop(loop))
        agenda.append(.finish(instance))
    }

    // MARK: Iterations that settle

    mutating func iterationSettled(
        _ iteration: Instance, _ settled: SettledFacts, in instance: Instance, _ facts: LoopFacts
    ) throws(Rejection) {
        let plan = try loopPlan(instance)
        var loop = facts
        loop.live -= 1
        if loop.ending != nil {
            keep(instance, .loop(loop))
            forget(iteration)
            if loop.live == 0 { agenda.append(.drained(instance)) }
            return
        }
        if settled.status == .failed {
            loop.failed += 1
            loop.failure = loop.failure ?? Self.failure(of: settled, at: iteration)
        } else {
            loop.succeeded += 1
        }
        let join = Join(policy: policy(of: plan, loop), total: loop.total, succeeded: loop.succeeded, failed: loop.failed)
        switch join.verdict {
        case .open: break
        case .satisfied:
            forget(iteration)
            if loop.live > 0 { return try end(instance, .loop(loop), .satisfied) }
            note(instance, .loop(loop))
            return agenda.append(.finish(instance))
        case .failed:
            forget(iteration)
            return try end(instance, .loop(loop), .failed(loop.failure ?? Self.failure(of: join)))
        }
        if try isOver(after: iteration, settled, plan, instance, loop) { return }
        note(instance, .loop(loop))
        // `previous` of the next iteration.
        if plan.previousIsRead, loop.total == nil {
            forget(inside: iteration)
            if let index = iteration.path.iterationIndex, index > 0 { forget(self.iteration(index - 1, of: instance, plan)) }
        } else {
            forget(iteration)
        }
        if let pause = plan.every, loop.created < loop.total ?? .max {
            self.pause(instance, loop, until: now + pause)
        } else {
            let created = loop.created
            try fill(instance)
            if case .live(.loop(let filled)) = self.facts(of: instance.path), filled.created == created { keep(instance, .loop(filled)) }
        }
    }

    // Whether the loop is over after an iteration, because of what it gave.
    private mutating func isOver(
        after iteration: Instance, _ settled: SettledFacts, _ plan: LoopPlan, _ instance: Instance, _ loop: LoopFacts
    ) throws(Rejection) -> Bool {
        let output = settled.output ?? .null
        let bindings = Bindings(result: output, output: output, previous: output)
        var tests: [Condition] = []
        if case .until(let condition) = plan.source { tests.append(condition) }
        if let condition = plan.breakIf { tests.append(condition) }
        for condition in tests {
            switch try decide(condition, at: iteration, bindings) {
            case .success(false): continue
            case .success(true):
                forget(iteration)
                try leave(instance, plan, loop)
            case .failure(let failure):
                forget(iteration)
                try end(instance, .loop(loop), .failed(failure))
            }
            return true
        }
        return false
    }

    private func policy(of plan: LoopPlan, _ loop: LoopFacts) -> JoinPolicy {
        guard let adjustment = loop.adjustment else { return plan.join }
        var policy = plan.join
        if let tolerance = adjustment.tolerance { policy.rule = .tolerate(tolerance) }
        if let share = adjustment.toleranceShare { policy.rule = .tolerateShare(share) }
        return policy
    }

    // MARK: Endings

    mutating func completeLoop(_ instance: Instance, _ loop: LoopFacts) throws(Rejection) {
        settleLoop(instance, loop, SettledFacts(status: .succeeded, finishedAt: now))
    }

    // The row of a loop names how its output is put together; the list itself never comes by here.
    mutating func settleLoop(_ instance: Instance, _ loop: LoopFacts, _ facts: SettledFacts) {
        var settled = facts
        guard case .loop(let plan) = program.nodes[instance.node].verb else { return }
        if settled.status != .cancelled { settled.collected = CollectedOutput(count: loop.total ?? loop.created, collect: plan.collect) }
        if loop.isPausing { commands.append(.removeTimer(path: instance.path, kind: .every)) }
        forgetItems(of: instance.path)
        // Iterations that were cancelled have told nobody that they are over.
        if loop.ending != nil { forgetIterations(of: instance.path) }
        settled.startedAt = loop.startedAt
        commands.append(.drop(path: instance.path))
        settle(instance, settled, wasLive: true)
    }

    // MARK: Changes by operators

    mutating func adjust(_ path: StepPath, _ change: LoopAdjustment) throws(Rejection) {
        guard let node = program.node(at: path), case .loop(let plan) = node.verb else { throw .unknownStep(path) }
        let instance = Instance(node: node.index, path: path)
        switch facts(of: path) {
        case nil: throw .incomplete(MissingFacts(steps: [path]))
        case .settled: throw .alreadySettled(path)
        case .live(.loop(var loop)):
            guard loop.ending == nil, try !isEnding(instance) else { throw .staleTask(path) }
            var adjustment = loop.adjustment ?? LoopAdjustment()
            adjustment.maxParallel = change.maxParallel ?? adjustment.maxParallel
            if change.tolerance != nil || change.toleranceShare != nil {
                adjustment.tolerance = change.tolerance
                adjustment.toleranceShare = change.toleranceShare
            }
            loop.adjustment = adjustment
            recordEvent("adjusted", at: path, Self.json(change))
            let join = Join(policy: policy(of: plan, loop), total: loop.total, succeeded: loop.succeeded, failed: loop.failed)
            if case .failed = join.verdict {
                return try end(instance, .loop(loop), .failed(loop.failure ?? Self.failure(of: join)))
            }
            keep(instance, .loop(loop))
            agenda.append(.fill(instance))
        case .notStarted, .live, .task: throw .staleTask(path)
        }
    }

    private static func json(_ change: LoopAdjustment) -> JSONValue {
        var body = JSONObject()
        if let maxParallel = change.maxParallel { body["maxParallel"] = .int(Int64(maxParallel)) }
        if let tolerance = change.tolerance { body["tolerance"] = .int(Int64(tolerance)) }
        if let share = change.toleranceShare { body["toleranceShare"] = .int(Int64(share.partsPerMillion)) }
        return .object(body)
    }

    // MARK: Forgetting

    // An iteration is over: nobody reads anything of it any more.
    mutating func forget(_ instance: Instance) {
        forget(inside: instance)
        forget(instance.path)
    }

    func insides(of instance: Instance) -> [Instance] {
        let handlers = [program.nodes[instance.node].catchNode, program.nodes[instance.node].timeoutNode].compactMap { $0 }
        let children: [Int] =
            switch program.nodes[instance.node].verb {
            case .agent, .set, .nothing, .validate, .fail, .succeed, .sleep, .emit, .wait, .workflow, .loop, .machine: []
            case .block(let plan): plan.children
            case .parallel(let plan): plan.branches
            case .choice(let plan): plan.cases.map(\.node) + [plan.otherwise].compactMap { $0 }
            }
        return (children + handlers).map { child($0, of: instance) }
    }

    mutating func forget(inside instance: Instance) {
        for inner in insides(of: instance) {
            forget(inside: inner)
            forget(inner.path)
        }
    }
}
