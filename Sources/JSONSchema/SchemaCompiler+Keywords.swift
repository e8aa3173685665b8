// The keywords one by one: what each may hold, and what it becomes.

import WorkflowModel

extension SchemaCompiler {
    // MARK: What a keyword may hold

    func string(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> String? {
        guard let value = source.object[keyword] else { return nil }
        guard case .string(let text) = value else { throw wrong(keyword, in: source, "must be a string", value) }
        return text
    }

    private func boolean(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> Bool? {
        guard let value = source.object[keyword] else { return nil }
        guard case .bool(let flag) = value else { throw wrong(keyword, in: source, "must be true or false", value) }
        return flag
    }

    private func number(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> JSONNumber? {
        guard let value = source.object[keyword] else { return nil }
        guard let number = JSONNumber(value) else { throw wrong(keyword, in: source, "must be a number", value) }
        return number
    }

    // A whole number, zero or more; `2.0` is one too.
    private func count(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> Int? {
        switch source.object[keyword] {
        case .none: return nil
        case .int(let value) where value >= 0: return Int(clamping: value)
        case .double(let value) where value >= 0 && value == value.rounded(.towardZero): return Int(exactly: value) ?? .max
        case .some: throw wrong(keyword, in: source, "must be a whole number, zero or more", nil)
        }
    }

    private func names(_ value: JSONValue, _ keyword: String, of source: SchemaSource) throws(SchemaError) -> [String] {
        guard case .array(let elements) = value else { throw wrong(keyword, in: source, "must be a list of names", value) }
        var names: [String] = []
        var seen: Set<KeyBytes> = []
        for element in elements {
            guard case .string(let name) = element else { throw wrong(keyword, in: source, "must be a list of names", nil) }
            guard seen.insert(KeyBytes(name)).inserted else { throw wrong(keyword, in: source, "names \"\(name)\" twice", nil) }
            names.append(name)
        }
        return names
    }

    private func map(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> JSONObject? {
        guard let value = source.object[keyword] else { return nil }
        guard case .object(let object) = value else { throw wrong(keyword, in: source, "must be an object", value) }
        return object
    }

    mutating func subschema(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> Int? {
        guard let value = source.object[keyword] else { return nil }
        return try node(for: value, at: source.location.child(keyword), keyword: keyword)
    }

    mutating func subschemas(_ keyword: String, of source: SchemaSource) throws(SchemaError) -> [Int]? {
        guard let value = source.object[keyword] else { return nil }
        guard case .array(let elements) = value, !elements.isEmpty else {
            throw wrong(keyword, in: source, "must be a list of at least one schema", nil)
        }
        var nodes: [Int] = []
        for (position, element) in elements.enumerated() {
            let location = source.location.child(keyword).child(String(position))
            nodes.append(try node(for: element, at: location, keyword: keyword))
        }
        return nodes
    }

    private func wrong(_ keyword: String, in source: SchemaSource, _ message: String, _ found: JSONValue?) -> SchemaError {
        let ending = found.map { ", not \($0.kindPhrase)" } ?? ""
        return error(at: source.location.child(keyword), "\(keyword) \(message)\(ending)")
    }

    // MARK: Any value

    mutating func compileAssertions(of source: SchemaSource, dialect: Dialect, into draft: inout SchemaNodeDraft) throws(SchemaError) {
        var minLength: Int?
        var maxLength: Int?
        var pattern: CompiledPattern?
        if dialect.contains(.validation) {
            draft.types = try types(of: source)
            draft.constant = source.object["const"]
            if let value = source.object["enum"] {
                guard case .array(let values) = value else { throw wrong("enum", in: source, "must be a list of values", value) }
                draft.enumeration = Enumeration(values)
            }
            draft.numberRules = try numberRules(of: source)
            minLength = try count("minLength", of: source)
            maxLength = try count("maxLength", of: source)
            if let text = try string("pattern", of: source) {
                pattern = try self.pattern(text, at: source.location.child("pattern"))
            }
        }
        var format: Format?
        if let name = try string("format", of: source), options.assertFormat || dialect.contains(.formatAssertion) {
            format = Format(rawValue: name)
        }
        if minLength != nil || maxLength != nil || pattern != nil || format != nil {
            draft.stringRules = StringRules(minLength: minLength, maxLength: maxLength, pattern: pattern, format: format)
        }
    }

    private func types(of source: SchemaSource) throws(SchemaError) -> JSONTypes? {
        switch source.object["type"] {
        case .none: return nil
        case .string(let name):
            guard let type = JSONTypes.named.first(where: { $0.name == name })?.type else {
                throw wrong("type", in: source, "\"\(name)\" is unknown; the types are \(JSONTypes.allNames)", nil)
            }
            return type
        case .array(let elements):
            var types: JSONTypes = []
            for element in elements {
                guard case .string(let name) = element, let type = JSONTypes.named.first(where: { $0.name == name })?.type else {
                    throw wrong("type", in: source, "must list types; the types are \(JSONTypes.allNames)", nil)
                }
                guard types.insert(type).inserted else { throw wrong("type", in: source, "lists \"\(name)\" twice", nil) }
            }
            guard !types.isEmpty else { throw wrong("type", in: source, "must list at least one type", nil) }
            return types
        case .some(let value): throw wrong("type", in: source, "must be a type or a list of types", value)
        }
    }

    private func numberRules(of source: SchemaSource) throws(SchemaError) -> NumberRules? {
        let minimum = try number("minimum", of: source)
        let maximum = try number("maximum", of: source)
        let exclusiveMinimum = try number("exclusiveMinimum", of: source)
        let exclusiveMaximum = try number("exclusiveMaximum", of: source)
        let multipleOf = try number("multipleOf", of: source)
        if let multipleOf, !(JSONNumber.int(0) < multipleOf) { throw wrong("multipleOf", in: source, "must be greater than zero", nil) }
        if minimum == nil, maximum == nil, exclusiveMinimum == nil, exclusiveMaximum == nil, multipleOf == nil { return nil }
        return NumberRules(
            minimum: minimum, maximum: maximum, exclusiveMinimum: exclusiveMinimum, exclusiveMaximum: exclusiveMaximum,
            multipleOf: multipleOf.map { ($0, DecimalMagnitude($0)) })
    }

    // MARK: Arrays

    mutating func arrayRules(of source: SchemaSource, dialect: Dialect) throws(SchemaError) -> ArrayRules? {
        var minItems: Int?
        var maxItems: Int?
        var uniqueItems = false
        var minContains: Int?
        var maxContains: Int?
        if dialect.contains(.validation) {
            minItems = try count("minItems", of: source)
            maxItems = try count("maxItems", of: source)
            uniqueItems = try boolean("uniqueItems", of: source) ?? false
            minContains = try count("minContains", of: source)
            maxContains = try count("maxContains", of: source)
        }
        var prefixItems: [Int] = []
        var items: Int?
        var contains: Int?
        if dialect.contains(.applicator) {
            if case .array = source.object["items"] {
                throw wrong("items", in: source, "must be one schema; a schema for each position goes into prefixItems", nil)
            }
            prefixItems = try subschemas("prefixItems", of: source) ?? []
            items = try subschema("items", of: source)
            contains = try subschema("contains", of: source)
        }
        if minItems == nil, maxItems == nil, !uniqueItems, prefixItems.isEmpty, items == nil, contains == nil { return nil }
        return ArrayRules(
            minItems: minItems, maxItems: maxItems, uniqueItems: uniqueItems, prefixItems: prefixItems, items: items,
            contains: contains.map { ($0, minContains ?? 1, maxContains) })
    }

    // MARK: Objects

    mutating func objectRules(of source: SchemaSource, dialect: Dialect) throws(SchemaError) -> ObjectRules? {
        var minProperties: Int?
        var maxProperties: Int?
        var required: [String] = []
        var dependentRequired: [(property: String, required: [String])] = []
        if dialect.contains(.validation) {
            minProperties = try count("minProperties", of: source)
            maxProperties = try count("maxProperties", of: source)
            if let value = source.object["required"] { required = try names(value, "required", of: source) }
            if let map = try map("dependentRequired", of: source) {
                for (name, value) in map.members { dependentRequired.append((name, try names(value, "dependentRequired", of: source))) }
            }
        }
        var properties: [(name: String, node: Int)] = []
        var patterns: [(pattern: CompiledPattern, node: Int)] = []
        var dependentSchemas: [(property: String, node: Int)] = []
        var additional: Int?
        var propertyNames: Int?
        if dialect.contains(.applicator) {
            properties = try namedSubschemas("properties", of: source)
            for (text, node) in try namedSubschemas("patternProperties", of: source) {
                patterns.append((try pattern(text, at: source.location.child("patternProperties").child(text)), node))
            }
            dependentSchemas = try namedSubschemas("dependentSchemas", of: source).map { ($0.name, $0.node) }
            try compileDependencies(of: source, required: &dependentRequired, schemas: &dependentSchemas)
            additional = try subschema("additionalProperties", of: source)
            propertyNames = try subschema("propertyNames", of: source)
        }
        let isEmpty =
            minProperties == nil && maxProperties == nil && required.isEmpty && dependentRequired.isEmpty && properties.isEmpty
            && patterns.isEmpty && dependentSchemas.isEmpty && additional == nil && propertyNames == nil
        if isEmpty { return nil }
        let table = PropertyTable(properties)
        return ObjectRules(
            minProperties: minProperties, maxProperties: maxProperties, properties: table,
            required: required.map { name in
                RequiredProperty(name: name, slot: table.slot(of: name, from: 0).flatMap { $0 < 64 ? $0 : nil })
            },
            patternProperties: patterns, additionalProperties: additional, propertyNames: propertyNames,
            dependentRequired: dependentRequired, dependentSchemas: dependentSchemas)
    }

    private mutating func namedSubschemas(
        _ keyword: String, of source: SchemaSource
    ) throws(SchemaError) -> [(name: String, node: Int)] {
        guard let map = try map(keyword, of: source) else { return [] }
        var result: [(name: String, node: Int)] = []
        for (name, value) in map.members {
            result.append((name, try node(for: value, at: source.location.child(keyword).child(name), keyword: keyword)))
        }
        return result
    }

    // `dependencies` was split in two by the draft; generators still write it.
    private mutating func compileDependencies(
        of source: SchemaSource, required: inout [(property: String, required: [String])],
        schemas: inout [(property: String, node: Int)]
    ) throws(SchemaError) {
        guard let map = try map("dependencies", of: source) else { return }
        for (name, value) in map.members {
            if case .array = value {
                required.append((name, try names(value, "dependencies", of: source)))
            } else {
                let location = source.location.child("dependencies").child(name)
                schemas.append((name, try node(for: value, at: location, keyword: "dependencies")))
            }
        }
    }
}
