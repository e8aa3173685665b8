// Waiting for answers and telling good ones from errors. Everything that touches libpq's state machine is here and in the pipeline.

import CLibPQ

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension PostgresConnection {
    /// Sends text by the simple protocol and reads everything that comes back. The first error wins.
    @discardableResult
    func simple(_ connection: OpaquePointer, _ text: String, mayCommit: Bool) throws(PostgresError) -> Rows {
        guard PQsendQuery(connection, text) == 1 else { throw notSent(connection, text) }
        do {
            return Rows(storage: try answer(connection, mayCommit: mayCommit))
        } catch {
            var error = error
            error.statement = text
            throw error
        }
    }

    /// Reads until the server is ready for another statement; gives the last result, or throws the first error.
    func answer(_ connection: OpaquePointer, mayCommit: Bool) throws(PostgresError) -> ResultStorage {
        var last: ResultStorage?
        var failure: PostgresError?
        let deadline = answerDeadline
        while let result = try nextResult(connection, before: deadline, mayCommit: mayCommit) {
            do {
                try check(connection, result, mayCommit: mayCommit)
                last = result
            } catch {
                // Closed: libpq's object is gone.
                if handle == nil { throw error }
                if failure == nil { failure = error }
            }
        }
        health.update(connection)
        if var failure {
            if health.state == .broken && failure.code == .server {
                failure.code = .connectionLost
                failure.outcomeUnknown = mayCommit
            }
            throw failure
        }
        guard let last else {
            throw PostgresError(code: .protocolViolation, message: "The server acknowledged a statement without answering it.")
        }
        return last
    }

    var answerDeadline: ContinuousClock.Instant? {
        answerTimeout.map { ContinuousClock.now + $0 }
    }

    /// The next result of the current statement, nil after its last. Sends what is unsent meanwhile.
    func nextResult(
        _ connection: OpaquePointer, before deadline: ContinuousClock.Instant?, mayCommit: Bool
    ) throws(PostgresError) -> ResultStorage? {
        var isSending = PQflush(connection) == 1
        while PQisBusy(connection) == 1 {
            var descriptor = pollfd(fd: PQsocket(connection), events: Int16(isSending ? POLLIN | POLLOUT : POLLIN), revents: 0)
            guard descriptor.fd >= 0 else { break }
            let ready = poll(&descriptor, 1, Self.milliseconds(until: deadline))
            if ready < 0 && errno == EINTR { continue }
            if ready == 0 { throw giveUp(mayCommit: mayCommit) }
            if ready < 0 || descriptor.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0 {
                // A failure here leaves the connection broken, which PQgetResult then reports with its message.
                if PQconsumeInput(connection) == 0 { break }
            }
            if isSending { isSending = PQflush(connection) == 1 }
        }
        return PQgetResult(connection).map(ResultStorage.init)
    }

    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = deadline - ContinuousClock.now
        return left <= .zero ? 0 : Int32(clamping: left.wholeMilliseconds)
    }

    /// Throws unless the result is a success.
    func check(_ connection: OpaquePointer, _ result: ResultStorage, mayCommit: Bool) throws(PostgresError) {
        switch PQresultStatus(result.pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC:
            return
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            // There is no way back from here that is simpler than a new connection.
            close()
            throw PostgresError(code: .protocolViolation, message: "A statement started a COPY, which this client does not speak.")
        default:
            throw failure(connection, result, mayCommit: mayCommit)
        }
    }

    private func failure(_ connection: OpaquePointer, _ result: ResultStorage, mayCommit: Bool) -> PostgresError {
        func field(_ code: Int32) -> String? {
            PQresultErrorField(result.pointer, code).map { String(cString: $0) }
        }
        let state = field(SKEIN_PG_DIAG_SQLSTATE).map(SQLState.init(rawValue:))
        if state == .readOnlyTransaction { health.retire() }
        let isLost = PQstatus(connection) == CONNECTION_BAD
        let fallback = PQresultErrorMessage(result.pointer).map { String(cString: $0) } ?? ""
        var error = PostgresError(
            code: isLost || state == nil ? .connectionLost : .server, sqlState: state,
            message: field(SKEIN_PG_DIAG_MESSAGE_PRIMARY) ?? fallback.trimmedEnd, detail: field(SKEIN_PG_DIAG_MESSAGE_DETAIL),
            hint: field(SKEIN_PG_DIAG_MESSAGE_HINT), constraint: field(SKEIN_PG_DIAG_CONSTRAINT_NAME),
            outcomeUnknown: isLost && mayCommit)
        error.serverFunction = field(SKEIN_PG_DIAG_SOURCE_FUNCTION)
        return error
    }

    /// The answer is overdue. What the server does with the statement cannot be known, and its answer could arrive at any time, so the
    /// connection is of no use any more.
    private func giveUp(mayCommit: Bool) -> PostgresError {
        close()
        return PostgresError(
            code: .answerTimeout, message: "There was no answer within \(answerTimeout ?? .zero); the connection was closed.",
            outcomeUnknown: mayCommit)
    }

    /// libpq did not take the statement: the connection is gone, or the memory.
    func notSent(_ connection: OpaquePointer, _ statement: String) -> PostgresError {
        let message = PQerrorMessage(connection).map { String(cString: $0).trimmedEnd } ?? ""
        health.update(connection)
        return PostgresError(code: isUsable ? .protocolViolation : .connectionLost, message: message, statement: statement)
    }
}

// MARK: - Idle connections

extension PostgresConnection {
    /// Whether something arrived although nothing was asked: a notice, or the news that the server hung up. Cheap, for the pool.
    nonisolated var hasUnreadInput: Bool {
        var descriptor = pollfd(fd: health.socket, events: Int16(POLLIN), revents: 0)
        return descriptor.fd < 0 || poll(&descriptor, 1, 0) != 0
    }

    /// Reads what arrived and says whether the connection survived it.
    func survivesUnreadInput() -> Bool {
        guard let handle, isUsable else { return false }
        if PQconsumeInput(handle.pointer) == 0 { health.markBroken() }
        health.update(handle.pointer)
        return isUsable && !hasUnreadInput
    }
}
