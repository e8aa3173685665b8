// The fold of a coordinator (RunStore): outcomes, orders and due timers become rows, under the runs' locks.

import Engine
import WorkflowModel

/// What a fold has done.
struct FoldReport {
    var runs = 0
    var refused: [(RunID, String)] = []
    var wasFull = false
    var ended: [RunID] = []
    // Whether there is something for a fold, or for the matcher.
    var leavesOrders = false
    var leavesMatches = false
}

/// A fold under way, on a transaction of a connection.
final class Fold {
    let server: Server
    let link: Link
    private let coordinator: Coordinator
    var folds: [RunFold] = []
    var changes = Changes()
    /// Whether it has locks of tasks: then it waits for no others, for workers settle many tasks in one order, and these come in another one.
    var holdsTasks = false
    private(set) var report = FoldReport()
    private var random: SeededGenerator

    // More than any definition needs.
    private static let roundLimit = 1000
    private static let descendantLimit = 200

    init(_ coordinator: Coordinator, on link: Link, random: SeededGenerator) {
        server = coordinator.world.server
        self.coordinator = coordinator
        self.link = link
        self.random = random
    }

    var tables: Tables { server.tables }

    // MARK: Due runs

    func run(limit: Int) async throws(ModelError) {
        let due = try await link.begin("fold: lock", endsIf: \.isEmpty) { transaction throws(ModelError) in
            try await self.server.lockDueRuns(transaction, limit: limit)
        }
        guard !due.isEmpty else { return }
        let read = try await link.query("fold: read") { transaction throws(ModelError) in
            try await self.server.readDue(transaction, due)
        }
        for run in due {
            let version = tables.version(run.row.version)
            let frame = frame(of: run.row, version)
            folds.append(RunFold(run.row, version, frame: frame.0, isKnown: frame.isKnown))
        }
        for task in read.outcomes { if let outcome = task.taskOutcome { give(task.run) { $0.inputs.append(.outcome(outcome)) } } }
        for order in read.orders {
            changes.inboxIDs.append(order.row.id)
            // Where nobody had marked the run as cancelled, the look has, and has its tasks' locks.
            if case .cancel = order.row.kind { holdsTasks = true }
            give(order.row.run) { $0.take(order) }
        }
        for timer in read.timers { give(timer.run) { $0.take(timer) } }
        try await lockStrayed(read.outcomes)
        for index in folds.indices { folds[index].putCancelFirst() }
        try await decideTree(at: read.now)
        report.runs = folds.count
        report.wasFull = due.contains { $0.settled.count >= limit || $0.orders.count >= limit }
        try await commit(at: read.now)
    }

    private func give(_ run: RunID, _ body: (inout RunFold) -> Void) {
        guard let index = folds.firstIndex(where: { $0.change.id == run }) else { return }
        body(&folds[index])
    }

    // What this coordinator remembers of the run, or a frame that knows nothing yet.
    private func frame(of row: RunRow, _ version: WorkflowVersion) -> (Frame, isKnown: Bool) {
        if var frame = coordinator.takeFrame(row.id, revision: row.revision) {
            frame.refresh(cancelRequested: row.cancelRequestedAt != nil, cancelReason: row.cancelReason)
            return (frame, true)
        }
        var callees: [String: CalleeFacts] = [:]
        for (name, id) in row.callees { callees[name] = tables.version(id).callee }
        let facts = RunFacts(
            id: row.id, version: 1, historyLength: row.historyLength, submittedAt: row.submittedAt, startedAt: row.startedAt,
            trigger: row.trigger, input: nil, root: row.isBegun ? row.root : nil, cancelRequested: row.cancelRequestedAt != nil,
            cancelReason: row.cancelReason, callees: callees, depth: row.depth, lineage: row.lineage, parentID: row.relatives.parent)
        return (Frame(program: version.program, run: facts, isComplete: !row.isBegun), !row.isBegun)
    }

    // MARK: Commit

    private func commit(at now: Timestamp) async throws(ModelError) {
        let runs = folds.map(\.change)
        if server.mutant == .foldInTwoTransactions { return try await commitTwice(runs, at: now) }
        try await link.commit("fold: write") { transaction throws(ModelError) in
            if self.server.mutant == .foldInMemory { transaction.isDurable = false }
            try await self.server.write(transaction, self.changes, runs, at: now)
        }
        remember()
        if server.mutant == .endingToldLater { try await tellLater(runs) }
    }

    // After the commit: what was decided is what this coordinator knows.
    private func remember() {
        report.leavesOrders =
            folds.contains { $0.change.ending != nil && $0.change.relatives.isAwaited } || !changes.refusedChildren.isEmpty
            || !changes.childCancels.isEmpty
        report.leavesMatches = !changes.events.isEmpty || !changes.emits.isEmpty || folds.contains { !$0.change.waits.isEmpty }
        for index in folds.indices {
            guard folds[index].change.ending == nil else {
                report.ended.append(folds[index].change.id)
                continue
            }
            var frame = folds[index].frame
            frame.committed()
            coordinator.keep(frame, of: folds[index].change.id, revision: folds[index].revision + 1)
        }
    }

    // The mutant: history first; what it came from goes in a transaction of its own.
    private func commitTwice(_ runs: [RunChange], at now: Timestamp) async throws(ModelError) {
        let history = changes
        try await link.commit("fold: history") { transaction throws(ModelError) in
            try await self.server.writeHistory(transaction, history)
        }
        changes.forgetWritten()
        _ = try await link.begin("fold: queue") { transaction throws(ModelError) in
            try await self.server.write(transaction, self.changes, runs, at: now)
        }
        try await link.commit("fold: queue")
        remember()
    }

    // The mutant: a parent hears of it when everything is written.
    private func tellLater(_ runs: [RunChange]) async throws(ModelError) {
        for run in runs where run.ending != nil && run.relatives.isAwaited {
            guard let parent = run.relatives.parent, let path = run.relatives.parentPath else { continue }
            try await link.call("fold: tell") { transaction throws(ModelError) in
                try await self.server.statement(transaction) { statement throws(ModelError) in
                    try await self.server.tell(statement, parent, .child(path: path, run: run.id, refused: nil))
                }
            }
        }
    }

    // MARK: Submit

    /// Begins runs that somebody has asked for, in the transaction that has taken their keys.
    func start(_ new: [NewRun], at now: Timestamp) async throws(ModelError) {
        begin(new, at: now)
        try await decideTree(at: now)
        try await commit(at: now)
    }

    private func begin(_ new: [NewRun], at now: Timestamp) {
        for run in new {
            var callees: [String: CalleeFacts] = [:]
            for name in run.version.program.callees { callees[name] = tables.liveVersion(name)?.callee }
            folds.append(RunFold(starting: run, now: now, callees: callees))
        }
    }

    // MARK: Decide

    private func decideTree(at now: Timestamp) async throws(ModelError) {
        try await decideAll(at: now)
        while !changes.children.isEmpty || !changes.chains.isEmpty {
            var new = try await takeChildren()
            new += takeChains(at: now)
            begin(new, at: now)
            try await decideAll(at: now)
        }
    }

    private func takeChildren() async throws(ModelError) -> [NewRun] {
        let starts = changes.children
        changes.children = []
        guard !starts.isEmpty else { return [] }
        var parents: [RunID: RunFold] = [:]
        for fold in folds { parents[fold.change.id] = fold }
        var counts: [RunID: Int] = [:]
        for (id, _) in starts { if let parent = parents[id] { counts[parent.change.root, default: 0] += 1 } }
        let roots = counts.keys.sorted()
        let hasRoom = try await link.query("fold: count") { transaction throws(ModelError) in
            try await self.server.statement(transaction) { statement throws(ModelError) in
                var counted: Set<RunID> = []
                for root in roots {
                    let row = TreeRow(root: root, descendants: counts[root] ?? 0)
                    let added = try await self.tables.trees.insert(
                        statement, row,
                        .update { old, new in
                            guard old.descendants + new.descendants <= Self.descendantLimit else { return false }
                            old.descendants += new.descendants
                            return true
                        })
                    if case .left = added { continue }
                    counted.insert(root)
                }
                return counted
            }
        }
        var new: [NewRun] = []
        for (id, start) in starts {
            guard let parent = parents[id] else { continue }
            let run = parent.frame.run
            guard hasRoom.contains(parent.change.root) else {
                refuse(start, of: id, Failure(type: .limit, code: "E_TOO_MANY_DESCENDANTS", message: "too many runs"))
                continue
            }
            guard let callee = run.callees[start.workflow] else {
                refuse(start, of: id, Failure(type: .custom, code: "E_UNUSABLE_VERSION", message: "no such version"))
                continue
            }
            new.append(
                NewRun(
                    id: start.runID, version: tables.version(callee.versionID), input: start.input, trigger: "workflow",
                    depth: run.depth + 1, lineage: run.lineage + [parent.change.version.name],
                    relatives: Relatives(
                        parent: run.id, parentPath: start.path, parentAttempt: start.attempt, isAwaited: start.isAwaited,
                        followsParent: start.followsParent, root: parent.change.root)))
        }
        return new
    }

    private func refuse(_ start: ChildStart, of parent: RunID, _ failure: Failure) {
        if start.isAwaited { changes.refusedChildren.append((parent, start, failure)) } else {
            changes.letters.append((parent, start.workflow, failure))
        }
    }

    private func takeChains(at now: Timestamp) -> [NewRun] {
        let starts = changes.chains
        changes.chains = []
        return starts.compactMap { id, start in
            guard let source = folds.first(where: { $0.change.id == id }) else { return nil }
            guard case .input(let input) = start.start else {
                if case .failed(let failure) = start.start { changes.letters.append((id, start.workflow, failure)) }
                return nil
            }
            guard let version = tables.liveVersion(start.workflow) else {
                changes.letters.append(
                    (id, start.workflow, Failure(type: .custom, code: "E_UNKNOWN_WORKFLOW", message: "there is no such workflow")))
                return nil
            }
            let run = source.frame.run
            return NewRun(
                id: RunID(.version7(unixMilliseconds: now.microseconds / 1000, random: &random)), version: version, input: input,
                trigger: start.trigger.rawValue, depth: run.depth + 1, lineage: run.lineage + [source.change.version.name],
                relatives: Relatives(source: run.id))
        }
    }

    private func decideAll(at now: Timestamp) async throws(ModelError) {
        try await loadSmallRuns()
        var last: [MissingFacts] = []
        for _ in 0..<Self.roundLimit {
            var missing: [(Int, MissingFacts)] = []
            for index in folds.indices { if let facts = decide(index, at: now) { missing.append((index, facts)) } }
            if missing.isEmpty { return }
            try await load(missing)
            last = missing.map(\.1)
        }
        coordinator.world.report("questions", "the engine asked again and again: \(last)")
    }

    // Takes the inputs that are left; answers with what is missing for the next one.
    private func decide(_ index: Int, at now: Timestamp) -> MissingFacts? {
        while folds[index].next < folds[index].inputs.count {
            let input = folds[index].inputs[folds[index].next]
            guard !folds[index].isSuperseded(input) || server.mutant == .supersededTimerFires else {
                folds[index].next += 1
                continue
            }
            do throws(Rejection) {
                let commands =
                    try folds[index].isSuspended
                    ? Engine.proceed(&folds[index].frame) : Engine.decide(&folds[index].frame, input, at: now)
                take(commands, of: input, index)
                folds[index].isSuspended = false
            } catch {
                switch error {
                case .incomplete(let missing): return missing
                case .suspended(let commands, let missing):
                    take(commands, of: input, index)
                    folds[index].isSuspended = true
                    return missing
                case .wrongPhase, .alreadyEnded, .unknownStep, .alreadySettled, .staleTask:
                    note(refused: input, error, index)
                    folds[index].isSuspended = false
                }
            }
            folds[index].next += 1
        }
        return nil
    }

    private func take(_ commands: [Command], of input: Input, _ index: Int) {
        if !folds[index].isSuspended {
            switch input {
            case .start: folds[index].change.starts = true
            case .event(let path, let event):
                changes.events.append(Changes.EventDecision(event: event.id, run: folds[index].change.id, state: .buffered, path: path))
            case .outcome, .timer, .cancel, .childEnded, .adjust: break
            }
        }
        for command in commands {
            if server.mutant == .lateOutcomeStays, case .dequeue(let path, _) = command, Self.isDiscarded(path, in: commands) { continue }
            folds[index].change.merge(command, into: &changes)
        }
        folds[index].change.facts = folds[index].frame.run
    }

    // What came back when it was no longer wanted: it is kept with the attempt, and not applied.
    private static func isDiscarded(_ path: StepPath, in commands: [Command]) -> Bool {
        commands.contains { if case .recordAttempt(let record) = $0 { record.path == path && record.discarded } else { false } }
    }

    private func note(refused input: Input, _ error: Rejection, _ index: Int) {
        let id = folds[index].change.id
        switch input {
        case .outcome(let outcome):
            changes.refused.append(StepKey(run: id, path: outcome.path))
        case .event(let path, let event):
            changes.events.append(Changes.EventDecision(event: event.id, run: id, state: .buffered, path: path))
            return
        case .timer, .childEnded, .adjust: return
        case .start, .cancel: break
        }
        if !folds[index].frame.run.isEnded { report.refused.append((id, "\(input): \(error)")) }
    }
}
