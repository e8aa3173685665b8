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
    let foldLanes: FoldLanes
    let timerWakeup = Wakeup()
    let matchWakeup = Wakeup()
    let marksWakeup = Wakeup()
    let nearMarksWakeup = Wakeup()
    private let notifier: PostgresNotifier
    private let listener: PostgresListener

    /// A coordinator; nothing happens before `run`.
    public init(
        _ configuration: CoordinatorConfiguration, pool: PostgresPool, log: Logger,
        metrics: MetricsRegistry = MetricsRegistry(showing: MetricName.ofCoordinator)
    ) {
        self.configuration = configuration
        self.log = log
        self.metrics = metrics
        self.pool = pool
        foldLanes = FoldLanes(count: max(1, configuration.foldLanes))
        notifier = PostgresNotifier(configuration.database)
        store = RunStore(tasksNotice: CommitNotice(notifier, channel: WakeChannel.tasks))
        listener = PostgresListener(configuration.database, channels: [WakeChannel.outcomes]) { [foldLanes] _ in
            metrics.count(.notificationsReceived)
            foldLanes.wake()
        }
    }

    /// Works until the task is cancelled or a graceful shutdown begins. A fold that is under way finishes.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.notifier.run() }
                group.addTask { await self.listener.run() }
                for lane in self.foldLanes.wakeups.indices {
                    let thread = PostgresThread(label: "fold.\(lane)")
                    group.addTask(executorPreference: thread) { await self.fold(lane: lane, on: thread) }
                }
                group.addTask { await self.fireTimers() }
                group.addTask { await self.matchWaits() }
                group.addTask { await self.reap() }
                group.addTask { await self.lookBelowMarks() }
                group.addTask { await self.lookJustBelowMarks() }
                group.addTask { await self.doChores() }
                group.addTask { await self.probeInvariants() }
            }
        }
    }

    /// Says that there may be tasks to claim, once what made them ready is committed.
    public func wakeWorkers() { notifier.notify(WakeChannel.tasks) }

    /// Says that there may be something to fold, once it is committed: an order, an event, what a resume has set free.
    public func wakeFold() {
        wakeFolds()
        matchWakeup.signal()
        timerWakeup.signal()
    }

    /// Says what runs that were just submitted have left to do, once they are committed.
    public func noteSubmits(_ report: FoldReport) { wake(for: report) }

    func wakeFolds() { foldLanes.wake() }

    // Whoever has to do something about what a transaction has left. Workers know of it with its commit.
    func wake(for report: FoldReport) {
        if report.timersSet > 0 { timerWakeup.signal() }
        if report.waitsToMatch > 0 { matchWakeup.signal() }
        if report.ordersLeft > 0 { wakeFolds() }
    }
}
