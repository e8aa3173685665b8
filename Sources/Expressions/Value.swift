// The values of expressions.

public import WorkflowModel

/// A value of an expression. Wrapping a JSON value costs nothing: lists and maps keep what they are given.
public enum Value: Sendable {
    /// `null`.
    case null
    /// A boolean.
    case bool(Bool)
    /// A signed integer.
    case int(Int64)
    /// An unsigned integer.
    case uint(UInt64)
    /// A floating-point number.
    case double(Double)
    /// A string: a sequence of code points, compared as such.
    case string(String)
    /// Bytes.
    case bytes([UInt8])
    /// A list.
    case list(ListValue)
    /// A map.
    case map(MapValue)
    /// A moment.
    case timestamp(Moment)
    /// A length of time, within ±2^63 nanoseconds.
    case duration(Duration)
    /// A type.
    case type(TypeName)
    /// A value that may be absent.
    indirect case optional(Value?)

    /// Wraps a JSON value. Integers become `int`, all other numbers `double`.
    public init(_ json: JSONValue) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .list(.json(values))
        case .object(let object): self = .map(.json(object))
        }
    }

    /// A moment of the workflow's clock.
    public init(_ timestamp: Timestamp) {
        self = .timestamp(Moment(timestamp))
    }

    /// A list of values.
    public init(_ values: [Value]) {
        self = .list(.values(values))
    }

    /// A map with string keys, in the order given. Where a key occurs twice, the first one is found.
    public init(members: [(key: String, value: Value)]) {
        self = .map(.entries(MapEntries(keys: members.map { .string($0.key) }, values: members.map(\.value))))
    }

    /// The type of this value.
    public var typeName: TypeName {
        switch self {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        case .list: .list
        case .map: .map
        case .timestamp: .timestamp
        case .duration: .duration
        case .type: .type
        case .optional: .optional
        }
    }
}

/// The types that values have. The raw value is the type's name in the language.
public enum TypeName: String, Sendable, Hashable, CaseIterable {
    /// The type of `null`.
    case null = "null_type"
    /// Booleans.
    case bool
    /// Signed integers.
    case int
    /// Unsigned integers.
    case uint
    /// Floating-point numbers.
    case double
    /// Strings.
    case string
    /// Bytes.
    case bytes
    /// Lists.
    case list
    /// Maps.
    case map
    /// Moments.
    case timestamp = "google.protobuf.Timestamp"
    /// Lengths of time.
    case duration = "google.protobuf.Duration"
    /// Types.
    case type
    /// Values that may be absent.
    case optional = "optional_type"

    // As messages say it.
    var words: String {
        switch self {
        case .null: "null"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .optional: "optional"
        case .bool, .int, .uint, .double, .string, .bytes, .list, .map, .type: rawValue
        }
    }
}

/// The elements of a list.
public enum ListValue: Sendable {
    /// As they came, not looked at yet.
    case json([JSONValue])
    /// Made by an expression.
    case values([Value])

    /// How many elements there are.
    public var count: Int {
        switch self {
        case .json(let values): values.count
        case .values(let values): values.count
        }
    }

    /// The element at a valid index.
    public subscript(index: Int) -> Value {
        switch self {
        case .json(let values): Value(values[index])
        case .values(let values): values[index]
        }
    }

    /// The elements from one index to another, both valid.
    func slice(_ range: Range<Int>) -> ListValue {
        switch self {
        case .json(let values): .json(Array(values[range]))
        case .values(let values): .values(Array(values[range]))
        }
    }

    /// The elements as an array of values.
    var array: [Value] {
        switch self {
        case .json(let values): values.map { Value($0) }
        case .values(let values): values
        }
    }
}
