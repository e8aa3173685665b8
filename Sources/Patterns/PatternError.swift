// Why a pattern could not be compiled, or why a search with it was given up.

/// A pattern that is refused, or a search that was stopped. The message never contains the text that was searched.
public struct PatternError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: Sendable, Hashable {
        /// The pattern violates the grammar.
        case syntax
        /// The pattern is longer, or compiles to more, than a pattern may.
        case tooLong
        /// The search took more backtracking or memory than a search may; the pattern is too complex for this text.
        case tooComplex
        /// A replacement names a group that the pattern does not have, or an unknown escape.
        case replacement
        /// The result would be larger than it may be.
        case tooLarge
    }

    /// What is wrong.
    public let kind: Kind
    /// A sentence for the author of the pattern.
    public let message: String
    /// Where in the pattern, in bytes, when that is known.
    public let offset: Int?

    /// An error.
    public init(kind: Kind, message: String, offset: Int? = nil) {
        self.kind = kind
        self.message = message
        self.offset = offset
    }

    /// The message.
    public var description: String { message }
}
