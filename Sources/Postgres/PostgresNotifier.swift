// NOTIFY on a connection of its own, after the commits, coalesced: sent inside a business transaction it would cost most of the commits.

import Synchronization

/// Sends notifications that only wake others. A lost one costs a slow poll.
public final class PostgresNotifier: Sendable {
    private let configuration: PostgresConfiguration
    private let pending = Mutex<Set<String>>([])
    private let wakeup = Wakeup()
    private let pause: Duration
    private let sent = Mutex<UInt64>(0)
    // When the last notification was sent, by whoever did it.
    private let lastSent = Mutex<ContinuousClock.Instant?>(nil)

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

    /// Whether a notification may go with a commit of the caller's own: when the last one is long enough ago. The caller sends it then.
    func takesTurn(at now: ContinuousClock.Instant = .now) -> Bool {
        let isTurn = lastSent.withLock { last in
            if let last, now - last < pause { return false }
            last = now
            return true
        }
        if isTurn { sent.withLock { $0 += 1 } }
        return isTurn
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
                lastSent.withLock { $0 = .now }
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

/// Who is to be woken by a commit.
///
/// Light work sends the notification in the commit's own round trip, as a transaction of its own behind it: whoever sleeps wakes some 0.4 ms
/// earlier than by the notifier, which has to be woken itself. Under load, when the notifier has just sent one, it is left to the notifier,
/// and many become one.
public struct CommitNotice: Sendable {
    private let notifier: PostgresNotifier
    let channel: String

    /// A notice on a channel.
    public init(_ notifier: PostgresNotifier, channel: String) {
        self.notifier = notifier
        self.channel = channel
    }

    /// Whether the notification goes with the commit: `pipelineAndCommit(_:notifying:)`. Otherwise `send` it when the commit is done.
    public func goesWithCommit() -> Bool { notifier.takesTurn() }

    /// Sends it, soon.
    public func send() { notifier.notify(channel) }
}
