// Inserts: who has the key, and whose end has to be waited for before that is known.

extension Table {
    /// What became of an insert.
    package enum Inserted {
        /// The row is there.
        case new
        /// The key was taken, and the row that is there was left as it was.
        case left
        /// The row that was there has been changed.
        case changed(Row)
    }

    /// Adds a row. While somebody else adds, changes or removes one of the same key, it waits for his end.
    @discardableResult
    package func insert(
        _ statement: Statement, _ row: Row, _ onConflict: OnConflict<Row> = .fail
    ) async throws(ModelError) -> Inserted {
        while true {
            let taken: Slot
            switch conflictNow(row.key, statement.transaction, except: nil) {
            case .open(let other):
                try await statement.transaction.wait(for: other)
                continue
            case .taken(let slot): taken = slot
            case .none:
                let slot = Slot(row, maker: statement.transaction, command: statement.command, table: self)
                list(slot)
                slot.index(first: row.key)
                slot.note(statement.transaction)
                return .new
            }
            switch onConflict {
            case .fail: throw .uniqueViolation("\(name) \(row.key)")
            case .nothing: return .left
            case .update(let change):
                if !taken.take(.noKeyUpdate, for: statement.transaction) {
                    _ = try await taken.acquire(.noKeyUpdate, for: statement.transaction, .wait)
                }
                guard let index = taken.newest(for: statement.transaction), taken.versions[index].box.row.key == row.key else { continue }
                if let ender = taken.versions[index].ender, ender === statement.transaction || ender.committedAt != nil { continue }
                var changed = taken.versions[index].box.row
                guard change(&changed, row) else { return .left }
                write(changed, over: taken, statement)
                return .changed(changed)
            }
        }
    }

    func checkKey(_ key: Row.Key, _ statement: Statement, except slot: Slot) async throws(ModelError) {
        if try await conflict(key, statement, except: slot) != nil { throw .uniqueViolation(name) }
    }

    private enum Conflict {
        case none
        case taken(Slot)
        // Somebody is at it, and has not come to his end.
        case open(Transaction)
    }

    // The row that has the key, whoever sees it. Waits for those who are at it.
    private func conflict(_ key: Row.Key, _ statement: Statement, except own: Slot?) async throws(ModelError) -> Slot? {
        while true {
            switch conflictNow(key, statement.transaction, except: own) {
            case .none: return nil
            case .taken(let slot): return slot
            case .open(let other): try await statement.transaction.wait(for: other)
            }
        }
    }

    private func conflictNow(_ key: Row.Key, _ me: Transaction, except own: Slot?) -> Conflict {
        guard let slots = byKey[key] else { return .none }
        for slot in slots where slot !== own {
            for version in slot.versions where version.box.row.key == key {
                if let maker = version.maker, maker !== me, maker.committedAt == nil { return .open(maker) }
                guard let ender = version.ender else { return .taken(slot) }
                if ender === me || ender.committedAt != nil { continue }
                return .open(ender)
            }
        }
        return .none
    }
}
