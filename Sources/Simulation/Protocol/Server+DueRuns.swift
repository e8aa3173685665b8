// Which runs have something to decide (fold.sql: lock_due_runs_v1).

import Engine
package import WorkflowModel

/// A run that is locked for its fold, and the keys of what there is to fold.
package struct DueRun: Sendable {
    package var row: RunRow
    package var settled: [StepPath] = []
    package var orders: [Int64] = []
    package var timers: [TimerRow.Key] = []
    // What was seen before the locks were there; for the mutant that goes by it.
    var seenBefore: [TaskRow] = []
}

extension Server {
    private static let small = 16

    // lock_runs_v1
    private func lockRuns(_ transaction: Transaction, _ runs: [RunID]) async throws(ModelError) -> Set<RunID> {
        try await statement(transaction) { statement throws(ModelError) in
            let found = tables.runs.find(statement, keys: runs) { $0.quarantine == nil && $0.pausedAt == nil }
            if mutant == .foldWithoutRunLock { return Set(found.rows.map(\.id)) }
            return Set(try await tables.runs.lock(statement, found, .update, .skip).rows.map(\.id))
        }
    }

    // Of the runs that something is due of, those that can be locked now.
    private func lockOwners(
        _ statement: Statement, _ runs: [RunID], where mayBe: @escaping (RunRow) -> Bool
    ) async throws(ModelError) -> [RunID: RunRow] {
        var seen: Set<RunID> = []
        var found = tables.runs.find(statement, keys: runs.filter { seen.insert($0).inserted }, where: mayBe)
        if mutant != .foldWithoutRunLock { found = try await tables.runs.lock(statement, found, .update, .skip) }
        var owners: [RunID: RunRow] = [:]
        for row in found.rows { owners[row.id] = row }
        return owners
    }

    private func settled(_ statement: Statement, limit: Int, _ mark: LowWaterRow?) -> ArraySlice<TaskRow> {
        openSettled(statement) { task in mark.map { (task.settledAt ?? .distantPast) >= $0.since } ?? true }.rows
            .sorted { ($0.settledAt ?? .distantPast, $0.fence ?? Fence(0)) < ($1.settledAt ?? .distantPast, $1.fence ?? Fence(0)) }
            .prefix(limit)
    }

    /// Locks the runs of up to `limit` outcomes, orders and due timers each, and answers with the rows and with what is due.
    package func lockDueRuns(_ transaction: Transaction, limit: Int) async throws(ModelError) -> [DueRun] {
        // Small runs first, so that they need not wait for the large ones.
        let mark = try await mark(transaction, .settled)
        let seen = try await statement(transaction) { statement throws(ModelError) in Array(settled(statement, limit: limit, mark)) }
        try await raise(transaction, .settled, isSure: false)
        var due = seen.map(\.key)
        var counts: [RunID: Int] = [:]
        for key in due { counts[key.run, default: 0] += 1 }
        let small = counts.keys.filter { counts[$0, default: 0] <= Self.small }.sorted()
        let large = counts.keys.filter { counts[$0, default: 0] > Self.small }.sorted()
        var locked: Set<RunID> = []
        if !small.isEmpty { locked = try await lockRuns(transaction, small) }
        if locked.isEmpty, !large.isEmpty { locked = try await lockRuns(transaction, large) }
        if locked.isEmpty, due.count == limit {
            due = try await statement(transaction) { statement throws(ModelError) in
                let behind = settled(statement, limit: .max, mark).map(\.key)
                let owners = try await lockOwners(statement, behind.map(\.run)) { $0.quarantine == nil && $0.pausedAt == nil }
                return behind.filter { owners[$0.run] != nil }.prefix(limit).map { $0 }
            }
        } else {
            due = due.filter { locked.contains($0.run) }
        }
        let orders = try await statement(transaction) { statement throws(ModelError) in
            let waiting = tables.inbox.find(statement) { !$0.held }.rows.sorted { $0.id < $1.id }
            let owners = try await lockOwners(statement, waiting.map(\.run)) { run in
                run.quarantine == nil && (run.pausedAt == nil || waiting.contains { $0.run == run.id && $0.isCancel })
            }
            return waiting.filter { order in owners[order.run].map { order.isCancel || $0.pausedAt == nil } ?? false }.prefix(limit)
                .map { order in
                    let run = owners[order.run]
                    return (order, isNewCancel: order.isCancel && (run?.cancelRequestedAt == nil || run?.pausedAt != nil))
                }
        }
        let timers = try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            let waiting = tables.timers.find(statement) { !$0.held && ($0.dueAt <= moment || self.mutant == .timersFireEarly) }.rows
                .sorted { ($0.dueAt, $0.path, $0.kind.rawValue) < ($1.dueAt, $1.path, $1.kind.rawValue) }
            let owners = try await lockOwners(statement, waiting.map(\.run)) { $0.quarantine == nil && $0.pausedAt == nil }
            return waiting.filter { owners[$0.run] != nil }.prefix(limit).map { $0 }
        }
        guard !due.isEmpty || !orders.isEmpty || !timers.isEmpty else { return [] }
        let cancelled = Set(orders.filter(\.isNewCancel).map(\.0.run)).sorted()
        if !cancelled.isEmpty { try await markCancelled(transaction, cancelled, reason: nil) }
        // As the rows are now that they are locked.
        return try await statement(transaction) { statement throws(ModelError) in
            let ids = Set(due.map(\.run) + orders.map(\.0.run) + timers.map(\.run)).sorted()
            return tables.runs.find(statement, keys: ids).rows.map { row in
                DueRun(
                    row: row, settled: due.filter { $0.run == row.id }.map(\.path), orders: orders.filter { $0.0.run == row.id }.map(\.0.id),
                    timers: timers.filter { $0.run == row.id }.map(\.key), seenBefore: seen.filter { locked.contains(row.id) && $0.run == row.id })
            }
        }
    }

    // MARK: What the keys name

    /// An order, with what has to be read beside it.
    package struct Order {
        package var row: InboxRow
        package var child: EndedRunRow?
        package var event: EventRow?
    }

    /// The outcomes, orders and timers that are still there, in the order in which they are decided upon.
    package func readDue(
        _ transaction: Transaction, _ due: [DueRun]
    ) async throws(ModelError) -> (now: Timestamp, outcomes: [TaskRow], orders: [Order], timers: [TimerRow]) {
        let outcomes = try await statement(transaction) { statement throws(ModelError) in
            if mutant == .foldFromStaleRead { return due.flatMap(\.seenBefore) }
            return settledNow(statement, due)
        }
        let orders = try await self.orders(transaction, due)
        let timers = try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            return tables.timers.find(statement, keys: due.flatMap(\.timers)) { $0.dueAt <= moment || self.mutant == .timersFireEarly }.rows
                .sorted { ($0.dueAt, $0.path, $0.kind.rawValue) < ($1.dueAt, $1.path, $1.kind.rawValue) }
        }
        return (now, outcomes, orders, timers)
    }

    private func settledNow(_ statement: Statement, _ due: [DueRun]) -> [TaskRow] {
        tables.tasks.find(statement, keys: due.flatMap { run in run.settled.map { StepKey(run: run.row.id, path: $0) } }) {
            $0.state == .settled
        }.rows.sorted { ($0.fence ?? Fence(0)) < ($1.fence ?? Fence(0)) }
    }

    private func orders(_ transaction: Transaction, _ due: [DueRun]) async throws(ModelError) -> [Order] {
        try await statement(transaction) { statement throws(ModelError) in
            tables.inbox.find(statement, keys: due.flatMap(\.orders)).rows.sorted { $0.id < $1.id }.map { row in
                var order = Order(row: row)
                switch row.kind {
                case .child(_, let run, _): order.child = tables.endedRuns.find(statement, key: run).rows.first
                case .event(_, let event): order.event = tables.events.find(statement, key: event).rows.first
                case .start, .cancel, .adjust: break
                }
                return order
            }
        }
    }
}

extension Timestamp {
    static let distantPast = Timestamp(microseconds: 0)
}
