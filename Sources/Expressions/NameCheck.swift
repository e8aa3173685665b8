// What can be known to be wrong with an expression before there is any data.

/// Checks expressions against the names that will be there: unknown names and functions, wrong arities, constants that cannot be,
/// and operations on literals that can only fail. All problems are found, not only the first.
public struct NameCheck: Sendable {
    /// The members of a value, when they are known; nil when anything may be there.
    ///
    /// It is asked with the name of the variable and the keys that lead to the value: `("steps", ["review"])` for `steps.review`.
    public typealias Members = @Sendable (_ root: String, _ path: [String]) -> [String]?

    /// What a place takes.
    public enum Expectation: Sendable, Hashable {
        /// Any value.
        case anything
        /// A boolean: the place is a condition.
        case boolean
        /// A list or a map: the place is the collection of a loop.
        case collection
    }

    private let roots: [String]
    private let members: Members

    /// A check against the names of variables, and what is known of their members.
    public init(roots: [String], members: @escaping Members = { _, _ in nil }) {
        self.roots = roots
        self.members = members
    }

    /// A check against the names of variables, and the members of some of them.
    public init(roots: [String], members: [String: [String]]) {
        self.init(roots: roots) { root, path in path.isEmpty ? members[root] : nil }
    }

    /// What is wrong with an expression, in the order of its source.
    public func problems(in expression: CompiledExpression, expecting expectation: Expectation = .anything) -> [ExpressionError] {
        var problems = expression.program.problems.map { ($0.kind, $0.message, $0.offset) }
        for reference in expression.references {
            if let problem = problem(with: reference) { problems.append((.unknownName, problem, reference.offset)) }
        }
        for problem in StaticTypes(expression.program).problems(expecting: expectation) {
            problems.append((.type, problem.message, problem.offset))
        }
        return problems.enumerated().sorted { ($0.element.2, $0.offset) < ($1.element.2, $1.offset) }.map { _, problem in
            ExpressionError(kind: problem.0, message: problem.1, offset: problem.2, source: expression.source)
        }
    }

    /// What is wrong with the expressions of a template, each with its path.
    public func problems(in template: CompiledTemplate) -> [ExpressionError] {
        template.expressions.flatMap { located in
            problems(in: located.expression).map { problem in
                var problem = problem
                problem.path = located.path
                problem.textOffset = located.offset
                return problem
            }
        }
    }

    private func problem(with reference: Reference) -> String? {
        guard roots.contains(where: { $0.isSame(as: reference.root) }) else {
            if ([reference.root] + reference.path).indices.contains(where: { end in
                TypeName(rawValue: ([reference.root] + reference.path.prefix(end)).joined(separator: ".")) != nil
            }) {
                return nil
            }
            return "there is no \"\(reference.root)\" here" + Suggestion.suffix(for: reference.root, among: roots)
        }
        for index in reference.path.indices.prefix(reference.requiredCount) {
            let key = reference.path[index]
            guard let known = members(reference.root, Array(reference.path[..<index])) else { continue }
            if !known.contains(where: { $0.isSame(as: key) }) {
                let owner = ([reference.root] + reference.path[..<index]).joined(separator: ".")
                return "\(owner) has no \"\(key)\"" + Suggestion.suffix(for: key, among: known)
            }
        }
        return nil
    }

    /// The names of all functions and macros, sorted: for documentation and completion.
    public static var functionNames: [String] {
        (Array(Signature.all.keys) + Array(Compiler.usage.keys) + ["has", "cel.bind", "or", "orValue"]).sorted()
    }
}
