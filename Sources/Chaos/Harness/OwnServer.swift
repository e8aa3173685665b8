// A PostgreSQL server of one's own, which may be stopped and started.

import EmbeddedPostgres
package import Foundation
import Synchronization

/// A PostgreSQL server that its owner may stop and start as it likes.
package final class OwnServer: Sendable {
    private let settings: EmbeddedPostgresSettings
    private let current: Mutex<EmbeddedPostgres?>
    package let url: String
    /// The directory of the server's socket.
    package let socketDirectory: URL
    /// The server's log.
    package let log: URL

    package static let defaults = [
        "max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "512MB", "log_min_messages": "warning",
    ]

    package init(in directory: URL, parameters: [String: String] = [:]) throws {
        settings = EmbeddedPostgresSettings(
            directory: directory, user: "postgres", parameters: Self.defaults.merging(parameters) { $1 }, signalOnParentDeath: "QUIT")
        let server = try EmbeddedPostgres.start(settings)
        url = server.connectionString()
        socketDirectory = server.socketDirectory
        log = server.log
        current = Mutex(server)
    }

    package var processID: Int32? { current.withLock { $0?.processID } }
    package var isRunning: Bool { current.withLock { $0?.isRunning ?? false } }

    /// As `pg_ctl stop -m immediate`: every session is gone, nothing is written; the next start recovers.
    package func crash() { current.withLock { $0.take() }?.stop(.immediate) }

    /// Starts it again on the same data.
    package func start() throws {
        let server = try EmbeddedPostgres.start(settings)
        current.withLock { $0 = server }
    }
}
