// The macros that go through a collection.

import WorkflowModel

extension Evaluator {
    private enum Collection {
        case list(ListValue)
        case map(MapValue)

        var count: Int {
            switch self {
            case .list(let list): list.count
            case .map(let map): map.count
            }
        }
    }

    private struct Loop {
        let collection: Collection
        let body: Int32
        let condition: Int32
        let hasTwoVariables: Bool
        let slot: Int
    }

    @inline(never)
    mutating func loop(_ node: Program.Node) throws(Fault) -> Value {
        let value = try evaluate(node.a)
        let operands = (program.operands[Int(node.b)], program.operands[Int(node.b) + 1])
        let collection: Collection
        switch value {
        case .list(let list): collection = .list(list)
        case .map(let map): collection = .map(map)
        case .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type, .optional:
            offset = node.offset
            throw fault(.type, "this macro goes through lists and maps, not \(value.typeName.words)")
        }
        let loop = Loop(
            collection: collection, body: operands.0.node, condition: operands.1.node, hasTwoVariables: operands.0.detail == 2,
            slot: Int(node.c))
        switch node.operation {
        case .all: return .bool(try decide(loop, decisive: false))
        case .exists: return .bool(try decide(loop, decisive: true))
        case .existsOne: return .bool(try existsOne(loop))
        case .transformList: return try transformList(loop)
        case .filter: return try filter(loop)
        case .transformMap: return try transformMap(loop)
        case .transformMapEntry: return try transformMapEntry(loop)
        case .sortBy: return try sortBy(loop, at: node.offset)
        default: preconditionFailure("a node that is no loop was taken for one")
        }
    }

    // Puts the variables of a turn into their slots.
    private mutating func enter(_ loop: Loop, _ index: Int) throws(Fault) {
        try meter.step()
        switch loop.collection {
        case .list(let list):
            if loop.hasTwoVariables {
                slots[loop.slot] = .int(Int64(index))
                slots[loop.slot + 1] = list[index]
            } else {
                slots[loop.slot] = list[index]
            }
        case .map(let map):
            slots[loop.slot] = map.key(at: index)
            if loop.hasTwoVariables { slots[loop.slot + 1] = map.value(at: index) }
        }
    }

    private mutating func test(_ index: Int32) throws(Fault) -> Bool {
        let value = try evaluate(index)
        guard case .bool(let result) = value else {
            offset = program.nodes[Int(index)].offset
            throw fault(.type, "a condition is a boolean, not \(value.typeName.words)")
        }
        return result
    }

    // `all` and `exists`: an element that decides wins over errors of the others.
    private mutating func decide(_ loop: Loop, decisive: Bool) throws(Fault) -> Bool {
        var pending: Fault?
        for index in 0..<loop.collection.count {
            try enter(loop, index)
            do {
                if try test(loop.body) == decisive { return decisive }
            } catch {
                if error.kind == .limit { throw error }
                if pending == nil { pending = error }
            }
        }
        if let pending { throw pending }
        return !decisive
    }

    private mutating func existsOne(_ loop: Loop) throws(Fault) -> Bool {
        var found = 0
        for index in 0..<loop.collection.count {
            try enter(loop, index)
            if try test(loop.body) { found += 1 }
        }
        return found == 1
    }

    private mutating func passes(_ loop: Loop) throws(Fault) -> Bool {
        loop.condition < 0 ? true : try test(loop.condition)
    }

    private mutating func transformList(_ loop: Loop) throws(Fault) -> Value {
        let count = loop.collection.count
        try meter.charge(values: count)
        var result: [Value] = []
        result.reserveCapacity(loop.condition < 0 ? count : 0)
        for index in 0..<count {
            try enter(loop, index)
            if try passes(loop) { result.append(try evaluate(loop.body)) }
        }
        return .list(.values(result))
    }

    private mutating func filter(_ loop: Loop) throws(Fault) -> Value {
        var result: [Value] = []
        for index in 0..<loop.collection.count {
            try enter(loop, index)
            if try test(loop.body) {
                try meter.charge(bytes: MemoryLayout<Value>.stride)
                result.append(slots[loop.slot])
            }
        }
        return .list(.values(result))
    }

    private mutating func transformMap(_ loop: Loop) throws(Fault) -> Value {
        let count = loop.collection.count
        try meter.charge(values: 3 * count)
        var keys: [Value] = []
        var values: [Value] = []
        for index in 0..<count {
            try enter(loop, index)
            let key = slots[loop.slot]
            if try passes(loop) {
                values.append(try evaluate(loop.body))
                try work(key: key)
                keys.append(key)
            }
        }
        return .map(.entries(MapEntries(keys: keys, values: values)))
    }

    private mutating func transformMapEntry(_ loop: Loop) throws(Fault) -> Value {
        var builder = MapBuilder()
        for index in 0..<loop.collection.count {
            try enter(loop, index)
            guard try passes(loop) else { continue }
            let entry = try evaluate(loop.body)
            offset = program.nodes[Int(loop.body)].offset
            guard case .map(let map) = entry else {
                throw fault(.type, "transformMapEntry() makes a map of each entry, not \(entry.typeName.words)")
            }
            try meter.charge(values: 3 * map.count)
            for position in 0..<map.count {
                let key = map.key(at: position)
                try work(key: key)
                guard let mapKey = MapKey(key), builder.insert(key, as: mapKey, map.value(at: position)) else {
                    throw fault(.evaluation, "a key occurs twice in the map")
                }
            }
        }
        return builder.finish()
    }

    private mutating func sortBy(_ loop: Loop, at place: Int32) throws(Fault) -> Value {
        let count = loop.collection.count
        try meter.charge(values: 2 * count)
        var keys: [Value] = []
        var elements: [Value] = []
        keys.reserveCapacity(count)
        elements.reserveCapacity(count)
        for index in 0..<count {
            try enter(loop, index)
            elements.append(slots[loop.slot])
            keys.append(try evaluate(loop.body))
        }
        offset = place
        return .list(.values(try sorted(elements, by: keys)))
    }

    /// The elements in the order of their keys; where keys are equal, in the order in which they came. NaN is last.
    mutating func sorted(_ elements: [Value], by keys: [Value]) throws(Fault) -> [Value] {
        guard elements.count > 1 else {
            if let only = keys.first { _ = try order(only, only, "sort") }
            return elements
        }
        var size = 0
        for key in keys {
            // Each key against the first: once this is known to work, comparing is free of errors.
            _ = try order(key, keys[0], "sort")
            if case .string(let text) = key { size += text.utf8.count }
            if case .bytes(let bytes) = key { size += bytes.count }
        }
        let turns = Int.bitWidth - elements.count.leadingZeroBitCount
        try meter.work(elements: elements.count * turns)
        try meter.work(bytes: size.multipliedReportingOverflow(by: turns).partialValue)
        // The work is paid for; the comparisons themselves run on a meter that does not end.
        var comparing = self
        comparing.meter = Meter(ExpressionLimits(steps: .max, bytes: .max))
        func isNaN(_ value: Value) -> Bool { if case .double(let number) = value { number.isNaN } else { false } }
        let positions = elements.indices.sorted { left, right in
            let order: Int?
            do { order = try comparing.order(keys[left], keys[right], "sort") } catch { order = 0 }
            let known = order ?? (isNaN(keys[left]) ? 1 : 0) - (isNaN(keys[right]) ? 1 : 0)
            return known == 0 ? left < right : known < 0
        }
        try meter.charge(values: elements.count)
        return positions.map { elements[$0] }
    }
}
