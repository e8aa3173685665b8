// Variables, fields and indices.

import WorkflowModel

extension Evaluator {
    func path(_ node: Program.Node) throws(Fault) -> Value {
        if scope.hasDottedNames, let value = try dottedPath(node) { return value }
        guard let index = scope.index(of: program.names[Int(node.a)]) else { return try typeOrUnknown(node) }
        return try descend(scope.value(at: index), node, 0)
    }

    // The longest prefix of the path that is a name in the scope wins.
    private func dottedPath(_ node: Program.Node) throws(Fault) -> Value? {
        var candidates = [program.names[Int(node.a)]]
        for key in 0..<Int(node.c) { candidates.append(candidates[key] + "." + program.names[Int(node.b) + key]) }
        for (keys, candidate) in candidates.enumerated().reversed() {
            if let index = scope.index(of: candidate) { return try descend(scope.value(at: index), node, Int32(keys)) }
        }
        return nil
    }

    @inline(never)
    private func typeOrUnknown(_ node: Program.Node) throws(Fault) -> Value {
        let root = program.names[Int(node.a)]
        let full = (0..<Int(node.c)).reduce(root) { $0 + "." + program.names[Int(node.b) + $1] }
        if let type = TypeName(rawValue: full) { return .type(type) }
        throw Fault(kind: .unknownName, message: "there is no \"\(root)\" here", offset: Int(node.offset))
    }

    private func descend(_ value: Value, _ node: Program.Node, _ step: Int32) throws(Fault) -> Value {
        if step == node.c { return value }
        let key = program.names[Int(node.b + step)]
        switch value {
        case .map(.json(let object)):
            guard let member = object.member(key) else { throw missing(key, node, step) }
            return try descend(json: member, node, step + 1)
        case .map(let map):
            guard let member = map[key] else { throw missing(key, node, step) }
            return try descend(member, node, step + 1)
        case .optional, .null, .bool, .int, .uint, .double, .string, .bytes, .list, .timestamp, .duration, .type:
            return try descend(try select(value, key, isOptional: false, at: program.nameOffsets[Int(node.b + step)]), node, step + 1)
        }
    }

    private func descend(json: JSONValue, _ node: Program.Node, _ step: Int32) throws(Fault) -> Value {
        if step == node.c { return Value(json) }
        let key = program.names[Int(node.b + step)]
        guard case .object(let object) = json else { throw noFields(Value(json), key, program.nameOffsets[Int(node.b + step)]) }
        guard let member = object.member(key) else { throw missing(key, node, step) }
        return try descend(json: member, node, step + 1)
    }

    @inline(never)
    private func missing(_ key: String, _ node: Program.Node, _ step: Int32) -> Fault {
        Fault(kind: .evaluation, message: "no such key \"\(key)\"", offset: Int(program.nameOffsets[Int(node.b + step)]))
    }

    // A field by a name from the source.
    private func select(_ value: Value, _ key: String, isOptional: Bool, at offset: Int32) throws(Fault) -> Value {
        switch value {
        case .map(let map):
            if isOptional { return .optional(map[key]) }
            guard let member = map[key] else {
                throw Fault(kind: .evaluation, message: "no such key \"\(key)\"", offset: Int(offset))
            }
            return member
        case .optional(nil): return value
        case .optional(.some(let content)):
            guard case .map(let map) = content else { throw noFields(content, key, offset) }
            return .optional(map[key])
        case .null, .bool, .int, .uint, .double, .string, .bytes, .list, .timestamp, .duration, .type:
            throw noFields(value, key, offset)
        }
    }

    private func noFields(_ value: Value, _ key: String, _ offset: Int32) -> Fault {
        Fault(kind: .type, message: "\(value.typeName.words) has no field \"\(key)\"", offset: Int(offset))
    }

    @inline(never)
    mutating func selection(_ node: Program.Node) throws(Fault) -> Value {
        let value = try evaluate(node.a)
        let key = program.names[Int(node.b)]
        switch node.operation {
        case .has:
            switch value {
            case .map(let map): return .bool(map[key] != nil)
            case .optional(nil): return .bool(false)
            case .optional(.some(.map(let map))): return .bool(map[key] != nil)
            case .optional(.some(let content)): throw noFields(content, key, node.offset)
            case .null, .bool, .int, .uint, .double, .string, .bytes, .list, .timestamp, .duration, .type:
                throw noFields(value, key, node.offset)
            }
        case .optionalSelect: return try select(value, key, isOptional: true, at: node.offset)
        default: return try select(value, key, isOptional: false, at: node.offset)  // The one that is left.
        }
    }

    @inline(never)
    mutating func indexing(_ node: Program.Node) throws(Fault) -> Value {
        let value = try evaluate(node.a)
        let key = try evaluate(node.b)
        offset = node.offset
        let isOptional = node.operation == .optionalIndex
        if case .string(let text) = key { try meter.work(bytes: text.utf8.count) }
        switch value {
        case .optional(nil): return value
        case .optional(.some(let content)): return .optional(try element(of: content, key))
        case .list, .map, .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type:
            let found = try element(of: value, key)
            if isOptional { return .optional(found) }
            guard let found else {
                if case .list = value { throw fault(.evaluation, "the index is out of range") }
                throw fault(.evaluation, "no such key")
            }
            return found
        }
    }

    // Nil when there is none.
    private func element(of value: Value, _ key: Value) throws(Fault) -> Value? {
        switch value {
        case .list(let list):
            guard let index = wholeNumber(key) else {
                throw fault(.type, "the index of a list is a whole number, not \(key.typeName.words)")
            }
            return index >= 0 && index < list.count ? list[index] : nil
        case .map(let map):
            if case .string(let text) = key { return map[text] }
            guard let mapKey = MapKey(finding: key) else {
                if case .double = key { return nil }
                throw fault(.evaluation, "no such key: \(key.typeName.words) cannot be one")
            }
            return map[mapKey]
        case .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type, .optional:
            throw fault(.type, "\(value.typeName.words) cannot be indexed")
        }
    }

    // A number of any type without a fraction. Too large ones become an index that no list has.
    private func wholeNumber(_ value: Value) -> Int? {
        switch value {
        case .int(let number): Int(number)
        case .uint(let number): Int(exactly: number) ?? .max
        case .double(let number): Int(exactly: number)
        case .null, .bool, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional: nil
        }
    }

    @inline(never)
    mutating func membership(_ node: Program.Node) throws(Fault) -> Value {
        let element = try evaluate(node.a)
        let collection = try evaluate(node.b)
        offset = node.offset
        switch collection {
        case .list(let list): return .bool(try contains(list, element))
        case .map(let map):
            if case .string(let text) = element { try meter.work(bytes: text.utf8.count) }
            if case .json(let object) = map, case .string(let text) = element { return .bool(object.position(of: text) != nil) }
            guard let key = MapKey(finding: element) else { return .bool(false) }
            return .bool(map.contains(key))
        case .null, .bool, .int, .uint, .double, .string, .bytes, .timestamp, .duration, .type, .optional:
            throw fault(.type, "\"in\" looks into lists and maps, not \(collection.typeName.words)")
        }
    }

    mutating func contains(_ list: ListValue, _ element: Value) throws(Fault) -> Bool {
        for index in 0..<list.count {
            try meter.work(elements: 1)
            if try equal(list[index], element) { return true }
        }
        return false
    }
}
