// Waiting for a condition instead of for time.

/// A condition did not come true in time.
public struct WaitTimeout: Error, CustomStringConvertible {
    /// What was waited for, and how long.
    public let description: String
}

/// Returns when `condition` is true, and throws when it still is not at the deadline. `what` is for the message.
public func waitUntil(
    _ what: String = "the condition is true", deadline: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + deadline
    while try await !condition() {
        guard ContinuousClock.now < end else { throw WaitTimeout(description: "Not within \(deadline): \(what).") }
        try await Task.sleep(for: .milliseconds(5))
    }
}
