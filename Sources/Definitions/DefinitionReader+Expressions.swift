// Expressions and templates: what they may say where.

import WorkflowModel

/// Where an expression stands, which decides the names it may use.
enum ExpressionPlace {
    /// A step's `if`, `with` or `set`.
    case step(String, StepScope)
    /// A step's own `output`.
    case stepOutput(StepScope)
    /// The output of the run.
    case workflowOutput(StepScope?)
    /// An agent's own settings.
    case agent(secrets: Bool)
    /// The condition by which an agent's answer is a success.
    case agentSuccess
}

extension DefinitionReader {
    /// A template: any value whose texts may hold expressions.
    mutating func template(_ field: Field, _ place: ExpressionPlace) -> JSONValue? {
        field.node.json
    }

    /// An expression that says yes or no, with or without `${{ }}`.
    mutating func condition(_ field: Field, _ place: ExpressionPlace) -> String? {
        field.string
    }

    /// Checks one text of a template.
    mutating func check(_ field: Field, _ text: String, _ place: ExpressionPlace) {}
}
