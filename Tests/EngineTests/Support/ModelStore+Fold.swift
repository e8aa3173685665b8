// The fold of the model store: what is due becomes decisions, and decisions become rows, in one transaction.

import Engine
import Simulation
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
            // A frame that has forgotten a step cannot tell that it has settled from that it never was.
            case .refused(.alreadySettled(let path)), .refused(.staleTask(let path)): "refused: \(path) is over"
            case .refused(let rejection): "refused: \(rejection)"
            }
        }
    }

    /// The same, with whether the run was ending before.
    struct Decided {
        let input: Input
        let decision: Decision
        let wasEnding: Bool
        // The root block after it.
        let root: BlockFacts?
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
        meanwhile: (inout ModelStore, Set<StepPath>) -> Void = { _, _ in }
    ) throws {
        guard ending == nil else { return }
        let inputs = dueInputs(limit: limit)
        var decided: (decisions: [Decided], frame: Frame, locked: Set<StepPath>)?
        for source in sources where source != .kept || keptFrame != nil {
            let result = try decideAll(inputs, with: frame(source))
            if let first = decided {
                let (left, right) = (first.decisions.map(\.decision.fingerprint), result.decisions.map(\.decision.fingerprint))
                if left != right {
                    throw Violation("same facts, same decision", "\(source) decided\n\(right)\ninstead of\n\(left)\nfor \(inputs)")
                }
            } else {
                decided = result
            }
        }
        let (decisions, frame, locked) = try decided ?? decideAll(inputs, with: self.frame(.rebuilt))
        keptFrame = nil
        meanwhile(&self, locked)
        // What others did meanwhile stays.
        guard fate != .crashed else { return }
        try apply(decisions, frame: frame)
        if fate == .committed, ending == nil {
            var frame = frame
            frame.committed()
            keptFrame = frame
        }
        try checkAll()
    }

    // In the order in which the real fold takes them.
    private func dueInputs(limit: Int) -> [Input] {
        var inputs: [Input] = tasks.values.compactMap(\.outcome).sorted { $0.fence < $1.fence }.prefix(limit).map { .outcome($0) }
        for order in orders {
            switch order {
            case .start: inputs.append(.start)
            case .cancel: if run.root?.ending != nil { inputs.append(.cancel(reason: run.cancelReason)) }
            case .adjust(let path, let change): inputs.append(.adjust(path: path, change))
            }
        }
        for (_, child) in children.sorted(by: { $0.key < $1.key }) { if let ending = child.ending { inputs.append(.childEnded(ending)) } }
        for (path, index) in matches { inputs.append(.event(wait: path, arrivals[index].facts)) }
        let due = timers.filter { $0.value.dueAt <= now }
            .sorted {
                ($0.value.dueAt, $0.key.path?.text ?? "", $0.key.kind.rawValue) < (
                    $1.value.dueAt, $1.key.path?.text ?? "", $1.key.kind.rawValue
                )
            }
        for (key, _) in due { inputs.append(.timer(path: key.path, kind: key.kind)) }
        if let deadline, deadline <= now { inputs.append(.timer(path: nil, kind: .deadline)) }
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
            for path in Set(steps.keys).union(live.keys).union(tasks.keys) { facts[path] = self.facts(of: path, locked: false) }
            return Frame(program: program, run: run, steps: facts, isComplete: true)
        case .asked: return Frame(program: program, run: run, isComplete: run.root == nil)
        }
    }

    private func decideAll(
        _ inputs: [Input], with first: Frame
    ) throws(Violation) -> (decisions: [Decided], frame: Frame, locked: Set<StepPath>) {
        var frame = first
        var locked: Set<StepPath> = []
        var decisions: [Decided] = []
        var writing = self
        for input in inputs {
            let wasEnding = frame.run.root?.ending != nil
            let decision = try decide(input, &frame, &locked, reading: &writing)
            decisions.append(Decided(input: input, decision: decision, wasEnding: wasEnding, root: frame.run.root))
        }
        return (decisions, frame, locked)
    }

    // Only what questions are about: settled steps and collections.
    private mutating func writeHistory(_ commands: [Command]) {
        for command in commands {
            switch command {
            case .recordStep(let record): put(record)
            case .keepItems(let path, let all): items[path] = all
            // Live rows are written at the end.
            case .keep, .drop, .dequeue, .enqueue, .requeue, .backOff, .wake, .tellWorker, .setTimer, .removeTimer, .startChild,
                .cancelChild, .wait, .endWait,
                .consume, .refuse, .dropEvent, .emit, .chain, .recordAttempt, .recordEvent, .end:
                continue
            }
        }
    }

    mutating func put(_ record: StepRecord) {
        var record = record
        if let collected = record.settled.collected { record.settled.output = collect(record.path, collected) }
        steps[record.path] = record
        stepOrder.append(record.path)
        if program.nodes[record.node].placement == .iteration, let open = record.path.text.utf8.lastIndex(of: 0x5B) {
            let text = record.path.text
            if let index = Int(text[text.utf8.index(after: open)...].dropLast()) {
                iterations[StepPath(String(text[..<open])), default: []].insert(index)
            }
        }
    }

    /// One decision, with the facts that the engine asks for.
    func decide(_ input: Input, _ frame: inout Frame, _ locked: inout Set<StepPath>) throws(Violation) -> Decision {
        var tables = self
        return try decide(input, &frame, &locked, reading: &tables)
    }

    // Each round teaches the frame something new, and nothing twice; a definition needs no more than so many.
    private static let roundLimit = 400

    private func decide(
        _ input: Input, _ frame: inout Frame, _ locked: inout Set<StepPath>, reading tables: inout ModelStore
    ) throws(Violation) -> Decision {
        // What was decided before it had to be written.
        var before: [Command] = []
        var isSuspended = false
        var asked = MissingFacts()
        for _ in 0..<Self.roundLimit {
            do throws(Rejection) {
                let commands = try isSuspended ? Engine.proceed(&frame) : Engine.decide(&frame, input, at: now)
                tables.unwritten += commands
                return .commands(before + commands)
            } catch {
                let missing: MissingFacts
                switch error {
                case .incomplete(let facts): missing = facts
                case .suspended(let commands, let facts):
                    before += commands
                    isSuspended = true
                    tables.unwritten += commands
                    missing = facts
                case .wrongPhase, .alreadyEnded, .unknownStep, .alreadySettled, .staleTask: return .refused(error)
                }
                if missing.isEmpty { throw Violation("questions", "the engine asked for nothing") }
                if asked.overlaps(missing) { throw Violation("questions", "the engine asked twice: \(missing) for \(input)") }
                asked.formUnion(missing)
                // As in the store: what was decided is written at the end, or when its results are read.
                if !missing.results.isEmpty {
                    tables.writeHistory(tables.unwritten)
                    tables.unwritten = []
                }
                if missing.input { frame.add(input: runInput) }
                var facts: [(StepPath, StepFacts)] = []
                for path in missing.steps.union(missing.lockedTasks) {
                    let isLocked = missing.lockedTasks.contains(path)
                    _ = try node(path)
                    facts.append((path, tables.facts(of: path, locked: isLocked) ?? .notStarted))
                    if isLocked { locked.insert(path) }
                }
                frame.add(facts)
                for loop in missing.liveUnder {
                    let inside = Set(tables.live.keys).union(tables.tasks.keys).filter { $0.text.hasPrefix(loop.text + "[") }
                    frame.add(
                        live: inside.sorted().compactMap { path in tables.liveFacts(of: path, locked: true).map { (path, $0) } },
                        under: loop)
                    locked.formUnion(inside)
                }
                for (loop, numbers) in missing.items {
                    guard let all = tables.items[loop] else { throw Violation("questions", "\(loop) has no items") }
                    for number in numbers {
                        let start = number * LoopItems.sliceSize
                        guard start < all.count else { throw Violation("questions", "\(loop) has no slice \(number)") }
                        frame.add(items: Array(all[start..<min(start + LoopItems.sliceSize, all.count)]), ofSlice: number, at: loop)
                    }
                }
                for loop in missing.results {
                    guard tables.steps[loop] != nil else {
                        throw Violation("questions", "\(loop) has not settled, and its results are read")
                    }
                    frame.add(results: tables.results(of: loop), of: loop)
                }
            }
        }
        throw Violation("questions", "the engine asked again and again for \(input)")
    }
}

extension MissingFacts {
    fileprivate func overlaps(_ other: MissingFacts) -> Bool {
        (input && other.input) || !steps.isDisjoint(with: other.steps) || !lockedTasks.isDisjoint(with: other.lockedTasks)
            || !liveUnder.isDisjoint(with: other.liveUnder) || !results.isDisjoint(with: other.results)
            || items.contains { loop, numbers in other.items[loop].map { !numbers.isDisjoint(with: $0) } ?? false }
    }

    fileprivate mutating func formUnion(_ other: MissingFacts) {
        input = input || other.input
        steps.formUnion(other.steps)
        lockedTasks.formUnion(other.lockedTasks)
        liveUnder.formUnion(other.liveUnder)
        results.formUnion(other.results)
        items.merge(other.items) { $0.union($1) }
    }
}
