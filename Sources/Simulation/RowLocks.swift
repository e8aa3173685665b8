// Row locks as PostgreSQL has them: four modes, kept to the end of the transaction, granted in the order of asking.

/// How a row is locked.
package enum LockMode: Int, Sendable, Comparable {
    /// Against a change of the key, and against deletion.
    case keyShare
    /// Against every change.
    case share
    /// Taken by an update that leaves the key alone.
    case noKeyUpdate
    /// Taken by a deletion, by an update of the key, and by `for update`.
    case update

    /// Whether a lock of this mode must wait for one of the other.
    package func conflicts(with other: LockMode) -> Bool {
        switch self {
        case .keyShare: other == .update
        case .share: other >= .noKeyUpdate
        case .noKeyUpdate: other >= .share
        case .update: true
        }
    }

    package static func < (left: LockMode, right: LockMode) -> Bool { left.rawValue < right.rawValue }
}

/// What to do when somebody else holds a row.
package enum LockWait: Sendable {
    /// Wait for him.
    case wait
    /// Leave the row out.
    case skip
    /// Fail.
    case fail
}

/// Something that transactions lock, and wait for in a queue.
package class Lockable {
    private var holders: [(transaction: Transaction, mode: LockMode)] = []
    private var waiters: [Waiter] = []

    private final class Waiter {
        let transaction: Transaction
        let mode: LockMode
        var isGranted = false

        init(_ transaction: Transaction, _ mode: LockMode) {
            self.transaction = transaction
            self.mode = mode
        }
    }

    init() {}

    final func isHeld(by transaction: Transaction, _ mode: LockMode) -> Bool {
        holders.contains { $0.transaction === transaction && $0.mode >= mode }
    }

    // Whether anybody holds or waits for it.
    final var isIdle: Bool { holders.isEmpty && waiters.isEmpty }

    private func isFree(for transaction: Transaction, _ mode: LockMode) -> Bool {
        !holders.contains { $0.transaction !== transaction && mode.conflicts(with: $0.mode) }
    }

    private func hold(_ transaction: Transaction, _ mode: LockMode) {
        if let index = holders.firstIndex(where: { $0.transaction === transaction }) {
            // Share and the intention to update come to the same as the stronger one here: a transaction does not wait for itself.
            holders[index].mode = max(holders[index].mode, mode)
            return
        }
        holders.append((transaction, mode))
        transaction.locks.append(self)
    }

    /// Takes the lock if that goes without waiting. Most do; it costs no suspension.
    final func take(_ mode: LockMode, for transaction: Transaction) -> Bool {
        guard isFree(for: transaction, mode) else { return false }
        hold(transaction, mode)
        return true
    }

    /// Takes the lock; false when it was left out.
    final func acquire(_ mode: LockMode, for transaction: Transaction, _ wait: LockWait) async throws(ModelError) -> Bool {
        if take(mode, for: transaction) { return true }
        switch wait {
        case .skip: return false
        case .fail: throw .lockNotAvailable
        case .wait: break
        }
        let waiter = Waiter(transaction, mode)
        waiters.append(waiter)
        transaction.awaited = { [unowned self] in blockers(of: waiter) }
        defer { transaction.awaited = nil }
        guard !transaction.waitsInCircle else {
            if let seen = transaction.database.deadlockSeen { seen(transaction.circle + " for \(self)") }
            waiters.removeAll { $0 === waiter }
            throw .deadlock
        }
        do throws(ModelError) {
            while !waiter.isGranted, transaction.isActive { try await transaction.fiber.block() }
            guard transaction.isActive else { throw .connectionLost }
        } catch {
            waiters.removeAll { $0 === waiter }
            grant()
            throw error
        }
        return true
    }

    private func blockers(of waiter: Waiter) -> [Transaction] {
        // It has what it wants, and has not had its turn yet.
        guard !waiter.isGranted else { return [] }
        var found = holders.filter { $0.transaction !== waiter.transaction && waiter.mode.conflicts(with: $0.mode) }.map(\.transaction)
        for other in waiters {
            if other === waiter { break }
            if waiter.mode.conflicts(with: other.mode) { found.append(other.transaction) }
        }
        return found
    }

    final func release(_ transaction: Transaction) {
        holders.removeAll { $0.transaction === transaction }
        grant()
    }

    // In the order of asking, as far as they go together.
    private func grant() {
        // Whoever was ended while he waited gets nothing any more.
        waiters.removeAll { !$0.transaction.isActive }
        while let first = waiters.first, isFree(for: first.transaction, first.mode) {
            waiters.removeFirst()
            hold(first.transaction, first.mode)
            first.isGranted = true
            first.transaction.fiber.unblock()
        }
    }
}
