// What becomes of one row: its versions, who made and who ended them, and which of them a statement sees.

import WorkflowModel

extension Table {
    /// What is there, one slot for each life of a row.
    package final class Slot: Lockable, WrittenRow, Prunable {
        // The row itself apart: to look through versions is to move references only.
        final class Box {
            let row: Row

            init(_ row: Row) { self.row = row }
        }

        struct Version {
            // Tells it from all others.
            let number: Int
            let box: Box
            // Nil: committed long ago.
            var maker: Transaction?
            var makerCommand = 0
            var ender: Transaction?
            var enderCommand = 0
        }

        unowned let table: Table
        var versions: [Version]
        var keys: [Row.Key] = []
        let group: RunID?
        var isListed = true
        private var isGarbage = false
        private var writer: Transaction?

        init(_ row: Row, maker: Transaction?, command: Int, table: Table) {
            self.table = table
            versions = [Version(number: table.nextVersion(), box: Box(row), maker: maker, makerCommand: command)]
            group = row.group
            super.init()
        }

        // The place of the version that a statement sees.
        func seen(by statement: Statement) -> Int? {
            if versions.count == 1, versions[0].maker == nil, versions[0].ender == nil { return 0 }
            return versions.lastIndex { version in
                if let maker = version.maker {
                    if maker === statement.transaction {
                        guard version.makerCommand < statement.command else { return false }
                    } else {
                        guard let number = maker.committedAt, number <= statement.snapshot else { return false }
                    }
                }
                guard let ender = version.ender else { return true }
                if ender === statement.transaction { return version.enderCommand >= statement.command }
                return ender.committedAt.map { $0 > statement.snapshot } ?? true
            }
        }

        // The place of the newest version that is committed or the transaction's own.
        func newest(for transaction: Transaction) -> Int? {
            versions.lastIndex { $0.maker.map { $0 === transaction || $0.committedAt != nil } ?? true }
        }

        /// The row as it is committed; nil when it is not there.
        package var committed: Row? { committedBox?.row }

        var committedBox: Box? {
            guard let index = versions.lastIndex(where: { $0.maker.map { $0.committedAt != nil } ?? true }) else { return nil }
            return versions[index].ender?.committedAt == nil ? versions[index].box : nil
        }

        func note(_ transaction: Transaction) {
            guard writer !== transaction else { return }
            writer = transaction
            transaction.written.append(self)
        }

        func commit(_ transaction: Transaction) -> (() -> Void)? {
            writer = nil
            let before = versions.first { version in
                version.maker !== transaction && version.ender === transaction
            }?.box
            let after = versions.last.flatMap { $0.ender == nil ? $0.box : nil }
            if before == nil, after == nil {
                forget()
                return nil
            }
            if !isGarbage {
                isGarbage = true
                table.database.collect(self)
            }
            table.changed?(before?.row, after?.row)
            return { [self] in
                versions = before.map { [Version(number: table.nextVersion(), box: $0, maker: nil)] } ?? []
                reindex()
            }
        }

        func abort(_ transaction: Transaction) {
            writer = nil
            versions.removeAll { $0.maker === transaction }
            for index in versions.indices where versions[index].ender === transaction { versions[index].ender = nil }
            reindex()
        }

        func prune(before horizon: Int) -> Bool {
            versions.removeAll { $0.ender?.committedAt.map { $0 <= horizon } ?? false }
            for index in versions.indices where versions[index].maker?.committedAt.map({ $0 <= horizon }) ?? false {
                versions[index].maker = nil
            }
            let isDone = versions.count <= 1 && versions.allSatisfy { $0.maker == nil && $0.ender == nil }
            if isDone {
                isGarbage = false
                if versions.isEmpty || keys.count > 1 { reindex() }
            }
            return isDone
        }

        // Keeps the index in step with the keys of all versions.
        func reindex() {
            guard !versions.isEmpty else { return forget() }
            if !isListed { table.list(self) }
            // Nearly all rows keep their key.
            if keys.count == 1, versions.allSatisfy({ $0.box.row.key == keys[0] }) { return }
            let wanted = Set(versions.map(\.box.row.key))
            for key in keys where !wanted.contains(key) { table.unindex(self, key) }
            for key in wanted where !keys.contains(key) { table.index(self, key) }
            keys = keys.filter { wanted.contains($0) } + wanted.filter { key in !keys.contains(key) }
        }

        func index(first key: Row.Key) {
            guard !keys.contains(key) else { return }
            keys.append(key)
            table.index(self, key)
        }

        private func forget() {
            for key in keys { table.unindex(self, key) }
            keys = []
            if isListed { table.unlist(self) }
        }
    }
}
