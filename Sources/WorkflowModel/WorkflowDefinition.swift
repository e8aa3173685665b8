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
    /// The workflows that are started when a run has succeeded, in the transaction that ends it.
    public var onSuccess: [Chain]
    /// The workflows that are started when a run has failed or timed out.
    public var onFailure: [Chain]
    /// The workflows that are started when a run has been cancelled.
    public var onCancel: [Chain]
    /// The steps, or the states.
    public var body: Block

    /// A definition; everything but the name and the body has a default.
    public init(
        name: String, summary: String? = nil, inputSchema: JSONValue? = nil, output: JSONValue? = nil,
        defaults: StepDefaults = StepDefaults(), agents: [NamedAgent] = [], timeout: Duration? = nil, labels: [String: String] = [:],
        priority: Int = 0, queue: String = "default", onSuccess: [Chain] = [], onFailure: [Chain] = [], onCancel: [Chain] = [], body: Block
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
        self.onSuccess = onSuccess
        self.onFailure = onFailure
        self.onCancel = onCancel
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

/// A workflow that is started because a run of another one has ended. It becomes a run of its own; what comes of it never changes the
/// ending that started it.
public struct Chain: Sendable, Hashable {
    /// The workflow, of which the version is taken that is live when the run ends.
    public var workflow: String
    /// The template of its input, with `output` in scope after a success and `error` after a failure; nil gives an empty object.
    public var with: JSONValue?
    /// The condition, as the source of a CEL expression; false starts nothing.
    public var condition: String?

    /// A chain.
    public init(workflow: String, with: JSONValue? = nil, condition: String? = nil) {
        self.workflow = workflow
        self.with = with
        self.condition = condition
    }
}
