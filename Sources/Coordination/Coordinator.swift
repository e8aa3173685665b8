// The coordinator's services: the fold, the timers, the reaper, and the chores. Any number of coordinators work side by side.

public import Logging
public import Postgres
public import RunStore
public import ServiceLifecycle
public import Telemetry

/// Folds finished tasks into runs and schedules the next steps. All its state is in the database; start as many as you like.
public final class Coordinator: Service {
    let configuration: CoordinatorConfiguration
    let log: Logger
    let metrics: MetricsRegistry
    /// The runs.
    public let store: RunStore
    /// Connections for everything but the fold.
    public let pool: PostgresPool
    let foldWakeup = Wakeup()
    let timerWakeup = Wakeup()
    let matchWakeup = Wakeup()
    private let notifier: PostgresNotifier
    private let listener: PostgresListener

    /// A coordinator; nothing happens before `run`.
    public init(
        _ configuration: CoordinatorConfiguration, pool: PostgresPool, store: RunStore = RunStore(), log: Logger,
        metrics: MetricsRegistry = MetricsRegistry(showing: MetricName.ofCoordinator)
    ) {
        self.configuration = configuration
        self.log = log
        self.metrics = metrics
        self.store = store
        self.pool = pool
        notifier = PostgresNotifier(configuration.database)
        listener = PostgresListener(configuration.database, channels: [WakeChannel.outcomes])
    }

    /// Works until the task is cancelled or a graceful shutdown begins. A fold that is under way finishes.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.notifier.run() }
                group.addTask { await self.listener.run() }
                group.addTask { await self.wakeOnNotifications() }
                group.addTask { await self.foldUntilCancelled() }
                group.addTask { await self.fireTimers() }
                group.addTask { await self.matchWaits() }
                group.addTask { await self.reap() }
                group.addTask { await self.doChores() }
            }
        }
    }

    /// Says that there may be tasks to claim, once what made them ready is committed.
    public func wakeWorkers() { notifier.notify(WakeChannel.tasks) }

    /// Says that there may be something to fold, once it is committed.
    public func wakeFold() {
        foldWakeup.signal()
        matchWakeup.signal()
    }

    private func wakeOnNotifications() async {
        for await _ in listener.notifications() {
            metrics.count(.notificationsReceived)
            foldWakeup.signal()
        }
    }
}
