// What is known of a value before there is any data.

import WorkflowModel

/// The type of an expression or of a name, as far as it is known without data.
///
/// A type describes all the values that may be there; `anything` describes every value. `TypeCheck` reports only what fails for every value
/// of a type, so that a type which says too little is never wrong.
public indirect enum StaticType: Sendable, Hashable {
    /// Any value: nothing is known.
    case anything
    /// `null`.
    case null
    /// A boolean.
    case bool
    /// A signed integer.
    case int
    /// An unsigned integer. Data from JSON has none.
    case uint
    /// A floating-point number.
    case double
    /// A string.
    case string
    /// A string that is one of these.
    case strings([String])
    /// Bytes.
    case bytes
    /// A moment.
    case timestamp
    /// A length of time.
    case duration
    /// A type.
    case type
    /// A list of such elements.
    case list(StaticType)
    /// A map whose keys are not known one by one.
    case map(key: StaticType, value: StaticType)
    /// A map with string keys, some of which are known.
    case object(ObjectType)
    /// A value that may be absent.
    case optional(StaticType)
    /// One of these, at least two. `union` makes it.
    case oneOf([StaticType])

    /// A number as JSON has them: `int` or `double`.
    public static let number: StaticType = .oneOf([.int, .double])

    /// A map with these properties, all of which are there, and no others.
    public static func closed(_ properties: KeyValuePairs<String, StaticType>) -> StaticType {
        .object(ObjectType(properties.map { ObjectType.Property($0.key, $0.value) }, others: nil))
    }

    /// A map with these properties, all of which are there, and perhaps others.
    public static func open(_ properties: KeyValuePairs<String, StaticType>) -> StaticType {
        .object(ObjectType(properties.map { ObjectType.Property($0.key, $0.value) }, others: .anything))
    }

    /// The type of a value that has one of these types.
    public static func union(_ types: [StaticType]) -> StaticType {
        var parts: [StaticType] = []
        for type in types {
            for alternative in type.alternatives {
                if alternative == .anything { return .anything }
                if !merge(alternative, into: &parts) { parts.append(alternative) }
            }
        }
        if parts.count > mostAlternatives { return .anything }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .anything : .oneOf(parts)
    }

    /// The types that a value of this type may have, none of them a union.
    public var alternatives: [StaticType] {
        if case .oneOf(let types) = self { types } else { [self] }
    }

    /// The type of a property; nil where there can be none of this name.
    public func member(_ name: String) -> StaticType? {
        let found = alternatives.compactMap { alternative -> StaticType? in
            switch alternative {
            case .anything: .anything
            case .object(let object): object[name]?.type ?? object.others
            case .map(_, let value): value
            // What is not there is no mistake where it is asked for with `.?`.
            case .optional(let content): content.may(be: .map) ? .optional(content.member(name) ?? .anything) : nil
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .list, .oneOf: nil
            }
        }
        return found.isEmpty ? nil : .union(found)
    }

    /// What a loop over a value of this type finds: the elements of a list, the values of a map. Nil where there is no loop over it.
    public var elementOfCollection: StaticType? {
        let found = alternatives.compactMap { alternative -> StaticType? in
            switch alternative {
            case .anything: .anything
            case .list(let element): element
            case .map(_, let value): value
            case .object(let object): object.valueType
            case .null, .bool, .int, .uint, .double, .string, .strings, .bytes, .timestamp, .duration, .type, .optional, .oneOf: nil
            }
        }
        return found.isEmpty ? nil : .union(found)
    }

    /// The type as messages name it: `list of string`.
    public var words: String { words(depth: 0) }

    // More would not be read, and could be beyond measure.
    private func words(depth: Int) -> String {
        switch self {
        case .anything: return "any value"
        case .null: return "null"
        case .bool: return "bool"
        case .int: return "int"
        case .uint: return "uint"
        case .double: return "double"
        case .string, .strings: return "string"
        case .bytes: return "bytes"
        case .timestamp: return "timestamp"
        case .duration: return "duration"
        case .type: return "type"
        case .list(.anything): return "list"
        case .list(let element): return depth < 3 ? "list of \(element.words(depth: depth + 1))" : "list"
        case .map, .object: return "map"
        case .optional(.anything): return "optional"
        case .optional(let content): return depth < 3 ? "optional \(content.words(depth: depth + 1))" : "optional"
        case .oneOf(let types):
            var parts: [String] = []
            for type in types {
                let part = type.words(depth: depth + 1)
                if !parts.contains(part) { parts.append(part) }
            }
            return parts.count < 2 ? parts.joined() : parts.dropLast().joined(separator: ", ") + " or " + parts[parts.count - 1]
        }
    }

    /// Whether this type, which is no union, may have values of a kind.
    public func takes(_ kind: TypeName) -> Bool { self.kind.map { $0 == kind } ?? true }

    // MARK: Unions

    static let mostAlternatives = 24
    static let mostStrings = 100

    // Puts types of one kind together, so that unions stay small.
    private static func merge(_ type: StaticType, into parts: inout [StaticType]) -> Bool {
        for index in parts.indices {
            switch (parts[index], type) {
            case (.list(let a), .list(let b)): parts[index] = .list(union([a, b]))
            case (.optional(let a), .optional(let b)): parts[index] = .optional(union([a, b]))
            case (.map(let k, let v), .map(let l, let w)): parts[index] = .map(key: union([k, l]), value: union([v, w]))
            case (.string, .strings): break
            case (.strings, .string): parts[index] = .string
            case (.strings(let a), .strings(let b)):
                let all = a + b.filter { text in !a.contains { $0.isSame(as: text) } }
                parts[index] = all.count > mostStrings ? .string : .strings(all)
            case (let part, _) where part == type: break
            default: continue  // Two kinds, or two maps with properties of their own.
            }
            return true
        }
        return false
    }
}

/// What is known of a map with string keys.
public struct ObjectType: Sendable, Hashable {
    /// A key that is known.
    public struct Property: Sendable, Hashable {
        /// The key.
        public let name: String
        /// The type of its value.
        public let type: StaticType
        /// Whether it is always there.
        public let isRequired: Bool

        /// A property.
        public init(_ name: String, _ type: StaticType, isRequired: Bool = true) {
            self.name = name
            self.type = type
            self.isRequired = isRequired
        }

        public static func == (left: Property, right: Property) -> Bool {
            left.name.isSame(as: right.name) && left.isRequired == right.isRequired && left.type == right.type
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(KeyBytes(name))
            hasher.combine(isRequired)
            hasher.combine(type)
        }
    }

    /// The keys that are known.
    public let properties: [Property]
    /// The type of the values of all other keys; nil when there are no others.
    public let others: StaticType?
    // Only looked up in. Empty while a linear search is as good.
    private let positions: [KeyBytes: Int]

    /// A map with properties. Where a name occurs twice, the last one counts.
    public init(_ properties: [Property], others: StaticType?) {
        self.others = others
        // Most maps have few properties; looking for doubles among them needs no index.
        guard properties.count > Self.linearLimit else {
            var kept: [Property] = []
            for property in properties {
                if let position = kept.firstIndex(where: { $0.name.isSame(as: property.name) }) {
                    kept[position] = property
                } else {
                    kept.append(property)
                }
            }
            self.properties = kept
            positions = [:]
            return
        }
        var kept: [Property] = []
        var positions: [KeyBytes: Int] = [:]
        for property in properties {
            if let position = positions[KeyBytes(property.name)] {
                kept[position] = property
            } else {
                positions[KeyBytes(property.name)] = kept.count
                kept.append(property)
            }
        }
        self.properties = kept
        self.positions = positions
    }

    private static let linearLimit = 8

    /// The property of a name.
    public subscript(name: String) -> Property? {
        if !positions.isEmpty { return positions[KeyBytes(name)].map { properties[$0] } }
        return properties.first { $0.name.isSame(as: name) }
    }

    /// What any of the values may be.
    var valueType: StaticType { .union(properties.map(\.type) + (others.map { [$0] } ?? [])) }

    /// What any of the keys may be.
    var keyType: StaticType {
        others == nil && !properties.isEmpty && properties.count <= StaticType.mostStrings ? .strings(properties.map(\.name)) : .string
    }

    public static func == (left: ObjectType, right: ObjectType) -> Bool {
        left.properties == right.properties && left.others == right.others
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(properties)
        hasher.combine(others)
    }
}

// MARK: - Kinds

extension StaticType {
    /// The type that values have at run time; nil for `anything`, and for unions, which have several.
    var kind: TypeName? {
        switch self {
        case .anything, .oneOf: nil
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string, .strings: .string
        case .bytes: .bytes
        case .timestamp: .timestamp
        case .duration: .duration
        case .type: .type
        case .list: .list
        case .map, .object: .map
        case .optional: .optional
        }
    }

    /// The type of a kind of which nothing else is known.
    init(_ kind: TypeName) {
        switch kind {
        case .null: self = .null
        case .bool: self = .bool
        case .int: self = .int
        case .uint: self = .uint
        case .double: self = .double
        case .string: self = .string
        case .bytes: self = .bytes
        case .timestamp: self = .timestamp
        case .duration: self = .duration
        case .type: self = .type
        case .list: self = .list(.anything)
        case .map: self = .map(key: .anything, value: .anything)
        case .optional: self = .optional(.anything)
        }
    }

    /// Whether a value of this type may be of one of these kinds.
    func may(be kinds: TypeName...) -> Bool {
        alternatives.contains { alternative in alternative.kind.map { kinds.contains($0) } ?? true }
    }

    /// Every kind that a value of this type may have; nil when it may be any.
    var kinds: [TypeName]? {
        var kinds: [TypeName] = []
        for alternative in alternatives {
            guard let kind = alternative.kind else { return nil }
            if !kinds.contains(kind) { kinds.append(kind) }
        }
        return kinds
    }

    /// This type, or `anything` where its description would be large: types that are built of themselves over and over share their parts
    /// in memory, but whoever compares them walks through all of it.
    var bounded: StaticType { bounded(to: 500) }

    func bounded(to size: Int) -> StaticType {
        var rest = size
        return isSmall(&rest, depth: 0) ? self : kind.map { StaticType($0) } ?? .anything
    }

    private func isSmall(_ rest: inout Int, depth: Int) -> Bool {
        rest -= 1
        guard rest > 0, depth < 30 else { return false }
        switch self {
        case .anything, .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type: return true
        case .strings(let texts):
            rest -= texts.count
            return rest > 0
        case .list(let inner), .optional(let inner): return inner.isSmall(&rest, depth: depth + 1)
        case .map(let key, let value): return key.isSmall(&rest, depth: depth + 1) && value.isSmall(&rest, depth: depth + 1)
        case .object(let object):
            for property in object.properties where !property.type.isSmall(&rest, depth: depth + 1) { return false }
            return object.others?.isSmall(&rest, depth: depth + 1) ?? true
        case .oneOf(let types):
            for type in types where !type.isSmall(&rest, depth: depth + 1) { return false }
            return true
        }
    }
}
