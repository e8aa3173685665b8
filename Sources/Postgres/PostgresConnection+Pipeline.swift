// Many statements in one round trip.

import CLibPQ

extension PostgresConnection {
    /// Sends all statements at once and reads all answers: one round trip for the batch.
    ///
    /// Outside of a transaction the batch is a transaction of its own (unless its statements begin or commit one themselves). An error
    /// anywhere rejects the whole batch; the statements after it were not run.
    ///
    /// - Parameter notice: who is to be woken once the batch is committed; only outside of a transaction. A notification that cannot be sent
    ///   is lost, and no error.
    public func pipeline(_ batch: [(SQL, [Parameter])], notifying notice: CommitNotice? = nil) throws(PostgresError) -> [Rows] {
        if batch.isEmpty { return [] }
        precondition(notice == nil || transactionPhase == .none, "What a transaction notifies goes with its commit.")
        let connection = try opened()
        #if DEBUG
        if isTakenApart(connection, batch.map(\.0.text)) {
            return try transactionInPlace { db throws(PostgresError) in try db.pipelineAndCommit(batch, notifying: notice) }
        }
        reachRoundTrip(batch.map(\.0.text))
        #endif
        do {
            return try pipelinedAgainIfOutdated(connection, batch, notifying: notice)
        } catch {
            if transactionPhase != .none && transactionFailure == nil { transactionFailure = error }
            throw error
        }
    }

    /// Sends all statements and the transaction's COMMIT at once: its last round trip. Nothing can follow it in the transaction's closure.
    ///
    /// An error anywhere rolls the whole transaction back, unless it says `outcomeUnknown`: then the connection broke under way.
    ///
    /// - Parameter notice: who is to be woken once it is committed. A notification that cannot be sent is lost, and no error.
    public func pipelineAndCommit(_ batch: [(SQL, [Parameter])], notifying notice: CommitNotice? = nil) throws(PostgresError) -> [Rows] {
        precondition(transactionPhase != .none, "There is no transaction to commit.")
        // A transaction that sent nothing has nothing to commit.
        if batch.isEmpty, transactionPhase != .open { return [] }
        let connection = try opened()
        #if DEBUG
        reachRoundTrip(batch.map(\.0.text))
        reachDecision(notifying: notice)
        if isFoldInTwo { return try pipelineInTwo(connection, batch) }
        // The closure's end commits.
        if isCommittedApart { return try pipeline(batch) }
        #endif
        do throws(PostgresError) {
            var answers = try pipelined(connection, batch + [("commit", [])], notifying: notice, mayCommit: true)
            transactionPhase = .none
            guard answers.removeLast().command == "COMMIT" else {
                throw PostgresError(code: .transactionAborted, message: "The server rolled back instead of committing.")
            }
            return answers
        } catch {
            if transactionPhase != .none && transactionFailure == nil { transactionFailure = error }
            throw error
        }
    }

    /// Sends statements of a transaction and does not wait for their answers: the server runs them while the caller goes on.
    ///
    /// When one fails, the next call on the connection throws its error, or the transaction's end. For a few statements that answer with no
    /// rows: what they answer is read, and dropped, by the next call.
    public func sendAhead(_ batch: [(SQL, [Parameter])]) throws(PostgresError) {
        precondition(transactionPhase != .none, "Only what a transaction's end confirms can be sent ahead.")
        if batch.isEmpty { return }
        let connection = try opened()
        #if DEBUG
        reachRoundTrip(batch.map(\.0.text))
        #endif
        do throws(PostgresError) {
            try beginPipeline(connection)
            for (sql, parameters) in batch {
                guard send(sql, parameters, on: connection, &ahead) else { throw sentInPart(connection) }
            }
            // The server counts a transaction as idle, and ends it when it has been that for too long, from a sync on only.
            guard PQpipelineSync(connection) == 1 else { throw sentInPart(connection) }
            ahead.append(.sync)
            // What does not fit now goes with the next call.
            if PQflush(connection) < 0 { throw sentInPart(connection) }
        } catch {
            if transactionFailure == nil { transactionFailure = error }
            throw error
        }
    }

    /// Waits for what was sent ahead.
    func catchUp() throws(PostgresError) {
        guard !ahead.isEmpty else { return }
        _ = try pipelined(try opened(), [], mayCommit: false)
    }

    // From here on statements are sent without waiting: first the BEGIN that is owed.
    private func beginPipeline(_ connection: OpaquePointer) throws(PostgresError) {
        if ahead.isEmpty {
            try makeRoomForStatements(connection)
            guard PQenterPipelineMode(connection) == 1 else { throw notSent(connection, "pipeline") }
        }
        guard case .pending(let mode) = transactionPhase else { return }
        guard PQsendQueryParams(connection, mode.begin, 0, nil, nil, nil, nil, 1) == 1 else { throw sentInPart(connection) }
        ahead.append(.begin)
        transactionPhase = .open
    }

    // A pipeline that was sent in part has no end that the server could answer.
    private func sentInPart(_ connection: OpaquePointer) -> PostgresError {
        let error = notSent(connection, "pipeline")
        close()
        return error
    }

    private static let notification: SQL = "select pg_notify($1, '')"

    /// Sends a batch a second time if its first failure was only that a prepared statement had outlived a change of its tables.
    private func pipelinedAgainIfOutdated(
        _ connection: OpaquePointer, _ batch: [(SQL, [Parameter])], notifying notice: CommitNotice?
    ) throws(PostgresError) -> [Rows] {
        let isAlone = transactionPhase == .none && PQtransactionStatus(connection) == PQTRANS_IDLE
        do {
            return try pipelined(connection, batch, notifying: notice, mayCommit: transactionPhase == .none)
        } catch {
            let mayRepeat = isAlone && isUsable && !batch.contains { $0.0.controlsTransaction }
            guard error.code == .statementOutdated && mayRepeat else { throw error }
        }
        return try pipelined(connection, batch, notifying: notice, mayCommit: true)
    }

    /// The batch with everything it needs before it: the BEGIN that is still owed, what was sent ahead, and statements that are not prepared yet.
    func pipelined(
        _ connection: OpaquePointer, _ batch: [(SQL, [Parameter])], notifying notice: CommitNotice? = nil, mayCommit: Bool
    ) throws(PostgresError) -> [Rows] {
        try beginPipeline(connection)
        let goesAlong = notice?.goesWithCommit() ?? false
        var expected = ahead
        ahead = []
        let answersAhead = expected.count { if case .answer = $0 { true } else { false } }
        var expectedAfterwards: [ExpectedAnswer] = []
        var isSent = true
        for (sql, parameters) in batch where isSent { isSent = send(sql, parameters, on: connection, &expected) }
        isSent = isSent && PQpipelineSync(connection) == 1
        if goesAlong, let notice, isSent {
            // Behind the commit, and no part of it.
            isSent = send(Self.notification, [.text(notice.channel)], on: connection, &expectedAfterwards) && PQpipelineSync(connection) == 1
        }
        guard isSent else { throw sentInPart(connection) }
        let answers = try pipelineAnswers(connection, expected, afterwards: expectedAfterwards, mayCommit: mayCommit) {
            if !goesAlong { notice?.send() }
        }
        return answersAhead == 0 ? answers : Array(answers.dropFirst(answersAhead))
    }

    private func send(_ sql: SQL, _ parameters: [Parameter], on connection: OpaquePointer, _ expected: inout [ExpectedAnswer]) -> Bool {
        encoder.encode(parameters)
        var name = statements.name(for: sql, types: encoder.types)
        if name == nil {
            let statement = statements.add(sql, types: encoder.types)
            guard PQsendPrepare(connection, statement.name, sql.text, Int32(statement.types.count), statement.types) == 1 else { return false }
            expected.append(.prepared(sql, statement))
            name = statement.name
        }
        guard let name else { return false }
        expected.append(.answer(sql))
        return encoder.withArrays { values, lengths, formats, count in
            PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1)
        } == 1
    }

    private func pipelineAnswers(
        _ connection: OpaquePointer, _ expected: [ExpectedAnswer], afterwards: [ExpectedAnswer], mayCommit: Bool, whenCommitted: () -> Void
    ) throws(PostgresError) -> [Rows] {
        let deadline = answerDeadline
        var answers: [Rows] = []
        answers.reserveCapacity(expected.count)
        var failure: PostgresError?
        try readAnswers(connection, expected, &answers, &failure, before: deadline, mayCommit: mayCommit)
        if failure == nil { whenCommitted() }
        if !afterwards.isEmpty {
            do throws(PostgresError) {
                var (ignored, unimportant): ([Rows], PostgresError?) = ([], nil)
                try readAnswers(connection, afterwards, &ignored, &unimportant, before: deadline, mayCommit: false)
            } catch {
                close()
                if let failure { throw failure }
                return answers
            }
        }
        guard PQexitPipelineMode(connection) == 1 else { throw outOfStep(connection, failure, mayCommit: mayCommit) }
        health.update(connection)
        if let failure { throw failure }
        return answers
    }

    private func readAnswers(
        _ connection: OpaquePointer, _ expected: [ExpectedAnswer], _ answers: inout [Rows], _ failure: inout PostgresError?,
        before deadline: ContinuousClock.Instant?, mayCommit: Bool
    ) throws(PostgresError) {
        for step in expected {
            guard let result = try nextResult(connection, before: deadline, mayCommit: mayCommit) else {
                throw outOfStep(connection, failure, mayCommit: mayCommit)
            }
            if case .sync = step {
                guard PQresultStatus(result.pointer) == PGRES_PIPELINE_SYNC else { throw outOfStep(connection, failure, mayCommit: mayCommit) }
                continue
            }
            var isGood = false
            if PQresultStatus(result.pointer) != PGRES_PIPELINE_ABORTED {
                do {
                    try check(connection, result, mayCommit: mayCommit)
                    isGood = true
                } catch {
                    if failure == nil { failure = error }
                    if handle == nil || PQstatus(connection) == CONNECTION_BAD {
                        health.markBroken()
                        throw named(failure ?? error, by: step.sql)
                    }
                }
            }
            switch step {
            case .begin, .sync:
                break
            case .prepared(let sql, let statement):
                if !isGood { statements.remove(statement, of: sql) }
            case .answer:
                if isGood { answers.append(Rows(storage: result)) }
            }
            if !isGood, let first = failure, first.statement == nil { failure = named(first, by: step.sql) }
            // Each statement's answers end with a null.
            guard try nextResult(connection, before: deadline, mayCommit: mayCommit) == nil else {
                throw outOfStep(connection, failure, mayCommit: mayCommit)
            }
        }
        guard let end = try nextResult(connection, before: deadline, mayCommit: mayCommit), PQresultStatus(end.pointer) == PGRES_PIPELINE_SYNC
        else { throw outOfStep(connection, failure, mayCommit: mayCommit) }
    }

    /// The answers ended too early, which is what a connection that broke after an error looks like, or did not end.
    private func outOfStep(_ connection: OpaquePointer, _ failure: PostgresError?, mayCommit: Bool) -> PostgresError {
        let isLost = PQstatus(connection) == CONNECTION_BAD
        let message = PQerrorMessage(connection).map { String(cString: $0).trimmedEnd } ?? ""
        close()
        var error =
            failure
            ?? PostgresError(code: .protocolViolation, message: "The answers of a pipeline did not match its statements. \(message)")
        if isLost { error.code = .connectionLost }
        error.outcomeUnknown = mayCommit
        return error
    }

    /// See `StatementCache.limit`.
    private func makeRoomForStatements(_ connection: OpaquePointer) throws(PostgresError) {
        guard statements.count >= StatementCache.limit, PQtransactionStatus(connection) != PQTRANS_INERROR else { return }
        try simple(connection, "deallocate all", mayCommit: false)
        statements.forgetAll()
    }
}

/// What the server answers in a pipeline, in order.
enum ExpectedAnswer {
    case begin
    case prepared(SQL, PreparedStatement)
    case answer(SQL)
    // The end of what was sent ahead at a time.
    case sync

    var sql: SQL {
        switch self {
        case .begin, .sync: "begin"
        case .prepared(let sql, _), .answer(let sql): sql
        }
    }
}

extension SQL {
    /// Whether the statement begins or ends a transaction.
    fileprivate var controlsTransaction: Bool {
        let word = text.drop(while: \.isWhitespace).prefix(while: \.isLetter).lowercased()
        return ["begin", "start", "commit", "end", "rollback", "abort", "prepare", "savepoint", "release"].contains(word)
    }
}
