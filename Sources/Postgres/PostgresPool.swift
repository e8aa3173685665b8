// A bounded number of connections for any number of tasks.

import Dispatch
import Synchronization

/// Lends connections. At most `size` exist; who comes later waits, in order, up to a limit.
///
/// Connections are made when they are needed. Broken ones are thrown away and replaced, with back-off while the server is gone.
///
/// ```swift
/// let pool = PostgresPool(configuration, size: 4)
/// let depth = try await pool.withConnection { try await $0.query("select count(*) from skein.task")[0].int64(0) }
/// ```
public final class PostgresPool: Sendable {
    /// How many connections there are, and how many tasks wait for one.
    public struct Status: Sendable, Hashable {
        /// Connections that exist or are being made.
        public var open: Int
        /// Those of them that nobody uses.
        public var idle: Int
        /// Tasks that wait for a connection.
        public var waiting: Int
    }

    private enum Grant: Sendable {
        case connection(PostgresConnection)
        /// A place is free; whoever gets this makes the connection.
        case place
        case refused(PostgresError)
    }

    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<Grant, Never>
    }

    private struct State {
        var idle: [PostgresConnection] = []
        var open = 0
        var waiters: [Waiter] = []
        var lastWaiter: UInt64 = 0
        var isClosed = false
        var failures = 0
        var nextAttempt: ContinuousClock.Instant?
        var lastFailure: PostgresError?
    }

    /// How the pool connects.
    public let configuration: PostgresConfiguration
    /// The most connections there will be.
    public let size: Int
    /// How long a task waits for a connection, including the time it takes to make one.
    public let waitTimeout: Duration
    /// How many tasks may wait at a time.
    public let maximumWaiting: Int
    private let state = Mutex(State())

    /// A pool without connections yet.
    public init(
        _ configuration: PostgresConfiguration, size: Int, waitTimeout: Duration = .seconds(5), maximumWaiting: Int = 1000
    ) {
        precondition(size > 0, "A pool needs room for at least one connection.")
        self.configuration = configuration
        self.size = size
        self.waitTimeout = waitTimeout
        self.maximumWaiting = maximumWaiting
    }

    /// A snapshot, for metrics.
    public var status: Status {
        state.withLock { Status(open: $0.open, idle: $0.idle.count, waiting: $0.waiters.count) }
    }

    /// Lends a connection to `body`.
    ///
    /// Throws `poolTimeout` when none becomes free in time, `connectionFailed` when none can be made in time, `poolClosed` after `close`, and
    /// what `body` throws. A connection that `body` leaves broken or inside a transaction is not used again.
    public func withConnection<R: Sendable>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        let connection = try await acquire()
        defer { giveBack(connection) }
        return try await body(connection)
    }

    /// Runs a transaction, again if it lost a race (serialization failure, deadlock, lock not available) or its connection before COMMIT.
    ///
    /// A transaction whose outcome is unknown is run again only if `isIdempotent` says that running it twice does no harm.
    public func transaction<R: Sendable>(
        _ mode: TransactionMode = .readCommitted, maximumRetries: Int = 5, isIdempotent: Bool = false,
        _ body: @Sendable (isolated PostgresConnection) throws(PostgresError) -> R
    ) async throws -> R {
        var failures = 0
        while true {
            do {
                return try await withConnection { try await $0.transaction(mode, body) }
            } catch let error as PostgresError {
                failures += 1
                guard failures <= maximumRetries && mayRunAgain(error, isIdempotent: isIdempotent) else { throw error }
            }
            try await Task.sleep(for: BackOff.transaction.delay(after: failures))
        }
    }

    private func mayRunAgain(_ error: PostgresError, isIdempotent: Bool) -> Bool {
        if error.wantsRetry { return true }
        // Connecting was tried until the wait was over; trying that again is the caller's decision.
        if error.code == .connectionFailed { return false }
        return error.wantsReconnect && (isIdempotent || !error.outcomeUnknown)
    }

    /// Refuses all further work and drops idle connections. Lent ones are closed when they come back.
    public func close() {
        let (waiters, idle) = state.withLock { state in
            let left = (state.waiters, state.idle)
            state.isClosed = true
            state.open -= state.idle.count
            state.waiters = []
            state.idle = []
            return left
        }
        for waiter in waiters { waiter.continuation.resume(returning: .refused(Self.closed)) }
        // The last reference to a connection closes it.
        withExtendedLifetime(idle) {}
    }

    private static var closed: PostgresError { PostgresError(code: .poolClosed, message: "The pool was closed.") }
}

// MARK: - Taking

extension PostgresPool {
    private func acquire() async throws -> PostgresConnection {
        let deadline = ContinuousClock.now + waitTimeout
        switch await grant() {
        case .connection(let connection):
            if !connection.hasUnreadInput { return connection }
            if await connection.survivesUnreadInput() { return connection }
            return try await connect(before: deadline)
        case .place:
            return try await connect(before: deadline)
        case .refused(let error):
            throw error
        }
    }

    private func grant() async -> Grant {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        if let grant = state.withLock({ grantAtOnce(&$0) }) { return grant }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let grant = state.withLock { state -> Grant? in
                    if let grant = grantAtOnce(&state) { return grant }
                    if Task.isCancelled { return .refused(PostgresError(code: .cancelled, message: "Cancelled while waiting.")) }
                    if state.waiters.count >= maximumWaiting {
                        let message = "\(maximumWaiting) tasks were waiting for a connection already."
                        return .refused(PostgresError(code: .poolTimeout, message: message))
                    }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let grant { return continuation.resume(returning: grant) }
                let milliseconds = Int(clamping: waitTimeout.wholeMilliseconds)
                DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { [weak self] in
                    self?.dismiss(id, .poolTimeout, "No connection became free within \(milliseconds) ms.")
                }
            }
        } onCancel: {
            dismiss(id, .cancelled, "Cancelled while waiting for a connection.")
        }
    }

    private func grantAtOnce(_ state: inout State) -> Grant? {
        if state.isClosed { return .refused(Self.closed) }
        if let connection = state.idle.popLast() { return .connection(connection) }
        guard state.open < size else { return nil }
        state.open += 1
        return .place
    }

    private func dismiss(_ id: UInt64, _ code: PostgresError.Code, _ message: String) {
        let waiter = state.withLock { state -> Waiter? in
            guard let position = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: position)
        }
        waiter?.continuation.resume(returning: .refused(PostgresError(code: code, message: message)))
    }

    /// Fills a place that was granted; gives the place up when that fails.
    private func connect(before deadline: ContinuousClock.Instant) async throws -> PostgresConnection {
        do {
            while true {
                let (nextAttempt, lastFailure) = state.withLock { ($0.nextAttempt, $0.lastFailure) }
                if let nextAttempt, nextAttempt > ContinuousClock.now {
                    if nextAttempt > deadline, let lastFailure { throw lastFailure }
                    try await Task.sleep(until: nextAttempt, clock: .continuous)
                }
                do {
                    let connection = try await PostgresConnection.connect(configuration)
                    state.withLock { state in
                        state.failures = 0
                        state.nextAttempt = nil
                        state.lastFailure = nil
                    }
                    return connection
                } catch {
                    guard error.wantsReconnect else { throw error }
                    state.withLock { state in
                        state.failures += 1
                        state.nextAttempt = ContinuousClock.now + BackOff.reconnect.delay(after: state.failures)
                        state.lastFailure = error
                    }
                }
            }
        } catch {
            freePlace()
            throw error is CancellationError ? PostgresError(code: .cancelled, message: "Cancelled while connecting.") : error
        }
    }
}

// MARK: - Giving back

extension PostgresPool {
    private func giveBack(_ connection: PostgresConnection) {
        guard connection.health.state == .idle && !connection.health.isRetired else { return freePlace() }
        let waiter = state.withLock { state -> Waiter? in
            if state.isClosed {
                state.open -= 1
                return nil
            }
            if state.waiters.isEmpty {
                state.idle.append(connection)
                return nil
            }
            return state.waiters.removeFirst()
        }
        waiter?.continuation.resume(returning: .connection(connection))
    }

    /// A connection is gone: its place goes to whoever waits longest.
    private func freePlace() {
        let waiter = state.withLock { state -> Waiter? in
            if state.waiters.isEmpty {
                state.open -= 1
                return nil
            }
            return state.waiters.removeFirst()
        }
        waiter?.continuation.resume(returning: .place)
    }
}
