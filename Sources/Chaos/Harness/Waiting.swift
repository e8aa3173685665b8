// Waiting for a condition instead of for time.

/// Returns when `condition` is true, and throws when it still is not at the deadline. `what` is for the message.
func waitUntil(_ what: String, deadline: Duration = .seconds(10), _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + deadline
    while try await !condition() {
        guard ContinuousClock.now < end else { throw HarnessError("Not within \(deadline): \(what).") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Sleeps in the face of cancellation: what was begun is finished even when the campaign is over.
func pass(_ duration: Duration) async {
    await Task.detached { try? await Task.sleep(for: duration) }.value
}
