// Types out of JSON Schemas, and of JSON values that are known.

public import WorkflowModel

extension StaticType {
    /// What a JSON Schema says of the values that it accepts: types, properties, items, enumerations, alternatives and local references.
    ///
    /// What a schema does not say, or what cannot be said by a type, is `anything`. A schema that has `properties` but no `type` is taken for
    /// one of an object. A recursive schema is followed for two levels.
    public init(schema: JSONValue) {
        var reader = SchemaReader(root: schema)
        self = reader.type(schema, depth: 0)
    }

    /// The type of a value that is known.
    public init(constant: JSONValue) {
        self = StaticType(constant: constant, depth: 0).bounded
    }

    private init(constant: JSONValue, depth: Int) {
        switch constant {
        case .null: self = .null
        case .bool: self = .bool
        case .int: self = .int
        case .double: self = .double
        case .string(let text): self = .strings([text])
        case .array(let values):
            if depth > 8 || values.count > 100 {
                self = .list(.anything)
            } else {
                self = .list(values.isEmpty ? .anything : .union(values.map { StaticType(constant: $0, depth: depth + 1) }))
            }
        case .object(let object):
            if depth > 8 || object.count > 100 {
                self = .map(key: .string, value: .anything)
            } else {
                self = .object(
                    ObjectType(
                        object.members.map { ObjectType.Property($0, StaticType(constant: $1, depth: depth + 1)) }, others: nil))
            }
        }
    }

    /// The type of values that have both types. Where that cannot be said, one of the two.
    func meet(_ other: StaticType, depth: Int = 0) -> StaticType {
        if self == .anything || depth > 24 { return other }
        if other == .anything { return self }
        var found: [StaticType] = []
        for mine in alternatives {
            for theirs in other.alternatives {
                if let both = Self.both(mine, theirs, depth: depth + 1) { found.append(both) }
            }
        }
        // A contradiction: no value is accepted at all, and nothing is worth saying about it.
        return found.isEmpty ? .anything : StaticType.union(found).bounded(to: 4000)
    }

    private static func both(_ left: StaticType, _ right: StaticType, depth: Int) -> StaticType? {
        switch (left, right) {
        case (.string, .strings): return right
        case (.strings, .string): return left
        case (.strings(let a), .strings(let b)):
            let shared = a.filter { text in b.contains { $0.isSame(as: text) } }
            return shared.isEmpty ? nil : .strings(shared)
        case (.list(let a), .list(let b)): return .list(a.meet(b, depth: depth))
        case (.map, .object): return right
        case (.object, .map): return left
        case (.object(let a), .object(let b)): return .object(both(a, b, depth: depth))
        case (.map(let k, let v), .map(let l, let w)): return .map(key: k.meet(l, depth: depth), value: v.meet(w, depth: depth))
        // A whole number may be written 1.0.
        case (.int, .double), (.double, .int): return .int
        default: return left == right ? left : nil
        }
    }

    private static func both(_ left: ObjectType, _ right: ObjectType, depth: Int) -> ObjectType {
        var properties: [ObjectType.Property] = []
        for property in left.properties {
            if let other = right[property.name] {
                properties.append(
                    ObjectType.Property(
                        property.name, property.type.meet(other.type, depth: depth), isRequired: property.isRequired || other.isRequired))
            } else {
                properties.append(property)
            }
        }
        properties.append(contentsOf: right.properties.filter { left[$0.name] == nil })
        guard let mine = left.others, let theirs = right.others else { return ObjectType(properties, others: nil) }
        return ObjectType(properties, others: mine.meet(theirs, depth: depth))
    }
}

private struct SchemaReader {
    let root: JSONValue
    // How many schemas may still be read; a schema of few lines can describe a tree beyond measure.
    private var rest = 4000
    private var following: [KeyBytes] = []
    private static let deepest = 24

    init(root: JSONValue) { self.root = root }

    mutating func type(_ schema: JSONValue, depth: Int) -> StaticType {
        guard case .object(let keywords) = schema, depth < Self.deepest, rest > 0 else { return .anything }
        rest -= 1
        // References inside would be relative to another document.
        if depth > 0, keywords["$id"] != nil { return .anything }
        var type = ownType(keywords, depth: depth)
        if let constant = keywords["const"] { type = type.meet(StaticType(constant: constant)) }
        if case .array(let values)? = keywords["enum"], !values.isEmpty {
            type = type.meet(.union(values.prefix(StaticType.mostStrings + 1).map { StaticType(constant: $0) }))
            if values.count > StaticType.mostStrings { type = .union(type.alternatives.map(\.withoutStrings)) }
        }
        if case .string(let reference)? = keywords["$ref"] { type = type.meet(referred(reference, depth: depth + 1)) }
        if case .array(let schemas)? = keywords["allOf"] {
            for schema in schemas { type = type.meet(self.type(schema, depth: depth + 1)) }
        }
        for keyword in ["anyOf", "oneOf"] {
            guard case .array(let schemas)? = keywords[keyword], !schemas.isEmpty else { continue }
            var branches: [StaticType] = []
            for schema in schemas where schema != .bool(false) { branches.append(self.type(schema, depth: depth + 1)) }
            if !branches.isEmpty { type = type.meet(.union(branches)) }
        }
        return type
    }

    private mutating func ownType(_ keywords: JSONObject, depth: Int) -> StaticType {
        switch keywords["type"] {
        case .string(let name)?: return named(name, keywords, depth: depth)
        case .array(let names)? where !names.isEmpty:
            var types: [StaticType] = []
            for case .string(let name) in names { types.append(named(name, keywords, depth: depth)) }
            return .union(types)
        case nil:
            if keywords["properties"] != nil || keywords["required"] != nil { return .object(object(keywords, depth: depth)) }
            if keywords["items"] != nil || keywords["prefixItems"] != nil { return list(keywords, depth: depth) }
            return .anything
        case .some: return .anything
        }
    }

    private mutating func named(_ name: String, _ keywords: JSONObject, depth: Int) -> StaticType {
        switch name {
        case "null": .null
        case "boolean": .bool
        case "integer": .int
        case "number": .number
        case "string": .string
        case "array": list(keywords, depth: depth)
        case "object": .object(object(keywords, depth: depth))
        default: .anything  // No type of JSON Schema; compiling the schema says so.
        }
    }

    private mutating func list(_ keywords: JSONObject, depth: Int) -> StaticType {
        var elements: [StaticType] = []
        if case .array(let schemas)? = keywords["prefixItems"] {
            for schema in schemas { elements.append(type(schema, depth: depth + 1)) }
        }
        switch keywords["items"] {
        case .bool(false)?: break
        case let items?: elements.append(type(items, depth: depth + 1))
        case nil: elements.append(.anything)
        }
        return .list(elements.isEmpty ? .anything : .union(elements))
    }

    private mutating func object(_ keywords: JSONObject, depth: Int) -> ObjectType {
        var required: [String] = []
        if case .array(let names)? = keywords["required"] {
            for case .string(let name) in names { required.append(name) }
        }
        let requiredNames = Set(required.map { KeyBytes($0) })
        var properties: [ObjectType.Property] = []
        var named: Set<KeyBytes> = []
        if case .object(let members)? = keywords["properties"] {
            for (name, schema) in members.members where schema != .bool(false) {
                named.insert(KeyBytes(name))
                properties.append(
                    ObjectType.Property(name, type(schema, depth: depth + 1), isRequired: requiredNames.contains(KeyBytes(name))))
            }
        }
        let others = others(keywords, depth: depth)
        // Others that are required are there, although their schema is not given by name.
        for name in required where !named.contains(KeyBytes(name)) {
            properties.append(ObjectType.Property(name, others ?? .anything))
        }
        return ObjectType(properties, others: others)
    }

    // The type of the properties that have no name in the schema; nil when there are none.
    private mutating func others(_ keywords: JSONObject, depth: Int) -> StaticType? {
        if keywords["patternProperties"] != nil { return .anything }
        switch keywords["additionalProperties"] {
        case .bool(false)?: return nil
        case let schema?: return type(schema, depth: depth + 1)
        case nil: break
        }
        // What other keywords at this place name counts as evaluated; where there are such keywords the names are not known here.
        let applicators = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"]
        if keywords["unevaluatedProperties"] == .bool(false), !applicators.contains(where: { keywords[$0] != nil }) { return nil }
        return .anything
    }

    private mutating func referred(_ reference: String, depth: Int) -> StaticType {
        guard reference.utf8.first == 0x23, following.count(where: { $0 == KeyBytes(reference) }) < 2, let schema = target(reference) else {
            return .anything
        }
        following.append(KeyBytes(reference))
        defer { following.removeLast() }
        return type(schema, depth: depth)
    }

    // What a JSON pointer in a fragment names.
    private func target(_ reference: String) -> JSONValue? {
        let pointer = reference.dropFirst()
        if pointer.isEmpty { return root }
        guard pointer.utf8.first == 0x2F else { return nil }
        var value = root
        for part in pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let decoded = Self.decoded(part)
            switch value {
            case .object(let object):
                guard let member = object[decoded] else { return nil }
                value = member
            case .array(let values):
                guard let index = Int(decoded), values.indices.contains(index) else { return nil }
                value = values[index]
            case .null, .bool, .int, .double, .string: return nil
            }
        }
        return value
    }

    private static func decoded(_ part: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(part.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
            .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
    }
}

extension StaticType {
    // Some strings of many are as good as none.
    fileprivate var withoutStrings: StaticType { if case .strings = self { .string } else { self } }
}
