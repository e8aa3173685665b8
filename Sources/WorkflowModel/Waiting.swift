// Verbs that wait for something outside, and the one that tells others: events, people, time.

/// Waits for the first event that one of the patterns takes. The event's data is the step's answer, and is called `event` in the step's
/// own `output`. How long it waits is the step's `timeout`.
public struct EventWait: Sendable, Hashable {
    /// Who else may get an event that a wait has taken.
    public enum Consumption: String, Sendable, Hashable, CaseIterable {
        /// Nobody: one event wakes one wait.
        case exclusive
        /// Every other wait that matches.
        case broadcast
    }

    /// The patterns, in file order; the first one that takes an event decides.
    public var patterns: [EventPattern]
    /// The template of the correlation key; nil takes only events that are addressed to this run.
    public var key: JSONValue?
    /// How far back before the run's start keyed events are still taken; nil begins at its start.
    public var lookback: Duration?
    /// Who else may get the event.
    public var consume: Consumption

    /// A wait.
    public init(patterns: [EventPattern], key: JSONValue? = nil, lookback: Duration? = nil, consume: Consumption = .exclusive) {
        self.patterns = patterns
        self.key = key
        self.lookback = lookback
        self.consume = consume
    }
}

/// A kind of event that a wait takes.
public struct EventPattern: Sendable, Hashable {
    /// The event's name.
    public var event: String
    /// What must hold for the event's data, as the source of a CEL expression with `event` in scope.
    public var match: String?

    /// A pattern.
    public init(event: String, match: String? = nil) {
        self.event = event
        self.match = match
    }
}

/// Waits for people. How long it waits is the step's `timeout`.
public struct Approval: Sendable, Hashable {
    /// Who may decide: names of people or groups, each a template.
    public var by: [String]
    /// How many of them must agree.
    public var count: Int
    /// JSON Schema of what a person fills in; nil asks for a bare yes or no.
    public var form: JSONValue?
    /// Whether the one who started the run may not decide.
    public var excludesStarter: Bool

    /// An approval.
    public init(by: [String], count: Int = 1, form: JSONValue? = nil, excludesStarter: Bool = false) {
        self.by = by
        self.count = count
        self.form = form
        self.excludesStarter = excludesStarter
    }
}

/// Waits for time to pass.
public enum Sleep: Sendable, Hashable {
    /// As long as this. A pause freezes it.
    case duration(Duration)
    /// As long as a template says: the text of a duration, a duration, or a number of seconds. A pause freezes it.
    case computed(String)
    /// Until the moment that a template gives: RFC 3339 text or a timestamp. A pause does not move it.
    case until(String)
}

/// Publishes an event. The step's answer is `{event, key}`, its name and key.
public struct Emission: Sendable, Hashable {
    /// The event's name.
    public var event: String
    /// The template of the correlation key.
    public var key: String?
    /// The template of the event's data; nil sends an empty object.
    public var data: JSONValue?
    /// The template of the run that the event is addressed to; nil addresses all who wait for its name and key.
    public var run: String?

    /// An event to publish.
    public init(event: String, key: String? = nil, data: JSONValue? = nil, run: String? = nil) {
        self.event = event
        self.key = key
        self.data = data
        self.run = run
    }
}
