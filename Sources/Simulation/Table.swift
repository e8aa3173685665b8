// Tables: rows with versions, found by key or by run, locked and changed as PostgreSQL does it under READ COMMITTED.

package import WorkflowModel

/// A row of a table of the model database.
package protocol ModelRow {
    associatedtype Key: Hashable
    /// What is unique.
    var key: Key { get }
    /// The run that the row belongs to, by which rows are found together.
    var group: RunID? { get }
}

extension ModelRow {
    package var group: RunID? { nil }
}

/// What an insert does when its key is taken.
package enum OnConflict<Row> {
    /// It fails.
    case fail
    /// It leaves the row as it is.
    case nothing
    /// It changes the row that is there, the second argument being the one that was to come; false leaves it as it is.
    case update((inout Row, Row) -> Bool)
}

/// A table.
package final class Table<Row: ModelRow> {
    /// What it is called.
    package let name: String
    unowned let database: ModelDatabase
    /// Is told of each row that a commit changes: what was there, and what is there now.
    package var changed: ((Row?, Row?) -> Void)?
    var byKey: [Row.Key: [Slot]] = [:]
    private var byGroup: [RunID: [Slot]] = [:]
    private var all: [Slot] = []
    private var lastVersion = 0

    /// An empty table.
    package init(_ name: String, in database: ModelDatabase) {
        self.name = name
        self.database = database
    }

    func nextVersion() -> Int {
        lastVersion += 1
        return lastVersion
    }

    // MARK: The index

    func index(_ slot: Slot, _ key: Row.Key) { byKey[key, default: []].append(slot) }

    func unindex(_ slot: Slot, _ key: Row.Key) {
        guard var slots = byKey[key] else { return }
        slots.removeAll { $0 === slot }
        byKey[key] = slots.isEmpty ? nil : slots
    }

    func list(_ slot: Slot) {
        slot.isListed = true
        all.append(slot)
        if let group = slot.group { byGroup[group, default: []].append(slot) }
    }

    func unlist(_ slot: Slot) {
        slot.isListed = false
        if let index = all.lastIndex(where: { $0 === slot }) { all.remove(at: index) }
        guard let group = slot.group, var slots = byGroup[group] else { return }
        slots.removeAll { $0 === slot }
        byGroup[group] = slots.isEmpty ? nil : slots
    }

    // MARK: Looking from outside

    /// The committed rows, as nobody in particular sees them.
    package var committedRows: [Row] { all.compactMap(\.committed) }

    /// Whether there is anything in it at all, committed or not.
    package var hasRows: Bool { !all.isEmpty }

    /// Whether there is no committed row.
    package var isEmpty: Bool { all.allSatisfy { $0.committed == nil } }

    /// The committed rows of a run.
    package func committedRows(of group: RunID) -> [Row] { (byGroup[group] ?? []).compactMap(\.committed) }

    /// The committed row of a key.
    package func committedRow(_ key: Row.Key) -> Row? {
        guard let slots = byKey[key] else { return nil }
        for slot in slots { if let box = slot.committedBox, box.row.key == key { return box.row } }
        return nil
    }

    // MARK: Reading

    /// A row as a statement found it.
    package struct Found {
        let slot: Slot
        fileprivate let version: Int
        fileprivate let box: Slot.Box
        /// The row.
        package var row: Row { box.row }
    }

    /// What a statement has found, and what it was looking for: rows that were changed meanwhile have to meet it, too.
    package struct Selection {
        package fileprivate(set) var found: [Found]
        fileprivate let condition: (Row) -> Bool

        /// The rows.
        package var rows: [Row] { found.map(\.box.row) }

        /// Without those that were changed since the statement began: whoever finds rows again by their place (`ctid`), finds these no more.
        package func inPlace(for statement: Statement) -> Selection {
            let found = found.filter { row in row.slot.seen(by: statement).map { row.slot.versions[$0].number == row.version } ?? false }
            return Selection(found: found, condition: condition)
        }

        /// The same for a statement that names rows by their place: what was changed meanwhile is left out, whatever it is now.
        package var pinned: Selection { Selection(found: found, condition: { _ in false }) }

        /// Whether nothing was found.
        package var isEmpty: Bool { found.isEmpty }

        /// The first rows.
        package func prefix(_ count: Int) -> Selection { Selection(found: Array(found.prefix(count)), condition: condition) }

        /// The same in an order.
        package func sorted(by precedes: (Row, Row) -> Bool) -> Selection {
            Selection(found: found.sorted { precedes($0.box.row, $1.box.row) }, condition: condition)
        }
    }

    private func search(_ slots: [Slot], _ statement: Statement, _ condition: @escaping (Row) -> Bool) -> Selection {
        var found: [Found] = []
        search(slots, statement, into: &found, condition)
        return Selection(found: found, condition: condition)
    }

    private func search(_ slots: [Slot], _ statement: Statement, into found: inout [Found], _ condition: (Row) -> Bool) {
        for slot in slots {
            guard let index = slot.seen(by: statement) else { continue }
            let box = slot.versions[index].box
            if condition(box.row) { found.append(Found(slot: slot, version: slot.versions[index].number, box: box)) }
        }
    }

    /// The rows that a statement sees and that meet a condition, in no order that means anything.
    package func find(
        _ statement: Statement, of group: RunID? = nil, where condition: @escaping (Row) -> Bool = { _ in true }
    ) -> Selection {
        search(group.map { byGroup[$0] ?? [] } ?? all, statement, condition)
    }

    /// The row of a key: one or none.
    package func find(
        _ statement: Statement, key: Row.Key, where condition: @escaping (Row) -> Bool = { _ in true }
    ) -> Selection {
        search(byKey[key] ?? [], statement) { $0.key == key && condition($0) }
    }

    /// The rows of several runs, in their order.
    package func find(
        _ statement: Statement, of groups: [RunID], where condition: @escaping (Row) -> Bool = { _ in true }
    ) -> Selection {
        var found: [Found] = []
        for group in groups { if let slots = byGroup[group] { search(slots, statement, into: &found, condition) } }
        return Selection(found: found, condition: condition)
    }

    /// The rows of several keys, in their order.
    package func find(
        _ statement: Statement, keys: [Row.Key], where condition: @escaping (Row) -> Bool = { _ in true }
    ) -> Selection {
        var found: [Found] = []
        for key in keys {
            guard let slots = byKey[key] else { continue }
            search(slots, statement, into: &found) { $0.key == key && condition($0) }
        }
        return Selection(found: found, condition: condition)
    }

    // MARK: Locking and changing

    /// Locks rows that a statement has found, in the order given. What somebody has changed meanwhile is looked at again as it is now.
    ///
    /// - Returns: those that are locked, as they are now.
    package func lock(
        _ statement: Statement, _ selection: Selection, _ mode: LockMode, _ wait: LockWait = .wait, limit: Int = .max
    ) async throws(ModelError) -> Selection {
        var locked: [Found] = []
        for candidate in selection.found {
            guard locked.count < limit else { break }
            if let time = statement.transaction.pauseIsDue() { try await statement.transaction.pause(for: time) }
            if !candidate.slot.take(mode, for: statement.transaction) {
                guard wait != .skip, try await candidate.slot.acquire(mode, for: statement.transaction, wait) else { continue }
            }
            if let row = lookAgain(statement, candidate, selection.condition) { locked.append(row) }
        }
        return Selection(found: locked, condition: selection.condition)
    }

    // The row as it is now that it is locked; nil when it is gone, or is not meant any more.
    private func lookAgain(_ statement: Statement, _ candidate: Found, _ condition: (Row) -> Bool) -> Found? {
        let (slot, transaction) = (candidate.slot, statement.transaction)
        guard let index = slot.newest(for: transaction) else { return nil }
        let newest = slot.versions[index]
        if let ender = newest.ender, ender === transaction || ender.committedAt != nil { return nil }
        if newest.number != candidate.version {
            // Made by this statement itself: it is not changed twice.
            if newest.maker === transaction, newest.makerCommand >= statement.command { return nil }
            guard condition(newest.box.row) else { return nil }
        }
        return Found(slot: slot, version: newest.number, box: newest.box)
    }

    /// Changes rows that a statement has found, and that still meet the condition when their turn has come.
    ///
    /// - Returns: the rows as they are now.
    @discardableResult
    package func update(
        _ statement: Statement, _ selection: Selection, _ change: (inout Row) -> Void
    ) async throws(ModelError) -> [Row] {
        var changed: [Row] = []
        for candidate in selection.found {
            if let time = statement.transaction.pauseIsDue() { try await statement.transaction.pause(for: time) }
            var preview = candidate.row
            change(&preview)
            let mode: LockMode = preview.key == candidate.box.row.key ? .noKeyUpdate : .update
            if !candidate.slot.take(mode, for: statement.transaction) {
                _ = try await candidate.slot.acquire(mode, for: statement.transaction, .wait)
            }
            guard let locked = lookAgain(statement, candidate, selection.condition) else { continue }
            var row = locked.row
            change(&row)
            if row.key != locked.box.row.key {
                try await checkKey(row.key, statement, except: locked.slot)
            }
            write(row, over: locked.slot, statement)
            changed.append(row)
        }
        return changed
    }

    func write(_ row: Row, over slot: Slot, _ statement: Statement) {
        guard let index = slot.newest(for: statement.transaction) else { return }
        slot.versions[index].ender = statement.transaction
        slot.versions[index].enderCommand = statement.command
        slot.versions.append(
            Slot.Version(number: nextVersion(), box: Slot.Box(row), maker: statement.transaction, makerCommand: statement.command))
        slot.index(first: row.key)
        slot.note(statement.transaction)
    }

    /// Removes rows that a statement has found, and that still meet the condition when their turn has come.
    ///
    /// - Returns: the rows as they were.
    @discardableResult
    package func delete(
        _ statement: Statement, _ selection: Selection
    ) async throws(ModelError) -> [Row] {
        var gone: [Row] = []
        for candidate in selection.found {
            if let time = statement.transaction.pauseIsDue() { try await statement.transaction.pause(for: time) }
            if !candidate.slot.take(.update, for: statement.transaction) {
                _ = try await candidate.slot.acquire(.update, for: statement.transaction, .wait)
            }
            guard let locked = lookAgain(statement, candidate, selection.condition) else { continue }
            guard let index = locked.slot.newest(for: statement.transaction) else { continue }
            locked.slot.versions[index].ender = statement.transaction
            locked.slot.versions[index].enderCommand = statement.command
            locked.slot.note(statement.transaction)
            gone.append(locked.row)
        }
        return gone
    }
}
