// What can be sent with a statement. Everything travels in PostgreSQL's binary format with its type said.

/// A 128-bit identifier as two words: the first eight bytes and the last eight, most significant first.
public struct UUIDPair: Sendable, Hashable, Comparable, BitwiseCopyable {
    /// Bytes 0 to 7.
    public var high: UInt64
    /// Bytes 8 to 15.
    public var low: UInt64

    /// An identifier from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The order of the bytes, which is also PostgreSQL's order of `uuid` values.
    public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// A value for a `$n` of a statement.
///
/// The type named here is the type the server sees, whatever the column is: `.text` for a `jsonb` column needs `$1::jsonb` in the statement.
/// `.null` has no type of its own; the server infers one from the statement.
public enum Parameter: Sendable, Hashable {
    /// SQL's null, of the type that the statement implies.
    case null
    /// `boolean`
    case bool(Bool)
    /// `smallint`
    case int16(Int16)
    /// `integer`
    case int32(Int32)
    /// `bigint`
    case int64(Int64)
    /// `double precision`
    case double(Double)
    /// `text`
    case text(String)
    /// `text` from bytes that are known to be UTF-8, which spares making a string of them.
    case utf8([UInt8])
    /// `bytea`
    case bytes([UInt8])
    /// `uuid`
    case uuid(high: UInt64, low: UInt64)
    /// `timestamptz`, in microseconds since 1970-01-01 UTC. `Int64.max` and `Int64.min` are `infinity` and `-infinity`.
    case timestamp(Int64)

    /// `boolean[]`
    case boolArray([Bool?])
    /// `smallint[]`
    case int16Array([Int16?])
    /// `integer[]`
    case int32Array([Int32?])
    /// `bigint[]`
    case int64Array([Int64?])
    /// `double precision[]`
    case doubleArray([Double?])
    /// `text[]`
    case textArray([String?])
    /// `text[]` from bytes that are known to be UTF-8.
    case utf8Array([[UInt8]?])
    /// `bytea[]`
    case bytesArray([[UInt8]?])
    /// `uuid[]`
    case uuidArray([UUIDPair?])
    /// `timestamptz[]`, in microseconds since 1970-01-01 UTC.
    case timestampArray([Int64?])
}

extension Parameter {
    /// `uuid` from a pair.
    public static func uuid(_ pair: UUIDPair) -> Self { .uuid(high: pair.high, low: pair.low) }

    /// `.bool`, or null.
    public static func boolOrNull(_ value: Bool?) -> Self { value.map(Self.bool) ?? .null }
    /// `.int16`, or null.
    public static func int16OrNull(_ value: Int16?) -> Self { value.map(Self.int16) ?? .null }
    /// `.int32`, or null.
    public static func int32OrNull(_ value: Int32?) -> Self { value.map(Self.int32) ?? .null }
    /// `.int64`, or null.
    public static func int64OrNull(_ value: Int64?) -> Self { value.map(Self.int64) ?? .null }
    /// `.double`, or null.
    public static func doubleOrNull(_ value: Double?) -> Self { value.map(Self.double) ?? .null }
    /// `.text`, or null.
    public static func textOrNull(_ value: String?) -> Self { value.map(Self.text) ?? .null }
    /// `.bytes`, or null.
    public static func bytesOrNull(_ value: [UInt8]?) -> Self { value.map(Self.bytes) ?? .null }
    /// `.uuid`, or null.
    public static func uuidOrNull(_ value: UUIDPair?) -> Self { value.map(Self.uuid) ?? .null }
    /// `.timestamp`, or null.
    public static func timestampOrNull(_ value: Int64?) -> Self { value.map(Self.timestamp) ?? .null }
}
