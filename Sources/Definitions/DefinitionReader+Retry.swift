// Retry policies: one entry or a list of them.

import WorkflowModel

extension DefinitionReader {
    /// The most attempts that a policy may ask for.
    private static let mostAttempts = 1000
    /// The fastest growth of a delay.
    private static let largestFactor = 100.0

    mutating func retry(_ field: Field) -> RetryPolicy? {
        if let elements = field.elements {
            return RetryPolicy(entries: elements.compactMap { retryEntry($0) })
        }
        guard field.members != nil else {
            var fix = "for example { maxAttempts: 4 }"
            if case .scalar(.int(let count)) = field.node.content { fix = "write { maxAttempts: \(count) }" }
            wrongType(field, expected: "a policy or a list of policies", fix: fix)
            return nil
        }
        return retryEntry(field).map { RetryPolicy(entries: [$0]) }
    }

    private mutating func retryEntry(_ field: Field) -> RetryEntry? {
        guard let entries = entries(field, .retry) else { return nil }
        let attempts = required("maxAttempts", in: entries, "a retry policy", fix: "say how often at most, the first attempt included")
        var entry = RetryEntry(maxAttempts: attempts.flatMap { integer($0, in: 1...Self.mostAttempts) } ?? 1)
        if let on = entries["on"] { entry.on = failures(on) }
        if let backoff = entries["backoff"], let value = word(backoff, RetryEntry.Backoff.self) { entry.backoff = value }
        if let jitter = entries["jitter"], let value = word(jitter, RetryEntry.Jitter.self) { entry.jitter = value }
        if let factor = entries["factor"], let value = number(factor, in: 1...Self.largestFactor) { entry.factor = value }
        if let delay = entries["delay"], let value = duration(delay, allowZero: true) { entry.delay = value }
        entry.maxDelay = max(entry.maxDelay, entry.delay)
        if let maxDelay = entries["maxDelay"], let value = duration(maxDelay, allowZero: true) {
            entry.maxDelay = value
            if value < entry.delay {
                report(
                    .outOfRange, "`maxDelay` (\(DurationText.format(value))) is shorter than `delay` (\(DurationText.format(entry.delay)))",
                    at: maxDelay, fix: "the first delay is never longer than the longest")
            }
        }
        if let elapsed = entries["maxElapsed"] { entry.maxElapsed = duration(elapsed) }
        return entry
    }

    // Failure types, the agents' own codes, HTTP statuses.
    private mutating func failures(_ field: Field) -> [String]? {
        guard let elements = field.elements else {
            let fix = field.string.map { "write [\($0)]" }
            wrongType(field, expected: "a list of failure types and codes", fix: fix)
            return nil
        }
        if elements.isEmpty {
            report(
                .outOfRange, "`on` is empty, so this entry would never be used", at: field,
                fix: "leave `on` out to retry all that can be retried")
        }
        let types = FailureType.allCases.map(\.rawValue)
        var names: [String] = []
        for element in elements {
            if case .scalar(.int(let status)) = element.node.content, (100...599).contains(status) {
                names.append(String(status))
                continue
            }
            guard let name = text(element) else { continue }
            if name.isEmpty || name.utf8.count > 64 {
                report(.outOfRange, "a failure type or code has 1 to 64 characters", at: element)
                continue
            }
            if !types.contains(name), let meant = closest(to: name, among: types) {
                report(
                    .unknownFailure, "\(Wording.quoted(name)) is no failure type; it is compared with the agent's own codes", at: element,
                    fix: "did you mean \"\(meant)\"?")
            }
            names.append(name)
        }
        return names
    }
}
