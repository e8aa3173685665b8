// The promises, checked with every command and after every fold.

import Engine
import Expressions
import WorkflowModel

extension ModelStore {
    // MARK: With a command

    // I7, I9: a step starts when its block is under way, what it needs has settled, and its condition holds.
    func checkMayStart(_ node: Int) throws(Violation) {
        let entry = outline.entries[node]
        if let parent = entry.parent {
            guard case .block(let block) = liveSteps[parent] else {
                throw Violation("I9", "\(entry.path) starts in a block that is not under way")
            }
            guard block.ending == nil else { throw Violation("I9", "\(entry.path) starts in a block that is ending") }
        }
        for need in entry.needs where steps[need] == nil {
            throw Violation("I7", "\(entry.path) starts before \(outline.entries[need].path) has settled")
        }
        if outline.isGraph(entry.parent), !entry.needs.isEmpty,
            entry.needs.allSatisfy({ steps[$0]?.settled.status == .skipped })
        {
            throw Violation("needs", "\(entry.path) starts although all its needs were skipped")
        }
        guard outline.conditionHolds(node, scope(of: node)) == true else {
            throw Violation("I9", "\(entry.path) starts although its condition does not hold")
        }
    }

    func scope(of node: Int) -> Scope {
        outline.scope(in: outline.entries[node].parent, input: runInput.value) { settledValue($0) }
    }

    // I8: what a step's row says of attempts fits what the step is.
    func checkAnswer(_ record: StepRecord, _ node: Int) throws(Violation) {
        let entry = outline.entries[node]
        let settled = record.settled
        switch settled.status {
        case .succeeded:
            guard entry.isAgent == (record.attempt != nil) else { throw Violation("I8", "\(entry.path) has a result without an attempt") }
            guard settled.output != nil, settled.failure == nil else { throw Violation("I8", "\(entry.path) succeeded without output") }
            if case .set = entry.step.verb { try checkMayStart(node) }
        case .failed: guard settled.failure != nil else { throw Violation("I8", "\(entry.path) failed without a failure") }
        case .skipped:
            guard settled.output == nil, settled.attempts == 0, record.attempt == nil else {
                throw Violation("I8", "\(entry.path) was skipped and has a result")
            }
            let allSkipped = !entry.needs.isEmpty && entry.needs.allSatisfy { steps[$0]?.settled.status == .skipped }
            guard outline.conditionHolds(node, scope(of: node)) == false || (outline.isGraph(entry.parent) && allSkipped) else {
                throw Violation("skipping", "\(entry.path) was skipped without a reason")
            }
        case .cancelled:
            guard settled.output == nil, record.attempt == nil else {
                throw Violation("I11", "\(entry.path) was cancelled and has a result")
            }
        case .pending, .ready, .running, .waiting: throw Violation("statuses", "\(entry.path) settles as \(settled.status)")
        }
        guard record.losses <= EngineDefaults.lossLimit + 1 else { throw Violation("I15", "\(entry.path) lost \(record.losses) workers") }
    }

    // I11: where nothing starts any more, what still comes back is not applied. Only a block may have been failing before.
    func checkLateResult(_ record: StepRecord, _ node: Int) throws(Violation) {
        let entry = outline.entries[node]
        guard record.settled.status == .cancelled || (entry.isBlock && record.settled.status == .failed) else {
            throw Violation("I11", "\(entry.path) is \(record.settled.status) although nothing of it is wanted any more")
        }
    }

    func isInEndingBlock(_ node: Int) -> Bool {
        var parent = outline.entries[node].parent
        while let block = parent {
            if case .block(let facts) = liveSteps[block], facts.ending != nil { return true }
            parent = outline.entries[block].parent
        }
        return false
    }

    // I15: the next attempt is one that the policy grants.
    func checkPolicy(_ node: Int, from row: TaskRow, to task: TaskFacts) throws(Violation) {
        let entry = outline.entries[node]
        guard let outcome = row.outcome else { throw Violation("rows", "\(entry.path) goes on without an outcome") }
        switch outcome.status {
        case .lost:
            guard task.attempt == row.attempt, task.losses == row.losses + 1, task.losses <= EngineDefaults.lossLimit,
                task.retryCounts == row.retryCounts
            else { throw Violation("I15", "\(entry.path): a lost worker uses up no attempt, and counts as one loss") }
        case .released, .cancelled:
            guard task.attempt == row.attempt, task.losses == row.losses, task.retryCounts == row.retryCounts else {
                throw Violation("I15", "\(entry.path): what is given back uses up nothing")
            }
        case .succeeded, .failed, .timedOut:
            guard task.attempt == row.attempt + 1, task.losses == row.losses else {
                throw Violation("I15", "\(entry.path): attempt \(task.attempt) follows \(row.attempt)")
            }
            let entries = outline.retry(of: entry)
            let before = row.retryCounts + Array(repeating: 0, count: max(0, task.retryCounts.count - row.retryCounts.count))
            let grown = task.retryCounts.indices.filter { task.retryCounts[$0] != before[$0] }
            guard grown.count == 1, let index = grown.first, index < entries.count, task.retryCounts[index] == before[index] + 1,
                task.retryCounts[index] < entries[index].maxAttempts
            else { throw Violation("I15", "\(entry.path) is tried again, which its policy does not grant: \(task.retryCounts)") }
            if let asked = outcome.failure?.retryAfter {
                guard task.lastDelay == min(max(asked, .zero), .seconds(86_400)) else {
                    throw Violation("I15", "\(entry.path) does not wait as asked")
                }
            } else {
                guard task.lastDelay <= entries[index].maxDelay else { throw Violation("I15", "\(entry.path) waits too long") }
            }
        }
    }

    // I15: no attempt that the policy grants is kept back.
    func checkExhausted(_ record: StepRecord, _ outcome: TaskOutcome) throws(Violation) {
        let entry = outline.entries[record.node]
        guard record.settled.status == .failed, outcome.status != .lost, let failure = record.settled.failure,
            let index = outline.retryIndex(of: entry, for: failure)
        else { return }
        let policy = outline.retry(of: entry)[index]
        let counts = outcome.task.retryCounts
        guard policy.maxElapsed != nil || (index < counts.count ? counts[index] : 0) + 1 >= policy.maxAttempts else {
            throw Violation("I15", "\(entry.path) is not tried again, although its policy grants it")
        }
    }

    // What fails, fails for a reason: a step of it that does not let it go on, or its own output.
    func checkCause(of block: Int?, _ failure: Failure?) throws(Violation) {
        let name = block.map { outline.entries[$0].path.text } ?? "the run"
        let children = outline.children(of: block)
        if let path = failure?.path, let cause = outline.index(of: path) {
            let isFirst = !outline.entries[cause].children.contains { failsItsBlock($0) }
            guard isFirst, children.contains(where: { failsItsBlock($0) }) || cause == block else {
                throw Violation("I12", "\(name) fails because of \(path), which is not the first to blame")
            }
        } else {
            guard children.allSatisfy({ steps[$0] != nil && !failsItsBlock($0) }) else {
                throw Violation("I12", "\(name) fails without a step that is to blame")
            }
        }
    }

    private func failsItsBlock(_ node: Int) -> Bool {
        steps[node]?.settled.status == .failed && outline.entries[node].step.onError == .fail
    }

    // I12: what an attempt leads to is exactly one thing, in the same transaction.
    func checkSuccessor(of outcome: TaskOutcome, _ commands: [Command]) throws(Violation) {
        var successors = 0
        var attempts = 0
        for command in commands {
            switch command {
            case .requeue(let path, _), .backOff(let path, _, _): if path == outcome.path { successors += 1 }
            case .recordStep(let record):
                guard record.path == outcome.path else { continue }
                successors += 1
                try checkExhausted(record, outcome)
                if record.attempt?.fence == outcome.fence { attempts += 1 }
            case .recordAttempt(let record):
                if record.path == outcome.path, record.outcome.fence == outcome.fence { attempts += 1 }
            case .enqueue, .wake, .dequeue, .tellWorker, .keep, .drop, .recordEvent, .end: continue
            }
        }
        guard successors == 1 else { throw Violation("I12", "\(outcome.path) \(outcome.status) leads to \(successors) things") }
        guard attempts == 1 else { throw Violation("I12", "the attempt of \(outcome.path) is in the history \(attempts) times") }
    }

    // A fold hands in nothing that is wrong; only a timer or an order may come too late.
    func checkRefusal(_ rejection: Rejection, of input: Input) throws(Violation) {
        switch (input, rejection) {
        case (.backoffElapsed, .alreadySettled), (.backoffElapsed, .alreadyEnded), (.deadlinePassed, .alreadyEnded): return
        case (.start, _), (.outcome, _), (.backoffElapsed, _), (.deadlinePassed, _), (.cancel, _):
            throw Violation("refusals", "\(input) was refused: \(rejection)")
        }
    }

    // MARK: After a fold

    func checkAll() throws(Violation) {
        if ending != nil {
            try checkNothingIsLeft()
        } else {
            try checkCounters(of: nil, run.root)
            for entry in outline.entries {
                if case .block(let facts) = liveSteps[entry.index] { try checkCounters(of: entry.index, facts) }
                if case .pending(let facts) = liveSteps[entry.index] { try checkPending(entry, facts) }
            }
            try checkNotStuck()
            try checkKeptFrame()
        }
    }

    // Counters equal what they count.
    private func checkCounters(of block: Int?, _ facts: BlockFacts?) throws(Violation) {
        let name = block.map { outline.entries[$0].path.text } ?? "the run"
        guard let facts else { throw Violation("counters", "\(name) is not under way") }
        let children = outline.children(of: block)
        let live = children.count { child in
            if case .block = liveSteps[child] { return true }
            return tasks[child] != nil
        }
        let settled = children.count { steps[$0] != nil }
        guard facts.live == live else { throw Violation("counters", "\(name) has \(live) live steps, and counts \(facts.live)") }
        let unsettled = outline.isGraph(block) ? children.count - settled : 0
        guard facts.unsettled == unsettled else {
            throw Violation("counters", "\(name) has \(unsettled) unsettled steps, and counts \(facts.unsettled)")
        }
        if let block, facts.ending == nil, let parent = outline.entries[block].parent, case .block(let outer) = liveSteps[parent],
            outer.ending != nil
        {
            throw Violation("I9", "\(name) goes on although the block around it is ending")
        }
        if block != nil, facts.ending == nil, run.root?.ending != nil {
            throw Violation("I9", "\(name) goes on although the run is ending")
        }
        guard live > 0 else { throw Violation("I35", "nothing of \(name) is live, and it has not settled") }
    }

    private func checkPending(_ entry: Outline.Entry, _ facts: PendingFacts) throws(Violation) {
        let settled = entry.needs.filter { steps[$0] != nil }
        let met = settled.count { steps[$0]?.settled.status != .skipped }
        guard facts.unmet == entry.needs.count - settled.count, facts.met == met, facts.unmet > 0 else {
            throw Violation("counters", "\(entry.path) counts \(facts.unmet) unmet and \(facts.met) met needs")
        }
    }

    // I35: every unfinished run has a ready or leased task, an unfolded outcome, a timer, or an order.
    private func checkNotStuck() throws(Violation) {
        let moves = tasks.contains { $0.map { !$0.held || $0.state == .settled } ?? false }
        if !moves, backoffs.allSatisfy({ $0 == nil }), orders.isEmpty { throw Violation("I35", "the run is stuck") }
        for (node, row) in tasks.enumerated() where row?.state == .waiting && backoffs[node] == nil {
            throw Violation("I35", "\(outline.entries[node].path) waits without a timer")
        }
        for (node, dueAt) in backoffs.enumerated() where dueAt != nil && tasks[node]?.state != .waiting {
            throw Violation("timers", "there is a timer of \(outline.entries[node].path), which does not wait")
        }
        guard run.root?.ending != nil else { return }
        for (node, row) in tasks.enumerated() where row != nil {
            guard row?.state == .leased || row?.state == .settled else {
                throw Violation("I11", "\(outline.entries[node].path) is queued in a run that is ending")
            }
            guard row?.state == .settled || told.contains(node) else {
                throw Violation("cancel", "the worker of \(outline.entries[node].path) was not told")
            }
        }
    }

    private func checkNothingIsLeft() throws(Violation) {
        for entry in outline.entries where tasks[entry.index] != nil || liveSteps[entry.index] != nil || backoffs[entry.index] != nil {
            throw Violation("leftovers", "\(entry.path) has rows although the run has ended")
        }
        guard let ending else { return }
        let failed = outline.roots.filter { steps[$0]?.settled.status == .failed && outline.entries[$0].step.onError == .fail }
        switch ending.status {
        case .succeeded:
            guard ending.output != nil, ending.failure == nil, failed.isEmpty else { throw Violation("I2", "a success with a failure") }
            for root in outline.roots where steps[root] == nil {
                throw Violation("I7", "the run succeeded before \(outline.entries[root].path)")
            }
        case .failed:
            guard ending.failure != nil, ending.output == nil else { throw Violation("I2", "a failure without a reason") }
            try checkCause(of: nil, ending.failure)
        case .timedOut: guard ending.failure?.type == .timeout else { throw Violation("I2", "a time-out without a reason") }
        case .cancelled:
            guard run.cancelRequested, ending.failure?.type == .cancelled else { throw Violation("I2", "nobody cancelled the run") }
        case .queued, .running, .waiting, .paused: throw Violation("I2", "\(ending.status) is no ending")
        }
    }

    // What a coordinator remembers is what the tables say.
    private func checkKeptFrame() throws(Violation) {
        guard let keptFrame else { return }
        for entry in outline.entries {
            let row = facts(of: entry.index, locked: false)
            let kept = keptFrame.steps[entry.path]
            switch (kept, row) {
            case (nil, _) where !keptFrame.isComplete: continue
            case (nil, nil), (.notStarted, nil): continue
            case (.pending(let left), .pending(let right)) where left == right: continue
            case (.block(let left), .block(let right)) where left == right: continue
            case (.settled(let left), .settled(let right))
            where left.withoutOutput == right.withoutOutput && (left.output == nil || left.output == right.output): continue
            case (.task(let left), .task(let right)) where left.fingerprint == right.fingerprint:
                // Whether a worker has it is the row's secret; what only a fold changes is known.
                guard left.phase == .waiting || right.phase == .waiting, left.phase != right.phase else { continue }
                throw Violation("frames", "\(entry.path) is \(left.phase) in the frame and \(right.phase) in its row")
            case (.notStarted, _), (.pending, _), (.task, _), (.block, _), (.settled, _), (nil, _):
                throw Violation(
                    "frames", "\(entry.path) is \(String(describing: kept)) in the frame and \(String(describing: row)) in the tables")
            }
        }
    }
}
