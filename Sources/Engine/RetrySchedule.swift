// Whether a failure is followed by another attempt, and after which delay.

package import WorkflowModel

/// Applies a retry policy. The jitter comes from a hash of run, path and attempt: spread over runs, and the same when asked again.
package struct RetrySchedule {
    package let policy: RetryPolicy
    package let runID: RunID
    package let path: StepPath

    package init(policy: RetryPolicy, runID: RunID, path: StepPath) {
        self.policy = policy
        self.runID = runID
        self.path = path
    }

    // An agent that asks for more than this is taken to mean this.
    static let longestRetryAfter: Duration = .seconds(86_400)

    /// The delay before the next attempt; nil when there is none. Counts the failure in `task`.
    package func next(after failure: Failure, task: inout TaskFacts, now: Timestamp) -> Duration? {
        guard let index = policy.entries.firstIndex(where: { Self.matches($0, failure) }) else { return nil }
        let entry = policy.entries[index]
        while task.retryCounts.count <= index { task.retryCounts.append(0) }
        task.retryCounts[index] += 1
        let failures = task.retryCounts[index]
        guard failures < entry.maxAttempts else { return nil }
        let delay = failure.retryAfter.map { min(max($0, .zero), Self.longestRetryAfter) } ?? delay(entry, failures: failures, task: task)
        if let maxElapsed = entry.maxElapsed, let startedAt = task.startedAt, now + delay > startedAt + maxElapsed { return nil }
        return delay
    }

    /// Whether an entry is for a failure. Without `on` it is for everything that another attempt may mend.
    package static func matches(_ entry: RetryEntry, _ failure: Failure) -> Bool {
        guard let names = entry.on else { return isRetriedByDefault(failure.type) }
        return names.contains { name in
            name == failure.type.rawValue || name == failure.code || (name == "*" && isRetriedByDefault(failure.type))
        }
    }

    /// What is retried where a policy does not say: trouble that may pass. Not what the request itself is to blame for.
    package static func isRetriedByDefault(_ type: FailureType) -> Bool {
        switch type {
        case .timeout, .connect, .serverError, .rateLimited, .protocolError, .exit, .signal, .custom, .tls: true
        case .clientError, .tooLarge, .schema, .lost, .expression, .unstorable, .cancelled, .limit, .poison: false
        }
    }

    private func delay(_ entry: RetryEntry, failures: Int, task: TaskFacts) -> Duration {
        let base = entry.delay.seconds
        let limit = entry.maxDelay.seconds
        let plain: Double
        switch entry.backoff {
        case .none: return .zero
        case .fixed: plain = base
        case .linear: plain = base * Double(failures)
        case .exponential: plain = base * Self.power(entry.factor, failures - 1, limit: limit / max(base, 1e-9))
        case .fibonacci: plain = base * Self.fibonacci(failures, limit: limit / max(base, 1e-9))
        }
        let capped = min(plain, limit)
        let spread = Double(randomBits(attempt: task.attempt) >> 11) * 0x1p-53
        let seconds: Double
        switch entry.jitter {
        case .none: seconds = capped
        case .full: seconds = capped * spread
        case .equal: seconds = capped / 2 + capped / 2 * spread
        case .decorrelated:
            let previous = max(task.lastDelay.seconds, base)
            seconds = min(limit, base + (previous * 3 - base) * spread)
        }
        return Duration(seconds: seconds)
    }

    private static func power(_ factor: Double, _ exponent: Int, limit: Double) -> Double {
        var result = 1.0
        for _ in 0..<exponent {
            result *= factor
            if result >= limit || factor == 1 { break }
        }
        return result
    }

    private static func fibonacci(_ count: Int, limit: Double) -> Double {
        var (previous, current) = (0.0, 1.0)
        for _ in 1..<max(count, 1) {
            (previous, current) = (current, previous + current)
            if current >= limit { break }
        }
        return current
    }

    private func randomBits(attempt: Int) -> UInt64 {
        var bits = HashedBits(run: runID, path: path, attempt: attempt)
        return bits.next()
    }
}

/// Bits that look random and are always the same for one attempt of one step: FNV-1a over its identity, then SplitMix64.
struct HashedBits: RandomNumberGenerator {
    private var state: UInt64

    init(run: RunID, path: StepPath, attempt: Int) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ value: UInt64) { hash = (hash ^ value) &* 0x0000_0100_0000_01B3 }
        mix(run.uuid.high)
        mix(run.uuid.low)
        for byte in path.text.utf8 { mix(UInt64(byte)) }
        mix(UInt64(attempt))
        state = hash
    }

    mutating func next() -> UInt64 {
        var hash = state
        state &+= 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
