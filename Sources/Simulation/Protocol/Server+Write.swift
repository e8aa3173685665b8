// Writes the changes of a batch, table by table, in the order in which the store does it.

import Engine
import WorkflowModel

extension Server {
    func write(_ transaction: Transaction, _ changes: Changes, _ runs: [RunChange], at now: Timestamp) async throws(ModelError) {
        try await insertRuns(transaction, runs)
        try await writeHistory(transaction, changes)
        try await writeTasks(transaction, runs, changes)
        try await writeLiveSteps(transaction, runs)
        try await writeTimers(transaction, runs)
        try await writeNotices(transaction, changes)
        try await writeEvents(transaction, runs, changes)
        try await writeRelatives(transaction, runs, changes)
        try await updateRuns(transaction, runs)
        try await endRuns(transaction, runs)
    }

    // What is decided later in the same transaction reads it.
    func writeHistory(_ transaction: Transaction, _ changes: Changes) async throws(ModelError) {
        guard !changes.steps.isEmpty || !changes.attempts.isEmpty || !changes.notes.isEmpty || !changes.items.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            for row in changes.steps { try await tables.steps.insert(statement, row) }
            for row in changes.attempts { try await tables.attempts.insert(statement, row) }
            for row in changes.notes { try await tables.runEvents.insert(statement, row) }
            for row in changes.items { try await tables.items.insert(statement, row) }
        }
    }

    private func insertRuns(_ transaction: Transaction, _ runs: [RunChange]) async throws(ModelError) {
        let new = runs.filter(\.isNew)
        guard !new.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            for run in new {
                var callees: [String: VersionID] = [:]
                for (name, callee) in run.facts.callees { callees[name] = callee.versionID }
                try await tables.runs.insert(
                    statement,
                    RunRow(
                        id: run.id, version: run.version.id, historyLength: run.facts.historyLength, root: run.facts.root,
                        startedAt: run.facts.startedAt, submittedAt: run.facts.submittedAt, deadlineAt: run.deadline,
                        trigger: run.facts.trigger, relatives: run.relatives, depth: run.facts.depth, lineage: run.facts.lineage,
                        callees: callees, input: run.facts.input ?? .null))
            }
        }
    }

    // MARK: Tasks

    private func writeTasks(_ transaction: Transaction, _ runs: [RunChange], _ changes: Changes) async throws(ModelError) {
        var inserts: [TaskRow] = []
        var moves: [(StepKey, TaskRow)] = []
        var reuses: [(StepKey, TaskFacts, TaskRow.State)] = []
        var wakes: [StepKey] = []
        var deletes = changes.refused
        for run in runs {
            var leaving: [StepKey] = []
            var coming: [TaskRow] = []
            for path in run.taskOrder {
                let key = StepKey(run: run.id, path: path)
                switch run.tasks[path] {
                case .insert(let node, let input):
                    coming.append(
                        TaskRow(
                            run: run.id, path: path, version: run.version.id, node: node, priority: run.version.program.nodes[node].priority,
                            readyAt: now, input: input))
                case .ready(let task): reuses.append((key, task, .ready))
                case .wait(let task): reuses.append((key, task, .waiting))
                case .wake: wakes.append(key)
                case .delete: leaving.append(key)
                case .nothing, nil: continue
                }
            }
            let moved = min(leaving.count, coming.count)
            for index in 0..<moved { moves.append((leaving[index], coming[index])) }
            deletes += leaving[moved...]
            inserts += coming[moved...]
        }
        if !deletes.isEmpty {
            try await statement(transaction) { [deletes] statement throws(ModelError) in
                try await tables.tasks.delete(statement, tables.tasks.find(statement, keys: deletes).pinned)
            }
        }
        for (old, row) in moves {
            // Held as it was: the row is the same.
            try await statement(transaction) { statement throws(ModelError) in
                try await tables.tasks.update(statement, tables.tasks.find(statement, key: old).pinned) { task in
                    let held = task.held
                    task = row
                    task.held = held
                }
            }
        }
        if !inserts.isEmpty {
            try await statement(transaction) { [inserts] statement throws(ModelError) in
                for row in inserts { try await tables.tasks.insert(statement, row) }
            }
        }
        for (key, facts, state) in reuses {
            try await statement(transaction) { statement throws(ModelError) in
                try await tables.tasks.update(statement, tables.tasks.find(statement, key: key).pinned) { task in
                    task.forgetLease()
                    task.state = state
                    task.attempt = facts.attempt
                    task.losses = facts.losses
                    task.stepStartedAt = facts.startedAt
                    task.retryCounts = facts.retryCounts
                    task.lastDelay = facts.lastDelay
                    task.isUnwanted = false
                    task.readyAt = self.now
                }
            }
        }
        if !wakes.isEmpty {
            try await statement(transaction) { [wakes] statement throws(ModelError) in
                try await tables.tasks.update(statement, tables.tasks.find(statement, keys: wakes) { $0.state == .waiting }.pinned) { task in
                    task.state = .ready
                    task.readyAt = self.now
                }
            }
        }
    }

    // MARK: Live steps and timers

    private func writeLiveSteps(_ transaction: Transaction, _ runs: [RunChange]) async throws(ModelError) {
        var keeps: [LiveStepRow] = []
        var drops: [StepKey] = []
        for run in runs {
            for path in run.liveStepOrder {
                switch run.liveSteps[path] {
                case .keep(let node, let facts):
                    keeps.append(LiveStepRow(run: run.id, path: path, node: node, facts: LiveStepFacts(stored: facts.stored) ?? facts))
                case .drop: drops.append(StepKey(run: run.id, path: path))
                case nil: continue
                }
            }
        }
        if !drops.isEmpty {
            try await statement(transaction) { [drops] statement throws(ModelError) in
                try await tables.liveSteps.delete(statement, tables.liveSteps.find(statement, keys: drops))
            }
        }
        guard !keeps.isEmpty else { return }
        try await statement(transaction) { [keeps] statement throws(ModelError) in
            for row in keeps {
                try await tables.liveSteps.insert(
                    statement, row,
                    .update { old, new in
                        old = new
                        return true
                    })
            }
        }
    }

    private func writeTimers(_ transaction: Transaction, _ runs: [RunChange]) async throws(ModelError) {
        var sets: [TimerRow] = []
        var removes: [TimerRow.Key] = []
        var ended: [RunID] = []
        for run in runs {
            if run.ending != nil {
                if !run.isNew { ended.append(run.id) }
                continue
            }
            for key in run.timerOrder {
                switch run.timers[key] {
                case .set(let dueAt, let isAbsolute):
                    sets.append(TimerRow(run: run.id, path: key.path, kind: key.kind, dueAt: dueAt, isAbsolute: isAbsolute))
                case .remove: if !run.isNew { removes.append(key) }
                case nil: continue
                }
            }
            if run.starts, let deadline = run.deadline {
                sets.append(TimerRow(run: run.id, path: StepPath(""), kind: .deadline, dueAt: deadline, isAbsolute: false))
            }
        }
        if !ended.isEmpty || !removes.isEmpty {
            try await statement(transaction) { [ended, removes] statement throws(ModelError) in
                try await tables.timers.delete(statement, tables.timers.find(statement, of: ended))
                try await tables.timers.delete(statement, tables.timers.find(statement, keys: removes))
            }
        }
        guard !sets.isEmpty else { return }
        try await statement(transaction) { [sets] statement throws(ModelError) in
            for row in sets {
                try await tables.timers.insert(
                    statement, row,
                    .update { old, new in
                        old.dueAt = new.dueAt
                        old.isAbsolute = new.isAbsolute
                        return true
                    })
            }
        }
    }

    private func writeNotices(_ transaction: Transaction, _ changes: Changes) async throws(ModelError) {
        if !changes.notices.isEmpty {
            if mutant != .unwantedForgotten {
                try await statement(transaction) { statement throws(ModelError) in
                    let out = tables.tasks.find(statement, keys: changes.notices) { $0.state == .leased || $0.state == .settled }
                    try await tables.tasks.update(statement, out) { $0.isUnwanted = true }
                }
            }
            try await statement(transaction) { statement throws(ModelError) in
                for task in tables.tasks.find(statement, keys: changes.notices, where: { $0.state == .leased }).rows {
                    guard let session = task.session, let fence = task.fence else { continue }
                    try await tables.notices.insert(
                        statement, NoticeRow(key: .init(session: session, run: task.run, path: task.path, fence: fence)), .nothing)
                }
            }
        }
        guard !changes.inboxIDs.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.inbox.delete(statement, tables.inbox.find(statement, keys: changes.inboxIDs))
        }
    }

    // MARK: Relatives

    private func writeRelatives(_ transaction: Transaction, _ runs: [RunChange], _ changes: Changes) async throws(ModelError) {
        if !changes.childCancels.isEmpty {
            try await statement(transaction) { statement throws(ModelError) in
                for step in changes.childCancels {
                    for child in tables.runs.find(statement, where: { row in
                        row.relatives.parent == step.run && row.relatives.parentPath == step.path && row.relatives.isAwaited
                            && row.cancelRequestedAt == nil
                    }).rows { try await tell(statement, child.id, .cancel(reason: "the step that started it was cancelled")) }
                }
            }
        }
        let ended = Set(runs.filter { $0.ending != nil && !$0.version.program.callees.isEmpty }.map(\.id))
        if !ended.isEmpty {
            try await statement(transaction) { statement throws(ModelError) in
                for child in tables.runs.find(statement, where: { row in
                    row.relatives.parent.map { ended.contains($0) } ?? false && row.relatives.followsParent && !row.relatives.isAwaited
                        && row.cancelRequestedAt == nil
                }).rows { try await tell(statement, child.id, .cancel(reason: "the run that started it has ended")) }
            }
        }
        guard !changes.refusedChildren.isEmpty || !changes.letters.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            for (run, start, failure) in changes.refusedChildren {
                let refused = ChildEnding(path: start.path, runID: start.runID, attempt: start.attempt, status: .failed, failure: failure)
                try await tell(statement, run, .child(path: start.path, run: start.runID, refused: refused))
            }
            for (run, workflow, failure) in changes.letters {
                try await tables.letters.insert(
                    statement, LetterRow(id: tables.letterNumbers.next(), run: run, workflow: workflow, failure: failure))
            }
        }
    }

    // MARK: Runs

    private func updateRuns(_ transaction: Transaction, _ runs: [RunChange]) async throws(ModelError) {
        let changed = runs.filter { !$0.isNew && $0.ending == nil }
        guard !changed.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            for run in changed {
                try await tables.runs.update(statement, tables.runs.find(statement, key: run.id).pinned) { row in
                    row.revision += 1
                    row.isBegun = true
                    row.historyLength = run.facts.historyLength
                    row.root = run.facts.root
                    row.startedAt = run.facts.startedAt
                }
            }
        }
    }

    private func endRuns(_ transaction: Transaction, _ runs: [RunChange]) async throws(ModelError) {
        let ended = runs.compactMap { run in run.ending.map { (run, $0) } }
        guard !ended.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            let ids = Set(ended.map(\.0.id))
            let signals = tables.events.find(statement) { event in
                event.run.map { ids.contains($0) } ?? false && (event.state == .buffered || event.state == .offered)
            }
            try await tables.events.update(statement, signals) { event in
                event.state = .expired
                event.takenBy = nil
                event.takenPath = nil
            }
        }
        try await statement(transaction) { statement throws(ModelError) in
            for (run, ending) in ended {
                let gone = try await tables.runs.delete(statement, tables.runs.find(statement, key: run.id).pinned)
                for row in gone {
                    if row.relatives.isAwaited, let parent = row.relatives.parent, let path = row.relatives.parentPath,
                        mutant != .endingToldLater
                    {
                        try await tell(statement, parent, .child(path: path, run: row.id, refused: nil))
                    }
                    let output = ending.outputFrom.map { path in self.output(statement, of: StepKey(run: row.id, path: path)) } ?? ending.output
                    try await tables.endedRuns.insert(
                        statement,
                        EndedRunRow(
                            id: row.id, version: row.version, ending: ending, output: output,
                            historyLength: run.facts.historyLength, relatives: row.relatives))
                }
            }
        }
    }
}
