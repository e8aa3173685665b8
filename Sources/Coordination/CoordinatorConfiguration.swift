// What a coordinator is told at its start.

public import Postgres

/// How a coordinator works.
public struct CoordinatorConfiguration: Sendable {
    /// The database.
    public var database: PostgresConfiguration
    /// How many outcomes one fold takes at most, and as many orders and timers.
    public var foldLimit: Int
    /// How many folds may be under way at the same time, each on runs of its own.
    public var foldLanes: Int
    /// How long the fold sleeps at most before it looks without having been woken.
    public var pollInterval: Duration
    /// How often leases are looked at.
    public var reapInterval: Duration
    /// How long one full lease is: nobody is declared dead before it has passed since this coordinator could look.
    public var lease: Duration
    /// How long the history of ended runs is kept; zero keeps it for ever.
    public var historyRetention: Duration

    /// How often the invariants are looked at; zero never does.
    public var checkInterval: Duration
    /// How many runs such a look takes in: so many of the newest ones, and so many on a walk through all.
    public var checkedRuns: Int

    /// How a coordinator works; what is not given is the default.
    public init(
        database: PostgresConfiguration, foldLimit: Int = 1000, foldLanes: Int = 2, pollInterval: Duration = .seconds(5),
        reapInterval: Duration = .seconds(1), lease: Duration = .seconds(10),
        historyRetention: Duration = .seconds(90 * 86_400), checkInterval: Duration = .seconds(60), checkedRuns: Int = 1000
    ) {
        self.database = database
        self.foldLimit = foldLimit
        self.foldLanes = foldLanes
        self.pollInterval = pollInterval
        self.reapInterval = reapInterval
        self.lease = lease
        self.historyRetention = historyRetention
        self.checkInterval = checkInterval
        self.checkedRuns = checkedRuns
    }
}

/// The channels on which processes wake each other. A notification carries nothing; whoever misses one looks a little later.
public enum WakeChannel {
    /// There may be tasks to claim.
    public static let tasks = "skein_tasks"
    /// There may be outcomes to fold.
    public static let outcomes = "skein_outcomes"
}
