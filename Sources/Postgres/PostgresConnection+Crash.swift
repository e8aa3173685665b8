// Where a transaction meets the crash points of a debug build. A release knows none of this.

#if DEBUG
import CLibPQ
import Faults

/// Where the connection's transaction stands in the protocol.
struct CrashScope {
    var boundary: Boundary?
    var roundTrips = 0
    // A transaction that found nothing to do ends before it has decided anything; its end is no boundary.
    var hasDecided = false
    var notice: CommitNotice?
}

extension PostgresConnection {
    /// A round trip with these statements is about to begin inside the transaction.
    func reachRoundTrip(_ statements: [String]) {
        guard transactionPhase != .none else { return }
        if crashScope.roundTrips == 0 {
            crashScope.boundary = Boundary.of(statements)
            reach(.before)
        } else if crashScope.roundTrips == 1 {
            reach(.begun)
        }
        crashScope.roundTrips += 1
    }

    func reachDecision(notifying notice: CommitNotice?) {
        crashScope.hasDecided = true
        crashScope.notice = notice
        reach(.decided)
    }

    /// Whether these statements, which are a transaction by themselves, have to be taken apart, so that there is something before the commit.
    func isTakenApart(_ connection: OpaquePointer, _ statements: [String]) -> Bool {
        guard transactionPhase == .none, PQtransactionStatus(connection) == PQTRANS_IDLE, let boundary = Boundary.of(statements) else { return false }
        return Crash.isArmed(boundary)
    }

    /// Whether the transaction's last statements and its COMMIT have to be sent one after the other.
    var isCommittedApart: Bool { crashScope.boundary.map(Crash.isArmed) ?? false }

    /// What `commit` does, with the points around it.
    func commitApart(_ connection: OpaquePointer) throws(PostgresError) -> Rows {
        let isIdle = crashScope.boundary.map { $0.phases.contains(.decided) && !crashScope.hasDecided } ?? true
        if isIdle { return try simple(connection, "commit", mayCommit: true) }
        reach(.executed)
        guard PQsendQuery(connection, "commit") == 1 else { throw notSent(connection, "commit") }
        while PQflush(connection) == 1 {}
        if reach(.sent) {
            // The server has done it, whatever the answer says.
            _ = try? answer(connection, mayCommit: true)
            close()
            throw PostgresError(code: .connectionLost, message: "The answer to COMMIT was lost.", outcomeUnknown: true)
        }
        let rows = Rows(storage: try answer(connection, mayCommit: true))
        reach(.committed)
        crashScope.notice?.send()
        return rows
    }

    /// Whether the fold is to be broken in two.
    var isFoldInTwo: Bool { PlantedFault.foldInTwoTransactions.isPlanted && crashScope.boundary == .fold }

    /// What a fold must never do: what has settled is written in one transaction, and what it means for the run in another.
    func pipelineInTwo(_ connection: OpaquePointer, _ batch: [(SQL, [Parameter])]) throws(PostgresError) -> [Rows] {
        let first = Array(batch.dropLast()), rest = Array(batch.suffix(1))
        var answers = try pipelined(connection, first + [("commit", [])], mayCommit: true)
        answers.removeLast()
        reach(.executed)
        transactionPhase = .none
        let last = try pipelined(connection, rest, mayCommit: true)
        crashScope.notice?.send()
        return answers + last
    }

    /// A statement that is no transaction, such as LISTEN.
    func reachScript(_ text: String, isDone: Bool) {
        guard transactionPhase == .none, Boundary.of([text]) == .listen else { return }
        Crash.reach(CrashPoint(.listen, isDone ? .committed : .before))
    }

    @discardableResult
    private func reach(_ phase: CrashPhase) -> Bool {
        guard let boundary = crashScope.boundary, boundary.phases.contains(phase) else { return false }
        return Crash.reach(CrashPoint(boundary, phase))
    }
}
#endif
