// Functions of lists and maps.

import WorkflowModel

extension Evaluator {
    private static let longestRange = 10_000

    @inline(never)
    mutating func list(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .list(let list) = arguments[0] else { throw noOverload(function.name + "()", arguments[0]) }
        switch function {
        case .first: return .optional(list.count == 0 ? nil : list[0])
        case .last: return .optional(list.count == 0 ? nil : list[list.count - 1])
        case .sort:
            try meter.charge(values: list.count)
            let elements = list.array
            return .list(.values(try sorted(elements, by: elements)))
        case .distinct: return try distinct(list)
        case .slice:
            let start = try bound(arguments[1], list.count)
            let end = arguments.count == 3 ? try bound(arguments[2], list.count) : list.count
            guard start <= end else { throw fault(.evaluation, "the slice ends before it starts") }
            try meter.charge(values: end - start)
            return .list(list.slice(start..<end))
        default:  // flatten
            var depth = 1
            if arguments.count == 2 {
                guard case .int(let wanted) = arguments[1] else { throw noOverload("flatten()", arguments[0], arguments[1]) }
                guard wanted >= 0 else { throw fault(.evaluation, "the depth of flatten() is negative") }
                depth = Int(min(wanted, Int64(Self.valueDepth)))
            }
            var result: [Value] = []
            try flatten(list, depth, into: &result)
            return .list(.values(result))
        }
    }

    private func bound(_ value: Value, _ count: Int) throws(Fault) -> Int {
        guard case .int(let index) = value else { throw noOverload("slice()", value) }
        guard index >= 0, index <= count else { throw fault(.evaluation, "the slice is out of range") }
        return Int(index)
    }

    private mutating func flatten(_ list: ListValue, _ depth: Int, into result: inout [Value]) throws(Fault) {
        try meter.work(elements: list.count)
        for index in 0..<list.count {
            let element = list[index]
            if depth > 0, case .list(let inner) = element {
                try flatten(inner, depth - 1, into: &result)
            } else {
                try meter.charge(bytes: MemoryLayout<Value>.stride)
                result.append(element)
            }
        }
    }

    private mutating func distinct(_ list: ListValue) throws(Fault) -> Value {
        try meter.charge(values: 2 * list.count)
        var seen: Set<MapKey> = []
        var others: [Value] = []
        var result: [Value] = []
        for index in 0..<list.count {
            try meter.work(elements: 1)
            let element = list[index]
            try work(key: element)
            if let key = MapKey(finding: element) {
                if seen.insert(key).inserted { result.append(element) }
            } else if try !contains(.values(others), element) {
                others.append(element)
                result.append(element)
            }
        }
        return .list(.values(result))
    }

    @inline(never)
    mutating func range(_ arguments: Arguments) throws(Fault) -> Value {
        guard case .int(let first) = arguments[0] else { throw noOverload("range()", arguments[0]) }
        var bounds: (lower: Int64, upper: Int64) = (0, first)
        if arguments.count == 2 {
            guard case .int(let second) = arguments[1] else { throw noOverload("range()", arguments[0], arguments[1]) }
            bounds = (first, second)
        }
        guard bounds.lower < bounds.upper else { return .list(.values([])) }
        let (count, overflow) = bounds.upper.subtractingReportingOverflow(bounds.lower)
        guard !overflow, count <= Self.longestRange else {
            throw fault(.limit, "a range has \(Self.longestRange) elements at most")
        }
        try meter.charge(values: Int(count))
        return .list(.values((bounds.lower..<bounds.upper).map { .int($0) }))
    }

    @inline(never)
    mutating func parts(_ function: Function, _ value: Value) throws(Fault) -> Value {
        guard case .map(let map) = value else { throw noOverload(function.name + "()", value) }
        try meter.charge(values: map.count)
        return .list(.values((0..<map.count).map { function == .keys ? map.key(at: $0) : map.value(at: $0) }))
    }

    /// The entries of all maps; where a key occurs in several, the last one counts, at the place of the first.
    @inline(never)
    mutating func merge(_ arguments: Arguments) throws(Fault) -> Value {
        var maps = arguments.all
        if maps.count == 1, case .list(let list) = maps[0] {
            try meter.charge(values: list.count)
            maps = list.array
        }
        var keys: [Value] = []
        var values: [Value] = []
        var positions: [MapKey: Int] = [:]
        for value in maps {
            guard case .map(let map) = value else { throw noOverload("merge()", value) }
            try meter.charge(values: 3 * map.count)
            for index in 0..<map.count {
                let key = map.key(at: index)
                try work(key: key)
                guard let mapKey = MapKey(key) else { throw noOverload("merge()", value) }
                if let position = positions[mapKey] {
                    values[position] = map.value(at: index)
                } else {
                    positions[mapKey] = keys.count
                    keys.append(key)
                    values.append(map.value(at: index))
                }
            }
        }
        return .map(.entries(MapEntries(keys: keys, values: values)))
    }

    @inline(never)
    mutating func sets(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .list(let left) = arguments[0], case .list(let right) = arguments[1] else {
            throw noOverload(function.name + "()", arguments[0], arguments[1])
        }
        switch function {
        case .setContains: return .bool(try holds(left, right))
        case .setEquivalent:
            guard try holds(left, right) else { return .bool(false) }
            return .bool(try holds(right, left))
        default:  // setIntersects
            for index in 0..<left.count where try contains(right, left[index]) { return .bool(true) }
            return .bool(false)
        }
    }

    // Whether every element of `right` is in `left`.
    private mutating func holds(_ left: ListValue, _ right: ListValue) throws(Fault) -> Bool {
        for index in 0..<right.count where try !contains(left, right[index]) { return false }
        return true
    }
}
