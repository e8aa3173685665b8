// Branches that run side by side, and how they are joined.

import WorkflowModel

extension Frame {
    mutating func startFork(_ instance: Instance, _ plan: ParallelPlan) {
        // All branches count as live from now on, so that the first one that ends at once is not taken for the last.
        enliven(instance, .parallel(ParallelFacts(unsettled: plan.branches.count, live: plan.branches.count, startedAt: now)))
        setJoinDeadline(instance, plan.join)
        for branch in plan.branches { agenda.append(.start(child(branch, of: instance))) }
    }

    mutating func setJoinDeadline(_ instance: Instance, _ join: JoinPolicy) {
        guard let deadline = join.deadline else { return }
        commands.append(.setTimer(path: instance.path, kind: .joinDeadline, dueAt: now + deadline, isAbsolute: false))
    }

    mutating func branchSettled(
        _ branch: Instance, _ settled: SettledFacts, in fork: Instance, _ facts: ParallelFacts
    ) throws(Rejection) {
        let plan = try parallelPlan(fork)
        var facts = facts
        facts.live -= 1
        facts.unsettled -= 1
        if facts.ending != nil {
            keep(fork, .parallel(facts))
            if facts.live == 0 { agenda.append(.drained(fork)) }
            return
        }
        if settled.status == .failed {
            facts.failed += 1
            facts.failure = facts.failure ?? Self.failure(of: settled, at: branch)
        } else {
            facts.succeeded += 1
        }
        let join = Join(policy: plan.join, total: plan.branches.count, succeeded: facts.succeeded, failed: facts.failed)
        switch join.verdict {
        case .open: keep(fork, .parallel(facts))
        case .satisfied:
            if facts.live == 0 {
                note(fork, .parallel(facts))
                agenda.append(.finish(fork))
            } else {
                try end(fork, .parallel(facts), .satisfied, except: branch)
            }
        case .failed: try end(fork, .parallel(facts), .failed(facts.failure ?? Self.failure(of: join)), except: branch)
        }
    }

    // The first failure of a part is the join's, with the path of what failed.
    static func failure(of settled: SettledFacts, at part: Instance) -> Failure {
        var failure = settled.failure ?? Failure(type: .custom, message: "the part failed")
        if failure.path == nil { failure.path = part.path }
        return failure
    }

    // Of a join that could never be satisfied.
    static func failure(of join: Join) -> Failure { Failure(type: .custom, code: "join", message: join.shortage) }

    // The join has waited long enough.
    mutating func joinOverdue(_ instance: Instance, _ facts: LiveStepFacts) throws(Rejection) {
        let policy: JoinPolicy
        switch program.nodes[instance.node].verb {
        case .parallel(let plan): policy = plan.join
        case .loop(let plan): policy = plan.join
        case .agent, .set, .nothing, .validate, .fail, .succeed, .sleep, .emit, .wait, .workflow, .block, .choice, .machine:
            throw .staleTask(instance.path)
        }
        switch policy.onDeadline {
        case .fail: try end(instance, facts, .timedOut(Failure(type: .timeout, message: Self.tooLong("join", "deadline", policy.deadline))))
        case .partial: try end(instance, facts, .satisfied)
        }
    }

    // The output of a fork: its own expression, or a map of the branches' outputs; then the step's mapping.
    func forkOutput(_ fork: Instance) throws(Rejection) -> Evaluated<JSONText> {
        let plan = try parallelPlan(fork)
        let joined: JSONText
        if let output = plan.output {
            switch try evaluate(output, at: fork) {
            case .success(let text): joined = text
            case .failure(let failure): return .failure(failure)
            }
        } else {
            let branches = plan.branches.map { child($0, of: fork) }
            var missing: Set<StepPath> = []
            var texts: [JSONText] = []
            for branch in branches {
                switch facts(of: branch.path) {
                case nil: missing.insert(branch.path)
                case .settled(let settled): texts.append(settled.output ?? .null)
                case .notStarted, .live, .task: texts.append(.null)
                }
            }
            if !missing.isEmpty { throw .incomplete(MissingFacts(steps: missing)) }
            joined = Self.object(zip(plan.branches.map { program.nodes[$0].id }, texts))
        }
        guard let mapping = program.nodes[fork.node].output else { return .success(joined) }
        return try evaluate(mapping, at: fork, Bindings(result: joined))
    }
}
