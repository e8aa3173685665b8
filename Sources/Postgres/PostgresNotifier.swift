// NOTIFY on a connection of its own, after the commits, coalesced: sent inside a business transaction it would cost most of the commits.

import Synchronization

/// Sends notifications that only wake others. A lost one costs a slow poll.
public final class PostgresNotifier: Sendable {
    private let configuration: PostgresConfiguration
    private let pending = Mutex<Set<String>>([])
    private let wakeup = Wakeup()
    private let pause: Duration
    private let sent = Mutex<UInt64>(0)

    /// A notifier; nothing is sent before `run`.
    ///
    /// - Parameters:
    ///   - configuration: a direct connection, not one through a transaction pooler.
    ///   - pause: the least time between two rounds of notifications.
    public init(_ configuration: PostgresConfiguration, pause: Duration = .milliseconds(1)) {
        self.configuration = configuration
        self.pause = pause
    }

    /// How many notifications were sent.
    public var count: UInt64 { sent.withLock { $0 } }

    /// Asks for a notification on a channel, soon. Many calls become one.
    public func notify(_ channel: String) {
        let isNew = pending.withLock { $0.insert(channel).inserted }
        if isNew { wakeup.signal() }
    }

    /// Sends what is asked for until the task is cancelled. Connects when there is something to send, and again after a failure.
    public func run() async {
        var connection: PostgresConnection?
        while !Task.isCancelled {
            await wakeup.wait()
            let channels = pending.withLock { pending in
                defer { pending = [] }
                return pending.sorted()
            }
            guard !channels.isEmpty else { continue }
            do throws(PostgresError) {
                let open: PostgresConnection
                if let connection, connection.isUsable {
                    open = connection
                } else {
                    open = try await PostgresConnection.connect(configuration)
                    connection = open
                }
                _ = try await open.query("select pg_notify(c, '') from unnest($1) as c", [.textArray(channels)])
                sent.withLock { $0 += UInt64(channels.count) }
                try? await Task.sleep(for: pause)
            } catch {
                // Whoever sleeps wakes by its poll; trying again at once would only add to the trouble.
                connection = nil
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        await connection?.close()
    }
}
