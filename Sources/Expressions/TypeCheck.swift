// What can be known to be wrong with an expression before there is any data.

import WorkflowModel

/// Checks expressions against the names that will be there and their types.
///
/// An error is something that fails whatever the data will be: unknown names, functions and fields, wrong numbers of arguments, operands of
/// types that an operator or a function does not take, conditions that are never a boolean, constants that cannot be. A warning is something
/// that works and is hardly meant. All findings are reported, not only the first. What is not known is accepted.
///
/// ```swift
/// var check = TypeCheck(["input": StaticType(schema: schema)])
/// check["item"] = .string
/// let checked = check.check(try CompiledExpression("input.limit > size(item)"), expecting: .boolean)
/// for finding in checked.findings { print(finding.error) }
/// ```
public struct TypeCheck: Sendable {
    /// What a place takes.
    public enum Expectation: Sendable, Hashable {
        /// Any value.
        case anything
        /// A boolean: the place is a condition.
        case boolean
        /// A list: the place is the collection of a loop.
        case collection
        /// A value of a type, and the words for it: `a duration`.
        case of(StaticType, String)
    }

    private var names: [KeyBytes: StaticType] = [:]

    /// A check against names and their types.
    public init(_ names: [String: StaticType]) {
        for (name, type) in names { self.names[KeyBytes(name)] = type }
    }

    /// The type of a name; nil when there is no such name.
    public subscript(name: String) -> StaticType? {
        get { names[KeyBytes(name)] }
        set { names[KeyBytes(name)] = newValue }
    }

    /// Checks an expression.
    public func check(_ expression: CompiledExpression, expecting expectation: Expectation = .anything) -> CheckedType {
        var inference = TypeInference(expression.program, names: names)
        let type = inference.run(expecting: expectation)
        return CheckedType(type: type, findings: inference.sortedFindings)
    }

    /// Checks the expressions of a template. The findings carry the path of the text, and the type is that of the whole.
    public func check(_ template: CompiledTemplate) -> CheckedType {
        var findings: [ExpressionFinding] = []
        let type = template.type { expression, path, offset, isPartOfText in
            var checked = check(expression)
            if isPartOfText, checked.type == .null, checked.findings.isEmpty {
                checked.findings.append(
                    ExpressionFinding(
                        severity: .error,
                        error: ExpressionError(
                            kind: .type, message: "null cannot be part of a text; give it a value with .orValue('') or a conditional",
                            offset: 0, source: expression.source)))
            }
            findings.append(
                contentsOf: checked.findings.map { finding in
                    var finding = finding
                    finding.error.path = path
                    finding.error.textOffset = offset
                    return finding
                })
            return checked.type
        }
        return CheckedType(type: type, findings: findings)
    }

    /// The names of all functions and macros, sorted: for documentation and completion.
    public static var functionNames: [String] {
        (Array(Signature.all.keys) + Array(Compiler.usage.keys) + ["has", "cel.bind", "or", "orValue"]).sorted()
    }
}

/// What a check found out.
public struct CheckedType: Sendable {
    /// The type of the value.
    public var type: StaticType
    /// What is wrong, in the order of the source.
    public var findings: [ExpressionFinding]

    /// Whether nothing can be seen that fails for certain.
    public var isValid: Bool { !findings.contains { $0.severity == .error } }
}

/// One thing that is wrong with an expression.
public struct ExpressionFinding: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// It fails whenever it is evaluated.
        case error
        /// It can be evaluated, but does hardly what is meant.
        case warning
    }

    /// How bad it is.
    public let severity: Severity
    /// What is wrong, and where.
    public var error: ExpressionError
    /// The name that was probably meant. The message says it, too.
    public let suggestion: String?

    /// A finding.
    public init(severity: Severity, error: ExpressionError, suggestion: String? = nil) {
        self.severity = severity
        self.error = error
        self.suggestion = suggestion
    }
}
