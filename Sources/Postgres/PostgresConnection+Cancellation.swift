// Statements that end when their task is cancelled.

import CLibPQ

extension PostgresConnection {
    /// Runs one statement like `query`; when the task is cancelled, so is the statement, and `PostgresError.Code.cancelled` is thrown.
    ///
    /// A cancellation can never hit another statement than this one. A statement that finishes before the request reaches it has its result
    /// returned: it has happened.
    @discardableResult
    public func execute(_ sql: SQL, _ parameters: [Parameter] = []) async throws(PostgresError) -> Rows {
        let token = fence.token()
        let result = await withTaskCancellationHandler {
            executeFenced(sql, parameters, token)
        } onCancel: {
            fence.cancel(token)
        }
        return try result.get()
    }

    private func executeFenced(_ sql: SQL, _ parameters: [Parameter], _ token: UInt64) -> Result<Rows, PostgresError> {
        if Task.isCancelled {
            let message = "The task was cancelled before the statement was sent."
            return .failure(PostgresError(code: .cancelled, message: message, statement: sql.text))
        }
        do {
            return .success(try run(sql, parameters, cancelledBy: token))
        } catch {
            var error = error
            if error.code == .server && error.sqlState == .queryCancelled && Task.isCancelled { error.code = .cancelled }
            if transactionPhase != .none && transactionFailure == nil { transactionFailure = error }
            return .failure(error)
        }
    }
}
