// JSON as a value: for definitions, for expressions, and wherever somebody looks into a document.
//
// Hot paths do not build these trees; they pass `JSONText` along.

/// A JSON document as a tree. Integers that fit 64 bits are `int`, all other numbers `double`; objects keep the order of their keys.
public enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number written without fraction and exponent that fits 64 bits.
    case int(Int64)
    /// Any other number; always finite.
    case double(Double)
    /// A string. Compared and hashed by its bytes, not by canonical equivalence.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object.
    case object(JSONObject)

    /// Equality of values: kinds must be equal too, so `1` and `1.0` differ; strings are compared byte by byte.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.string(let a), .string(let b)): a.hasSameBytes(as: b)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        case (.null, _), (.bool, _), (.int, _), (.double, _), (.string, _), (.array, _), (.object, _): false
        }
    }

    /// Hashes what `==` compares.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .double(let value): hasher.combine(value)
        case .string(let value): for byte in value.utf8 { hasher.combine(byte) }
        case .array(let values): hasher.combine(values)
        case .object(let object): hasher.combine(object)
        }
    }

    /// The boolean, where this is one.
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The integer, where this is one.
    public var intValue: Int64? { if case .int(let value) = self { value } else { nil } }
    /// The number as a double, where this is a number.
    public var doubleValue: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }
    /// The string, where this is one.
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    /// The elements, where this is an array.
    public var arrayValue: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
    /// The object, where this is one.
    public var objectValue: JSONObject? { if case .object(let object) = self { object } else { nil } }

    /// The member of an object; nil where this is no object or has no such key.
    public subscript(key: String) -> JSONValue? { objectValue?[key] }

    /// What kind of value this is, as messages name it: `null`, `boolean`, `integer`, `number`, `string`, `array`, `object`.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .int: "integer"
        case .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A double.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object, in the order given.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

/// The members of a JSON object, in the order in which they were put. Keys are compared byte by byte.
public struct JSONObject: Sendable, Hashable {
    /// The keys, in order.
    public private(set) var keys: [String] = []
    /// The values, aligned with `keys`.
    public private(set) var values: [JSONValue] = []
    // Built once an object outgrows a linear search.
    private var positions: [KeyBytes: Int] = [:]
    private static let linearSearchLimit = 12

    /// An object without members.
    public init() {}

    /// How many members there are.
    public var count: Int { keys.count }
    /// Whether there are none.
    public var isEmpty: Bool { keys.isEmpty }

    /// Where `key` is, if it is there.
    public func position(of key: String) -> Int? {
        if keys.count > Self.linearSearchLimit { return positions[KeyBytes(key)] }
        return keys.firstIndex { $0.hasSameBytes(as: key) }
    }

    /// The value of `key`. Setting a new key appends it; setting nil removes it.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { values[$0] } }
        set {
            if let position = position(of: key) {
                if let newValue {
                    values[position] = newValue
                } else {
                    keys.remove(at: position)
                    values.remove(at: position)
                    positions = [:]
                    if keys.count > Self.linearSearchLimit { indexAll() }
                }
            } else if let newValue {
                append(key, newValue)
            }
        }
    }

    /// Appends a member whose key is known to be new.
    package mutating func append(_ key: String, _ value: JSONValue) {
        keys.append(key)
        values.append(value)
        if keys.count == Self.linearSearchLimit + 1 {
            indexAll()
        } else if keys.count > Self.linearSearchLimit {
            positions[KeyBytes(key)] = keys.count - 1
        }
    }

    private mutating func indexAll() {
        for (position, key) in keys.enumerated() { positions[KeyBytes(key)] = position }
    }

    /// The members, in order.
    public var members: Zip2Sequence<[String], [JSONValue]> { zip(keys, values) }

    /// Objects are equal when they have the same members, in whatever order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        return left.members.allSatisfy { key, value in right[key] == value }
    }

    /// Hashes what `==` compares: independent of the order of the members.
    public func hash(into hasher: inout Hasher) {
        var combined = 0
        for (key, value) in members {
            var member = Hasher()
            for byte in key.utf8 { member.combine(byte) }
            member.combine(value)
            combined ^= member.finalize()
        }
        hasher.combine(combined)
    }
}

/// A string that is compared and hashed by its bytes: Swift's own equality takes canonically equivalent strings for equal, JSON does not.
package struct KeyBytes: Sendable, Hashable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: KeyBytes, right: KeyBytes) -> Bool { left.text.hasSameBytes(as: right.text) }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension String {
    /// Whether both strings have the same UTF-8 bytes. `==` would take canonically equivalent strings for equal.
    package func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let fast = utf8.withContiguousStorageIfAvailable { mine in
            other.utf8.withContiguousStorageIfAvailable { theirs in mine.elementsEqual(theirs) }
        }
        if let fast, let same = fast { return same }
        return utf8.elementsEqual(other.utf8)
    }
}
