// A step: its verb, and everything that may be said about it.

/// One step of a block.
public struct Step: Sendable, Hashable {
    /// The id: `[a-z][a-z0-9_]*`, unique in its block.
    public var id: String
    /// What the step does; where it is a loop, what each iteration does.
    public var verb: Verb
    /// The condition, as the source of a CEL expression; false skips the step. On a loop it is decided once, before the collection.
    public var condition: String?
    /// The steps of the same graph that must settle first.
    public var needs: [String]
    /// Which endings of its needs (in a sequence: of the steps before it) let the step run; nil is the rule of the block.
    public var when: RunRule?
    /// The loop around the verb; nil runs it once.
    public var loop: Loop?
    /// The template of what the agent or sub-workflow is given; nil gives an empty object.
    public var with: JSONValue?
    /// JSON Schema of the answer.
    public var resultSchema: JSONValue?
    /// The template of the step's output, with `result` in scope; nil is the answer itself. On a loop: of each iteration's output.
    public var output: JSONValue?
    /// The time-out of one attempt; of an `await` or `approve` step, how long it waits.
    public var timeout: Duration?
    /// The time-out of the step over all its attempts, of a loop over all its iterations.
    public var totalTimeout: Duration?
    /// How long an attempt may wait in its queue before a worker takes it.
    public var startTimeout: Duration?
    /// What a time-out of an `await` or `approve` step does. `fail` makes it a failure of the type `timeout`, for which `onError` is
    /// asked then; `continue` lets the step succeed with null; a block's output becomes the step's.
    public var onTimeout: ErrorHandling
    /// The retry policy. It belongs to `agent` and `workflow` steps.
    public var retry: RetryPolicy?
    /// What a failure for good does to the block. On a loop: of the whole loop.
    public var onError: ErrorHandling
    /// What happens when the agent gets the same request twice.
    public var effect: Effect?
    /// The queue; nil is the workflow's.
    public var queue: String?
    /// The priority; nil is the workflow's.
    public var priority: Int?
    /// Labels of the step, for people and views.
    public var labels: [String: String]

    /// A step; everything but the id and the verb has a default.
    public init(
        id: String, verb: Verb, condition: String? = nil, needs: [String] = [], when: RunRule? = nil, loop: Loop? = nil,
        with: JSONValue? = nil, resultSchema: JSONValue? = nil, output: JSONValue? = nil, timeout: Duration? = nil,
        totalTimeout: Duration? = nil, startTimeout: Duration? = nil, onTimeout: ErrorHandling = .fail, retry: RetryPolicy? = nil,
        onError: ErrorHandling = .fail, effect: Effect? = nil, queue: String? = nil, priority: Int? = nil, labels: [String: String] = [:]
    ) {
        self.id = id
        self.verb = verb
        self.condition = condition
        self.needs = needs
        self.when = when
        self.loop = loop
        self.with = with
        self.resultSchema = resultSchema
        self.output = output
        self.timeout = timeout
        self.totalTimeout = totalTimeout
        self.startTimeout = startTimeout
        self.onTimeout = onTimeout
        self.retry = retry
        self.onError = onError
        self.effect = effect
        self.queue = queue
        self.priority = priority
        self.labels = labels
    }
}

/// What happens to the block when a step fails for good, and what becomes of a wait that took too long.
public enum ErrorHandling: Sendable, Hashable {
    /// The block fails.
    case fail
    /// The block goes on; `steps.x.error` says what happened, and for `needs` the step counts as succeeded.
    case `continue`
    /// The block is run with `error` in scope; its output becomes the step's, which then has succeeded. When it fails, the step has.
    case `catch`(Block)
}

/// Which endings of what came before let a step run.
///
/// Without a rule a step of a graph runs when all its needs have succeeded or were skipped, and is skipped when all of them were
/// skipped; a step of a sequence runs unless the block is failing.
public enum RunRule: String, Sendable, Hashable, CaseIterable {
    /// Only when everything before has succeeded; a need that was skipped skips the step.
    case success
    /// Only when something before has failed.
    case failure
    /// Whatever happened. In a sequence this is its *finally*.
    case always
}

/// What happens when an agent gets the same request twice.
public enum Effect: String, Sendable, Hashable, CaseIterable {
    /// Nothing: it only computes.
    case pure
    /// Nothing more than the first time; every attempt carries the same idempotency key.
    case idempotent
    /// It does everything again. The step is never sent again blindly.
    case unsafe
}
