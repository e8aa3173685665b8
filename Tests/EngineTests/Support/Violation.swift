// A promise that was broken.

/// Names the promise and says what was seen.
struct Violation: Error, CustomStringConvertible {
    let promise: String
    let detail: String

    init(_ promise: String, _ detail: String) {
        self.promise = promise
        self.detail = detail
    }

    var description: String { "\(promise): \(detail)" }
}
