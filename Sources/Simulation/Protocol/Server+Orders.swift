// What operators tell runs (orders.sql). Each locks the run and what follows it, from the top down.

package import WorkflowModel

extension Server {
    // lock_tree_v1: the run and the live runs below it that follow it; nil when it is not live.
    private func lockTree(_ transaction: Transaction, _ run: RunID) async throws(ModelError) -> [RunID]? {
        let isLive = try await statement(transaction) { statement throws(ModelError) in
            try await !tables.runs.lock(statement, tables.runs.find(statement, key: run), .update).isEmpty
        }
        guard isLive else { return nil }
        var all = [run]
        var level: Set<RunID> = [run]
        while true {
            let parents = level
            let children = try await statement(transaction) { statement throws(ModelError) in
                let found = tables.runs.find(statement) { row in
                    row.relatives.followsParent && row.relatives.parent.map { parents.contains($0) } ?? false
                }.sorted { $0.id < $1.id }
                return try await tables.runs.lock(statement, found, .update).rows.map(\.id)
            }
            guard !children.isEmpty else { return all }
            all += children
            level = Set(children)
        }
    }

    // lock_tasks_v1
    private func lockTasks(_ transaction: Transaction, of runs: [RunID]) async throws(ModelError) {
        guard mutant != .pauseSkipsLocked else { return }
        try await statement(transaction) { statement throws(ModelError) in
            _ = try await tables.tasks.lock(statement, tables.tasks.find(statement, of: runs.sorted()).sorted { $0.key < $1.key }, .update)
        }
    }

    // note_event_v1
    private func note(_ transaction: Transaction, _ runs: [RunID], _ kind: String) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            let noted = try await tables.runs.update(statement, tables.runs.find(statement, keys: runs)) { row in
                row.historyLength += 1
                row.revision += 1
            }
            for row in noted {
                try await tables.runEvents.insert(statement, RunEventRow(run: row.id, sequence: row.historyLength, kind: kind, path: nil))
            }
        }
    }

    // mark_cancelled_v1
    func markCancelled(_ transaction: Transaction, _ runs: [RunID], reason: String?) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            let orders = tables.inbox.find(statement, of: runs) { $0.isCancel }.rows.sorted { $0.id < $1.id }
            try await tables.runs.update(statement, tables.runs.find(statement, keys: runs)) { row in
                if row.cancelRequestedAt == nil { row.cancelRequestedAt = self.now }
                if row.cancelReason == nil {
                    row.cancelReason = reason
                    if reason == nil, case .cancel(let first)? = orders.first(where: { $0.run == row.id })?.kind { row.cancelReason = first }
                }
                row.pausedAt = nil
                row.pausedBy = nil
                row.quarantine = nil
            }
        }
        try await lockTasks(transaction, of: runs)
        try await statement(transaction) { statement throws(ModelError) in
            let wrong = tables.tasks.find(statement, of: runs) { $0.held != ($0.state == .ready) }
            try await tables.tasks.update(statement, wrong) { $0.held = self.mutant != .cancelHoldsNothing && $0.state == .ready }
        }
        try await forgetMarks(transaction)
        try await release(transaction, runs)
    }

    private func release(_ transaction: Transaction, _ runs: [RunID]) async throws(ModelError) {
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.timers.update(statement, tables.timers.find(statement, of: runs) { $0.held }) { $0.held = false }
        }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.inbox.update(statement, tables.inbox.find(statement, of: runs) { $0.held }) { $0.held = false }
        }
    }

    /// cancel: false for a run that is not live.
    package func cancel(_ transaction: Transaction, _ run: RunID, reason: String?) async throws(ModelError) -> Bool {
        guard let runs = try await lockTree(transaction, run) else { return false }
        let below = "the run that started it was cancelled" + (reason.map { ": \($0)" } ?? "")
        try await statement(transaction) { statement throws(ModelError) in
            for row in tables.runs.find(statement, keys: runs, where: { $0.cancelRequestedAt == nil }).rows {
                try await tell(statement, row.id, .cancel(reason: row.id == run ? reason : below))
            }
        }
        // All at once, in the order in which workers settle.
        try await lockTasks(transaction, of: runs)
        try await markCancelled(transaction, [run], reason: reason)
        if runs.count > 1 { try await markCancelled(transaction, Array(runs.dropFirst()), reason: below) }
        return true
    }

    func tell(_ statement: Statement, _ run: RunID, _ kind: InboxRow.Kind, held: Bool = false) async throws(ModelError) {
        try await tables.inbox.insert(statement, InboxRow(id: tables.inboxNumbers.next(), run: run, kind: kind, held: held))
    }

    /// pause: SK006 when the run has ended or is being cancelled.
    package func pause(_ transaction: Transaction, _ run: RunID) async throws(ModelError) {
        guard let runs = try await lockTree(transaction, run) else { throw .raised("SK006") }
        let (isCancelled, new) = try await statement(transaction) { statement throws(ModelError) in
            let rows = tables.runs.find(statement, keys: runs).rows
            return (
                rows.first?.cancelRequestedAt != nil,
                rows.filter { $0.pausedAt == nil && $0.cancelRequestedAt == nil }.map(\.id)
            )
        }
        if isCancelled { throw .raised("SK006") }
        guard !new.isEmpty else { return }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.runs.update(statement, tables.runs.find(statement, keys: new)) { row in
                row.pausedAt = self.now
                row.pausedBy = run
            }
        }
        try await lockTasks(transaction, of: new)
        if mutant == .pauseSkipsLocked {
            try await statement(transaction) { statement throws(ModelError) in
                let free = try await tables.tasks.lock(statement, tables.tasks.find(statement, of: new) { !$0.held }, .update, .skip)
                try await tables.tasks.update(statement, free) { $0.held = true }
            }
        } else if mutant != .pauseHoldsNothing {
            try await statement(transaction) { statement throws(ModelError) in
                try await tables.tasks.update(statement, tables.tasks.find(statement, of: new) { !$0.held }) { $0.held = true }
            }
        }
        if mutant != .pauseLeavesTimers {
            try await statement(transaction) { statement throws(ModelError) in
                try await tables.timers.update(statement, tables.timers.find(statement, of: new) { !$0.held }) { $0.held = true }
            }
            try await statement(transaction) { statement throws(ModelError) in
                let others = tables.inbox.find(statement, of: new) { !$0.held && !$0.isCancel }
                try await tables.inbox.update(statement, others) { $0.held = true }
            }
        }
        try await note(transaction, new, "paused")
    }

    /// resume: SK006 when the run has ended, is not paused, or was paused with another one.
    package func resume(_ transaction: Transaction, _ run: RunID) async throws(ModelError) {
        guard let runs = try await lockTree(transaction, run) else { throw .raised("SK006") }
        let rows = try await statement(transaction) { statement throws(ModelError) in tables.runs.find(statement, keys: runs).rows }
        guard let own = rows.first, own.pausedAt != nil, own.pausedBy == run else { throw .raised("SK006") }
        let paused = rows.filter { $0.pausedBy == run }
        let ids = paused.map(\.id)
        var since: [RunID: Timestamp] = [:]
        for row in paused { since[row.id] = row.pausedAt }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.timers.update(statement, tables.timers.find(statement, of: ids) { $0.held }) { timer in
                timer.held = false
                if !timer.isAbsolute, let begun = since[timer.run] { timer.dueAt = timer.dueAt + (self.now - begun) }
            }
        }
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.runs.update(statement, tables.runs.find(statement, keys: ids)) { row in
                if let begun = row.pausedAt { row.deadlineAt = row.deadlineAt.map { $0 + (self.now - begun) } }
                row.pausedAt = nil
                row.pausedBy = nil
            }
        }
        try await lockTasks(transaction, of: ids)
        if mutant != .resumeLeavesHeld {
            try await statement(transaction) { statement throws(ModelError) in
                try await tables.tasks.update(statement, tables.tasks.find(statement, of: ids) { $0.held }) { $0.held = false }
            }
        }
        try await forgetMarks(transaction)
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.inbox.update(statement, tables.inbox.find(statement, of: ids) { $0.held }) { $0.held = false }
        }
        try await note(transaction, ids, "resumed")
    }
}
