// PostgreSQL's five-character error codes, by name and by class.

/// A SQLSTATE such as `23505`. Compare with the names here, or match a whole class:
///
/// ```swift
/// switch state {
/// case .uniqueViolation: …
/// case SQLState.Class.integrityConstraintViolation: …
/// }
/// ```
public struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The five characters.
    public let rawValue: String

    /// A state from its five characters.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The five characters.
    public var description: String { rawValue }

    /// The class that this state belongs to.
    public var stateClass: Class { Class(rawValue: String(rawValue.prefix(2))) }

    /// The first two characters of a state.
    public struct Class: RawRepresentable, Sendable, Hashable {
        /// The two characters.
        public let rawValue: String

        /// A class from its two characters.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// 08: the connection.
        public static let connectionException = Self(rawValue: "08")
        /// 22: a value that does not fit its type.
        public static let dataException = Self(rawValue: "22")
        /// 23: constraints.
        public static let integrityConstraintViolation = Self(rawValue: "23")
        /// 25: a statement that the state of the transaction does not allow.
        public static let invalidTransactionState = Self(rawValue: "25")
        /// 28: who is asking.
        public static let invalidAuthorization = Self(rawValue: "28")
        /// 40: the transaction was rolled back.
        public static let transactionRollback = Self(rawValue: "40")
        /// 42: syntax, unknown names, missing rights.
        public static let syntaxErrorOrAccessRuleViolation = Self(rawValue: "42")
        /// 53: out of memory, disk or connections.
        public static let insufficientResources = Self(rawValue: "53")
        /// 54: a limit of the program was exceeded.
        public static let programLimitExceeded = Self(rawValue: "54")
        /// 57: an operator or a time-out intervened.
        public static let operatorIntervention = Self(rawValue: "57")
        /// P0: raised by a function.
        public static let plpgsqlError = Self(rawValue: "P0")
    }
}

extension SQLState.Class {
    /// Whether `state` belongs to `stateClass`.
    public static func ~= (stateClass: Self, state: SQLState) -> Bool {
        state.rawValue.hasPrefix(stateClass.rawValue)
    }

    /// Whether there is a state, and it belongs to `stateClass`.
    public static func ~= (stateClass: Self, state: SQLState?) -> Bool {
        state.map { stateClass ~= $0 } ?? false
    }
}

extension SQLState {
    /// 0A000, also said when the plan of a prepared statement has outlived a change of its tables.
    public static let featureNotSupported = Self(rawValue: "0A000")
    /// 22P02
    public static let invalidTextRepresentation = Self(rawValue: "22P02")
    /// 22012
    public static let divisionByZero = Self(rawValue: "22012")
    /// 23502
    public static let notNullViolation = Self(rawValue: "23502")
    /// 23503
    public static let foreignKeyViolation = Self(rawValue: "23503")
    /// 23505
    public static let uniqueViolation = Self(rawValue: "23505")
    /// 23514
    public static let checkViolation = Self(rawValue: "23514")
    /// 25006, what a demoted primary says to writes.
    public static let readOnlyTransaction = Self(rawValue: "25006")
    /// 25P02
    public static let inFailedTransaction = Self(rawValue: "25P02")
    /// 25P03
    public static let idleInTransactionTimeout = Self(rawValue: "25P03")
    /// 26000, a prepared statement that is not there.
    public static let invalidStatementName = Self(rawValue: "26000")
    /// 28000
    public static let invalidAuthorization = Self(rawValue: "28000")
    /// 28P01
    public static let invalidPassword = Self(rawValue: "28P01")
    /// 3D000
    public static let unknownDatabase = Self(rawValue: "3D000")
    /// 3F000
    public static let unknownSchema = Self(rawValue: "3F000")
    /// 40001
    public static let serializationFailure = Self(rawValue: "40001")
    /// 40P01
    public static let deadlockDetected = Self(rawValue: "40P01")
    /// 42501
    public static let insufficientPrivilege = Self(rawValue: "42501")
    /// 42601
    public static let syntaxError = Self(rawValue: "42601")
    /// 42703
    public static let undefinedColumn = Self(rawValue: "42703")
    /// 42883
    public static let undefinedFunction = Self(rawValue: "42883")
    /// 42P01
    public static let undefinedTable = Self(rawValue: "42P01")
    /// 53100
    public static let diskFull = Self(rawValue: "53100")
    /// 53200
    public static let outOfMemory = Self(rawValue: "53200")
    /// 53300
    public static let tooManyConnections = Self(rawValue: "53300")
    /// 55P03, also what `lock_timeout` says.
    public static let lockNotAvailable = Self(rawValue: "55P03")
    /// 57014, a cancel request or `statement_timeout`.
    public static let queryCancelled = Self(rawValue: "57014")
    /// 57P01
    public static let adminShutdown = Self(rawValue: "57P01")
    /// 57P02
    public static let crashShutdown = Self(rawValue: "57P02")
    /// 57P03
    public static let cannotConnectNow = Self(rawValue: "57P03")
    /// P0001, `raise exception` without a state of its own.
    public static let raisedException = Self(rawValue: "P0001")
    /// P0002
    public static let noDataFound = Self(rawValue: "P0002")
}
