// The nouns of a workflow file, after decoding: what the engine runs and what the diff compares.
//
// Templates are kept as JSON whose strings may hold `${{ … }}`; they are compiled where they are used (Expressions).

/// A workflow as its file defines it. Immutable once registered; a run keeps the one it began with.
public struct WorkflowDefinition: Sendable, Hashable {
    /// The workflow's name: `[a-z][a-z0-9-]{0,63}`.
    public var name: String
    /// What it is for, for people.
    public var summary: String?
    /// JSON Schema 2020-12 of the run's input; nil takes anything.
    public var inputSchema: JSONValue?
    /// The template of the run's output; nil is the output of the body.
    public var output: JSONValue?
    /// What steps inherit.
    public var defaults: StepDefaults
    /// The agents that the file brings along, in file order.
    public var agents: [NamedAgent]
    /// How long a run may take, from its submission; nil is for ever.
    public var timeout: Duration?
    /// Labels that every run gets.
    public var labels: [String: String]
    /// The priority of its tasks: larger goes first. −100 to 100.
    public var priority: Int
    /// The queue of its tasks.
    public var queue: String
    /// The steps.
    public var body: Block

    /// A definition; everything but the name and the body has a default.
    public init(
        name: String, summary: String? = nil, inputSchema: JSONValue? = nil, output: JSONValue? = nil,
        defaults: StepDefaults = StepDefaults(), agents: [NamedAgent] = [], timeout: Duration? = nil, labels: [String: String] = [:],
        priority: Int = 0, queue: String = "default", body: Block
    ) {
        self.name = name
        self.summary = summary
        self.inputSchema = inputSchema
        self.output = output
        self.defaults = defaults
        self.agents = agents
        self.timeout = timeout
        self.labels = labels
        self.priority = priority
        self.queue = queue
        self.body = body
    }
}

/// What the file's `defaults` give to every step that says nothing itself. A `retry` is taken whole.
public struct StepDefaults: Sendable, Hashable {
    /// The time-out of one attempt.
    public var timeout: Duration?
    /// The retry policy.
    public var retry: RetryPolicy?

    /// Defaults.
    public init(timeout: Duration? = nil, retry: RetryPolicy? = nil) {
        self.timeout = timeout
        self.retry = retry
    }
}

/// An agent under the name by which steps call it.
public struct NamedAgent: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The agent.
    public var agent: AgentDefinition

    /// An agent under a name.
    public init(name: String, agent: AgentDefinition) {
        self.name = name
        self.agent = agent
    }
}

/// Steps that belong together, and the rule by which they start.
public enum Block: Sendable, Hashable {
    /// A sequence: each step starts when the one before it has settled.
    case steps([Step])
    /// A graph: each step starts when all its `needs` have settled; one without needs starts at once.
    case graph([Step])

    /// The steps, in file order.
    public var steps: [Step] {
        switch self {
        case .steps(let steps), .graph(let steps): steps
        }
    }
}

/// One step of a block.
public struct Step: Sendable, Hashable {
    /// The id: `[a-z][a-z0-9_]*`, unique in its block.
    public var id: String
    /// What the step does.
    public var verb: Verb
    /// The condition, as the source of a CEL expression; false skips the step.
    public var condition: String?
    /// The steps of the same graph that must settle first.
    public var needs: [String]
    /// The template of what the agent is given; nil gives an empty object.
    public var with: JSONValue?
    /// JSON Schema of the agent's answer.
    public var resultSchema: JSONValue?
    /// The template of the step's output, with `result` in scope; nil is the answer itself.
    public var output: JSONValue?
    /// The time-out of one attempt.
    public var timeout: Duration?
    /// The retry policy.
    public var retry: RetryPolicy?
    /// What a failure for good does to the block.
    public var onError: ErrorHandling
    /// The queue; nil is the workflow's.
    public var queue: String?
    /// The priority; nil is the workflow's.
    public var priority: Int?

    /// A step; everything but the id and the verb has a default.
    public init(
        id: String, verb: Verb, condition: String? = nil, needs: [String] = [], with: JSONValue? = nil, resultSchema: JSONValue? = nil,
        output: JSONValue? = nil, timeout: Duration? = nil, retry: RetryPolicy? = nil, onError: ErrorHandling = .fail,
        queue: String? = nil, priority: Int? = nil
    ) {
        self.id = id
        self.verb = verb
        self.condition = condition
        self.needs = needs
        self.with = with
        self.resultSchema = resultSchema
        self.output = output
        self.timeout = timeout
        self.retry = retry
        self.onError = onError
        self.queue = queue
        self.priority = priority
    }
}

/// What a step does.
public indirect enum Verb: Sendable, Hashable {
    /// Calls an agent; runs on a worker.
    case agent(AgentReference)
    /// Computes a value from a template; runs on the coordinator.
    case set(JSONValue)
    /// Runs a nested block.
    case block(Block)

    /// The word by which the file, the tables and the screens call it.
    public var name: String {
        switch self {
        case .agent: "agent"
        case .set: "set"
        case .block: "do"
        }
    }
}

/// Which agent a step calls.
public enum AgentReference: Sendable, Hashable {
    /// One of the file's `agents`, or a registered one.
    case named(String)
    /// One that the step brings along.
    case inline(AgentDefinition)
}

/// What happens to the block when a step fails for good.
public enum ErrorHandling: String, Sendable, Hashable, CaseIterable {
    /// The block fails.
    case fail
    /// The block goes on; `steps.x.error` says what happened, and for `needs` the step counts as succeeded.
    case `continue`
}

/// When and how often a failed attempt is followed by another one. The first entry whose `on` names the failure decides.
public struct RetryPolicy: Sendable, Hashable {
    /// The entries, in order. Each counts its own attempts.
    public var entries: [RetryEntry]

    /// A policy.
    public init(entries: [RetryEntry]) { self.entries = entries }

    /// One attempt, no retries.
    public static let none = RetryPolicy(entries: [])
}

/// One entry of a retry policy.
public struct RetryEntry: Sendable, Hashable {
    /// How the delay grows.
    public enum Backoff: String, Sendable, Hashable, CaseIterable {
        /// No delay.
        case none
        /// The same delay each time.
        case fixed
        /// `delay × n`.
        case linear
        /// `delay × factor^(n − 1)`.
        case exponential
        /// `delay × fibonacci(n)`.
        case fibonacci
    }

    /// How the delay is spread, so that many failures do not come back at the same moment.
    public enum Jitter: String, Sendable, Hashable, CaseIterable {
        /// Not at all.
        case none
        /// Anything from zero to the delay.
        case full
        /// Anything from half the delay to the delay.
        case equal
        /// Anything from `delay` to three times the previous delay.
        case decorrelated
    }

    /// The failure types, codes or HTTP statuses that this entry is for; nil is everything that may be retried at all.
    public var on: [String]?
    /// The most attempts, the first included.
    public var maxAttempts: Int
    /// How the delay grows.
    public var backoff: Backoff
    /// The first delay.
    public var delay: Duration
    /// The growth of an exponential back-off.
    public var factor: Double
    /// The longest delay.
    public var maxDelay: Duration
    /// How the delay is spread.
    public var jitter: Jitter
    /// No attempt starts later than this after the first one.
    public var maxElapsed: Duration?

    /// An entry; the defaults are those of the workflow file.
    public init(
        on: [String]? = nil, maxAttempts: Int, backoff: Backoff = .exponential, delay: Duration = .seconds(1), factor: Double = 2,
        maxDelay: Duration = .seconds(60), jitter: Jitter = .full, maxElapsed: Duration? = nil
    ) {
        self.on = on
        self.maxAttempts = maxAttempts
        self.backoff = backoff
        self.delay = delay
        self.factor = factor
        self.maxDelay = maxDelay
        self.jitter = jitter
        self.maxElapsed = maxElapsed
    }
}
