// One way in which a value differs from its schema.

/// One reason why a value does not fit a schema. Messages name places, names and limits out of the schema, never the data itself.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    /// The offending part of the value, as a JSON pointer; empty for the whole.
    public let instancePointer: String
    /// The keyword that was violated, as a JSON pointer into the schema; in another document it follows that document's URI and a `#`.
    public let schemaPointer: String
    /// The keyword: `required`, `type`, `maxLength`, …; `limit` where the validation was given up.
    public let keyword: String
    /// A sentence for whoever sent the value.
    public let message: String

    /// A violation.
    public init(instancePointer: String, schemaPointer: String, keyword: String, message: String) {
        self.instancePointer = instancePointer
        self.schemaPointer = schemaPointer
        self.keyword = keyword
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}
