// LISTEN on a connection of its own.

import Synchronization

/// Listens on channels for as long as `run` runs, and hands notifications to any number of streams.
///
/// Notifications are hints: they get lost while the connection is down, and a stream keeps only the newest one that nobody has read yet.
/// After every (re)connection all streams get a notification of the kind `connected`; read it as "look yourself".
///
/// A pooler may swallow LISTEN without a word, and a dead server may look alive, so the listener sends itself an echo after every
/// `echoInterval` of silence and connects again when two went unheard. Connect it directly, not through a pooler.
public final class PostgresListener: Sendable {
    private struct Subscriber {
        var channel: String?
        var continuation: AsyncStream<PostgresNotification>.Continuation
    }

    private struct State {
        var subscribers: [UInt64: Subscriber] = [:]
        var lastSubscriber: UInt64 = 0
    }

    /// The channels that are listened to.
    public let channels: [String]
    private let configuration: PostgresConfiguration
    private let echoInterval: Duration
    private let onFailure: (@Sendable (PostgresError) -> Void)?
    private let state = Mutex(State())

    /// A connection is given up after this many echoes in a row that were not heard.
    private static let missedEchoes = 2

    /// A listener that does nothing until `run` is called. `onFailure` gets what made a connection end or fail; the listener goes on by itself.
    public init(
        _ configuration: PostgresConfiguration, channels: [String], echoInterval: Duration = .seconds(10),
        onFailure: (@Sendable (PostgresError) -> Void)? = nil
    ) {
        self.configuration = configuration
        self.channels = channels
        self.echoInterval = echoInterval
        self.onFailure = onFailure
    }

    /// A stream of the notifications on `channel`, or on all channels, that holds the newest unread one. Ends when `run` ends.
    public func notifications(on channel: String? = nil) -> AsyncStream<PostgresNotification> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let id = state.withLock { state in
                state.lastSubscriber += 1
                state.subscribers[state.lastSubscriber] = Subscriber(channel: channel, continuation: continuation)
                return state.lastSubscriber
            }
            continuation.onTermination = { [weak self] _ in
                _ = self?.state.withLock { $0.subscribers.removeValue(forKey: id) }
            }
        }
    }

    /// Listens until the task is cancelled. Then the connection is closed and all streams have ended.
    public func run() async {
        let wake = WakePipe()
        await withTaskCancellationHandler {
            await listenUntilCancelled(wake)
        } onCancel: {
            wake.signal()
        }
        let subscribers = state.withLock { state in
            defer { state.subscribers = [:] }
            return state.subscribers.values.map(\.continuation)
        }
        for subscriber in subscribers { subscriber.finish() }
    }

    private func listenUntilCancelled(_ wake: WakePipe) async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(configuration)
                let echoChannel = try await connection.listen(to: channels)
                failures = 0
                send(PostgresNotification(kind: .connected))
                try await listen(connection, echoChannel, wake)
                await connection.close()
            } catch {
                onFailure?(error)
                failures += 1
                // Cancellation ends the sleep early, and the loop with it.
                try? await Task.sleep(for: BackOff.reconnect.delay(after: failures))
            }
        }
    }

    private func listen(_ connection: PostgresConnection, _ echoChannel: String, _ wake: WakePipe) async throws(PostgresError) {
        var heardLast = ContinuousClock.now
        var unheardEchoes = 0
        while !Task.isCancelled {
            let silentAt = heardLast + echoInterval * (unheardEchoes + 1)
            let received = try await connection.awaitNotifications(until: silentAt, wake)
            for notification in received where notification.channel != echoChannel { send(notification) }
            if !received.isEmpty {
                heardLast = ContinuousClock.now
                unheardEchoes = 0
            } else if ContinuousClock.now >= silentAt {
                guard unheardEchoes < Self.missedEchoes else {
                    throw PostgresError(code: .connectionLost, message: "The listener did not hear \(unheardEchoes) echoes of its own.")
                }
                unheardEchoes += 1
                try await connection.notify(echoChannel, "")
            }
        }
    }

    private func send(_ notification: PostgresNotification) {
        let receivers = state.withLock { state in
            state.subscribers.values.filter { notification.kind == .connected || $0.channel == nil || $0.channel == notification.channel }
                .map(\.continuation)
        }
        for receiver in receivers { receiver.yield(notification) }
    }
}
