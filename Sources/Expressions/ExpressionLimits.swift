// What an expression may cost.

/// The bounds on an expression, its evaluation and its result. Exceeding one is an error of kind `limit`, which no `||` absorbs.
public struct ExpressionLimits: Sendable, Hashable {
    /// The longest source, in bytes.
    public var sourceBytes: Int
    /// The most tokens in a source.
    public var tokens: Int
    /// The deepest nesting of parentheses, brackets and conditionals.
    public var nesting: Int
    /// The most steps of an evaluation. Each node counts one, and so does each turn of a loop; work on long texts and lists counts more.
    public var steps: Int
    /// The most memory that an evaluation may ask for in all, in bytes.
    public var bytes: Int

    /// Limits.
    public init(sourceBytes: Int = 32 << 10, tokens: Int = 4096, nesting: Int = 200, steps: Int = 100_000, bytes: Int = 16 << 20) {
        self.sourceBytes = sourceBytes
        self.tokens = tokens
        self.nesting = nesting
        self.steps = steps
        self.bytes = bytes
    }

    /// 32 KiB, 4,096 tokens, nesting 200, 100,000 steps, 16 MiB.
    public static let standard = ExpressionLimits()

    // A tree may be higher than its source is nested: `a.b.c` is three high and not nested at all.
    var height: Int { nesting * 2 }
}

/// How arithmetic treats operands of different numeric types.
public enum NumberMode: Sendable, Hashable {
    /// `int` with `double` gives `double`: JSON does not tell `1` from `1.0`.
    case promoting
    /// As the language definition has it: there is no arithmetic between different types.
    case strict
}

/// Counts down what an evaluation may still spend.
struct Meter {
    /// Steps are counted in sixteenths, so that trivial work on elements can cost less than a node.
    static let unitsPerStep = 16
    private(set) var units: Int
    private(set) var bytes: Int

    init(_ limits: ExpressionLimits) {
        let (units, overflow) = limits.steps.multipliedReportingOverflow(by: Self.unitsPerStep)
        self.units = overflow ? .max : units
        self.bytes = limits.bytes
    }

    /// How many steps are left.
    var remainingSteps: Int { max(0, units) / Self.unitsPerStep }

    @inline(__always)
    mutating func step() throws(Fault) {
        units -= Self.unitsPerStep
        if units < 0 { throw Self.exhausted }
    }

    /// For trivial work on `count` elements: an eighth of a step each.
    mutating func work(elements count: Int) throws(Fault) { try spend(units: count.multipliedReportingOverflow(by: 2).partialValue) }

    /// For reading or writing `count` bytes: a step for each KiB.
    mutating func work(bytes count: Int) throws(Fault) { try spend(units: count / 64) }

    mutating func work(steps count: Int) throws(Fault) { try spend(units: count * Self.unitsPerStep) }

    /// For memory that is about to be asked for.
    mutating func charge(bytes count: Int) throws(Fault) {
        let (rest, overflow) = bytes.subtractingReportingOverflow(count)
        guard !overflow, rest >= 0, count >= 0 else {
            throw Fault(kind: .limit, message: "the evaluation needs more memory than it may", offset: -1)
        }
        bytes = rest
        try spend(units: count / 64)
    }

    /// For `count` values that are about to be put into a list.
    mutating func charge(values count: Int) throws(Fault) {
        let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        try charge(bytes: overflow ? .max : size + 32)
    }

    private mutating func spend(units count: Int) throws(Fault) {
        let (rest, overflow) = units.subtractingReportingOverflow(count)
        guard !overflow, rest >= 0, count >= 0 else { throw Self.exhausted }
        units = rest
    }

    static var exhausted: Fault { Fault(kind: .limit, message: "the evaluation takes more steps than it may", offset: -1) }
}
