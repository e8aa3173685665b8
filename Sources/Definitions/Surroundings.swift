// What an expression may name, by the place where it stands.

import Expressions

/// What the blocks and loops around a place bring into scope.
struct Surroundings {
    /// The steps that can be seen; nil where there are none.
    var steps: StepScope?
    /// The variables: items and indexes of loops, `previous`, the `error` of a catch block.
    var variables: [String] = []
    /// What is known of the types of the variables.
    var types: [String: StaticType] = [:]
    /// The states of the machine around it; nil outside of machines.
    var states: [String]?

    /// The surroundings with more variables, which hide those of the same names.
    func adding(_ names: [String], types: [String: StaticType] = [:]) -> Surroundings {
        var copy = self
        copy.variables += names
        for name in names { copy.types[name] = types[name] }
        return copy
    }

    /// The surroundings with these steps in sight.
    func at(_ scope: StepScope?) -> Surroundings {
        var copy = self
        copy.steps = scope
        return copy
    }
}

/// Where an expression stands.
struct ExpressionPlace {
    enum Kind {
        /// In a run: everything around it can be seen.
        case run
        /// After a run: only its input, its ending and itself.
        case chain
        /// In an agent's own settings; where secrets are put in, the worker does it when it calls the agent.
        case agent(secrets: Bool)
        /// In the condition by which an agent's answer is a success.
        case agentSuccess
    }

    let kind: Kind
    /// The place, as messages name it.
    let words: String
    var surroundings = Surroundings()
    /// Names that are in scope at this place only.
    var extra: [String] = []
    /// What is known of the type of `result`.
    var resultType: StaticType = .anything
    /// The part of the language that secrets belong to here; nil is always there.
    var secretsPart: LanguagePart?
    /// Whether it is the step's own `output`.
    var isOwnOutput = false
    /// The branches whose steps can be read, by name; a branch that is a state machine has no scope.
    var branches: [(name: String, scope: BlockScope?)] = []

    /// A step's `if`, `with`, `set` and other keys.
    static func step(_ key: String, _ surroundings: Surroundings, extra: [String] = []) -> ExpressionPlace {
        ExpressionPlace(kind: .run, words: "a step's `\(key)`", surroundings: surroundings, extra: extra)
    }

    /// A step's own `output`.
    static func stepOutput(_ surroundings: Surroundings, extra: [String] = []) -> ExpressionPlace {
        ExpressionPlace(
            kind: .run, words: "a step's `output`", surroundings: surroundings, extra: ["result"] + extra, isOwnOutput: true)
    }

    /// A key of a state.
    static func state(_ key: String, _ surroundings: Surroundings, extra: [String] = []) -> ExpressionPlace {
        ExpressionPlace(kind: .run, words: "a state's `\(key)`", surroundings: surroundings, extra: extra)
    }

    /// The output of the run.
    static func workflowOutput(_ surroundings: Surroundings) -> ExpressionPlace {
        ExpressionPlace(kind: .run, words: "the workflow's `output`", surroundings: surroundings)
    }

    /// A chained workflow.
    static func chain(_ key: String, extra: [String]) -> ExpressionPlace {
        ExpressionPlace(kind: .chain, words: "`\(key)`", extra: extra)
    }

    /// An agent's own settings.
    static func agent(secrets: Bool) -> ExpressionPlace {
        ExpressionPlace(kind: .agent(secrets: secrets), words: "an agent's settings")
    }

    /// What a process is given beside its arguments.
    static var process: ExpressionPlace {
        ExpressionPlace(kind: .agent(secrets: true), words: "an agent's settings", secretsPart: .processSecrets)
    }

    /// The condition by which an agent's answer is a success.
    static var agentSuccess: ExpressionPlace { ExpressionPlace(kind: .agentSuccess, words: "an agent's `success`") }

    /// The names in scope.
    var roots: [String] {
        switch kind {
        case .run: ["input", "steps", "run"] + surroundings.variables + (surroundings.states == nil ? [] : ["states"]) + extra
        case .chain: ["input", "run"] + extra
        case .agent: ["with"]
        case .agentSuccess: ["status", "headers", "result", "with"]
        }
    }

    /// The steps in scope.
    var steps: StepScope? { surroundings.steps }
}
