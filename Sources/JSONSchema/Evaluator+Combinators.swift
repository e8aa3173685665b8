// Keywords whose subschemas apply to the value itself.

import WorkflowModel

extension Evaluator {
    mutating func apply(_ combinator: Combinator, _ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        switch combinator {
        case .reference(let target): return evaluate(target, value, &evaluated)
        case .dynamicReference(let name, let fallback):
            return evaluate(target(ofDynamicReference: name, fallback: fallback), value, &evaluated)
        case .allOf(let alternatives):
            var fits = true
            for alternative in alternatives {
                fits = evaluate(alternative, value, &evaluated) && fits
                guard fits || goesOn else { return false }
            }
            return fits
        case .anyOf(let alternatives): return anyOf(alternatives, node, value, &evaluated)
        case .oneOf(let alternatives): return oneOf(alternatives, node, value, &evaluated)
        case .not(let negated):
            var ignored = Evaluated.unwanted
            guard probe(negated, value, &ignored) else { return !isGivenUp }
            fail(node, "not", "fits what the schema excludes")
            return false
        case .conditional(let condition, let then, let otherwise):
            // Without branches a condition matters only for what it has looked at.
            guard then != nil || otherwise != nil || evaluated.isWanted else { return true }
            var own = Evaluated(isWanted: evaluated.isWanted)
            if probe(condition, value, &own) {
                evaluated.formUnion(own)
                return then.map { evaluate($0, value, &evaluated) } ?? true
            }
            if isGivenUp { return false }
            return otherwise.map { evaluate($0, value, &evaluated) } ?? true
        }
    }

    private mutating func anyOf(_ alternatives: [Int], _ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        var fits = false
        for alternative in alternatives {
            var own = Evaluated(isWanted: evaluated.isWanted)
            if probe(alternative, value, &own) {
                fits = true
                // Whoever wants to know what was looked at has to hear all that fit.
                guard evaluated.isWanted else { return !isGivenUp }
                evaluated.formUnion(own)
            }
            if isGivenUp { return false }
        }
        if !fits, collecting { failNoneFits("anyOf", alternatives, node, value) }
        return fits
    }

    private mutating func oneOf(_ alternatives: [Int], _ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        var fitting: Int?
        for (position, alternative) in alternatives.enumerated() {
            var own = Evaluated(isWanted: evaluated.isWanted)
            let fits = probe(alternative, value, &own)
            if isGivenUp { return false }
            guard fits else { continue }
            if let other = fitting {
                fail(node, "oneOf", "must fit exactly one of \(alternatives.count) alternatives, but fits \(other + 1) and \(position + 1)")
                return false
            }
            fitting = position
            evaluated.formUnion(own)
        }
        if fitting == nil, collecting { failNoneFits("oneOf", alternatives, node, value) }
        return fitting != nil
    }

    // Says what is wrong with the alternative that comes closest: one whose type and constants are right, with the fewest violations.
    private mutating func failNoneFits(_ keyword: String, _ alternatives: [Int], _ node: SchemaNode, _ value: JSONValue) {
        var closest: (position: Int, distance: Int, violations: [Violation])?
        let here = pointer
        for (position, alternative) in alternatives.enumerated() {
            let violations = violations(of: alternative, value)
            let mismatches = violations.count { violation in
                switch violation.keyword {
                case "type", "const", "enum": violation.instancePointer == here || violation.keyword != "type"
                default: false
                }
            }
            let distance = mismatches * plan.limits.violations + violations.count
            if distance < closest?.distance ?? .max { closest = (position, distance, violations) }
        }
        guard let closest else { return }
        let shown = closest.violations.prefix(3).map(\.message).joined(separator: "; ")
        let more = closest.violations.count > 3 ? "; and \(closest.violations.count - 3) more" : ""
        if alternatives.count == 1 {
            fail(node, keyword, "fits no alternative: \(shown)\(more)")
        } else {
            fail(
                node, keyword, "fits none of \(alternatives.count) alternatives; closest is number \(closest.position + 1): \(shown)\(more)"
            )
        }
    }
}
