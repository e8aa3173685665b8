// Maps, and what may be a key.

public import WorkflowModel

/// The entries of a map, in order.
public enum MapValue: Sendable {
    /// An object as it came, its members not looked at yet.
    case json(JSONObject)
    /// Made by an expression.
    case entries(MapEntries)

    /// How many entries there are.
    public var count: Int {
        switch self {
        case .json(let object): object.count
        case .entries(let entries): entries.keys.count
        }
    }

    /// The key of the entry at a valid index.
    public func key(at index: Int) -> Value {
        switch self {
        case .json(let object): .string(object.keys[index])
        case .entries(let entries): entries.keys[index]
        }
    }

    /// The value of the entry at a valid index.
    public func value(at index: Int) -> Value {
        switch self {
        case .json(let object): Value(object.values[index])
        case .entries(let entries): entries.values[index]
        }
    }

    /// The value of a string key.
    public subscript(key: String) -> Value? {
        switch self {
        case .json(let object): object.member(key).map { Value($0) }
        case .entries(let entries): entries.position(of: key).map { entries.values[$0] }
        }
    }

    subscript(key: MapKey) -> Value? {
        switch self {
        case .json(let object):
            guard case .string(let text) = key else { return nil }
            return object.position(of: text.text).map { Value(object.values[$0]) }
        case .entries(let entries):
            return entries.position(of: key).map { entries.values[$0] }
        }
    }

    func contains(_ key: MapKey) -> Bool {
        switch self {
        case .json(let object):
            guard case .string(let text) = key else { return false }
            return object.position(of: text.text) != nil
        case .entries(let entries):
            return entries.position(of: key) != nil
        }
    }
}

/// The entries of a map that an expression made.
public final class MapEntries: Sendable {
    /// The keys, in order.
    public let keys: [Value]
    /// The values, aligned with `keys`.
    public let values: [Value]
    // Only looked up in, never iterated. Empty while a linear search is as good.
    private let positions: [MapKey: Int]
    private static let linearSearchLimit = 8

    /// Entries whose keys are booleans, integers or strings.
    init(keys: [Value], values: [Value]) {
        self.keys = keys
        self.values = values
        var positions: [MapKey: Int] = [:]
        if keys.count > Self.linearSearchLimit {
            positions.reserveCapacity(keys.count)
            for (position, key) in keys.enumerated() {
                if let key = MapKey(key), positions[key] == nil { positions[key] = position }
            }
        }
        self.positions = positions
    }

    func position(of key: String) -> Int? {
        if keys.count > Self.linearSearchLimit { return positions[.string(KeyBytes(key))] }
        return keys.firstIndex { if case .string(let text) = $0 { text.isSame(as: key) } else { false } }
    }

    func position(of key: MapKey) -> Int? {
        if keys.count > Self.linearSearchLimit { return positions[key] }
        return keys.firstIndex { MapKey($0) == key }
    }
}

/// A key as it is compared: numbers of different types that are equal are the same key.
enum MapKey: Hashable {
    case bool(Bool)
    case int(Int64)
    // Only those that no `int` can hold.
    case uint(UInt64)
    case string(KeyBytes)

    /// The key that a value is when it is put into a map; nil when it cannot be a key.
    init?(_ value: Value) {
        switch value {
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .uint(let value): self = Int64(exactly: value).map { .int($0) } ?? .uint(value)
        case .string(let value): self = .string(KeyBytes(value))
        case .null, .double, .bytes, .list, .map, .timestamp, .duration, .type, .optional: return nil
        }
    }

    /// The key that a value finds: a whole `double` finds the integer.
    init?(finding value: Value) {
        if case .double(let number) = value {
            if let whole = Int64(exactly: number) {
                self = .int(whole)
            } else if let whole = UInt64(exactly: number) {
                self = .uint(whole)
            } else {
                return nil
            }
        } else {
            self.init(value)
        }
    }
}

/// Puts a map together and refuses keys that occur twice.
struct MapBuilder {
    private var keys: [Value] = []
    private var values: [Value] = []
    private var seen: Set<MapKey> = []

    /// False when the key is there already.
    mutating func insert(_ key: Value, as mapKey: MapKey, _ value: Value) -> Bool {
        guard seen.insert(mapKey).inserted else { return false }
        keys.append(key)
        values.append(value)
        return true
    }

    var isEmpty: Bool { keys.isEmpty }

    func finish() -> Value { .map(.entries(MapEntries(keys: keys, values: values))) }
}
