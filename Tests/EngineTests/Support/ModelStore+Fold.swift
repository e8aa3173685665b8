// The fold of the model store: what is due becomes decisions, and decisions become rows, in one transaction.

import Engine
import WorkflowModel

extension ModelStore {
    /// Where a coordinator takes the frame of a fold from.
    enum FrameSource: CaseIterable {
        /// What it remembers from the last fold, if it does.
        case kept
        /// All rows of the run, read at once.
        case rebuilt
        /// Nothing; it looks up what the engine asks for.
        case asked
    }

    /// What becomes of a fold's transaction.
    enum Fate {
        case committed
        /// It is rolled back; nothing of it is ever seen.
        case crashed
        /// It is committed, and the coordinator dies before it can remember its frame.
        case forgotten
    }

    /// What was decided on one input.
    enum Decision {
        case commands([Command])
        case refused(Rejection)

        var fingerprint: String {
            switch self {
            case .commands(let commands): commands.map(\.fingerprint).joined(separator: "\n")
            case .refused(let rejection): "refused: \(rejection)"
            }
        }
    }

    /// The same, with whether the run was ending before.
    struct Decided {
        let decision: Decision
        let wasEnding: Bool
    }

    /// Folds what is due.
    ///
    /// - Parameters:
    ///   - limit: how many outcomes this transaction takes at most.
    ///   - sources: the frames to decide with; when there are several, all must lead to the same decisions.
    ///   - fate: what becomes of the transaction.
    ///   - meanwhile: what others do between the decisions and the commit, given the steps whose task rows this transaction has locked.
    mutating func fold(
        limit: Int = .max, sources: [FrameSource] = FrameSource.allCases, fate: Fate = .committed,
        meanwhile: (inout ModelStore, Set<Int>) -> Void = { _, _ in }
    ) throws {
        guard ending == nil else { return }
        let inputs = dueInputs(limit: limit)
        var decided: (decisions: [Decided], frame: Frame, locked: Set<Int>)?
        for source in sources where source != .kept || keptFrame != nil {
            let result = try decideAll(inputs, with: frame(source))
            if let first = decided {
                let (left, right) = (first.decisions.map(\.decision.fingerprint), result.decisions.map(\.decision.fingerprint))
                if left != right { throw Violation("same facts, same decision", "\(source) decided\n\(right)\ninstead of\n\(left)") }
            } else {
                decided = result
            }
        }
        let (decisions, frame, locked) = try decided ?? decideAll(inputs, with: self.frame(.rebuilt))
        keptFrame = nil
        meanwhile(&self, locked)
        // What others did meanwhile stays.
        guard fate != .crashed else { return }
        try apply(decisions, of: inputs, frame: frame)
        if fate == .committed, ending == nil {
            var frame = frame
            frame.committed()
            keptFrame = frame
        }
        try checkAll()
    }

    // In the order in which the real fold takes them.
    private func dueInputs(limit: Int) -> [Input] {
        var inputs: [Input] = tasks.compactMap { $0?.outcome }.sorted { $0.fence < $1.fence }.prefix(limit).map { .outcome($0) }
        for order in orders {
            switch order {
            case .start: inputs.append(.start)
            case .cancel: continue
            }
        }
        for (node, dueAt) in backoffs.enumerated() {
            if let dueAt, dueAt <= now { inputs.append(.backoffElapsed(outline.entries[node].path)) }
        }
        if let deadline, deadline <= now { inputs.append(.deadlinePassed) }
        if run.cancelRequested, run.root?.ending == nil {
            if run.root == nil { inputs.removeAll() }
            inputs.insert(.cancel(reason: run.cancelReason), at: 0)
        }
        return inputs
    }

    private func frame(_ source: FrameSource) -> Frame {
        var run = run
        switch source {
        case .kept:
            if var frame = keptFrame {
                frame.refresh(cancelRequested: run.cancelRequested, cancelReason: run.cancelReason)
                return frame
            }
            return frame(.rebuilt)
        case .rebuilt:
            run.input = runInput
            var facts: [StepPath: StepFacts] = [:]
            for entry in outline.entries { facts[entry.path] = self.facts(of: entry.index, locked: false) }
            return Frame(program: program, run: run, steps: facts, isComplete: true)
        case .asked: return Frame(program: program, run: run, isComplete: run.root == nil)
        }
    }

    private func decideAll(
        _ inputs: [Input], with first: Frame
    ) throws(Violation) -> (decisions: [Decided], frame: Frame, locked: Set<Int>) {
        var frame = first
        var locked: Set<Int> = []
        var decisions: [Decided] = []
        for input in inputs {
            let wasEnding = frame.run.root?.ending != nil
            decisions.append(Decided(decision: try decide(input, &frame, &locked), wasEnding: wasEnding))
        }
        return (decisions, frame, locked)
    }

    /// One decision, with the facts that the engine asks for.
    func decide(_ input: Input, _ frame: inout Frame, _ locked: inout Set<Int>) throws(Violation) -> Decision {
        // Each round teaches the frame something new, so there can be no more rounds than facts.
        for _ in 0...(2 * outline.entries.count + 2) {
            do throws(Rejection) {
                return .commands(try Engine.decide(&frame, input, at: now))
            } catch {
                guard case .incomplete(let missing) = error else { return .refused(error) }
                if missing.isEmpty { throw Violation("questions", "the engine asked for nothing") }
                if missing.input { frame.add(input: runInput) }
                var facts: [(StepPath, StepFacts)] = []
                for path in missing.steps {
                    guard let node = outline.index(of: path) else { throw Violation("questions", "there is no step \(path)") }
                    facts.append((path, self.facts(of: node, locked: false) ?? .notStarted))
                }
                for path in missing.lockedTasks {
                    guard let node = outline.index(of: path) else { throw Violation("questions", "there is no step \(path)") }
                    facts.append((path, self.facts(of: node, locked: true) ?? .notStarted))
                    locked.insert(node)
                }
                frame.add(facts)
            }
        }
        throw Violation("questions", "the engine asked again and again for \(input)")
    }

    // MARK: Writing

    private mutating func apply(_ decisions: [Decided], of inputs: [Input], frame: Frame) throws {
        for (input, decided) in zip(inputs, decisions) {
            // Once the run is ending, or its cancellation is acknowledged, nothing starts.
            let isOver = run.cancelRequested || decided.wasEnding
            switch decided.decision {
            case .commands(let commands):
                for command in commands {
                    guard ending == nil else { throw Violation("I2", "\(command.line) after the ending") }
                    journal.append(command.line)
                    try apply(command, isOver: isOver)
                }
                if case .outcome(let outcome) = input { try checkSuccessor(of: outcome, commands) }
            case .refused(let rejection): try checkRefusal(rejection, of: input)
            }
            if case .deadlinePassed = input { deadline = nil }
        }
        orders = []
        let (requested, reason) = (run.cancelRequested, run.cancelReason)
        run = frame.run
        run.input = nil
        run.cancelRequested = requested || frame.run.cancelRequested
        run.cancelReason = reason
        if ending != nil { deadline = nil }
    }

    private func node(_ path: StepPath) throws(Violation) -> Int {
        guard let node = outline.index(of: path) else { throw Violation("paths", "there is no step \(path)") }
        return node
    }

    private mutating func apply(_ command: Command, isOver: Bool) throws {
        switch command {
        case .enqueue(let path, let index, let input):
            let node = try node(path)
            guard index == node else { throw Violation("numbering", "\(path) is \(node), not \(index)") }
            guard tasks[node] == nil, steps[node] == nil else { throw Violation("I4", "\(path) is enqueued twice") }
            guard !isOver else { throw Violation("I11", "\(path) is enqueued in a run that is ending") }
            try checkMayStart(node)
            tasks[node] = TaskRow(input: input)
        case .requeue(let path, let task):
            guard !isOver else { throw Violation("I11", "\(path) is requeued in a run that is ending") }
            try putBack(try node(path), task, .ready)
        case .backOff(let path, let task, let dueAt):
            guard !isOver else { throw Violation("I11", "\(path) backs off in a run that is ending") }
            guard dueAt > now else { throw Violation("I18", "the timer of \(path) is due already") }
            let node = try node(path)
            try putBack(node, task, .waiting)
            backoffs[node] = dueAt
        case .wake(let path):
            let node = try node(path)
            guard !isOver else { throw Violation("I11", "\(path) wakes in a run that is ending") }
            guard tasks[node]?.state == .waiting, let dueAt = backoffs[node] else { throw Violation("timers", "\(path) does not wait") }
            guard dueAt <= now else { throw Violation("I18", "\(path) wakes early") }
            tasks[node]?.state = .ready
            backoffs[node] = nil
        case .dequeue(let path, let hasTimer):
            let node = try node(path)
            guard let row = tasks[node] else { throw Violation("rows", "\(path) has no task to remove") }
            guard row.state != .leased else { throw Violation("I6", "the task of \(path) is removed while a worker has it") }
            guard hasTimer == (backoffs[node] != nil) else { throw Violation("timers", "\(path): the timer is not what the engine thinks") }
            tasks[node] = nil
            backoffs[node] = nil
        case .tellWorker(let path):
            let node = try node(path)
            guard tasks[node]?.state == .leased || tasks[node]?.state == .settled else {
                throw Violation("rows", "no worker has \(path), and one is told")
            }
            told.insert(node)
        case .keep(let path, let index, let facts):
            let node = try node(path)
            guard index == node else { throw Violation("numbering", "\(path) is \(node), not \(index)") }
            guard steps[node] == nil, tasks[node] == nil else { throw Violation("rows", "\(path) is two things at once") }
            if case .block = facts, liveSteps[node] == nil || liveSteps[node]?.isPending == true { try checkMayStart(node) }
            if case .block(let block) = facts, case .failed(let failure) = block.ending { try checkCause(of: node, failure) }
            liveSteps[node] = facts
        case .drop(let path):
            let node = try node(path)
            guard liveSteps[node] != nil else { throw Violation("rows", "\(path) has no row among the live steps") }
            liveSteps[node] = nil
        case .recordStep(let record): try apply(record, isOver: isOver)
        case .recordAttempt(let record):
            try takeNumber(record.sequence)
            if attempts.contains(where: { $0.path == record.path && $0.outcome.fence == record.outcome.fence }) {
                throw Violation("I4", "attempt \(record.outcome.fence) of \(record.path) is recorded twice")
            }
            attempts.append(record)
        case .recordEvent(let record):
            try takeNumber(record.sequence)
            events.append(record)
        case .end(let ending):
            try takeNumber(run.historyLength + 1)
            self.ending = ending
        }
    }

    private mutating func apply(_ record: StepRecord, isOver: Bool) throws {
        let node = try node(record.path)
        try takeNumber(record.sequence)
        guard record.node == node else { throw Violation("numbering", "\(record.path) is \(node), not \(record.node)") }
        guard steps[node] == nil else { throw Violation("I4", "\(record.path) settles twice") }
        guard record.settled.status.isSettled else { throw Violation("statuses", "\(record.path) settles as \(record.settled.status)") }
        guard tasks[node] == nil, liveSteps[node] == nil else { throw Violation("rows", "\(record.path) has settled and is live") }
        if let attempt = record.attempt, attempt.fence != fences[node] {
            throw Violation("I5", "\(record.path) settles under \(attempt.fence), the highest fence is \(String(describing: fences[node]))")
        }
        try checkAnswer(record, node)
        if isOver || isInEndingBlock(node) { try checkLateResult(record, node) }
        steps[node] = record
    }

    private mutating func takeNumber(_ sequence: Int) throws(Violation) {
        guard sequence == run.historyLength + 1 else {
            throw Violation("I28", "number \(sequence) follows \(run.historyLength) in the history")
        }
        run.historyLength = sequence
    }

    // The row is free again, for the same or the next attempt.
    private mutating func putBack(_ node: Int, _ task: TaskFacts, _ state: TaskRow.State) throws(Violation) {
        let path = outline.entries[node].path
        guard let row = tasks[node], row.state == .settled else { throw Violation("rows", "\(path) has no settled task") }
        try checkPolicy(node, from: row, to: task)
        tasks[node] = TaskRow(
            state: state, attempt: task.attempt, losses: task.losses, retryCounts: task.retryCounts, lastDelay: task.lastDelay,
            startedAt: task.startedAt, input: row.input)
    }
}

extension LiveStepFacts {
    var isPending: Bool { if case .pending = self { true } else { false } }
}
