// What waits to be claimed or folded, and whether anybody comes for it.

import WorkflowModel

extension Observer {
    func noteWaiting(_ before: TaskRow?, _ after: TaskRow?) {
        if let before, before.key != after?.key { waiting[before.key] = nil }
        guard let after else { return }
        guard after.waits else { return waiting[after.key] = nil }
        if let before, before.key == after.key, before.waits, before.state == after.state { return }
        waiting[after.key] = (tables.database.commits, now())
    }

    // L3: nothing that was seen to wait lies below a mark that is left or raised.
    func markChanged(_ mark: LowWaterRow?) {
        guard let mark else { return }
        let passed = waiting.filter { key, since in
            guard since.commit <= mark.snapshot, let task = tables.tasks.committedRow(key) else { return false }
            guard task.state == (mark.kind == .ready ? .ready : .settled) else { return false }
            guard let stamp = mark.kind == .ready ? task.readyAt : task.settledAt, stamp >= mark.seenFrom, stamp < mark.since else { return false }
            return mark.kind == .ready ? task.priority == mark.priority : !isSetAside(task.run)
        }
        if let first = passed.keys.min() { report("L3", "a mark passes \(first.path), which waits") }
    }

    private func isSetAside(_ run: RunID) -> Bool {
        tables.runs.committedRow(run).map { $0.pausedAt != nil || $0.quarantine != nil } ?? true
    }

    private static let patience: Duration = .seconds(20)

    /// L3: a worker with room has found nothing, long after the faults were over. What has been ready for as long has been overlooked.
    func wasNothing(toClaimSince healed: Timestamp) {
        let limit = now() + (Duration.zero - Self.patience)
        guard healed < limit else { return }
        let left = waiting.filter { key, since in since.at < limit && tables.tasks.committedRow(key)?.state == .ready }
        if let first = left.keys.min() { report("L3", "\(first.path) is ready, and nobody claims it") }
    }
}

extension TaskRow {
    // Whether somebody has to come for it: a worker, or a fold.
    var waits: Bool { !held && (state == .ready || state == .settled) }
}
