// LISTEN on a connection of its own.

/// Listens on channels for as long as `run` runs, and hands on what it hears.
///
/// Notifications are hints: they get lost while the connection is down. After every (re)connection there is one of the kind `connected`; read it
/// as "look yourself".
///
/// A pooler may swallow LISTEN without a word, and a dead server may look alive, so the listener sends itself an echo after every
/// `echoInterval` of silence and connects again when two went unheard. Connect it directly, not through a pooler.
public final class PostgresListener: Sendable {
    /// The channels that are listened to.
    public let channels: [String]
    private let configuration: PostgresConfiguration
    private let echoInterval: Duration
    private let onFailure: (@Sendable (PostgresError) -> Void)?
    private let onNotification: @Sendable (PostgresNotification) -> Void
    private let thread: PostgresThread

    /// A connection is given up after this many echoes in a row that were not heard.
    private static let missedEchoes = 2

    /// A listener that does nothing until `run` is called.
    ///
    /// - Parameters:
    ///   - configuration: a direct connection.
    ///   - channels: what to listen to.
    ///   - echoInterval: after how much silence the listener tests its own hearing.
    ///   - onFailure: gets what made a connection end or fail; the listener goes on by itself.
    ///   - onNotification: gets what is heard, on the listener's thread: it wakes somebody, and does nothing that takes time.
    public init(
        _ configuration: PostgresConfiguration, channels: [String], echoInterval: Duration = .seconds(15),
        onFailure: (@Sendable (PostgresError) -> Void)? = nil, onNotification: @escaping @Sendable (PostgresNotification) -> Void
    ) {
        self.configuration = configuration
        self.channels = channels
        self.echoInterval = echoInterval
        self.onFailure = onFailure
        self.onNotification = onNotification
        thread = PostgresThread(label: configuration.applicationName + ".listener")
    }

    /// Listens until the task is cancelled. Then the connection is closed.
    public func run() async {
        let wake = WakePipe()
        await withTaskCancellationHandler {
            await withTaskExecutorPreference(thread) { await listenUntilCancelled(wake) }
        } onCancel: {
            wake.signal()
        }
    }

    private func listenUntilCancelled(_ wake: WakePipe) async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(configuration, on: thread)
                let echoChannel = try await connection.listen(to: channels)
                failures = 0
                onNotification(PostgresNotification(kind: .connected))
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
            for notification in received where notification.channel != echoChannel { onNotification(notification) }
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
}
