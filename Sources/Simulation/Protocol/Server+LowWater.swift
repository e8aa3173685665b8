// Low-water marks (low_water.sql): where looks begin when much that is dead lies in front.

package import WorkflowModel

/// A mark: below it nothing waits, as far as whoever left it could see.
package struct LowWaterRow: ModelRow {
    package enum Kind: Sendable { case ready, settled }

    package var kind: Kind
    package var priority: Int
    package var since: Timestamp
    package var lookAt: Timestamp
    package var validUntil: Timestamp
    /// What it rests on: it was seen up to this commit, from this moment on. For the observer.
    package var snapshot: Int
    package var seenFrom: Timestamp
    package var key: Kind { kind }
}

extension Server {
    private static let lag: Duration = .milliseconds(100)
    private static let validity: Duration = .seconds(30)
    // The two advisory locks: of those who raise a mark, and of those who look below.
    private static let raising: [LowWaterRow.Kind: Int64] = [.ready: 0xA07_0001, .settled: 0xA07_0000]
    private static let lookingBelow: Int64 = 0xA08_0000

    // Whether it took far longer than what was found accounts for.
    private var wasSlow: Bool { looksAreSlow() }

    /// The mark where looks begin, if there is one that is believed.
    func mark(_ transaction: Transaction, _ kind: LowWaterRow.Kind) async throws(ModelError) -> LowWaterRow? {
        guard tables.lowWater.hasRows else { return nil }
        return try await statement(transaction) { statement throws(ModelError) in believed(statement, kind) }
    }

    private func believed(_ statement: Statement, _ kind: LowWaterRow.Kind) -> LowWaterRow? {
        let moment = now
        return tables.lowWater.find(statement, key: kind) { mark in
            mark.since <= moment && (moment <= mark.validUntil || self.mutant == .marksAreBelieved)
        }.rows.first
    }

    // What a claim finds: above the priority of the mark everything, at it what is not below, and below it everything.
    func isFound(_ task: TaskRow, _ mark: LowWaterRow?) -> Bool { mark.map { task.priority != $0.priority || task.readyAt >= $0.since } ?? true }

    /// raise_ready_mark_v1 and raise_settled_mark_v1, when the look took long or when somebody says that it did.
    package func raise(_ transaction: Transaction, _ kind: LowWaterRow.Kind, isSure: Bool) async throws(ModelError) {
        guard isSure || wasSlow, try await database.lockAdvisory(Self.raising[kind] ?? 0, for: transaction, .skip) else { return }
        let begun = now
        let mark = try await self.mark(transaction, kind)
        let new = try await statement(transaction) { statement throws(ModelError) in
            let waiting = kind == .ready ? readyFrom(statement, mark) : settledFrom(statement, mark)
            let limit = begun + (Duration.zero - Self.lag)
            let first = mutant == .markPassesWaiting ? nil : waiting?.since
            return LowWaterRow(
                kind: kind, priority: mark?.priority ?? waiting?.priority ?? 0, since: min(first ?? limit, limit), lookAt: now + .seconds(1),
                validUntil: now + .seconds(1) + Self.validity, snapshot: statement.snapshot, seenFrom: mark?.since ?? .distantPast)
        }
        try await put(transaction, new)
    }

    private func readyFrom(_ statement: Statement, _ mark: LowWaterRow?) -> (priority: Int, since: Timestamp)? {
        tables.tasks.find(statement) { task in
            task.state == .ready && !task.held && mark.map { task.priority == $0.priority && task.readyAt >= $0.since } ?? true
        }.rows.min { ($1.priority, $0.readyAt) < ($0.priority, $1.readyAt) }.map { ($0.priority, $0.readyAt) }
    }

    private func settledFrom(_ statement: Statement, _ mark: LowWaterRow?) -> (priority: Int, since: Timestamp)? {
        openSettled(statement) { task in mark.map { (task.settledAt ?? .distantPast) >= $0.since } ?? true }.rows.compactMap(\.settledAt).min()
            .map { (0, $0) }
    }

    // What has settled and could be folded.
    func openSettled(_ statement: Statement, where mayBe: @escaping (TaskRow) -> Bool = { _ in true }) -> Table<TaskRow>.Selection {
        var isOpen: [RunID: Bool] = [:]
        return tables.tasks.find(statement) { task in
            guard task.state == .settled, !task.held, mayBe(task) else { return false }
            if let known = isOpen[task.run] { return known }
            let found = !self.tables.runs.find(statement, key: task.run) { $0.quarantine == nil && $0.pausedAt == nil }.isEmpty
            isOpen[task.run] = found
            return found
        }
    }

    // put_low_water_v1: it waits for nobody.
    private func put(_ transaction: Transaction, _ new: LowWaterRow) async throws(ModelError) {
        let isOthers = try await statement(transaction) { statement throws(ModelError) in
            let found = tables.lowWater.find(statement, key: new.kind)
            guard !found.isEmpty else { return false }
            return try await tables.lowWater.lock(statement, found, .update, .skip).isEmpty
        }
        if isOthers {
            let isThere = try await statement(transaction) { statement throws(ModelError) in !tables.lowWater.find(statement, key: new.kind).isEmpty }
            if isThere { return }
        }
        let sawAll = new.seenFrom == .distantPast
        try await statement(transaction) { statement throws(ModelError) in
            try await tables.lowWater.insert(
                statement, new,
                .update { old, new in
                    let (lookAt, validUntil) = (old.lookAt, old.validUntil)
                    old = new
                    if !sawAll { (old.lookAt, old.validUntil) = (lookAt, validUntil) }
                    return true
                })
        }
    }

    /// look_below_marks_v1: the answer is whether there was a mark to look below. A look takes no time here, so nobody needs look_just_below_marks_v1.
    package func lookBelowMarks(_ transaction: Transaction) async throws(ModelError) -> Bool {
        guard mutant != .marksAreBelieved, tables.lowWater.hasRows else { return false }
        guard try await database.lockAdvisory(Self.lookingBelow, for: transaction, .skip) else { return false }
        let due = try await statement(transaction) { statement throws(ModelError) in
            let moment = now
            return tables.lowWater.find(statement) { $0.lookAt <= moment }.rows.min { $0.lookAt < $1.lookAt }
        }
        guard let mark = due else { return false }
        let first = try await statement(transaction) { statement throws(ModelError) in
            mark.kind == .ready
                ? tables.tasks.find(statement) { task in
                    task.state == .ready && !task.held && task.priority == mark.priority && task.readyAt < mark.since
                }.rows.map(\.readyAt).min()
                : openSettled(statement) { ($0.settledAt ?? .distantPast) < mark.since }.rows.compactMap(\.settledAt).min()
        }
        let isNeeded = first != nil || wasSlow
        try await statement(transaction) { statement throws(ModelError) in
            let found = tables.lowWater.find(statement, key: mark.kind)
            guard isNeeded else {
                try await tables.lowWater.delete(statement, found)
                return
            }
            try await tables.lowWater.update(statement, found) { row in
                row.since = min(row.since, first ?? row.since)
                row.lookAt = self.now + .seconds(1)
                row.validUntil = self.now + .seconds(1) + Self.validity
            }
        }
        return true
    }

    /// forget_marks_v1: those that somebody changes at this moment are left to the next look.
    func forgetMarks(_ transaction: Transaction) async throws(ModelError) {
        guard tables.lowWater.hasRows else { return }
        try await statement(transaction) { statement throws(ModelError) in
            let free = try await tables.lowWater.lock(statement, tables.lowWater.find(statement), .update, .skip)
            try await tables.lowWater.delete(statement, free)
        }
    }
}
