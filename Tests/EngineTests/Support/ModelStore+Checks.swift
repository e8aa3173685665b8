// The promises, checked with every command.

import Engine
import Expressions
import Simulation
import WorkflowModel

extension ModelStore {
    /// The path of what a step is in, read off the path itself; nil for the root block.
    static func parent(of path: StepPath) -> StepPath? {
        guard let cut = path.text.utf8.lastIndex(where: { $0 == 0x2E || $0 == 0x5B || $0 == 0x2F }) else { return nil }
        return StepPath(String(path.text[..<cut]))
    }

    // Whether anything around a step starts nothing more. Steps that clean up go on in a block that is failing.
    func isInEnding(_ path: StepPath) -> Bool {
        var here = path
        while true {
            let around = Self.parent(of: here)
            let ending = around.map { live[$0]?.facts.ending } ?? run.root?.ending
            if let ending {
                guard case .failed = ending, program.node(at: here)?.isCleanup == true else { return true }
            }
            guard let around else { return false }
            here = around
        }
    }

    // I7, I9: a step starts when what it is in is under way, what it needs has settled, and nothing around it is ending.
    func checkMayStart(_ path: StepPath, _ node: Node) throws(Violation) {
        guard !isInEnding(path) else { throw Violation("I9", "\(path) starts in something that is ending") }
        let around = Self.parent(of: path)
        if let around, live[around] == nil { throw Violation("I9", "\(path) starts in something that is not under way") }
        guard node.placement == .step else { return }
        let plan: BlockPlan
        if let around {
            guard case .block(let inner) = try self.node(around).verb else { throw Violation("I9", "\(around) is no block") }
            plan = inner
        } else {
            plan = program.root
        }
        func status(_ index: Int) -> StepStatus? { steps[sibling(index, of: path)]?.settled.status }
        // A step that cleans up waits only for others that do; whatever is not yet there will never be.
        let ending = around.map { live[$0]?.facts.ending } ?? rootAfter?.ending
        if node.isCleanup, ending != nil { return }
        switch plan.kind {
        case .sequence:
            for before in plan.children.prefix(node.ordinal) where status(before) == nil {
                throw Violation("I7", "\(path) starts before \(program.nodes[before].path) has settled")
            }
        case .graph:
            for need in node.needs where status(need) == nil {
                throw Violation("I7", "\(path) starts before \(program.nodes[need].path) has settled")
            }
            if node.when == nil, !node.needs.isEmpty, node.needs.allSatisfy({ status($0) == .skipped }) {
                throw Violation("needs", "\(path) starts although all its needs were skipped")
            }
            if node.when == .success, node.needs.contains(where: { status($0) == .skipped }) {
                throw Violation("needs", "\(path) starts although a need of it was skipped")
            }
        }
        if node.when == .failure { throw Violation("needs", "\(path) starts although nothing has failed") }
    }

    func sibling(_ index: Int, of path: StepPath) -> StepPath {
        Self.parent(of: path)?.child(program.nodes[index].id) ?? StepPath(program.nodes[index].id)
    }

    // I8: what a step's row says of attempts fits what the step is.
    func checkAnswer(_ record: StepRecord, _ node: Node) throws(Violation) {
        let settled = record.settled
        let path = record.path
        switch settled.status {
        case .succeeded:
            if case .agent = node.verb, record.attempt == nil, node.catchNode == nil {
                throw Violation("I8", "\(path) has a result without an attempt")
            }
            guard settled.output != nil || settled.collected != nil, settled.failure == nil else {
                throw Violation("I8", "\(path) succeeded without output")
            }
            if !begun.contains(path) { try checkMayStart(path, node) }
        case .failed: guard settled.failure != nil else { throw Violation("I8", "\(path) failed without a failure") }
        case .skipped:
            guard settled.output == nil, settled.attempts == 0, record.attempt == nil, !begun.contains(path) else {
                throw Violation("I8", "\(path) was skipped and has a result")
            }
            let needs = node.needs.map { steps[sibling($0, of: path)]?.settled.status }
            let byRule =
                node.when == .failure || (!needs.isEmpty && needs.allSatisfy { $0 == .skipped })
                || (node.when == .success && needs.contains(.skipped))
            let byCondition = events.last { $0.path == path && $0.kind == "decision" }?.body?["result"] == false
            let around = Self.parent(of: path)
            var byFailure = false
            if case .failed = around.map({ live[$0]?.facts.ending }) ?? rootAfter?.ending { byFailure = true }
            guard byRule || byCondition || byFailure else { throw Violation("skipping", "\(path) was skipped without a reason") }
        case .cancelled:
            guard settled.output == nil, record.attempt == nil else { throw Violation("I11", "\(path) was cancelled and has a result") }
        case .pending, .ready, .running, .waiting: throw Violation("statuses", "\(path) settles as \(settled.status)")
        }
        guard record.losses <= EngineDefaults.lossLimit + 1 else { throw Violation("I15", "\(path) lost \(record.losses) workers") }
    }

    // I11: what was cancelled was in something that is ending, or has ended with it.
    func checkCancelled(_ path: StepPath) throws(Violation) {
        var here = path
        while let around = Self.parent(of: here) {
            if live[around]?.facts.ending != nil || steps[around] != nil { return }
            // Its end was a failure, which is being caught.
            if case .caught = live[around]?.facts { return }
            here = around
        }
        guard run.root?.ending != nil || ending != nil else {
            throw Violation("I11", "\(path) was cancelled, and nothing around it is ending")
        }
    }

    // No join early: when a fork or loop settles, nothing of it is live, and the rule of its join says what its status is.
    func checkJoin(_ record: StepRecord, _ node: Node) throws(Violation) {
        let join: JoinPolicy
        let total: Int?
        var parts: [StepStatus] = []
        switch node.verb {
        case .parallel(let plan):
            join = plan.join
            total = plan.branches.count
            parts = plan.branches.compactMap { steps[record.path.child(program.nodes[$0].id)]?.settled.status }
        case .loop(let plan):
            join = plan.join
            total = items[record.path]?.count
            parts = (iterations[record.path] ?? []).compactMap { steps[StepPath("\(record.path)[\($0)]")]?.settled.status }
        case .agent, .set, .nothing, .validate, .fail, .succeed, .sleep, .emit, .wait, .workflow, .block, .choice, .machine: return
        }
        guard begun.contains(record.path) else { return }
        let prefixes = [record.path.text + "[", record.path.text + "."]
        for path in Array(tasks.keys) + Array(live.keys) where prefixes.contains(where: { path.text.hasPrefix($0) }) {
            throw Violation("joins", "\(record.path) settles while \(path) is live")
        }
        let ok = parts.count { $0 == .succeeded }
        let failed = parts.count { $0 == .failed }
        guard record.settled.status == .succeeded, steps[StepPath(record.path.text + "/catch")] == nil else { return }
        if join.onDeadline == .partial, join.deadline != nil { return }
        if case .loop(let plan) = node.verb, plan.breakIf != nil { return }
        if events.contains(where: { $0.kind == "adjusted" && $0.path == record.path }) { return }
        let count = total ?? parts.count
        // Who waited for everything has everything.
        if join.onError == .continue {
            guard ok + failed >= count || isEnough(join.rule, ok, failed, count) else {
                throw Violation("joins", "\(record.path) is joined early")
            }
            return
        }
        guard isEnough(join.rule, ok, failed, count) else {
            throw Violation("joins", "\(record.path) succeeds with \(ok) of \(count), \(failed) failed: \(join.rule)")
        }
    }

    private func isEnough(_ rule: JoinPolicy.Rule, _ ok: Int, _ failed: Int, _ total: Int) -> Bool {
        switch rule {
        case .all: ok == total
        case .any, .first: ok >= 1
        case .quorum(let count): ok >= count
        case .ratio(let share): Double(ok) >= Double(share.partsPerMillion) / 1_000_000 * Double(total) - 0.000_01
        case .tolerate(let count): ok + failed == total && failed <= count
        case .tolerateShare(let share):
            ok + failed == total && Double(failed) <= Double(share.partsPerMillion) / 1_000_000 * Double(total) + 0.000_01
        }
    }

    // I11: where nothing starts any more, what still comes back is not applied. Only a scope may have been failing before.
    func checkLateResult(_ record: StepRecord, _ node: Node) throws(Violation) {
        let isScope = if case .agent = node.verb { false } else { true }
        guard record.settled.status == .cancelled || record.settled.status == .skipped || (isScope && record.settled.status == .failed)
        else {
            throw Violation("I11", "\(record.path) is \(record.settled.status) although nothing of it is wanted any more")
        }
    }

    // I15: the next attempt is one that the policy grants.
    func checkPolicy(_ node: Node, _ path: StepPath, from row: TaskRow, to task: TaskFacts) throws(Violation) {
        guard let outcome = row.outcome else { throw Violation("rows", "\(path) goes on without an outcome") }
        switch outcome.status {
        case .lost:
            guard task.attempt == row.attempt, task.losses == row.losses + 1, task.losses <= EngineDefaults.lossLimit,
                task.retryCounts == row.retryCounts
            else { throw Violation("I15", "\(path): a lost worker uses up no attempt, and counts as one loss") }
        case .released, .cancelled:
            guard task.attempt == row.attempt, task.losses == row.losses, task.retryCounts == row.retryCounts else {
                throw Violation("I15", "\(path): what is given back uses up nothing")
            }
        case .succeeded, .failed, .timedOut:
            guard task.attempt == row.attempt + 1, task.losses == row.losses else {
                throw Violation("I15", "\(path): attempt \(task.attempt) follows \(row.attempt)")
            }
            let entries = node.retry.entries
            let before = row.retryCounts + Array(repeating: 0, count: max(0, task.retryCounts.count - row.retryCounts.count))
            let grown = task.retryCounts.indices.filter { task.retryCounts[$0] != before[$0] }
            guard grown.count == 1, let index = grown.first, index < entries.count, task.retryCounts[index] == before[index] + 1,
                task.retryCounts[index] < entries[index].maxAttempts
            else { throw Violation("I15", "\(path) is tried again, which its policy does not grant: \(task.retryCounts)") }
            if let asked = outcome.failure?.retryAfter {
                guard task.lastDelay == min(max(asked, .zero), .seconds(86_400)) else {
                    throw Violation("I15", "\(path) does not wait as asked")
                }
            } else {
                guard task.lastDelay <= entries[index].maxDelay else { throw Violation("I15", "\(path) waits too long") }
            }
        }
    }

    /// The entry of a policy that a failure falls under; nil when it is not tried again whatever was counted.
    static func retryIndex(_ entries: [RetryEntry], for failure: Failure) -> Int? {
        let mayPass: Set<FailureType> = [.timeout, .connect, .tls, .serverError, .rateLimited, .protocolError, .exit, .signal, .custom]
        return entries.firstIndex { policy in
            guard let names = policy.on else { return mayPass.contains(failure.type) }
            return names.contains { $0 == failure.type.rawValue || $0 == failure.code || ($0 == "*" && mayPass.contains(failure.type)) }
        }
    }

    // I15: no attempt that the policy grants is kept back. The failure is the attempt's: where it is being caught, the step may have
    // another one in the end.
    private func checkExhausted(_ failure: Failure, of outcome: TaskOutcome) throws(Violation) {
        let entries = try node(outcome.path).retry.entries
        guard outcome.status != .lost, !outcome.task.isUnwanted, let index = Self.retryIndex(entries, for: failure) else { return }
        let policy = entries[index]
        let counts = outcome.task.retryCounts
        guard policy.maxElapsed != nil || (index < counts.count ? counts[index] : 0) + 1 >= policy.maxAttempts else {
            throw Violation("I15", "\(outcome.path) is not tried again, although its policy grants it")
        }
    }

    // I12: what an attempt leads to is exactly one thing, in the same transaction.
    func checkSuccessor(of outcome: TaskOutcome, _ commands: [Command]) throws(Violation) {
        var successors = 0
        var attempts = 0
        var settling: Failure?
        var recorded: Failure?
        var isCaught = false
        for command in commands {
            switch command {
            case .requeue(let path, _), .backOff(let path, _, _): if path == outcome.path { successors += 1 }
            case .recordStep(let record):
                guard record.path == outcome.path else { continue }
                successors += 1
                if record.attempt?.fence == outcome.fence {
                    attempts += 1
                    settling = record.settled.failure
                }
            case .recordAttempt(let record):
                if record.path == outcome.path, record.outcome.fence == outcome.fence {
                    attempts += 1
                    recorded = record.outcome.failure
                }
            // Its failure is being caught; the block that does it may be over with it.
            case .keep(let path, _, .caught(let caught)) where path == outcome.path:
                let ends = commands.contains { if case .recordStep(let record) = $0 { record.path == outcome.path } else { false } }
                let isFirst = caught.block.live == 1 && caught.block.ending == nil
                if isFirst { isCaught = true }
                if !ends, isFirst { successors += 1 }
            case .enqueue, .wake, .dequeue, .tellWorker, .setTimer, .removeTimer, .keepItems, .startChild, .cancelChild, .wait, .endWait,
                .consume, .refuse, .dropEvent, .emit, .chain, .keep, .drop, .recordEvent, .end:
                continue
            }
        }
        if let failure = isCaught ? recorded : settling { try checkExhausted(failure, of: outcome) }
        guard successors == 1 else { throw Violation("I12", "\(outcome.path) \(outcome.status) leads to \(successors) things") }
        guard attempts == 1 else { throw Violation("I12", "the attempt of \(outcome.path) is in the history \(attempts) times") }
    }

    // A fold hands in nothing that is wrong; only what is not about a task may come too late.
    func checkRefusal(_ rejection: Rejection, of input: Input) throws(Violation) {
        switch (input, rejection) {
        case (.timer, .alreadySettled), (.timer, .staleTask), (.timer, .alreadyEnded): return
        case (.event, .alreadySettled), (.event, .staleTask), (.event, .alreadyEnded): return
        case (.childEnded, .alreadySettled), (.childEnded, .staleTask), (.childEnded, .alreadyEnded): return
        case (.adjust, .alreadySettled), (.adjust, .staleTask), (.adjust, .alreadyEnded), (.adjust, .unknownStep): return
        case (.outcome, .alreadyEnded), (.cancel, .alreadyEnded): return
        case (.start, _), (.outcome, _), (.timer, _), (.cancel, _), (.event, _), (.childEnded, _), (.adjust, _):
            throw Violation("refusals", "\(input) was refused: \(rejection)")
        }
    }
}
