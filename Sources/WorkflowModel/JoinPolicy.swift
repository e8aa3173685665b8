// When parts that run side by side are done: branches of a `parallel` step, iterations of a loop.

/// When a join is satisfied, and what a failure among its parts does. A join that can no longer be satisfied fails at once.
public struct JoinPolicy: Sendable, Hashable {
    /// How much has to succeed.
    public enum Rule: Sendable, Hashable {
        /// Everything.
        case all
        /// One part; the others are cancelled then.
        case any
        /// The first part to settle decides, whether it succeeded or failed; the others are cancelled.
        case first
        /// So many parts; the others are cancelled then.
        case quorum(Int)
        /// This share of the parts, rounded up; the others are cancelled then.
        case ratio(Share)
        /// Everything but so many.
        case tolerate(Int)
        /// Everything but this share, rounded down.
        case tolerateShare(Share)
    }

    /// What the first failure that the rule does not allow does to the other parts.
    public enum ErrorHandling: String, Sendable, Hashable, CaseIterable {
        /// They are cancelled, and the join fails.
        case failFast
        /// They run to their end, then the join fails.
        case drain
        /// They run to their end, and the join succeeds with what there is.
        case `continue`
    }

    /// What happens when the deadline comes first.
    public enum DeadlineHandling: String, Sendable, Hashable, CaseIterable {
        /// The parts that run are cancelled, and the join fails.
        case fail
        /// The parts that run are cancelled, and the join succeeds with what there is.
        case partial
    }

    /// How much has to succeed.
    public var rule: Rule
    /// What a failure does that the rule does not allow.
    public var onError: ErrorHandling
    /// How long the join waits, from the start of its step; nil waits as long as it takes.
    public var deadline: Duration?
    /// What happens when the deadline comes first.
    public var onDeadline: DeadlineHandling

    /// A policy; the default needs everything to succeed.
    public init(
        rule: Rule = .all, onError: ErrorHandling = .failFast, deadline: Duration? = nil, onDeadline: DeadlineHandling = .fail
    ) {
        self.rule = rule
        self.onError = onError
        self.deadline = deadline
        self.onDeadline = onDeadline
    }
}

/// A share of a number, exact to a millionth: binary fractions would make 7 % of 100 more than 7.
public struct Share: Sendable, Hashable {
    /// Millionths of the whole: 100,000 is 10 %.
    public var partsPerMillion: Int

    /// A share in millionths.
    public init(partsPerMillion: Int) { self.partsPerMillion = partsPerMillion }

    /// A share from a fraction between 0 and 1, to the nearest millionth.
    public init(fraction: Double) { partsPerMillion = Int((min(max(fraction, 0), 1) * 1_000_000).rounded()) }

    /// The share of `total`, rounded up.
    public func roundedUp(of total: Int) -> Int {
        let (whole, rest) = parts(of: total)
        return whole + (rest > 0 ? 1 : 0)
    }

    /// The share of `total`, rounded down.
    public func roundedDown(of total: Int) -> Int { parts(of: total).whole }

    private func parts(of total: Int) -> (whole: Int, rest: UInt) {
        let product = UInt(min(1_000_000, max(0, partsPerMillion))).multipliedFullWidth(by: UInt(max(0, total)))
        let (quotient, remainder) = UInt(1_000_000).dividingFullWidth(product)
        return (Int(clamping: quotient), remainder)
    }
}
