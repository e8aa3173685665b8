// How large a workflow file may be, and what its reader allows.

/// The bounds of a workflow file. They keep the cost of reading one small whoever wrote it.
public struct DefinitionLimits: Sendable, Hashable {
    /// The most bytes of the text.
    public var bytes: Int
    /// The deepest nesting of lists and mappings.
    public var depth: Int
    /// The most values, keys not counted.
    public var nodes: Int

    /// Limits; the defaults are 1 MiB, 64 levels and 100,000 values.
    public init(bytes: Int = 1 << 20, depth: Int = 64, nodes: Int = 100_000) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
    }
}

/// What a decoding allows beside the language itself.
public struct DecodingOptions: Sendable, Hashable {
    /// Whether agents of the kind `noop` are taken. They do nothing; tests and benchmarks need them.
    public var allowNoop: Bool
    /// The agents that are registered, beside those that the file brings along.
    public var registeredAgents: [String]
    /// The parts of the language that are taken; the others are refused as not yet there.
    public var parts: Set<LanguagePart>
    /// The bounds of the text.
    public var limits: DefinitionLimits

    /// Options; the defaults are those of registration.
    public init(
        allowNoop: Bool = false, registeredAgents: [String] = [], parts: Set<LanguagePart> = LanguagePart.released,
        limits: DefinitionLimits = DefinitionLimits()
    ) {
        self.allowNoop = allowNoop
        self.registeredAgents = registeredAgents
        self.parts = parts
        self.limits = limits
    }
}
