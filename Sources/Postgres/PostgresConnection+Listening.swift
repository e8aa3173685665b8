// LISTEN, NOTIFY, and waiting on the socket for what others send.

import CLibPQ

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension PostgresConnection {
    /// Sends a NOTIFY. Outside of a transaction it goes out at once. The payload is limited to 7,999 bytes.
    public func notify(_ channel: String, _ payload: String) throws(PostgresError) {
        try query("select pg_notify($1, $2)", [.text(channel), .text(payload)])
    }

    /// All listeners listen on this one, too.
    static let echoChannel = "skein_echo"

    /// Listens on `channels` and for echoes.
    func listen(to channels: [String]) throws(PostgresError) {
        for channel in channels + [Self.echoChannel] {
            try script("listen \"\(channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\"")
        }
    }

    /// Waits until something was sent, `wake` is signalled, or the time has come; gives what was sent, which may be nothing.
    func awaitNotifications(until instant: ContinuousClock.Instant, _ wake: WakePipe) throws(PostgresError) -> [PostgresNotification] {
        let connection = try opened()
        while true {
            let received = pendingNotifications(connection)
            if !received.isEmpty { return received }
            let left = instant - ContinuousClock.now
            guard left > .zero else { return [] }
            var descriptors = [
                pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: left.wholeMilliseconds))
            if ready < 0 && errno != EINTR {
                throw PostgresError(code: .protocolViolation, message: "poll failed with errno \(errno).")
            }
            if ready <= 0 { continue }
            if descriptors[1].revents != 0 { return [] }
            if PQconsumeInput(connection) == 0 {
                let message = PQerrorMessage(connection).map { String(cString: $0).trimmedEnd } ?? ""
                health.markBroken()
                throw PostgresError(code: .connectionLost, message: message)
            }
        }
    }

    private func pendingNotifications(_ connection: OpaquePointer) -> [PostgresNotification] {
        var received: [PostgresNotification] = []
        while let notification = PQnotifies(connection) {
            let channel = notification.pointee.relname.map { String(cString: $0) } ?? ""
            let payload = notification.pointee.extra.map { String(cString: $0) } ?? ""
            received.append(PostgresNotification(kind: .notified, channel: channel, payload: payload))
            PQfreemem(notification)
        }
        return received
    }
}

/// Wakes a thread that waits in `poll`, from any other thread.
final class WakePipe: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        precondition(made == 0, "The process has no file descriptors left for a pipe.")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        _ = Self.close(readEnd)
        _ = Self.close(writeEnd)
    }

    /// The pipe stays readable from now on.
    func signal() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    private static func close(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
        Glibc.close(descriptor)
        #elseif canImport(Musl)
        Musl.close(descriptor)
        #else
        Darwin.close(descriptor)
        #endif
    }
}
