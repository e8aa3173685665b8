// JSON Schema, draft 2020-12: a schema is compiled once, when it is registered, and then used for many values.

public import WorkflowModel

/// A schema, ready for use.
///
/// References are resolved within the schema, among the `documents` given, and to the meta-schemas of the draft; nothing is ever fetched.
///
/// ```swift
/// let schema = try CompiledSchema(["type": "object", "required": ["ticket"]])
/// schema.validate([:]).map(\.message)   // ["/ticket is required"]
/// ```
public struct CompiledSchema: Sendable {
    private let plan: EvaluationPlan

    /// Compiles `schema`.
    ///
    /// - Parameter documents: Further schema documents by absolute URI, for references and for meta-schemas.
    public init(
        _ schema: JSONValue, documents: [String: JSONValue] = [:], options: SchemaOptions = SchemaOptions()
    ) throws(SchemaError) {
        plan = try SchemaCompiler.compile(schema, documents: documents, options: options)
    }

    /// Everything that is wrong with `instance`, up to the limit of violations; empty where it is valid.
    ///
    /// A validation that exceeds a limit finds the value invalid and says so in a violation of its own, with the keyword `limit`.
    public func validate(_ instance: JSONValue) -> [Violation] {
        if isValid(instance) { return [] }
        var evaluator = Evaluator(plan: plan, collecting: true)
        return evaluator.violations(of: instance)
    }

    /// Whether `instance` is valid. Stops at the first violation.
    public func isValid(_ instance: JSONValue) -> Bool {
        var evaluator = Evaluator(plan: plan, collecting: false)
        return evaluator.accepts(instance)
    }
}
