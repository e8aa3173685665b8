// The types of selections and operators.

import WorkflowModel

extension TypeInference {
    // MARK: Selections

    mutating func select(_ node: Program.Node, _ target: StaticType, ofLocal index: Int32) -> StaticType {
        let key = program.names[Int(node.b)]
        switch node.operation {
        case .select: return member(of: target, key, owner: words(index), at: node.offset)
        case .has:
            if !target.may(be: .map, .optional) { noFields(target, key, at: node.offset) }
            return .bool
        default:  // optionalSelect
            guard target.may(be: .map, .optional) else {
                noFields(target, key, at: node.offset)
                return .optional(.anything)
            }
            // What is not there is no mistake here.
            return .union(
                target.alternatives.map { alternative in
                    if case .optional = alternative { return alternative.member(key) ?? .optional(.anything) }
                    return .optional(alternative.member(key) ?? .anything)
                })
        }
    }

    private mutating func noFields(_ type: StaticType, _ key: String, at offset: Int32) {
        let hint = type.kind == .list ? "; an element is read by its index: x[0], or all of them with x.map(e, e.\(key))" : ""
        report(.type, "\(type.words) has no field \"\(key)\"\(hint)", at: offset)
    }

    /// The type of a field that has to be there.
    mutating func member(of type: StaticType, _ key: String, owner: String?, at offset: Int32) -> StaticType {
        if let found = type.member(key) {
            warnOfNearName(type, key, owner: owner, at: offset)
            return found
        }
        let known = type.alternatives.flatMap { $0.knownNames }
        guard type.alternatives.contains(where: { if case .object = $0.content { true } else { false } }) else {
            noFields(type, key, at: offset)
            return .anything
        }
        let near = Suggestion.near(key, among: known)
        var message = "\(owner ?? "the map") has no field \"\(key)\""
        if near != nil {
            message += Suggestion.suffix(for: near)
        } else if !known.isEmpty, known.count <= 8 {
            message += "; it has \(known.joined(separator: ", "))"
        }
        report(.unknownField, message, at: offset, suggestion: near)
        return .anything
    }

    // An open schema takes any name; one that differs in a letter from a known one is hardly meant.
    private mutating func warnOfNearName(_ type: StaticType, _ key: String, owner: String?, at offset: Int32) {
        var known: [String] = []
        for alternative in type.alternatives {
            // What may be null is described by the rest.
            if alternative == .null { continue }
            guard case .object(let object) = alternative.content, object.others == .anything || object.others == nil, object[key] == nil
            else { return }
            known += object.properties.map(\.name)
        }
        guard key.utf8.count >= 4, let near = Suggestion.near(key, among: known) else { return }
        warn(
            .unknownField, "the schema of \(owner ?? "the map") does not name \"\(key)\"" + Suggestion.suffix(for: near), at: offset,
            suggestion: near)
    }

    mutating func element(of type: StaticType, _ key: StaticType, at offset: Int32) -> StaticType {
        var found: [StaticType] = []
        var wrongKey: String?
        for alternative in type.alternatives {
            switch alternative {
            case .anything: found.append(.anything)
            case .list(let element):
                if key.may(be: .int, .uint, .double) {
                    found.append(element)
                } else {
                    wrongKey = "the index of a list is a whole number, not \(key.words)"
                }
            case .map(_, let value):
                if key.isKey { found.append(value) } else { wrongKey = "\(key.words) cannot be a key of a map" }
            case .object(let object):
                if key.isKey { found.append(value(of: object, key)) } else { wrongKey = "\(key.words) cannot be a key of a map" }
            case .optional(let content): found.append(.optional(element(of: content, key, at: offset)))
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .oneOf: break
            }
        }
        if !found.isEmpty { return .union(found) }
        let hint = type.kind == .string ? "; a character is read with x.charAt(0)" : ""
        report(.type, wrongKey ?? "\(type.words) cannot be indexed\(hint)", at: offset)
        return .anything
    }

    private func value(of object: ObjectType, _ key: StaticType) -> StaticType {
        guard case .strings(let names) = key else { return object.valueType }
        return .union(names.map { object[$0]?.type ?? object.others ?? .anything })
    }

    // MARK: Lists and maps

    mutating func list(_ node: Program.Node, _ parts: [Part]) -> StaticType {
        var elements: [StaticType] = []
        for (index, part) in parts.enumerated() {
            let operand = program.operands[Int(node.a) + index]
            if operand.detail == 0 {
                elements.append(part.type)
            } else {
                elements.append(content(of: part.type, "an element after \"?\" is an optional, not ", at: operand.offset))
            }
        }
        return .list(elements.isEmpty ? .anything : .union(elements))
    }

    private mutating func content(of type: StaticType, _ message: String, at offset: Int32) -> StaticType {
        guard type.may(be: .optional) else {
            report(.type, message + type.words, at: offset)
            return .anything
        }
        return type.optionalContent
    }

    mutating func map(_ node: Program.Node, _ parts: [Part]) -> StaticType {
        var properties: [ObjectType.Property] = []
        var keys: [StaticType] = []
        var values: [StaticType] = []
        var seen: Set<MapKey> = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            let operand = program.operands[Int(node.a) + index]
            let key = parts[index]
            var value = parts[index + 1].type
            if !key.type.may(be: .bool, .int, .uint, .string) {
                report(.type, "\(key.type.words) cannot be a key of a map", at: operand.offset)
            }
            if operand.detail != 0 {
                value = content(
                    of: value, "the value of an entry after \"?\" is an optional, not ",
                    at: program.operands[Int(node.a) + index + 1].offset)
            }
            keys.append(key.type)
            values.append(value)
            let keyNode = program.nodes[Int(key.node)]
            guard keyNode.operation == .constant else { continue }
            let constant = program.constants[Int(keyNode.a)]
            if operand.detail == 0, let mapKey = MapKey(constant), !seen.insert(mapKey).inserted {
                report(.evaluation, "a key occurs twice in the map", at: operand.offset)
            }
            if case .string(let name) = constant {
                properties.append(ObjectType.Property(name, value, isRequired: operand.detail == 0))
            }
        }
        if keys.isEmpty { return .map(key: .anything, value: .anything) }
        if properties.count == keys.count { return .object(ObjectType(properties, others: nil)) }
        return .map(key: .union(keys), value: .union(values))
    }

    // MARK: Operators

    mutating func unary(_ node: Program.Node, _ operand: StaticType) -> StaticType {
        if node.operation == .not {
            if !operand.may(be: .bool) { report(.type, "\"!\" does not take \(operand.words)", at: node.offset) }
            return .bool
        }
        guard operand.may(be: .int, .double) else {
            report(.type, "\"-\" does not take \(operand.words)", at: node.offset)
            return .anything
        }
        let kinds = operand.kinds ?? [.int, .double]
        return .union(kinds.filter { $0 == .int || $0 == .double }.map { StaticType($0) })
    }

    mutating func arithmetic(_ node: Program.Node, _ parts: [Part]) -> StaticType {
        var type = parts[0].type
        for (index, part) in parts.dropFirst().enumerated() {
            let operand = program.operands[Int(node.b) + index]
            guard let operation = Arithmetic(rawValue: operand.detail) else { preconditionFailure("a term without an operator") }
            // Where everything is constant, it is tried.
            if operation == .divide || operation == .remainder, parts.contains(where: { !$0.isConstant }) {
                checkDivisor(operation, type, part, at: operand.offset)
            }
            type = result(operation, type, part.type, at: operand.offset)
        }
        return type
    }

    private mutating func checkDivisor(_ operation: Arithmetic, _ left: StaticType, _ right: Part, at offset: Int32) {
        let node = program.nodes[Int(right.node)]
        guard node.operation == .constant else { return }
        switch program.constants[Int(node.a)] {
        case .int(0), .uint(0): break
        default: return  // Doubles can be divided by zero.
        }
        if operation == .divide, left.may(be: .double) {
            warn(.evaluation, "a division by zero fails, or is infinite", at: offset)
        } else if left.may(be: .int, .uint) {
            report(.evaluation, operation == .divide ? "division by zero" : "remainder of a division by zero", at: offset)
        }
    }

    private mutating func result(_ operation: Arithmetic, _ left: StaticType, _ right: StaticType, at offset: Int32) -> StaticType {
        var found: [StaticType] = []
        for a in left.alternatives {
            for b in right.alternatives {
                if let type = result(operation, a, b) { found.append(type) }
            }
        }
        if !found.isEmpty { return .union(found) }
        let sides = (left, right)
        var hint = ""
        let isTime = left.kind == .duration || right.kind == .duration || left.kind == .timestamp || right.kind == .timestamp
        if isTime, left.may(be: .string) || right.may(be: .string), operation == .add || operation == .subtract {
            hint = "; a moment is read with timestamp(…)"
        } else if operation == .add, left.kind == .string || right.kind == .string {
            let other = left.kind == .string ? right : left
            if other.may(be: .int, .uint, .double, .bool, .timestamp, .duration) { hint = "; convert with string(…)" }
        } else if sides.0.kind == .optional || sides.1.kind == .optional {
            hint = "; read an optional's value with .orValue(…)"
        } else if operation == .subtract, left.may(be: .string), right.may(be: .string) {
            hint = "; a moment is read with timestamp(…)"
        } else if program.mode == .promoting, left.may(be: .uint) != right.may(be: .uint) {
            hint = "; convert with int(…)"
        }
        report(.type, "\"\(operation.symbol)\" does not take \(left.words) and \(right.words)\(hint)", at: offset)
        return .anything
    }

    // The type of an operation on two types that are no unions; nil where there is none.
    private func result(_ operation: Arithmetic, _ left: StaticType, _ right: StaticType) -> StaticType? {
        switch (left, right) {
        case (.anything, .anything): return .anything
        case (.anything, let known), (let known, .anything):
            // What is known of one side leaves few kinds for the other.
            switch known {
            case .int, .double: return operation == .remainder ? (known == .int ? .int : nil) : program.mode == .promoting ? .number : known
            case .uint: return .uint
            case .string, .strings, .bytes, .list:
                guard operation == .add else { return nil }
                if case .list = known { return .list(.anything) }
                return known == .bytes ? .bytes : .string
            case .timestamp, .duration: return operation == .add || operation == .subtract ? .anything : nil
            case .null, .bool, .type, .map, .object, .optional, .anything, .oneOf: return nil
            }
        case (.int, .int): return .int
        case (.uint, .uint): return .uint
        case (.double, .double): return operation == .remainder ? nil : .double
        case (.int, .double), (.double, .int): return program.mode == .strict || operation == .remainder ? nil : .double
        case (.string, .string), (.string, .strings), (.strings, .string), (.strings, .strings): return operation == .add ? .string : nil
        case (.bytes, .bytes): return operation == .add ? .bytes : nil
        case (.list(let a), .list(let b)): return operation == .add ? .list(.union([a, b])) : nil
        case (.timestamp, .duration): return operation == .add || operation == .subtract ? .timestamp : nil
        case (.duration, .timestamp): return operation == .add ? .timestamp : nil
        case (.timestamp, .timestamp): return operation == .subtract ? .duration : nil
        case (.duration, .duration): return operation == .add || operation == .subtract ? .duration : nil
        default: return nil  // Every other pair.
        }
    }

    mutating func compare(_ node: Program.Node, _ left: Part, _ right: Part) {
        guard let comparison = Comparison(rawValue: node.c) else { preconditionFailure("a comparison node without a comparison") }
        switch comparison {
        case .equal, .notEqual:
            guard !(left.isConstant && right.isConstant), let reason = Self.difference(left.type, right.type) else { return }
            warn(.type, "this is always \(comparison == .notEqual): \(reason.text)", at: node.offset, suggestion: reason.near)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            let canCompare = left.type.alternatives.contains { a in right.type.alternatives.contains { b in Self.haveOrder(a, b) } }
            if !canCompare {
                let hint = left.type.kind == .optional || right.type.kind == .optional ? "; read an optional's value with .orValue(…)" : ""
                report(
                    .type, "\"\(comparison.symbol)\" does not compare \(left.type.words) with \(right.type.words)\(hint)", at: node.offset)
            }
        }
    }

    mutating func contains(_ node: Program.Node, _ element: Part, _ collection: Part) {
        guard collection.type.may(be: .list, .map) else {
            let hint = collection.type.kind == .string ? "; a part of a string is found with x.contains('…')" : ""
            report(.type, "\"in\" looks into lists and maps, not \(collection.type.words)\(hint)", at: node.offset)
            return
        }
        guard !(element.isConstant && collection.isConstant), case .list(let type) = collection.type,
            let reason = Self.difference(element.type, type)
        else { return }
        warn(.type, "this is always false: \(reason.text)", at: node.offset, suggestion: reason.near)
    }

    private static func haveOrder(_ left: StaticType, _ right: StaticType) -> Bool {
        guard left.isOrdered, right.isOrdered else { return false }
        guard let a = left.kind, let b = right.kind else { return true }
        let numbers: [TypeName] = [.int, .uint, .double]
        return a == b || numbers.contains(a) && numbers.contains(b)
    }

    // Why no value of one type equals one of the other; nil when there may be such.
    private static func difference(_ left: StaticType, _ right: StaticType) -> (text: String, near: String?)? {
        guard let mine = left.kinds, let theirs = right.kinds else { return nil }
        let numbers: [TypeName] = [.int, .uint, .double]
        let isNumeric = mine.contains { numbers.contains($0) } && theirs.contains { numbers.contains($0) }
        if !isNumeric, !mine.contains(where: { theirs.contains($0) }) {
            return ("\(left.words) is never equal to \(right.words)", nil)
        }
        guard let a = left.onlyStrings, let b = right.onlyStrings else { return nil }
        if a.contains(where: { text in b.contains { $0.isSame(as: text) } }) { return nil }
        let (one, many) = a.count <= b.count ? (a, b) : (b, a)
        guard one.count == 1, many.count <= 20 else { return ("the strings on both sides are never the same", nil) }
        let near = Suggestion.near(one[0], among: many)
        let listed = many.count == 1 ? "\"\(many[0])\"" : "one of \(many.map { "\"\($0)\"" }.joined(separator: ", "))"
        return ("the value is \(listed) and never \"\(one[0])\"" + Suggestion.suffix(for: near), near)
    }

    mutating func alternative(_ node: Program.Node, _ target: StaticType, _ other: StaticType) -> StaticType {
        let name = node.operation == .optionalOr ? "or" : "orValue"
        guard target.may(be: .optional) else {
            report(
                .type, "\(name)() is called on an optional, not \(target.words); a field that may be absent is read with a.?b",
                at: node.offset)
            return node.operation == .optionalOr ? .optional(.anything) : .anything
        }
        if node.operation == .optionalOrValue { return .union([target.optionalContent, other]) }
        guard other.may(be: .optional) else {
            report(.type, "or() takes an optional, not \(other.words); orValue() takes any value", at: node.offset)
            return target
        }
        return .union([target, other])
    }
}

extension StaticType {
    /// What the optionals among the alternatives hold.
    var optionalContent: StaticType {
        let contents = alternatives.compactMap { alternative -> StaticType? in
            if case .optional(let content) = alternative { return content }
            return alternative == .anything ? .anything : nil
        }
        return .union(contents)
    }

    // What is looked into when a field is selected.
    fileprivate var content: StaticType { if case .optional(let content) = self { content } else { self } }

    fileprivate var knownNames: [String] {
        if case .object(let object) = content { object.properties.map(\.name) } else { [] }
    }

    fileprivate var isKey: Bool { may(be: .bool, .int, .uint, .double, .string) }

    fileprivate var onlyStrings: [String]? {
        if case .strings(let texts) = self { texts } else { nil }
    }
}
