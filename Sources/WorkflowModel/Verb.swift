// What steps do.

/// What a step does.
public indirect enum Verb: Sendable, Hashable {
    /// Calls an agent; runs on a worker.
    case agent(AgentReference)
    /// Runs a sub-workflow.
    case workflow(WorkflowCall)
    /// Runs a nested block.
    case block(Block)
    /// Runs named branches side by side and joins them.
    case parallel(Parallel)
    /// Runs the block of the first condition that holds.
    case `switch`(Switch)
    /// Waits for an event.
    case await(EventWait)
    /// Waits for people.
    case approve(Approval)
    /// Waits for a while, or until a moment.
    case sleep(Sleep)
    /// Publishes an event.
    case emit(Emission)
    /// Computes a value from a template; runs on the coordinator.
    case set(JSONValue)
    /// Checks a value against a schema.
    case validate(Validation)
    /// Ends the block with a failure.
    case fail(Failing)
    /// Ends the whole run with an output, given as a template, and cancels the rest.
    case succeed(JSONValue)

    /// The word by which the file, the tables and the screens call it.
    public var name: String {
        switch self {
        case .agent: "agent"
        case .workflow: "workflow"
        case .block: "do"
        case .parallel: "parallel"
        case .switch: "switch"
        case .await: "await"
        case .approve: "approve"
        case .sleep: "sleep"
        case .emit: "emit"
        case .set: "set"
        case .validate: "validate"
        case .fail: "fail"
        case .succeed: "succeed"
        }
    }

    /// The blocks inside the verb, in file order, each with the name that tells it apart: the branch, the place of the case, `else`.
    public var blocks: [(name: String, block: Block)] {
        switch self {
        case .block(let block): [("do", block)]
        case .parallel(let parallel): parallel.branches.map { ($0.name, $0.block) }
        case .switch(let choice):
            choice.cases.enumerated().map { (String($0.offset), $0.element.block) } + (choice.otherwise.map { [("else", $0)] } ?? [])
        case .agent, .workflow, .await, .approve, .sleep, .emit, .set, .validate, .fail, .succeed: []
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

/// A sub-workflow. Its input is the step's `with`; its version is resolved when the parent starts.
public struct WorkflowCall: Sendable, Hashable {
    /// What becomes of the child when the parent ends before it.
    public enum ParentEnd: String, Sendable, Hashable, CaseIterable {
        /// It is cancelled.
        case cancel
        /// It goes on alone.
        case abandon
    }

    /// The workflow's name.
    public var workflow: String
    /// Whether the step waits for the child; if not, it succeeds as soon as the child is there, with `{run, workflow}` as its output.
    public var isAwaited: Bool
    /// What becomes of the child when the parent ends before it.
    public var onParentEnd: ParentEnd

    /// A sub-workflow; a child that nobody waits for is abandoned unless said otherwise.
    public init(workflow: String, isAwaited: Bool = true, onParentEnd: ParentEnd? = nil) {
        self.workflow = workflow
        self.isAwaited = isAwaited
        self.onParentEnd = onParentEnd ?? (isAwaited ? .cancel : .abandon)
    }
}

/// Named branches that run side by side.
public struct Parallel: Sendable, Hashable {
    /// The branches, in file order.
    public var branches: [Branch]
    /// When the branches are joined, and what a failure among them does.
    public var join: JoinPolicy
    /// The template of the answer, with `branches.NAME.STEP.output` in scope; nil gives a map from branch names to their outputs.
    public var output: JSONValue?

    /// Branches.
    public init(branches: [Branch], join: JoinPolicy = JoinPolicy(), output: JSONValue? = nil) {
        self.branches = branches
        self.join = join
        self.output = output
    }
}

/// One branch of a `parallel` step.
public struct Branch: Sendable, Hashable {
    /// The name: formed as the id of a step.
    public var name: String
    /// What runs in it.
    public var block: Block

    /// A branch.
    public init(name: String, block: Block) {
        self.name = name
        self.block = block
    }
}

/// Blocks of which one runs: that of the first condition that holds. No condition and no `else` is a failure of the type `expression`.
public struct Switch: Sendable, Hashable {
    /// A condition and its block.
    public struct Case: Sendable, Hashable {
        /// The source of a CEL expression.
        public var condition: String
        /// What runs when it is the first one that is true.
        public var block: Block

        /// A case.
        public init(condition: String, block: Block) {
            self.condition = condition
            self.block = block
        }
    }

    /// The cases, in the order in which they are tried.
    public var cases: [Case]
    /// What runs when no condition is true.
    public var otherwise: Block?

    /// Cases.
    public init(cases: [Case], otherwise: Block? = nil) {
        self.cases = cases
        self.otherwise = otherwise
    }
}

/// Checks a value; the step fails with every violation when it does not match. Its answer is the value.
public struct Validation: Sendable, Hashable {
    /// The template of the value.
    public var value: JSONValue
    /// The JSON Schema.
    public var schema: JSONValue

    /// A check.
    public init(value: JSONValue, schema: JSONValue) {
        self.value = value
        self.schema = schema
    }
}

/// A failure that the workflow itself declares, of the type `custom`.
public struct Failing: Sendable, Hashable {
    /// The template of the message.
    public var message: String
    /// What the failure is called; retries, catch blocks and views tell failures apart by it.
    public var code: String?

    /// A failure.
    public init(message: String, code: String? = nil) {
        self.message = message
        self.code = code
    }
}
