// Which data an expression reads.

/// A path of constant names that an expression reads from its scope: `steps.review.output.score`.
///
/// It is as long as it can be: it ends where a computed index, a call or a loop takes over. Loop variables are no references.
public struct Reference: Sendable, Hashable {
    /// The name of the variable: `steps`.
    public let root: String
    /// The keys that are selected from it: `review`, `output`, `score`. An index with a constant string counts as a key.
    public let path: [String]
    /// How many of `path` have to be there. The rest is read by `.?` or tested by `has()`.
    public let requiredCount: Int
    /// Where in the source the reference starts, in bytes.
    public let offset: Int
    /// In a template: where the text with the expression is, as a JSON pointer.
    public var location: String?

    /// A reference.
    public init(root: String, path: [String], requiredCount: Int, offset: Int, location: String? = nil) {
        self.root = root
        self.path = path
        self.requiredCount = requiredCount
        self.offset = offset
        self.location = location
    }

    /// Whether a part of the path may be absent.
    public var isOptional: Bool { requiredCount < path.count }
}
