// Why a schema cannot be used.

/// A schema that is malformed, refers to something unknown, or is too large. Thrown when it is compiled, never while it is used.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in the schema, as a JSON pointer; in a document other than the schema itself it follows that document's URI and a `#`.
    public let pointer: String
    /// What is wrong there, as a sentence.
    public let message: String

    /// An error at `pointer`.
    public init(pointer: String, message: String) {
        self.pointer = pointer
        self.message = message
    }

    /// The place and the sentence.
    public var description: String { pointer.isEmpty ? message : "\(pointer): \(message)" }
}
