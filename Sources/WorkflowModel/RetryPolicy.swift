// Retry policies.

/// When and how often a failed attempt is followed by another one. The first entry whose `on` names the failure decides.
public struct RetryPolicy: Sendable, Hashable {
    /// The entries, in order. Each counts its own attempts.
    public var entries: [RetryEntry]

    /// A policy.
    public init(entries: [RetryEntry]) { self.entries = entries }

    /// One attempt, no retries.
    public static let none = RetryPolicy(entries: [])
}

/// One entry of a retry policy.
public struct RetryEntry: Sendable, Hashable {
    /// How the delay grows.
    public enum Backoff: String, Sendable, Hashable, CaseIterable {
        /// No delay.
        case none
        /// The same delay each time.
        case fixed
        /// `delay × n`.
        case linear
        /// `delay × factor^(n − 1)`.
        case exponential
        /// `delay × fibonacci(n)`.
        case fibonacci
    }

    /// How the delay is spread, so that many failures do not come back at the same moment.
    public enum Jitter: String, Sendable, Hashable, CaseIterable {
        /// Not at all.
        case none
        /// Anything from zero to the delay.
        case full
        /// Anything from half the delay to the delay.
        case equal
        /// Anything from `delay` to three times the previous delay.
        case decorrelated
    }

    /// The failure types, codes or HTTP statuses that this entry is for; nil is everything that may be retried at all.
    public var on: [String]?
    /// The most attempts, the first included.
    public var maxAttempts: Int
    /// How the delay grows.
    public var backoff: Backoff
    /// The first delay.
    public var delay: Duration
    /// The growth of an exponential back-off.
    public var factor: Double
    /// The longest delay.
    public var maxDelay: Duration
    /// How the delay is spread.
    public var jitter: Jitter
    /// No attempt starts later than this after the first one.
    public var maxElapsed: Duration?

    /// An entry; the defaults are those of the workflow file.
    public init(
        on: [String]? = nil, maxAttempts: Int, backoff: Backoff = .exponential, delay: Duration = .seconds(1), factor: Double = 2,
        maxDelay: Duration = .seconds(60), jitter: Jitter = .full, maxElapsed: Duration? = nil
    ) {
        self.on = on
        self.maxAttempts = maxAttempts
        self.backoff = backoff
        self.delay = delay
        self.factor = factor
        self.maxDelay = maxDelay
        self.jitter = jitter
        self.maxElapsed = maxElapsed
    }
}
