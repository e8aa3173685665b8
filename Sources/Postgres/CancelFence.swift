// Cancels the statement that is meant and never the one after it.

import CLibPQ
import Dispatch
import Synchronization

/// A cancel request names a backend, not a statement: one that is late hits whatever runs then. The fence is a lock around both the request
/// and the end of a statement, so a statement does not end, and no other begins, while a request for it is under way.
final class CancelFence: Sendable {
    private struct State {
        var running: UInt64?
        var request: CancelRequest?
    }

    private let state = Mutex(State())
    private let lastToken = Atomic<UInt64>(0)

    /// A request that reached the server before the statement did was ignored there, so it is repeated while the statement runs.
    private static let repeatInterval = DispatchTimeInterval.milliseconds(50)

    /// Must be called once after connecting, with the result of `PQgetCancel`.
    func connected(_ pointer: OpaquePointer?) {
        let request = pointer.map(CancelRequest.init)
        state.withLock { $0.request = request }
    }

    /// A name for the next statement.
    func token() -> UInt64 {
        lastToken.add(1, ordering: .relaxed).newValue
    }

    /// From here on the statement may be cancelled.
    func begin(_ token: UInt64) {
        state.withLock { $0.running = token }
    }

    /// From here on it may not; returns when no request is under way any more.
    func end() {
        state.withLock { $0.running = nil }
    }

    /// Cancels the statement if it still runs. Returns at once; the request, which is a round trip, happens on another thread.
    func cancel(_ token: UInt64) {
        DispatchQueue.global().async { self.send(token) }
    }

    private func send(_ token: UInt64) {
        let isRunning = state.withLock { state in
            guard state.running == token, let request = state.request else { return false }
            request.send()
            return true
        }
        guard isRunning else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.repeatInterval) { self.send(token) }
    }
}

/// Owns a `PGcancel`.
///
/// `@unchecked Sendable` is true because a `PGcancel` is a copy of an address and a key that nothing changes; libpq says it is safe on any thread.
private final class CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfreeCancel(pointer)
    }

    /// Whether the server heard of it makes no difference here: the statement's own end is what counts, and the request is repeated.
    func send() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            _ = PQcancel(pointer, message.baseAddress, Int32(message.count))
        }
    }
}
