// Applies a plan to a value. One walk serves both questions: whether the value is valid (stops at the first violation), and what is
// wrong with it (goes on and writes everything down).

import Patterns
import WorkflowModel

struct Evaluator {
    let plan: EvaluationPlan
    /// Whether violations are written down.
    var collecting: Bool
    private(set) var collected: [Violation] = []
    /// Why the whole validation was given up, if it was. From then on nothing is looked at, and the value counts as invalid.
    private var givenUp: Violation?
    /// Whether nothing more is to be looked at.
    private(set) var isGivenUp = false
    // Where in the value the walk is; kept only while collecting.
    private var path: [PathElement] = []
    // The resources that were entered, outermost first; kept only where the plan asks for it.
    private var scope: [Int] = []
    private var steps = 0
    private var depth = 0
    private let deepest: Int
    private let mostSteps: Int

    private enum PathElement {
        case key(String)
        case index(Int)
    }

    init(plan: EvaluationPlan, collecting: Bool) {
        self.plan = plan
        self.collecting = collecting
        deepest = plan.limits.evaluationDepth
        mostSteps = plan.limits.evaluationSteps
    }

    // MARK: Entry

    mutating func accepts(_ value: JSONValue) -> Bool {
        var evaluated = Evaluated.unwanted
        let fits = evaluate(plan.root, value, &evaluated)
        return fits && !isGivenUp
    }

    mutating func violations(of value: JSONValue) -> [Violation] {
        var evaluated = Evaluated.unwanted
        let fits = evaluate(plan.root, value, &evaluated)
        if let givenUp { return collected.prefix(max(plan.limits.violations - 1, 0)) + [givenUp] }
        if !fits, collected.isEmpty { write(at: "", "limit", "the value does not fit its schema") }
        return collected
    }

    // MARK: The walk

    /// Whether `value` fits the node; what its keywords have looked at goes into `evaluated`.
    mutating func evaluate(_ number: Int, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        let node = plan.nodes[number]
        if node.refusesAll {
            if collecting { write(at: node.location, node.keyword, "\(subject) is not allowed") }
            return false
        }
        guard enter(node) else { return false }
        defer { leave() }
        guard plan.usesDynamicScope, scope.last != node.resource else { return apply(node, value, &evaluated) }
        scope.append(node.resource)
        defer { scope.removeLast() }
        return apply(node, value, &evaluated)
    }

    private mutating func apply(_ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        guard node.unevaluatedItems != nil || node.unevaluatedProperties != nil else { return applyKeywords(node, value, &evaluated) }
        var own = Evaluated(isWanted: true)
        var fits = applyKeywords(node, value, &own)
        guard fits || goesOn else { return false }
        fits = applyUnevaluated(node, value, &own) && fits
        if fits { evaluated.formUnion(own) }
        return fits
    }

    private mutating func applyKeywords(_ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        var fits = true
        if let types = node.types, !types.allows(value) {
            fail(node, "type", "must be \(types.phrase), not \(value.kindPhrase)")
            // What else does not fit a value of the wrong type would only be noise.
            return false
        }
        if node.constant != nil || node.enumeration != nil { spend(MathematicalValue.cost(of: value), at: node) }
        if let constant = node.constant, !MathematicalValue.areEqual(constant, value) {
            fail(node, "const", "must be \(constant.excerpt)")
            fits = false
        }
        if let enumeration = node.enumeration, !enumeration.contains(value) {
            fail(node, "enum", "must be \(enumeration.phrase)")
            fits = false
        }
        guard fits || goesOn else { return false }
        switch value {
        case .null, .bool: break
        case .int(let number):
            if let rules = node.numberRules { fits = check(.int(number), rules, node) && fits }
        case .double(let number):
            if let rules = node.numberRules { fits = check(.double(number), rules, node) && fits }
        case .string(let text):
            if let rules = node.stringRules { fits = check(text, rules, node) && fits }
        case .array(let elements):
            if let rules = node.arrayRules { fits = check(elements, rules, node, &evaluated) && fits }
        case .object(let object):
            if let rules = node.objectRules { fits = check(object, value, rules, node, &evaluated) && fits }
        }
        for combinator in node.combinators {
            guard fits || goesOn else { return false }
            fits = apply(combinator, node, value, &evaluated) && fits
        }
        return fits
    }

    // MARK: Bounds

    private mutating func enter(_ node: SchemaNode) -> Bool {
        depth += 1
        steps += 1
        if depth <= deepest, steps <= mostSteps, !isGivenUp { return true }
        if depth > deepest { giveUp(node.location, "the value and its schema are nested deeper than \(deepest) levels") }
        spend(0, at: node)
        depth -= 1
        return false
    }

    private mutating func leave() { depth -= 1 }

    /// Counts `count` steps; the validation is given up when there are too many.
    mutating func spend(_ count: Int, at node: SchemaNode) {
        steps += count
        if steps > mostSteps { giveUp(node.location, "checking the value takes more than \(mostSteps) steps") }
    }

    /// How many steps are left.
    var remainingSteps: Int { max(0, mostSteps - steps) }

    mutating func giveUp(_ location: String, _ message: String) {
        guard !isGivenUp else { return }
        isGivenUp = true
        givenUp = Violation(instancePointer: collecting ? pointer : "", schemaPointer: location, keyword: "limit", message: message)
    }

    // MARK: Violations

    /// Whether there is still something to find out after a violation.
    var goesOn: Bool { collecting && !isGivenUp && collected.count < plan.limits.violations }

    /// Writes a violation down, where they are written down at all. `message` goes on after the name of the value.
    mutating func fail(_ node: SchemaNode, _ keyword: String, _ message: @autoclosure () -> String) {
        guard collecting else { return }
        write(at: "\(node.location)/\(keyword)", keyword, "\(subject) \(message())")
    }

    /// The same for a message that names everything itself; it is given the pointer to the value.
    mutating func fail(_ node: SchemaNode, _ keyword: String, saying message: (_ pointer: String) -> String) {
        guard collecting else { return }
        write(at: "\(node.location)/\(keyword)", keyword, message(pointer))
    }

    private mutating func write(at location: String, _ keyword: String, _ message: String) {
        guard !isGivenUp, collected.count < max(plan.limits.violations, 1) else { return }
        collected.append(Violation(instancePointer: pointer, schemaPointer: location, keyword: keyword, message: message))
    }

    /// The place in the value, as messages name it.
    var subject: String { path.isEmpty ? "the value" : pointer }

    /// The place in the value as a JSON pointer.
    var pointer: String {
        path.reduce(into: "") { text, element in
            switch element {
            case .key(let key): text += "/\(JSONPointer.escaped(key))"
            case .index(let index): text += "/\(index)"
            }
        }
    }

    // MARK: Descending

    mutating func evaluate(_ node: Int, member key: String, _ value: JSONValue) -> Bool {
        var evaluated = Evaluated.unwanted
        guard collecting else { return evaluate(node, value, &evaluated) }
        path.append(.key(key))
        defer { path.removeLast() }
        return evaluate(node, value, &evaluated)
    }

    mutating func evaluate(_ node: Int, element index: Int, _ value: JSONValue) -> Bool {
        var evaluated = Evaluated.unwanted
        guard collecting else { return evaluate(node, value, &evaluated) }
        path.append(.index(index))
        defer { path.removeLast() }
        return evaluate(node, value, &evaluated)
    }

    /// Evaluates without writing anything down: for keywords to which a violation within is not one.
    mutating func probe(_ node: Int, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        let before = collecting
        collecting = false
        defer { collecting = before }
        return evaluate(node, value, &evaluated)
    }

    /// The violations of one alternative, apart from those already written down.
    mutating func violations(of node: Int, _ value: JSONValue) -> [Violation] {
        let before = collected
        collected = []
        defer { collected = before }
        var evaluated = Evaluated.unwanted
        _ = evaluate(node, value, &evaluated)
        return collected
    }

    /// The node that a dynamic reference leads to from here.
    func target(ofDynamicReference name: Int, fallback: Int) -> Int {
        let targets = plan.dynamicTargets[name]
        for resource in scope {
            if let node = targets[resource] { return node }
        }
        return fallback
    }
}
