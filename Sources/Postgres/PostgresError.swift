// The one error of this target: what failed, what the server said, and whether it is worth another try.

/// A statement or a connection failed.
///
/// `description` may be shown to anybody: it names no values and no statement. `debugDescription` has everything and is for operators.
public struct PostgresError: Error, Sendable, Hashable {
    /// What failed, seen from here.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No connection could be made.
        case connectionFailed
        /// The connection broke. See `outcomeUnknown`.
        case connectionLost
        /// The connection had been closed before.
        case connectionClosed
        /// The server did not answer in time; the connection was given up. See `outcomeUnknown`.
        case answerTimeout
        /// The server refused; `sqlState` says why.
        case server
        /// A prepared statement did not survive a change of its tables. It was forgotten; running the work again prepares it anew.
        case statementOutdated
        /// The task was cancelled, and with it the statement.
        case cancelled
        /// No connection of the pool became free in time, or too many were waiting already.
        case poolTimeout
        /// The pool had been closed.
        case poolClosed
        /// The transaction had failed inside and could not be committed; it was rolled back.
        case transactionAborted
        /// libpq or the server did something this client does not expect, such as starting a COPY.
        case protocolViolation
        /// The connection string could not be understood.
        case invalidConfiguration
    }

    /// What failed.
    public var code: Code
    /// The server's code, if it was the server that said no.
    public var sqlState: SQLState?
    /// The server's or libpq's message. May quote values.
    public var message: String
    /// The server's detail. Often quotes values.
    public var detail: String?
    /// The server's hint.
    public var hint: String?
    /// The name of the violated constraint.
    public var constraint: String?
    /// The statement that failed.
    public var statement: String?
    /// The function of the server that raised the error, which is the same in every language.
    var serverFunction: String?
    /// Whether the work may have been committed although this error was thrown: the connection broke after something that commits was sent.
    /// Run the same idempotent transaction again.
    public var outcomeUnknown: Bool

    /// An error from its parts.
    public init(
        code: Code, sqlState: SQLState? = nil, message: String, detail: String? = nil, hint: String? = nil,
        constraint: String? = nil, statement: String? = nil, outcomeUnknown: Bool = false
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
        self.statement = statement
        self.outcomeUnknown = outcomeUnknown
    }
}

// MARK: - What to do about it

extension PostgresError {
    /// The transaction lost a race (serialization failure, deadlock, lock not available): run it again on the same connection.
    public var wantsRetry: Bool {
        switch sqlState {
        case .serializationFailure?, .deadlockDetected?, .lockNotAvailable?: true
        default: code == .statementOutdated
        }
    }

    /// The server is gone, going, full, or no longer the primary: connect again, with back-off.
    public var wantsReconnect: Bool {
        switch sqlState {
        case .adminShutdown?, .crashShutdown?, .cannotConnectNow?, .readOnlyTransaction?, .tooManyConnections?,
            .idleInTransactionTimeout?, SQLState.Class.connectionException:
            return true
        case SQLState.Class.invalidAuthorization, .unknownDatabase?:
            return false
        default:
            break
        }
        switch code {
        case .connectionFailed, .connectionLost, .answerTimeout, .connectionClosed: return true
        case .server, .statementOutdated, .cancelled, .poolTimeout, .poolClosed, .transactionAborted, .protocolViolation,
            .invalidConfiguration:
            return false
        }
    }

    /// The server is short of disk or memory, or a limit was exceeded: take in less.
    public var wantsBackPressure: Bool {
        switch sqlState {
        case .diskFull?, .outOfMemory?, SQLState.Class.programLimitExceeded: true
        default: false
        }
    }

    /// Whether the same work may succeed later without anybody changing anything.
    public var isTransient: Bool {
        wantsRetry || wantsReconnect || code == .poolTimeout || sqlState == .diskFull || sqlState == .outOfMemory
            || (code == .server && sqlState == .queryCancelled)
    }
}

// MARK: - Shown

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What failed, without values, statements or addresses.
    public var description: String {
        var text =
            switch code {
            case .connectionFailed: "The database could not be reached"
            case .connectionLost: "The connection to the database broke"
            case .connectionClosed: "The connection to the database was closed"
            case .answerTimeout: "The database did not answer in time"
            case .server: "The database refused the statement"
            case .statementOutdated: "The database changed under a prepared statement"
            case .cancelled: "The statement was cancelled"
            case .poolTimeout: "No database connection became free in time"
            case .poolClosed: "The pool of database connections is closed"
            case .transactionAborted: "The transaction had failed and was rolled back"
            case .protocolViolation: "The database answered in an unexpected way"
            case .invalidConfiguration: "The database connection string is not valid"
            }
        var facts: [String] = []
        if let sqlState { facts.append("SQLSTATE \(sqlState)") }
        if let constraint { facts.append("constraint \(constraint)") }
        if outcomeUnknown { facts.append("it is unknown whether the work was committed") }
        if !facts.isEmpty { text += " (\(facts.joined(separator: ", ")))" }
        return text
    }

    /// Everything there is.
    public var debugDescription: String {
        var text = "\(description): \(message)"
        if let detail { text += "\ndetail: \(detail)" }
        if let hint { text += "\nhint: \(hint)" }
        if let statement { text += "\nstatement: \(statement)" }
        return text
    }
}
