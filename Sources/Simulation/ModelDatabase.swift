// A small relational database that behaves as PostgreSQL does where Skein depends on it.
//
// Tables of typed rows with versions; snapshots by statement; row locks with queues; inserts that wait for whoever holds the key;
// advisory locks; sequences that are not taken back. What it is like is compared with PostgreSQL, script by script (`Script`).

package import WorkflowModel

/// The database: transactions, commits, and what is common to all tables.
package final class ModelDatabase {
    /// The number of the last commit.
    package private(set) var commits = 0
    /// The timeline: one more with each failover.
    package private(set) var timeline = 1
    /// How long a transaction stands still before its next statement, its next row, or its commit: zero gives others a chance, nil nobody.
    package var pause: (_ fiber: Fiber, _ isCommit: Bool) -> Duration? = { _, _ in nil }
    /// Is told of each commit, after the tables.
    package var committed: (Transaction) -> Void = { _ in }
    /// Is told who waits for whom when they wait in a circle.
    package var deadlockSeen: ((String) -> Void)?
    private var transactions = 0
    private(set) var active: [Transaction] = []
    private var snapshots: [Int: Int] = [:]
    private var garbage: [any Prunable] = []
    private var advisory: [Int64: Lockable] = [:]
    // What undoes the last commits, the newest last.
    private var journal: [Commit] = []
    private var sequences: [Sequence] = []
    private var lastLogged: [Int64] = []

    private struct Commit {
        let undo: [() -> Void]
        let isDurable: Bool
        let at: Timestamp
        // Where the log of each sequence was before it.
        let loggedBefore: [Int64]
    }

    // How many commits a failover may lose at most.
    private static let journalLength = 64

    /// An empty database.
    package init() {}

    // MARK: Transactions

    /// Begins a transaction whose waits are the fiber's.
    package func begin(_ fiber: Fiber) -> Transaction {
        transactions += 1
        let transaction = Transaction(number: transactions, fiber: fiber, database: self)
        active.append(transaction)
        return transaction
    }

    /// Commits. Returns the number of the commit, or nil when the transaction had failed and was rolled back instead.
    @discardableResult
    package func commit(_ transaction: Transaction) -> Int? {
        guard transaction.isActive, !transaction.hasFailed else {
            rollBack(transaction)
            return nil
        }
        if !transaction.written.isEmpty {
            commits += 1
            transaction.state = .committed(at: commits)
            var undo: [() -> Void] = []
            for row in transaction.written { if let step = row.commit(transaction) { undo.append(step) } }
            // A durable commit takes everything before it to the disk.
            if transaction.isDurable { for sequence in sequences { sequence.flushed = sequence.logged } }
            journal.append(Commit(undo: undo, isDurable: transaction.isDurable, at: transaction.fiber.stage.now, loggedBefore: lastLogged))
            lastLogged = sequences.map(\.logged)
            if journal.count > Self.journalLength { journal.removeFirst(journal.count - Self.journalLength) }
        } else {
            transaction.state = .committed(at: commits)
        }
        end(transaction)
        committed(transaction)
        return commits
    }

    /// Takes back everything that a transaction did.
    package func rollBack(_ transaction: Transaction) {
        guard transaction.isActive else { return }
        transaction.state = .aborted
        for row in transaction.written { row.abort(transaction) }
        end(transaction)
    }

    private func end(_ transaction: Transaction) {
        active.removeAll { $0 === transaction }
        transaction.letGo()
        prune()
    }

    // MARK: Statements

    /// One statement of a transaction. An error in it is the end of the transaction, save for its rollback.
    @discardableResult
    package func statement<R>(
        _ transaction: Transaction, _ body: (Statement) async throws(ModelError) -> R
    ) async throws(ModelError) -> R {
        guard !transaction.hasFailed else { throw .inFailedTransaction }
        guard transaction.isActive else { throw .connectionLost }
        if let time = transaction.pauseIsDue() {
            do throws(ModelError) { try await transaction.pause(for: time) } catch {
                fail(transaction)
                throw error
            }
        }
        transaction.command += 1
        let snapshot = commits
        snapshots[snapshot, default: 0] += 1
        defer {
            if let count = snapshots[snapshot], count > 1 { snapshots[snapshot] = count - 1 } else { snapshots[snapshot] = nil }
        }
        do throws(ModelError) {
            return try await body(Statement(transaction: transaction, snapshot: snapshot, command: transaction.command, database: self))
        } catch {
            fail(transaction)
            throw error
        }
    }

    // What it has done is taken back at once, and its locks are free; it is the client who does not know yet.
    private func fail(_ transaction: Transaction) {
        transaction.hasFailed = true
        rollBack(transaction)
    }

    /// The advisory lock of a key, to the end of the transaction.
    package func lockAdvisory(
        _ key: Int64, for transaction: Transaction, _ wait: LockWait = .wait
    ) async throws(ModelError) -> Bool {
        let lock: Lockable
        if let known = advisory[key] { lock = known } else {
            lock = Lockable()
            advisory[key] = lock
        }
        if lock.take(.update, for: transaction) { return true }
        do throws(ModelError) {
            return try await lock.acquire(.update, for: transaction, wait)
        } catch {
            fail(transaction)
            throw error
        }
    }

    // MARK: Old versions

    // The oldest commit that a statement under way does not see.
    private var horizon: Int { snapshots.keys.min() ?? commits }

    func collect(_ row: any Prunable) { garbage.append(row) }

    // How many changed rows are left as they are.
    private static let garbageLimit = 64
    private var pruneAt = garbageLimit

    private func prune() {
        guard garbage.count >= pruneAt else { return }
        let horizon = horizon
        garbage.removeAll { $0.prune(before: horizon) }
        pruneAt = garbage.count + Self.garbageLimit
    }

    // MARK: Crashes

    func add(_ sequence: Sequence) {
        sequences.append(sequence)
        lastLogged.append(0)
    }

    /// Ends a transaction from the server's side, whatever it is doing.
    package func terminate(_ transaction: Transaction) {
        rollBack(transaction)
        transaction.fiber.unblock()
    }

    // What nobody waited for is on the disk after this time all the same: three times `wal_writer_delay`.
    private static let flushTime: Duration = .milliseconds(600)

    /// The server dies and starts again: what was under way is gone, and of the commits that nobody waited for, the last `lost`.
    package func crash(losing lost: Int, at now: Timestamp) {
        for transaction in active { terminate(transaction) }
        var left = lost
        while left > 0, let last = journal.last, !last.isDurable, now - last.at < Self.flushTime {
            undoLast()
            left -= 1
        }
        for sequence in sequences { sequence.restart(at: left < lost ? sequence.flushed : sequence.logged) }
        lastLogged = sequences.map(\.logged)
    }

    /// A standby that lags `lost` commits behind takes over. Returns how many commits are gone.
    @discardableResult
    package func failOver(losing lost: Int) -> Int {
        for transaction in active { terminate(transaction) }
        var undone = 0
        var logged = lastLogged
        while undone < lost, let last = journal.last {
            logged = last.loggedBefore
            undoLast()
            undone += 1
        }
        for (sequence, value) in zip(sequences, logged) { sequence.restart(at: value) }
        lastLogged = logged
        timeline += 1
        return undone
    }

    private func undoLast() {
        guard let last = journal.popLast() else { return }
        for step in last.undo.reversed() { step() }
    }
}

/// A row whose old versions can go when nobody sees them any more.
protocol Prunable: AnyObject {
    // True when there is nothing left to do.
    func prune(before horizon: Int) -> Bool
}

/// Numbers that rise, and are not given back by a rollback. As in PostgreSQL the log runs ahead of them: a crash leaves a gap.
package final class Sequence {
    var value: Int64 = 0
    var logged: Int64 = 0
    var flushed: Int64 = 0
    private static let ahead: Int64 = 32

    /// A sequence of a database.
    package init(in database: ModelDatabase) { database.add(self) }

    func restart(at last: Int64) {
        value = last
        logged = last
        flushed = last
    }

    /// The next number.
    package func next() -> Int64 {
        if value >= logged { logged = value + Self.ahead }
        value += 1
        return value
    }
}
