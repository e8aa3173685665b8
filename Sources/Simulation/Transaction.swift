// Transactions and their statements.

import WorkflowModel

/// A transaction of the model database, READ COMMITTED.
package final class Transaction {
    enum State {
        case active
        case committed(at: Int)
        case aborted
    }

    let number: Int
    /// Who waits when the transaction waits.
    let fiber: Fiber
    var state = State.active
    /// Whether a statement has failed: then only a rollback is left.
    var hasFailed = false
    /// Whether its commit is on disk when it is acknowledged.
    package var isDurable = true
    /// The number of its current statement.
    var command = 0
    var locks: [Lockable] = []
    var written: [any WrittenRow] = []
    /// The transactions that it waits for.
    var awaited: (() -> [Transaction])?
    // Fibers that wait for this transaction's end.
    private var audience: [Fiber] = []

    unowned let database: ModelDatabase

    init(number: Int, fiber: Fiber, database: ModelDatabase) {
        self.database = database
        self.number = number
        self.fiber = fiber
    }

    var committedAt: Int? { if case .committed(let number) = state { number } else { nil } }
    var isActive: Bool { if case .active = state { true } else { false } }

    /// Who waits for whom, for messages.
    var circle: String {
        "\(fiber.name) waits for \((awaited?() ?? []).map { "\($0.fiber.name) (\(($0.awaited?() ?? []).map(\.fiber.name)))" })"
    }

    var waitsInCircle: Bool {
        var seen: [Transaction] = []
        var open = awaited?() ?? []
        while let next = open.popLast() {
            if next === self { return true }
            if seen.contains(where: { $0 === next }) { continue }
            seen.append(next)
            open += next.awaited?() ?? []
        }
        return false
    }

    /// Waits until another transaction has ended, whichever way.
    func wait(for other: Transaction) async throws(ModelError) {
        guard other.isActive else { return }
        awaited = { [other] }
        defer { awaited = nil }
        if waitsInCircle {
            database.deadlockSeen?(circle)
            throw .deadlock
        }
        while other.isActive {
            other.audience.append(fiber)
            do throws(ModelError) {
                try await fiber.block()
                guard isActive else { throw .connectionLost }
            } catch {
                other.audience.removeAll { $0 === fiber }
                throw error
            }
        }
    }

    /// How long it stands still now, so that others have a chance: nil for not at all, which is the rule and costs no suspension.
    func pauseIsDue(beforeCommit isCommit: Bool = false) -> Duration? { database.pause(fiber, isCommit) }

    /// Gives others a chance; where the server is slow, for a while.
    func pause(for time: Duration) async throws(ModelError) {
        if time > .zero { try await fiber.sleep(until: fiber.stage.now + time) } else { try await fiber.turn() }
        guard isActive else { throw .connectionLost }
    }

    // The state is set already.
    func letGo() {
        let held = locks
        locks = []
        for lock in held { lock.release(self) }
        for fiber in audience { fiber.unblock() }
        audience = []
        written = []
    }
}

/// A row that a transaction has written.
protocol WrittenRow: AnyObject {
    func commit(_ transaction: Transaction) -> (() -> Void)?
    func abort(_ transaction: Transaction)
}

/// One statement: what it sees was fixed when it began.
package struct Statement {
    let transaction: Transaction
    /// The last commit that it sees.
    let snapshot: Int
    /// What the transaction itself did in earlier statements is seen.
    let command: Int
    unowned let database: ModelDatabase
}
