// Walks through a program and finds the type of every node.

import WorkflowModel

struct TypeInference {
    let program: Program
    private let names: [KeyBytes: StaticType]
    // The types of the loop variables in scope, by slot, and their names.
    private var slots: [StaticType] = []
    private var localNames: [String] = []
    private(set) var findings: [ExpressionFinding] = []
    // What trying all the constants of an expression may cost together.
    private var constantMeter = Meter(ExpressionLimits(steps: 20_000, bytes: 1 << 20))

    init(_ program: Program, names: [KeyBytes: StaticType]) {
        self.program = program
        self.names = names
    }

    /// What is known of a node.
    struct Part {
        let node: Int32
        var type: StaticType
        // The lowest slot that is read; a node that reads none, and no names, always has the same value.
        var lowestSlot: Int32 = .max
        var readsNames = false
        // Whether nothing was found in it.
        var isClean = true

        var isConstant: Bool { !readsNames && lowestSlot == .max }
    }

    mutating func run(expecting expectation: TypeCheck.Expectation) -> StaticType {
        for problem in program.problems {
            findings.append(
                ExpressionFinding(
                    severity: .error,
                    error: ExpressionError(kind: problem.kind, message: problem.message, offset: problem.offset, source: program.source),
                    suggestion: problem.suggestion))
        }
        let root = infer(program.root)
        if root.isConstant { tryConstant(root) }
        if findings.isEmpty { check(root.type, against: expectation, at: program.nodes[Int(program.root)].offset) }
        return root.type
    }

    var sortedFindings: [ExpressionFinding] {
        findings.enumerated().sorted { ($0.element.error.offset, $0.offset) < ($1.element.error.offset, $1.offset) }.map(\.element)
    }

    private mutating func check(_ type: StaticType, against expectation: TypeCheck.Expectation, at offset: Int32) {
        switch expectation {
        case .anything: break
        case .boolean: expectCondition(type, at: offset)
        case .collection:
            if !type.may(be: .list) {
                let hint = type.kind == .map ? "; x.keys() and x.values() are lists" : ""
                report(.type, "a loop goes through a list, and this is always \(type.words)\(hint)", at: offset)
            }
        case .of(let expected, let words):
            if type.mismatch(with: expected) != nil {
                report(.type, "\(words) is needed here, and this is always \(type.words)", at: offset)
            }
        }
    }

    // MARK: Findings

    mutating func report(_ kind: ExpressionError.Kind, _ message: String, at offset: Int32, suggestion: String? = nil) {
        add(.error, kind, message, offset, suggestion)
    }

    mutating func warn(_ kind: ExpressionError.Kind, _ message: String, at offset: Int32, suggestion: String? = nil) {
        add(.warning, kind, message, offset, suggestion)
    }

    private mutating func add(
        _ severity: ExpressionFinding.Severity, _ kind: ExpressionError.Kind, _ message: String, _ offset: Int32, _ suggestion: String?
    ) {
        guard findings.count < Self.mostFindings else { return }
        findings.append(
            ExpressionFinding(
                severity: severity, error: ExpressionError(kind: kind, message: message, offset: Int(offset), source: program.source),
                suggestion: suggestion))
    }

    private static let mostFindings = 50

    mutating func expectCondition(_ type: StaticType, at offset: Int32) {
        guard !type.may(be: .bool) else { return }
        let hint: String
        switch type.kind {
        case .string: hint = "; compare it: x != ''"
        case .list, .map: hint = "; ask for its size: size(x) > 0"
        case .int, .uint, .double: hint = "; compare it: x != 0"
        case .optional: hint = "; ask with .hasValue(), or read its value with .orValue(false)"
        case .null, .bool, .bytes, .timestamp, .duration, .type, nil: hint = ""
        }
        report(.type, "a condition is a boolean, and this is always \(type.words)\(hint)", at: offset)
    }

    // MARK: Constants

    /// Tries what is made of constants alone. What fails once fails always.
    private mutating func tryConstant(_ part: Part) {
        let node = program.nodes[Int(part.node)]
        guard part.isClean, node.operation != .constant, constantMeter.remainingSteps > 0 else { return }
        var evaluator = Evaluator(program, Scope(), constantMeter)
        defer { constantMeter = evaluator.meter }
        do {
            _ = try evaluator.evaluate(part.node)
        } catch {
            if error.kind != .limit { report(error.kind, error.message, at: error.offset < 0 ? node.offset : Int32(error.offset)) }
        }
    }

    /// Puts the parts of a node together.
    private mutating func combine(
        _ index: Int32, _ type: StaticType, _ parts: [Part], since count: Int, readsNames: Bool = false, bindsFrom slot: Int32 = .max
    ) -> Part {
        var result = Part(node: index, type: type.bounded)
        result.readsNames = readsNames || parts.contains { $0.readsNames }
        for part in parts where part.lowestSlot < slot { result.lowestSlot = min(result.lowestSlot, part.lowestSlot) }
        if !result.isConstant { for part in parts where part.isConstant { tryConstant(part) } }
        result.isClean = findings.count == count && parts.allSatisfy { $0.isClean }
        return result
    }

    // MARK: Nodes

    mutating func infer(_ index: Int32) -> Part {
        let node = program.nodes[Int(index)]
        let count = findings.count
        switch node.operation {
        case .constant:
            return Part(node: index, type: StaticType(of: program.constants[Int(node.a)]))
        case .local:
            let type = slots.indices.contains(Int(node.a)) ? slots[Int(node.a)] : .anything
            return Part(node: index, type: type, lowestSlot: node.a)
        case .path:
            let (type, isName) = path(node)
            var part = Part(node: index, type: type)
            part.readsNames = isName
            part.isClean = findings.count == count
            return part
        case .select, .optionalSelect, .has:
            let target = infer(node.a)
            return combine(index, select(node, target.type, ofLocal: node.a), [target], since: count)
        case .index, .optionalIndex:
            let target = infer(node.a)
            let key = infer(node.b)
            let element = element(of: target.type, key.type, at: node.offset)
            let isOptional = node.operation == .optionalIndex && target.type.kind != .optional
            return combine(index, isOptional ? .optional(element) : element, [target, key], since: count)
        case .list, .map:
            let parts = operands(node.a, node.b)
            return combine(index, node.operation == .list ? list(node, parts) : map(node, parts), parts, since: count)
        case .not, .negate:
            let operand = infer(node.a)
            return combine(index, unary(node, operand.type), [operand], since: count)
        case .arithmetic:
            let parts = [infer(node.a)] + operands(node.b, node.c)
            return combine(index, arithmetic(node, parts), parts, since: count)
        case .and, .or:
            let parts = operands(node.a, node.b)
            for part in parts { expectCondition(part.type, at: program.nodes[Int(part.node)].offset) }
            return combine(index, .bool, parts, since: count)
        case .compare, .contains:
            let parts = [infer(node.a), infer(node.b)]
            if node.operation == .compare { compare(node, parts[0], parts[1]) } else { contains(node, parts[0], parts[1]) }
            return combine(index, .bool, parts, since: count)
        case .conditional:
            let parts = [infer(node.a), infer(node.b), infer(node.c)]
            expectCondition(parts[0].type, at: program.nodes[Int(node.a)].offset)
            return combine(index, .union([parts[1].type, parts[2].type]), parts, since: count)
        case .call:
            let parts = operands(node.b, node.c)
            return combine(index, call(node, parts), parts, since: count)
        case .optionalOr, .optionalOrValue:
            let parts = [infer(node.a), infer(node.b)]
            return combine(index, alternative(node, parts[0].type, parts[1].type), parts, since: count)
        case .all, .exists, .existsOne, .transformList, .transformMap, .transformMapEntry, .filter, .sortBy:
            return loop(index, node)
        case .bind, .optionalMap, .optionalFlatMap:
            return binding(index, node)
        case .fail:
            let parts = node.c > 0 ? operands(node.c - 1, program.operands[Int(node.c) - 1].detail) : []
            var part = combine(index, .anything, parts, since: count)
            part.isClean = false
            return part
        }
    }

    private mutating func operands(_ first: Int32, _ count: Int32) -> [Part] {
        var parts: [Part] = []
        parts.reserveCapacity(Int(count))
        for index in first..<first + count { parts.append(infer(program.operands[Int(index)].node)) }
        return parts
    }

    // MARK: Variables

    // Infers what a loop or a binding says about its variables.
    private mutating func within(_ index: Int32, _ slot: Int32, _ types: [StaticType], _ bodies: [Int32]) -> [Part] {
        let before = (slots, localNames)
        while slots.count < Int(slot) { slots.append(.anything) }
        slots.append(contentsOf: types)
        localNames.append(contentsOf: program.variables[index] ?? [])
        defer { (slots, localNames) = before }
        var parts: [Part] = []
        for body in bodies { parts.append(infer(body)) }
        return parts
    }

    private mutating func loop(_ index: Int32, _ node: Program.Node) -> Part {
        let count = findings.count
        let collection = infer(node.a)
        let operands = (program.operands[Int(node.b)], program.operands[Int(node.b) + 1])
        let (first, second) = variables(of: collection.type, count: Int(operands.0.detail), at: node.offset)
        let types = operands.0.detail == 2 ? [first, second] : [first]
        let condition = operands.1.node < 0 ? nil : operands.1.node
        let parts = within(index, node.c, types, (condition.map { [$0] } ?? []) + [operands.0.node])
        guard let body = parts.last else { preconditionFailure("a loop without a body") }
        if let condition, let part = parts.first { expectCondition(part.type, at: program.nodes[Int(condition)].offset) }
        let place = program.nodes[Int(body.node)].offset
        let type: StaticType
        switch node.operation {
        case .all, .exists, .existsOne:
            expectCondition(body.type, at: place)
            type = .bool
        case .filter:
            expectCondition(body.type, at: place)
            type = .list(first)
        case .transformList: type = .list(body.type)
        case .transformMap: type = .map(key: first, value: body.type)
        case .transformMapEntry:
            if !body.type.may(be: .map) {
                report(.type, "transformMapEntry() makes a map of each entry, and this is always \(body.type.words)", at: place)
            }
            type = .map(key: .anything, value: .anything)
        default:  // sortBy
            if !body.type.isOrdered { report(.type, "sortBy() cannot put \(body.type.words) in order", at: place) }
            type = .list(first)
        }
        return combine(index, type, [collection] + parts, since: count, bindsFrom: node.c)
    }

    // What the variables of a loop over a collection are.
    private mutating func variables(of type: StaticType, count: Int, at offset: Int32) -> (StaticType, StaticType) {
        var first: [StaticType] = []
        var second: [StaticType] = []
        for alternative in type.alternatives {
            switch alternative {
            case .anything:
                first.append(.anything)
                second.append(.anything)
            case .list(let element):
                first.append(count == 2 ? .int : element)
                second.append(element)
            case .map(let key, let value):
                first.append(key)
                second.append(value)
            case .object(let object):
                first.append(object.keyType)
                second.append(object.valueType)
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .optional, .oneOf: break
            }
        }
        if first.isEmpty { report(.type, "this macro goes through lists and maps, not \(type.words)", at: offset) }
        return (.union(first), .union(second))
    }

    private mutating func binding(_ index: Int32, _ node: Program.Node) -> Part {
        let count = findings.count
        let value = infer(node.a)
        let bound: StaticType
        if node.operation == .bind {
            bound = value.type
        } else {
            if !value.type.may(be: .optional) { report(.type, "an optional is needed here, not \(value.type.words)", at: node.offset) }
            bound = value.type.optionalContent
        }
        let parts = within(index, node.c, [bound], [node.b])
        let body = parts[0].type
        let type: StaticType
        switch node.operation {
        case .optionalMap: type = .optional(body)
        case .optionalFlatMap:
            if !body.may(be: .optional) {
                report(
                    .type, "optFlatMap() makes an optional, and this is always \(body.words); optMap() takes any value",
                    at: program.nodes[Int(node.b)].offset)
            }
            type = body.may(be: .optional) ? body : .optional(.anything)
        default: type = body  // bind
        }
        return combine(index, type, [value] + parts, since: count, bindsFrom: node.c)
    }

    // MARK: Names

    // The type of a path, and whether it starts with a name. Types of the language are names as well, and constant.
    private mutating func path(_ node: Program.Node) -> (StaticType, isName: Bool) {
        let root = program.names[Int(node.a)]
        let keys = (0..<node.c).map { program.names[Int(node.b + $0)] }
        // A name may hold points; the longest one wins.
        var prefixes = [root]
        for key in keys { prefixes.append(prefixes[prefixes.count - 1] + "." + key) }
        for (length, prefix) in prefixes.enumerated().reversed() {
            guard let type = names[KeyBytes(prefix)] else { continue }
            return (descend(type, prefix, Array(keys[length...]), node.b + Int32(length)), true)
        }
        if TypeName(rawValue: prefixes[prefixes.count - 1]) != nil { return (.type, false) }
        guard findings.count < Self.mostFindings else { return (.anything, true) }
        let near = Suggestion.near(root, among: names.keys.map(\.text).sorted() + localNames)
        let hint: String
        if Signature.all[root]?.asCall != nil, near == nil {
            hint = "; the function is called as \(root)(…)"
        } else {
            hint = Suggestion.suffix(for: near)
        }
        report(.unknownName, "there is no \"\(root)\" here" + hint, at: node.offset, suggestion: near)
        return (.anything, true)
    }

    private mutating func descend(_ type: StaticType, _ root: String, _ keys: [String], _ first: Int32) -> StaticType {
        var type = type
        var owner = root
        for (index, key) in keys.enumerated() {
            if type == .anything { return .anything }
            type = member(of: type, key, owner: owner, at: program.nameOffsets[Int(first) + index])
            owner += "." + key
        }
        return type
    }

    /// What a node is called in messages, when it is a name or begins with one.
    func words(_ index: Int32) -> String? {
        let node = program.nodes[Int(index)]
        switch node.operation {
        case .path:
            return ([program.names[Int(node.a)]] + (0..<node.c).map { program.names[Int(node.b + $0)] }).joined(separator: ".")
        case .local: return localNames.indices.contains(Int(node.a)) ? localNames[Int(node.a)] : nil
        case .select: return words(node.a).map { $0 + "." + program.names[Int(node.b)] }
        case .constant, .optionalSelect, .has, .index, .optionalIndex, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare,
            .contains, .conditional, .call, .optionalOr, .optionalOrValue, .all, .exists, .existsOne, .transformList, .transformMap,
            .transformMapEntry, .filter, .sortBy, .bind, .optionalMap, .optionalFlatMap, .fail:
            return nil
        }
    }
}

extension StaticType {
    /// The type of a constant of the source.
    init(of value: Value) {
        if case .string(let text) = value { self = .strings([text]) } else { self = StaticType(value.typeName) }
    }

    /// Whether values of this type may have an order.
    var isOrdered: Bool { may(be: .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration) }
}
