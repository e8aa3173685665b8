// Transactions: synchronous closures, so that nothing slow can sit inside one.

import CLibPQ

/// What a transaction sees and may do.
public enum TransactionMode: Sendable, Hashable {
    /// Every statement sees what was committed before it began. For all writers.
    case readCommitted
    /// All statements see the same moment; nothing can be written. For pages and reports whose parts must agree.
    case snapshot

    var begin: String {
        switch self {
        case .readCommitted: "begin isolation level read committed"
        case .snapshot: "begin isolation level repeatable read read only"
        }
    }
}

/// Where `transaction` stands.
enum TransactionPhase: Equatable {
    case none
    /// BEGIN is owed; it travels with the first statement.
    case pending(TransactionMode)
    case open

    var isPending: Bool { if case .pending = self { true } else { false } }
}

extension PostgresConnection {
    /// Runs `body` between BEGIN and COMMIT and gives what it gives. When it throws, everything is rolled back.
    ///
    /// BEGIN travels with the first statement, so a transaction of `n` statements takes `n + 1` round trips. A closure that sends nothing
    /// costs nothing. An error with `outcomeUnknown` means that the connection broke while COMMIT was under way.
    ///
    /// ```swift
    /// let kept = try await connection.transaction { db throws(PostgresError) in
    ///     try db.query("delete from task where task_id = any($1) returning task_id", [.int64Array(ids)]).map { $0.int64(0) }
    /// }
    /// ```
    public func transaction<R: Sendable>(
        _ mode: TransactionMode = .readCommitted, _ body: @Sendable (isolated PostgresConnection) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        try transactionInPlace(mode, body)
    }

    /// `transaction` for code that is on the connection already: the closure need not be `Sendable`, so it may change local variables.
    public func transactionInPlace<R>(
        _ mode: TransactionMode = .readCommitted, _ body: (isolated PostgresConnection) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        let connection = try opened()
        precondition(
            transactionPhase == .none && PQtransactionStatus(connection) == PQTRANS_IDLE,
            "A transaction was begun inside another one; use a savepoint for a part that may fail alone.")
        transactionPhase = .pending(mode)
        transactionFailure = nil
        #if DEBUG
        crashScope = CrashScope()
        #endif
        defer {
            transactionPhase = .none
            transactionFailure = nil
        }
        let result: R
        do {
            result = try body(self)
        } catch {
            rollBack()
            throw error
        }
        try commit()
        return result
    }

    /// Runs `body` inside the transaction so that its failure undoes only what it did itself. The transaction goes on either way.
    public func savepoint<R>(
        _ body: (isolated PostgresConnection) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        precondition(transactionPhase != .none, "A savepoint needs a transaction around it.")
        try script("savepoint inner_part")
        let result: R
        do {
            result = try body(self)
            try catchUp()
        } catch {
            // Its error is the part's, which is being reported, or comes of it.
            try? catchUp()
            try script("rollback to savepoint inner_part; release savepoint inner_part")
            transactionFailure = nil
            throw error
        }
        try script("release savepoint inner_part")
        return result
    }

    private static func aborted(by cause: PostgresError) -> PostgresError {
        var error = cause
        error.code = .transactionAborted
        return error
    }

    private func commit() throws(PostgresError) {
        guard transactionPhase == .open else { return }
        let earlier = transactionFailure
        do {
            try catchUp()
        } catch {
            rollBack()
            throw earlier.map(Self.aborted(by:)) ?? error
        }
        let connection = try opened()
        if PQtransactionStatus(connection) == PQTRANS_INERROR {
            let cause = transactionFailure
            rollBack()
            throw Self.aborted(by: cause ?? PostgresError(code: .transactionAborted, message: "A statement of the transaction had failed."))
        }
        transactionPhase = .none
        #if DEBUG
        let answer = try isCommittedApart ? commitApart(connection) : simple(connection, "commit", mayCommit: true)
        #else
        let answer = try simple(connection, "commit", mayCommit: true)
        #endif
        guard answer.command == "COMMIT" else {
            throw PostgresError(code: .transactionAborted, message: "The server rolled back instead of committing.")
        }
    }

    /// Leaves no transaction behind: where ROLLBACK fails, the connection is closed.
    private func rollBack() {
        transactionPhase = .none
        // Its error is the transaction's, which is being reported, or comes of it.
        try? catchUp()
        guard let handle, isUsable else { return }
        if PQtransactionStatus(handle.pointer) == PQTRANS_IDLE { return }
        do {
            try simple(handle.pointer, "rollback", mayCommit: false)
        } catch {
            // The error that led here is the one to report; the server rolls back when the connection is gone.
            close()
        }
    }
}
