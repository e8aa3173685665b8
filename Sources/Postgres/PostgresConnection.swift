// One connection to the database: an actor on a thread of its own, because libpq blocks.

import CLibPQ
import Synchronization

/// A connection.
///
/// From outside, every call is `await`ed; inside a transaction's closure the same calls are plain and synchronous. A connection does one
/// thing at a time, in the order of the calls.
///
/// ```swift
/// let connection = try await PostgresConnection.connect(configuration)
/// let rows = try await connection.query("select name from skein.queue where queue_id = $1", [.int64(7)])
/// let names = rows.map { $0.text(0) }
/// ```
public actor PostgresConnection {
    private nonisolated let thread: PostgresThread
    nonisolated let configuration: PostgresConfiguration
    nonisolated let fence = CancelFence()
    nonisolated let health = ConnectionHealth()

    var handle: ConnectionHandle?
    let encoder = ParameterEncoder()
    var statements = StatementCache()
    /// What `transaction` has begun or is about to begin.
    var transactionPhase = TransactionPhase.none
    /// The first error inside the transaction; `commit` reports it if the closure swallowed it.
    var transactionFailure: PostgresError?
    /// What the server has still to answer to `sendAhead`.
    var ahead: [ExpectedAnswer] = []
    let answerTimeout: Duration?
    #if DEBUG
    var crashScope = CrashScope()
    #endif

    private init(_ configuration: PostgresConfiguration, _ thread: PostgresThread?) {
        self.thread = thread ?? PostgresThread(label: configuration.applicationName + ".postgres")
        self.configuration = configuration
        answerTimeout = configuration.effectiveAnswerTimeout
    }

    /// The connection's own thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Connects. Takes at most `connectTimeout` for each host that the configuration names.
    ///
    /// - Parameter thread: where the connection blocks; without one it has a thread of its own.
    public static func connect(
        _ configuration: PostgresConfiguration, on thread: PostgresThread? = nil
    ) async throws(PostgresError) -> PostgresConnection {
        let connection = PostgresConnection(configuration, thread)
        try await connection.open()
        return connection
    }

    /// Another connection like this one.
    public nonisolated func another() async throws(PostgresError) -> PostgresConnection {
        try await Self.connect(configuration)
    }

    private func open() throws(PostgresError) {
        let opened = try ConnectionHandle(configuration)
        handle = opened
        fence.connected(PQgetCancel(opened.pointer))
        health.update(opened.pointer)
    }

    /// Whether another statement may be sent. False once the connection broke or was closed; may be asked from anywhere.
    public nonisolated var isUsable: Bool { health.state != .broken }

    /// Ends the connection. What was not committed is rolled back by the server.
    public func close() {
        handle = nil
        ahead = []
        health.markBroken()
    }

    /// The server's process for this connection, as `pg_stat_activity` and `pg_terminate_backend` know it; 0 when closed.
    public var backendProcessID: Int32 { handle.map { PQbackendPID($0.pointer) } ?? 0 }

    /// The server's version, such as 150018 for 15.18; 0 when closed.
    public var serverVersion: Int32 { handle.map { PQserverVersion($0.pointer) } ?? 0 }

    func opened() throws(PostgresError) -> OpaquePointer {
        guard let handle, health.state != .broken else {
            throw PostgresError(code: .connectionClosed, message: "The connection was closed or had broken before this statement.")
        }
        return handle.pointer
    }
}

// MARK: - Statements

extension PostgresConnection {
    /// Runs one statement, prepared on its first use, and reads the whole answer.
    ///
    /// Not cancelled by the task's cancellation: a statement inside a transaction is short, and the server's time-outs bound it. See `execute`.
    @discardableResult
    public func query(_ sql: SQL, _ parameters: [Parameter] = []) throws(PostgresError) -> Rows {
        do {
            return try run(sql, parameters, cancelledBy: nil)
        } catch {
            if transactionPhase != .none && transactionFailure == nil { transactionFailure = error }
            throw error
        }
    }

    /// Runs statements separated by semicolons, without parameters, and drops what they answer. Several statements are one transaction unless
    /// they say otherwise. Meant for migrations and session settings.
    public func script(_ text: String) throws(PostgresError) {
        let connection = try opened()
        #if DEBUG
        reachRoundTrip([text])
        reachScript(text, isDone: false)
        #endif
        var text = text
        if case .pending(let mode) = transactionPhase {
            text = mode.begin + ";\n" + text
            transactionPhase = .open
        }
        do {
            try catchUp()
            try simple(connection, text, mayCommit: true)
        } catch {
            if transactionPhase != .none && transactionFailure == nil { transactionFailure = error }
            throw error
        }
        #if DEBUG
        reachScript(text, isDone: true)
        #endif
    }

    /// `query`, with the name of the fence that can cancel it. Prepares again, once, when the statement has outlived a change of its tables.
    func run(_ sql: SQL, _ parameters: [Parameter], cancelledBy token: UInt64?) throws(PostgresError) -> Rows {
        let connection = try opened()
        #if DEBUG
        if isTakenApart(connection, [sql.text]) {
            return try oneOf(transactionInPlace { db throws(PostgresError) in try db.pipelineAndCommit([(sql, parameters)]) })
        }
        reachRoundTrip([sql.text])
        #endif
        let isAutocommit = transactionPhase == .none && PQtransactionStatus(connection) == PQTRANS_IDLE
        do {
            return try runOnce(connection, sql, parameters, cancelledBy: token, mayCommit: isAutocommit)
        } catch {
            guard error.code == .statementOutdated && isAutocommit && isUsable else { throw error }
        }
        return try runOnce(connection, sql, parameters, cancelledBy: token, mayCommit: isAutocommit)
    }

    private func runOnce(
        _ connection: OpaquePointer, _ sql: SQL, _ parameters: [Parameter], cancelledBy token: UInt64?, mayCommit: Bool
    ) throws(PostgresError) -> Rows {
        if transactionPhase.isPending || !ahead.isEmpty { return try oneOf(pipelined(connection, [(sql, parameters)], mayCommit: mayCommit)) }
        encoder.encode(parameters)
        guard let name = statements.name(for: sql, types: encoder.types) else {
            if let token { fence.begin(token) }
            defer { if token != nil { fence.end() } }
            return try oneOf(pipelined(connection, [(sql, parameters)], mayCommit: mayCommit))
        }
        let sent = encoder.withArrays { values, lengths, formats, count in
            PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1)
        }
        guard sent == 1 else { throw notSent(connection, sql.text) }
        if let token { fence.begin(token) }
        defer { if token != nil { fence.end() } }
        do {
            return Rows(storage: try answer(connection, mayCommit: mayCommit))
        } catch {
            throw named(error, by: sql)
        }
    }

    private func oneOf(_ answers: [Rows]) throws(PostgresError) -> Rows {
        guard let first = answers.first else {
            throw PostgresError(code: .protocolViolation, message: "The server acknowledged a statement without answering it.")
        }
        return first
    }

    /// Adds the statement to its error, and forgets a prepared statement that the server no longer takes.
    func named(_ error: PostgresError, by sql: SQL) -> PostgresError {
        var error = error
        error.statement = sql.text
        // "Cached plan must not change result type" shares its SQLSTATE with much else.
        let isOutdated = error.sqlState == .featureNotSupported && error.serverFunction == "RevalidateCachedQuery"
        if error.code == .server && (isOutdated || error.sqlState == .invalidStatementName) {
            statements.forget(sql)
            error.code = .statementOutdated
        }
        return error
    }
}

/// What a connection can be used for, readable from any thread.
final class ConnectionHealth: Sendable {
    enum State: UInt8, AtomicRepresentable {
        case idle, inTransaction, broken
    }

    private let current = Atomic<State>(.broken)
    private let currentSocket = Atomic<Int32>(-1)

    private let retired = Atomic<Bool>(false)

    var state: State { current.load(ordering: .acquiring) }
    /// Whether the connection works but leads to the wrong server: a primary that was demoted.
    var isRetired: Bool { retired.load(ordering: .relaxed) }
    var socket: Int32 { currentSocket.load(ordering: .acquiring) }

    func update(_ connection: OpaquePointer) {
        let state: State =
            if PQstatus(connection) == CONNECTION_BAD {
                .broken
            } else if PQtransactionStatus(connection) == PQTRANS_IDLE {
                .idle
            } else {
                .inTransaction
            }
        current.store(state, ordering: .releasing)
        currentSocket.store(state == .broken ? -1 : PQsocket(connection), ordering: .releasing)
    }

    func retire() {
        retired.store(true, ordering: .relaxed)
    }

    func markBroken() {
        current.store(.broken, ordering: .releasing)
        currentSocket.store(-1, ordering: .releasing)
    }
}
