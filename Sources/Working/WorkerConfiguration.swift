// What a worker is told at its start.

public import AgentCalls
public import Postgres

/// How a worker works.
public struct WorkerConfiguration: Sendable {
    /// The database.
    public var database: PostgresConfiguration
    /// The namespace whose tasks it takes.
    public var namespace: String
    /// A name for people.
    public var name: String
    /// The release, as it is shown.
    public var version: String
    /// The queues, the preferred one first.
    public var queues: [String]
    /// How many tasks it works on at once.
    public var slots: Int
    /// How long its lease lasts when it cannot renew it.
    public var lease: Duration
    /// How long it lets running calls finish when it is told to stop.
    public var drainTimeout: Duration
    /// How long it sleeps at most before it looks for tasks without having been woken.
    public var pollInterval: Duration
    /// The bounds of agent calls.
    public var calls: AgentCallSettings

    /// How a worker works; what is not given is the default.
    public init(
        database: PostgresConfiguration, namespace: String = "default", name: String, version: String, queues: [String] = ["default"],
        slots: Int = 16, lease: Duration = .seconds(10), drainTimeout: Duration = .seconds(30), pollInterval: Duration = .seconds(5),
        calls: AgentCallSettings = AgentCallSettings()
    ) {
        self.database = database
        self.namespace = namespace
        self.name = name
        self.version = version
        self.queues = queues
        self.slots = slots
        self.lease = lease
        self.drainTimeout = drainTimeout
        self.pollInterval = pollInterval
        self.calls = calls
    }

    /// How many outcomes one exchange reports at most.
    static let exchangeLimit = 500

    /// So many outcomes are reported at once, without waiting for more.
    static let reportSize = 64

    /// How long an outcome waits for others while other calls are under way.
    static let reportDelay: Duration = .milliseconds(1)
}

/// The channels on which processes wake each other. A notification carries nothing; whoever misses one looks a little later.
public enum WakeChannel {
    /// There may be tasks to claim.
    public static let tasks = "skein_tasks"
    /// There may be outcomes to fold.
    public static let outcomes = "skein_outcomes"
}
