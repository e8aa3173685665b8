// LISTEN on a connection of its own.

/// Listens on channels for as long as `run` runs, and hands on what it hears.
///
/// Notifications are hints: they get lost while the connection is down. After every (re)connection there is one of the kind `connected`; read it
/// as "look yourself".
///
/// A pooler may swallow LISTEN without a word, and a dead server may look alive, so the listener sends an echo after `echoInterval` of silence
/// at most, and connects again when two went unheard: after three times `echoInterval` at most. Connect it directly, not through a pooler.
///
/// All listeners of a database hear each other's echoes, and whoever hears one need not send its own: where nothing happens, one of them sends
/// and the others hear it, however many there are.
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
    // Each is silent for another part of the interval, so that one sends before the others would.
    private static let patience = 0.9...1

    /// A listener that does nothing until `run` is called.
    ///
    /// - Parameters:
    ///   - configuration: a direct connection.
    ///   - channels: what to listen to.
    ///   - echoInterval: after how much silence, at most, the listener tests its own hearing.
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
                try await connection.listen(to: channels)
                failures = 0
                onNotification(PostgresNotification(kind: .connected))
                try await listen(connection, wake)
                await connection.close()
            } catch {
                onFailure?(error)
                failures += 1
                // Cancellation ends the sleep early, and the loop with it.
                try? await Task.sleep(for: BackOff.reconnect.delay(after: failures))
            }
        }
    }

    private func listen(_ connection: PostgresConnection, _ wake: WakePipe) async throws(PostgresError) {
        var heardLast = ContinuousClock.now
        var unheardEchoes = 0
        var silence = echoInterval * Double.random(in: Self.patience)
        while !Task.isCancelled {
            let silentAt = heardLast + silence * (unheardEchoes + 1)
            let received = try await connection.awaitNotifications(until: silentAt, wake)
            for notification in received where notification.channel != PostgresConnection.echoChannel { onNotification(notification) }
            if !received.isEmpty {
                heardLast = ContinuousClock.now
                unheardEchoes = 0
                silence = echoInterval * Double.random(in: Self.patience)
            } else if ContinuousClock.now >= silentAt {
                guard unheardEchoes < Self.missedEchoes else {
                    throw PostgresError(code: .connectionLost, message: "The listener did not hear \(unheardEchoes) echoes of its own.")
                }
                unheardEchoes += 1
                try await connection.notify(PostgresConnection.echoChannel, "")
            }
        }
    }
}
