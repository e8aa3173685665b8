// What the admin API is told at its start.

/// How the admin API works.
public struct AdminConfiguration: Sendable {
    /// Whether every request must carry a valid API key.
    public var requiresKeys: Bool
    /// The most bytes of a run's input.
    public var inputLimit: Int
    /// The most bytes of a body.
    public var bodyLimit: Int
    /// The most bytes of the body of a batch.
    public var batchLimit: Int
    /// The most runs that may be live when another one is accepted; zero is no bound.
    public var backlogLimit: Int
    /// The most submits that may wait to be committed.
    public var waitingLimit: Int
    /// The most bytes of bodies that requests may hold at a time.
    public var bytesLimit: Int
    /// Whether agents of the kind `noop` are taken. For tests and benchmarks.
    public var allowNoop: Bool
    /// How long a submit waits for the database before it is refused.
    public var submitTimeout: Duration
    /// How often a stream without news says that it is alive.
    public var heartbeat: Duration
    /// The longest time that a request may wait for a run to end.
    public var longestWait: Duration
    /// How long a key that was found valid is not asked for again.
    public var keyCacheTime: Duration
    /// The release, as it is shown.
    public var version: String

    /// How the admin API works; what is not given is the default.
    public init(
        requiresKeys: Bool = false, inputLimit: Int = 1 << 20, bodyLimit: Int = 2 << 20, batchLimit: Int = 16 << 20, allowNoop: Bool = false,
        submitTimeout: Duration = .seconds(5), heartbeat: Duration = .seconds(15), longestWait: Duration = .seconds(60),
        keyCacheTime: Duration = .seconds(5), backlogLimit: Int = 1_000_000, waitingLimit: Int = 20_000, bytesLimit: Int = 128 << 20,
        version: String
    ) {
        self.requiresKeys = requiresKeys
        self.inputLimit = inputLimit
        self.bodyLimit = bodyLimit
        self.batchLimit = batchLimit
        self.backlogLimit = backlogLimit
        self.waitingLimit = waitingLimit
        self.bytesLimit = bytesLimit
        self.allowNoop = allowNoop
        self.submitTimeout = submitTimeout
        self.heartbeat = heartbeat
        self.longestWait = longestWait
        self.keyCacheTime = keyCacheTime
        self.version = version
    }

    /// The most runs of one batch.
    static let largestBatch = 1000
    /// The longest idempotency key, in bytes.
    static let longestKey = 255
    /// The longest reason for a cancellation, in bytes.
    static let longestReason = 2000
    /// The most labels of a run.
    static let mostLabels = 64
    /// The longest name or value of a label, in bytes.
    static let longestLabel = 1024
}
