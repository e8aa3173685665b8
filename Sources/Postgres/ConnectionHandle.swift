// Owns libpq's connection object: made here, freed here.

import CLibPQ

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A `PGconn` that is connected and does not block. Not `Sendable`: it stays inside its actor, or with whoever holds the last reference.
final class ConnectionHandle {
    let pointer: OpaquePointer
    private let notices: NoticeReceiver

    /// Connects, blocking the thread.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let pairs = try configuration.keywords()
        var keywords: [UnsafePointer<CChar>?] = pairs.map { UnsafePointer(strdup($0.0)) }
        var values: [UnsafePointer<CChar>?] = pairs.map { UnsafePointer(strdup($0.1)) }
        keywords.append(nil)
        values.append(nil)
        let connected = PQconnectdbParams(keywords, values, 1)
        for text in keywords + values { free(UnsafeMutablePointer(mutating: text)) }

        guard let connected else { throw PostgresError(code: .connectionFailed, message: "There was no memory for a connection.") }
        guard PQstatus(connected) == CONNECTION_OK else {
            let message = String(cString: PQerrorMessage(connected))
            PQfinish(connected)
            throw PostgresError(code: .connectionFailed, sqlState: Self.guessedState(message), message: message.trimmedEnd)
        }
        pointer = connected
        notices = NoticeReceiver(handler: configuration.noticeHandler)
        PQsetNoticeReceiver(
            connected, { context, result in NoticeReceiver.receive(context, result) }, Unmanaged.passUnretained(notices).toOpaque())
        PQsetnonblocking(connected, 1)
    }

    deinit {
        PQfinish(pointer)
    }

    /// libpq keeps the SQLSTATE of a refused connection to itself, so it is guessed from the message where that is English. Nil is always
    /// a safe answer; it means "try again".
    private static func guessedState(_ message: String) -> SQLState? {
        let known: [(String, SQLState)] = [
            ("password authentication failed", .invalidPassword), ("no password supplied", .invalidPassword),
            ("no pg_hba.conf entry", .invalidAuthorization), ("authentication failed", .invalidAuthorization),
            ("role \"", .invalidAuthorization), ("starting up", .cannotConnectNow), ("shutting down", .cannotConnectNow),
            ("in recovery mode", .cannotConnectNow), ("too many clients", .tooManyConnections),
            ("remaining connection slots", .tooManyConnections), ("too many connections", .tooManyConnections),
        ]
        if let match = known.first(where: { message.contains($0.0) }) { return match.1 }
        return message.contains("database \"") && message.contains("does not exist") ? .unknownDatabase : nil
    }
}

/// Gets the server's notices from libpq, on the connection's thread.
private final class NoticeReceiver {
    private let handler: (@Sendable (String) -> Void)?

    init(handler: (@Sendable (String) -> Void)?) {
        self.handler = handler
    }

    static func receive(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
        guard let context, let result else { return }
        let receiver = Unmanaged<NoticeReceiver>.fromOpaque(context).takeUnretainedValue()
        guard let handler = receiver.handler, let text = PQresultErrorField(result, SKEIN_PG_DIAG_MESSAGE_PRIMARY) else { return }
        handler(String(cString: text))
    }
}

extension String {
    /// Without the line break that ends libpq's messages.
    var trimmedEnd: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
