// A promise that was broken.

/// Names the promise and says what was seen.
package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The promise.
    package let promise: String
    /// What was seen.
    package let detail: String

    /// A broken promise.
    package init(_ promise: String, _ detail: String) {
        self.promise = promise
        self.detail = detail
    }

    package var description: String { "\(promise): \(detail)" }
}
