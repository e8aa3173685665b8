// What can be said of the promises when nothing moves any more, and of events at any time.

import Engine
import WorkflowModel

extension Observer {
    /// Everything, when nothing moves any more.
    func checkAll() {
        for row in tables.runs.committedRows { check(row.id) }
        for row in tables.endedRuns.committedRows { check(row.id) }
        for (key, run) in accepted.sorted(by: { $0.key < $1.key }) {
            if tables.runs.committedRow(run) == nil, tables.endedRuns.committedRow(run) == nil { report("I1", "\(key): \(run) is not there") }
        }
        checkAttempts()
        checkEvents()
        for task in tables.tasks.committedRows where tables.runs.committedRow(task.run) == nil { report("I9", "\(task.path) has no run") }
    }

    // I12: whatever was kept is in the history, once.
    private func checkAttempts() {
        for (fence, settlement) in kept.sorted(by: { $0.key < $1.key }) where !recorded.contains(fence) {
            if tables.tasks.committedRow(settlement.key)?.fence == fence { continue }
            report("I12", "the outcome \(fence) of \(settlement.key.path) was kept, and is nowhere")
        }
        for row in tables.attempts.committedRows {
            let key = StepKey(run: row.run, path: row.record.path)
            if tables.tasks.committedRow(key) != nil || tables.steps.committedRow(key) != nil || tables.liveSteps.committedRow(key) != nil { continue }
            report("I12", "an attempt of \(row.record.path) has no successor")
        }
    }

    // I19
    private func checkEvents() {
        var takers: [Int64: Int] = [:]
        for row in tables.deliveries.committedRows where row.isConsumed && !row.isBroadcast { takers[row.key.event, default: 0] += 1 }
        for event in tables.events.committedRows {
            let count = takers[event.id, default: 0]
            if event.state == .consumed ? count != 1 : count != 0 { report("I19", "event \(event.id) is \(event.state) and was taken \(count) times") }
            if event.state == .offered, let run = event.takenBy, tables.runs.committedRow(run) != nil {
                let isTold = tables.inbox.committedRows(of: run).contains { if case .event(_, event.id) = $0.kind { true } else { false } }
                if !isTold { report("I19", "event \(event.id) is with a run that does not know of it") }
            }
        }
    }

    // I19: nothing that a waiting step could take is overlooked.
    func checkOverlooked(_ wait: WaitRow) {
        // What the step is told of is decided upon, and then it is given the rest.
        let orders = tables.inbox.committedRows(of: wait.run)
        if orders.contains(where: { if case .event(wait.path, _) = $0.kind { true } else { false } }) { return }
        let keys = Set(tables.waitKeys.committedRows(of: wait.run).filter { $0.key.step == wait.key }.map(\.key.correlation))
        for event in tables.events.committedRows where event.state == .buffered {
            let isMeant =
                event.run == nil
                ? event.correlation.map { keys.contains($0) } ?? false && event.at >= wait.since && event.expiresAt > now()
                : event.run == wait.run && wait.names?.contains(event.name) ?? true
            guard isMeant, tables.deliveries.committedRow(.init(event: event.id, run: wait.run, path: wait.path)) == nil else { continue }
            let isLookedAt = tables.matches.committedRows.contains {
                ($0.run != nil && $0.run == event.run) || ($0.correlation != nil && $0.correlation == event.correlation)
            }
            if !isLookedAt { report("I19", "event \(event.id) is overlooked by \(wait.path)") }
        }
    }
}

extension StepPath {
    var isTopLevel: Bool { !text.utf8.contains { $0 == 0x2E || $0 == 0x5B || $0 == 0x2F } }

    // The step of another id in the same instance of the block.
    func sibling(_ id: String) -> StepPath {
        guard let cut = text.utf8.lastIndex(where: { $0 == 0x2E || $0 == 0x5B || $0 == 0x2F }) else { return StepPath(id) }
        return StepPath(String(text[...cut]) + id)
    }
}
