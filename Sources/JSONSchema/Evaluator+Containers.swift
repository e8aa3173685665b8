// Keywords for arrays and objects.

import WorkflowModel

extension Evaluator {
    // MARK: Arrays

    mutating func check(_ elements: [JSONValue], _ rules: ArrayRules, _ node: SchemaNode, _ evaluated: inout Evaluated) -> Bool {
        var fits = true
        if let minimum = rules.minItems, elements.count < minimum {
            fail(node, "minItems", "must have at least \(Self.counted(minimum, "item")), but has \(elements.count)")
            fits = false
        }
        if let maximum = rules.maxItems, elements.count > maximum {
            fail(node, "maxItems", "must have at most \(Self.counted(maximum, "item")), but has \(elements.count)")
            fits = false
        }
        guard fits || goesOn else { return false }
        if rules.uniqueItems {
            spend(elements.count / 4 + elements.reduce(0) { $0 + MathematicalValue.cost(of: $1) }, at: node)
            if isGivenUp { return false }
            if let (first, second) = MathematicalValue.duplicate(in: elements) {
                fail(node, "uniqueItems", "must not have equal items, but items \(first) and \(second) are equal")
                fits = false
            }
        }
        guard fits || goesOn else { return false }
        fits = checkItems(elements, rules, &evaluated) && fits
        guard fits || goesOn else { return false }
        if let contains = rules.contains { fits = check(elements, contains, node, &evaluated) && fits }
        return fits
    }

    private mutating func checkItems(_ elements: [JSONValue], _ rules: ArrayRules, _ evaluated: inout Evaluated) -> Bool {
        var fits = true
        let fixed = min(rules.prefixItems.count, elements.count)
        for index in 0..<fixed {
            fits = evaluate(rules.prefixItems[index], element: index, elements[index]) && fits
            guard fits || goesOn else { return false }
        }
        evaluated.insert(upTo: fixed)
        guard let items = rules.items, fixed < elements.count else { return fits }
        evaluated.insertAll()
        for index in fixed..<elements.count {
            fits = evaluate(items, element: index, elements[index]) && fits
            guard fits || goesOn else { return false }
        }
        return fits
    }

    private mutating func check(
        _ elements: [JSONValue], _ contains: (node: Int, minimum: Int, maximum: Int?), _ node: SchemaNode, _ evaluated: inout Evaluated
    ) -> Bool {
        var count = 0
        for (index, element) in elements.enumerated() {
            var ignored = Evaluated.unwanted
            let fits = probe(contains.node, element, &ignored)
            if isGivenUp { return false }
            guard fits else { continue }
            count += 1
            evaluated.insert(index)
            if contains.maximum == nil, count >= contains.minimum, !evaluated.isWanted { return true }
        }
        var fits = true
        if count < contains.minimum {
            let keyword = contains.minimum == 1 ? "contains" : "minContains"
            fail(
                node, keyword,
                "must have at least \(Self.counted(contains.minimum, "item")) of the kind that the schema asks for, but has \(count)")
            fits = false
        }
        if let maximum = contains.maximum, count > maximum {
            fail(
                node, "maxContains",
                "must have at most \(Self.counted(maximum, "item")) of the kind that the schema limits, but has \(count)")
            fits = false
        }
        return fits
    }

    // MARK: Objects

    mutating func check(
        _ object: JSONObject, _ value: JSONValue, _ rules: ObjectRules, _ node: SchemaNode, _ evaluated: inout Evaluated
    ) -> Bool {
        var fits = true
        if let minimum = rules.minProperties, object.count < minimum {
            fail(node, "minProperties", "must have at least \(Self.counted(minimum, "property")), but has \(object.count)")
            fits = false
        }
        if let maximum = rules.maxProperties, object.count > maximum {
            fail(node, "maxProperties", "must have at most \(Self.counted(maximum, "property")), but has \(object.count)")
            fits = false
        }
        guard fits || goesOn else { return false }
        var seen: UInt64 = 0
        // Looking up a name or passing over a member is an eighth of a step.
        let names = rules.required.count + rules.dependentRequired.reduce(0) { $0 + 1 + $1.required.count }
        spend((names + (rules.looksAtMembers ? object.count : 0)) / 8, at: node)
        if isGivenUp { return false }
        if rules.looksAtMembers { fits = checkMembers(object, rules, node, &seen, &evaluated) && fits }
        for required in rules.required {
            guard fits || goesOn else { return false }
            let isThere = required.slot.map { seen & (1 << UInt64($0)) != 0 } ?? (object.position(of: required.name) != nil)
            if isThere { continue }
            fail(node, "required") { pointer in "\(pointer)/\(JSONPointer.escaped(required.name)) is required" }
            fits = false
        }
        for (property, names) in rules.dependentRequired where object.position(of: property) != nil {
            for name in names where object.position(of: name) == nil {
                fail(node, "dependentRequired") { pointer in
                    "\(pointer)/\(JSONPointer.escaped(name)) is required when \(pointer)/\(JSONPointer.escaped(property)) is there"
                }
                fits = false
            }
        }
        for (property, schema) in rules.dependentSchemas {
            guard fits || goesOn else { return false }
            if object.position(of: property) != nil { fits = evaluate(schema, value, &evaluated) && fits }
        }
        return fits
    }

    private mutating func checkMembers(
        _ object: JSONObject, _ rules: ObjectRules, _ node: SchemaNode, _ seen: inout UInt64, _ evaluated: inout Evaluated
    ) -> Bool {
        var fits = true
        var hint = 0
        let keys = object.keys
        let values = object.values
        for position in keys.indices {
            let key = keys[position]
            let value = values[position]
            var isNamed = false
            if let slot = rules.properties.slot(of: key, from: hint) {
                isNamed = true
                hint = slot + 1
                if slot < 64 { seen |= 1 << UInt64(slot) }
                fits = evaluate(rules.properties.nodes[slot], member: key, value) && fits
            }
            for (pattern, schema) in rules.patternProperties where matches(key, pattern, node, "patternProperties") {
                isNamed = true
                fits = evaluate(schema, member: key, value) && fits
            }
            if isGivenUp { return false }
            if isNamed {
                evaluated.insert(position)
            } else if let additional = rules.additionalProperties {
                evaluated.insert(position)
                fits = evaluate(additional, member: key, value) && fits
            }
            if let names = rules.propertyNames, fits || goesOn { fits = check(name: key, names, node) && fits }
            guard fits || goesOn else { return false }
        }
        return fits
    }

    private mutating func check(name: String, _ names: Int, _ node: SchemaNode) -> Bool {
        var ignored = Evaluated.unwanted
        if probe(names, .string(name), &ignored) { return true }
        if isGivenUp || !collecting { return false }
        let reasons = violations(of: names, .string(name)).prefix(3).map { violation in
            // Within, the name is the value.
            violation.message.hasPrefix(subject) ? "it\(violation.message.dropFirst(subject.count))" : violation.message
        }
        fail(node, "propertyNames", "must not have a property named \"\(name)\": \(reasons.joined(separator: "; "))")
        return false
    }

    // MARK: What is left over

    mutating func applyUnevaluated(_ node: SchemaNode, _ value: JSONValue, _ evaluated: inout Evaluated) -> Bool {
        var fits = true
        if let schema = node.unevaluatedItems, case .array(let elements) = value {
            for (index, element) in elements.enumerated() where !evaluated.contains(index) {
                fits = evaluate(schema, element: index, element) && fits
                guard fits || goesOn else { return false }
            }
            evaluated.insertAll()
        }
        if let schema = node.unevaluatedProperties, case .object(let object) = value {
            for position in 0..<object.count where !evaluated.contains(position) {
                fits = evaluate(schema, member: object.keys[position], object.values[position]) && fits
                guard fits || goesOn else { return false }
            }
            evaluated.insertAll()
        }
        return fits
    }
}
