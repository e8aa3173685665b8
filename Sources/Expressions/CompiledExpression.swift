// An expression that has been read once and can be evaluated any number of times.

public import WorkflowModel

/// An expression in CEL, compiled. Evaluating it has no effect but its result, always ends, and can be done from any thread.
public struct CompiledExpression: Sendable {
    let program: Program

    /// Compiles a source without delimiters.
    ///
    /// Errors of the grammar are thrown here. Unknown names, wrong arities and constants that cannot be are found by `TypeCheck`; when they
    /// are not looked for, evaluating them is an error.
    public init(_ source: String, limits: ExpressionLimits = .standard, mode: NumberMode = .promoting) throws(ExpressionError) {
        do { program = try Compiler.compile(source, limits: limits, mode: mode) } catch { throw error.error(in: source) }
    }

    /// The source.
    public var source: String { program.source }

    /// The data that the expression reads, in the order of the source.
    public var references: [Reference] { program.references }

    /// Whether the expression reads no data at all.
    public var isConstant: Bool { program.references.isEmpty }

    /// The value of the expression in a scope.
    public func evaluate(_ scope: Scope) throws(ExpressionError) -> Value {
        var meter = Meter(program.limits)
        return try evaluate(scope, &meter)
    }

    /// Whether a condition holds. Only a boolean is an answer; there is no truthiness.
    public func evaluateCondition(_ scope: Scope) throws(ExpressionError) -> Bool {
        let value = try evaluate(scope)
        guard case .bool(let result) = value else {
            throw ExpressionError(
                kind: .type, message: "a condition is a boolean, not \(value.typeName.words)", offset: 0, source: source)
        }
        return result
    }

    /// The value as JSON.
    public func evaluateJSON(_ scope: Scope) throws(ExpressionError) -> JSONValue {
        var meter = Meter(program.limits)
        let value = try evaluate(scope, &meter)
        return try json(value, &meter)
    }

    // The same on a meter that several expressions share.
    func evaluate(_ scope: Scope, _ meter: inout Meter) throws(ExpressionError) -> Value {
        var evaluator = Evaluator(program, scope, meter)
        do {
            let value = try evaluator.run()
            meter = evaluator.meter
            return value
        } catch {
            throw error.error(in: source)
        }
    }

    func json(_ value: Value, _ meter: inout Meter) throws(ExpressionError) -> JSONValue {
        var conversion = JSONConversion(meter: meter)
        do {
            let json = try conversion.convert(value, offset: 0)
            meter = conversion.meter
            return json
        } catch {
            throw error.error(in: source)
        }
    }
}
