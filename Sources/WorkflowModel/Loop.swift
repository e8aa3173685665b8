// Loops around a step's verb.

/// How often, over what, and how many at once a step's verb runs. The rest of the step's settings hold for each iteration
/// (`timeout retry result output cache limit`) or for the loop as a whole (`if needs when onError totalTimeout`).
public struct Loop: Sendable, Hashable {
    /// What makes iterations.
    public enum Source: Sendable, Hashable {
        /// One iteration for each item of the list that a template gives. It is evaluated once, when the loop starts.
        case each(JSONValue)
        /// As long as the condition holds, tested before each iteration.
        case `while`(String)
        /// Until the condition holds, tested after each iteration.
        case until(String)
    }

    /// What a loop keeps of its iterations' outputs.
    public enum Collection: String, Sendable, Hashable, CaseIterable {
        /// All of them, in the order of the collection; null where an iteration failed or was skipped.
        case list
        /// That of the last iteration.
        case last
        /// Nothing: null.
        case none
    }

    /// What makes iterations.
    public var source: Source
    /// The name of the item in expressions; `NAME_index` is its index there and in loops inside.
    public var variable: String
    /// The template of `previous` in the first iteration of a `while` or `until` loop; nil is null.
    public var initial: JSONValue?
    /// The pause between two iterations, from the end of one to the start of the next.
    public var every: Duration?
    /// How many items make one iteration, whose item then is a list; nil is one item, as it is.
    public var batch: Int?
    /// How many iterations run at once: 1 is one after the other, nil all of them.
    public var maxParallel: Int?
    /// How many iterations may fail, and what becomes of the others.
    public var join: JoinPolicy
    /// What is kept of the outputs.
    public var collect: Collection
    /// The most iterations; a `while` or `until` loop that would need more fails. Nil, for `each` only, is as many as there are items.
    public var maxIterations: Int?
    /// Ends the loop after an iteration for which it is true, as the source of a CEL expression; running iterations are cancelled.
    public var breakIf: String?

    /// A loop; everything but the source has a default.
    public init(
        source: Source, variable: String = "item", initial: JSONValue? = nil, every: Duration? = nil, batch: Int? = nil,
        maxParallel: Int? = 1, join: JoinPolicy = JoinPolicy(), collect: Collection = .list, maxIterations: Int? = nil,
        breakIf: String? = nil
    ) {
        self.source = source
        self.variable = variable
        self.initial = initial
        self.every = every
        self.batch = batch
        self.maxParallel = maxParallel
        self.join = join
        self.collect = collect
        self.maxIterations = maxIterations
        self.breakIf = breakIf
    }
}
