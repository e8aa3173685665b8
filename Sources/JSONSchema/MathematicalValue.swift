// Equality as JSON Schema defines it: 1 and 1.0 are equal, at any depth; 1 and true are not.

import WorkflowModel

/// A JSON value that is compared and hashed by JSON Schema's equality.
struct MathematicalValue: Sendable, Hashable {
    let value: JSONValue

    static func == (left: MathematicalValue, right: MathematicalValue) -> Bool { areEqual(left.value, right.value) }

    func hash(into hasher: inout Hasher) { Self.hash(value, into: &hasher) }

    static func areEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.int(let a), .int(let b)): return a == b
        case (.double(let a), .double(let b)): return a == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): return JSONNumber.int(a) == .double(b)
        case (.string(let a), .string(let b)): return a.hasSameBytes(as: b)
        case (.array(let a), .array(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { areEqual($0, $1) }
        case (.object(let a), .object(let b)):
            guard a.count == b.count else { return false }
            return a.members.allSatisfy { key, value in b[key].map { areEqual(value, $0) } ?? false }
        case (.null, _), (.bool, _), (.int, _), (.double, _), (.string, _), (.array, _), (.object, _): return false
        }
    }

    /// What comparing or hashing a value costs, in steps of a validation; nothing for short ones.
    static func cost(of value: JSONValue) -> Int {
        switch value {
        case .null, .bool, .int, .double: 0
        case .string(let text): text.utf8.count / 64
        case .array(let elements): elements.reduce(1 + elements.count / 4) { $0 + cost(of: $1) }
        case .object(let object):
            zip(object.keys, object.values).reduce(1 + object.count / 2) { $0 + $1.0.utf8.count / 64 + cost(of: $1.1) }
        }
    }

    private static func hash(_ value: JSONValue, into hasher: inout Hasher) {
        switch value {
        case .null: hasher.combine(0 as UInt8)
        case .bool(let value): hasher.combine(value)
        case .int(let value): hasher.combine(value)
        case .double(let value):
            if let whole = Int64(exactly: value) { hasher.combine(whole) } else { hasher.combine(value) }
        case .string(let text): hasher.combine(KeyBytes(text))
        case .array(let elements):
            hasher.combine(elements.count)
            for element in elements { hash(element, into: &hasher) }
        case .object(let object):
            var combined = 0
            for (key, value) in object.members {
                var member = Hasher()
                member.combine(KeyBytes(key))
                hash(value, into: &member)
                combined ^= member.finalize()
            }
            hasher.combine(combined)
        }
    }

    private static let pairwiseLimit = 12

    /// The positions of two equal elements, if there are any. Time grows linearly with the size of the array.
    static func duplicate(in elements: [JSONValue]) -> (Int, Int)? {
        if elements.count <= pairwiseLimit {
            for second in elements.indices.dropFirst() {
                for first in 0..<second where areEqual(elements[first], elements[second]) { return (first, second) }
            }
            return nil
        }
        var seen: [MathematicalValue: Int] = Dictionary(minimumCapacity: elements.count)
        for (index, element) in elements.enumerated() {
            if let first = seen.updateValue(index, forKey: MathematicalValue(value: element)) { return (first, index) }
        }
        return nil
    }
}
