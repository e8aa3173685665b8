// Equality, order and arithmetic.

import WorkflowModel

extension Evaluator {
    mutating func compare(_ node: Program.Node) throws(Fault) -> Bool {
        let left = try evaluate(node.a)
        let right = try evaluate(node.b)
        offset = node.offset
        guard let comparison = Comparison(rawValue: node.c) else { preconditionFailure("a comparison node without a comparison") }
        switch comparison {
        case .equal: return try equal(left, right)
        case .notEqual: return !(try equal(left, right))
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let order = try order(left, right, comparison.symbol) else { return false }
            return switch comparison {
            case .less: order < 0
            case .lessOrEqual: order <= 0
            case .greater: order > 0
            case .greaterOrEqual: order >= 0
            case .equal, .notEqual: order == 0
            }
        }
    }

    /// Whether two values are equal. Values of different types differ, but for numbers.
    mutating func equal(_ left: Value, _ right: Value, depth: Int = 0) throws(Fault) -> Bool {
        switch (left, right) {
        case (.string(let a), .string(let b)):
            try meter.work(bytes: min(a.utf8.count, b.utf8.count))
            return a.isSame(as: b)
        case (.int(let a), .int(let b)): return a == b
        case (.double(let a), .double(let b)): return a == b
        case (.bool(let a), .bool(let b)): return a == b
        case (.null, .null): return true
        case (.list(let a), .list(let b)): return try equal(a, b, depth: depth + 1)
        case (.map(let a), .map(let b)): return try equal(a, b, depth: depth + 1)
        case (.uint(let a), .uint(let b)): return a == b
        case (.int(let a), .double(let b)): return Double(a) == b
        case (.double(let a), .int(let b)): return a == Double(b)
        case (.int(let a), .uint(let b)), (.uint(let b), .int(let a)): return a >= 0 && UInt64(a) == b
        case (.uint(let a), .double(let b)), (.double(let b), .uint(let a)): return Double(a) == b
        case (.bytes(let a), .bytes(let b)):
            try meter.work(bytes: min(a.count, b.count))
            return a == b
        case (.timestamp(let a), .timestamp(let b)): return a == b
        case (.duration(let a), .duration(let b)): return a == b
        case (.type(let a), .type(let b)): return a == b
        case (.optional(let a), .optional(let b)):
            guard let a, let b else { return a == nil && b == nil }
            return try equal(a, b, depth: depth + 1)
        default:  // Different types; there are too many pairs for the compiler to check them all.
            return false
        }
    }

    private mutating func equal(_ left: ListValue, _ right: ListValue, depth: Int) throws(Fault) -> Bool {
        guard left.count == right.count else { return false }
        try check(depth: depth)
        for index in 0..<left.count {
            try meter.work(elements: 1)
            guard try equal(left[index], right[index], depth: depth) else { return false }
        }
        return true
    }

    private mutating func equal(_ left: MapValue, _ right: MapValue, depth: Int) throws(Fault) -> Bool {
        guard left.count == right.count else { return false }
        try check(depth: depth)
        for index in 0..<left.count {
            try meter.work(elements: 2)
            let leftKey = left.key(at: index)
            try work(key: leftKey)
            guard let key = MapKey(leftKey), let other = right[key],
                try equal(left.value(at: index), other, depth: depth)
            else { return false }
        }
        return true
    }

    /// For looking up a key: long ones take their time to be hashed and compared.
    @inline(__always)
    mutating func work(key: Value) throws(Fault) {
        if case .string(let text) = key { try meter.work(bytes: text.utf8.count) }
    }

    func check(depth: Int) throws(Fault) {
        if depth > Self.valueDepth { throw fault(.limit, "a value is nested deeper than \(Self.valueDepth) levels") }
    }

    /// Negative, zero or positive; nil when a NaN is among them.
    mutating func order(_ left: Value, _ right: Value, _ symbol: String) throws(Fault) -> Int? {
        switch (left, right) {
        case (.int(let a), .int(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.double(let a), .double(let b)): return Self.order(a, b)
        case (.int(let a), .double(let b)): return Self.order(Double(a), b)
        case (.double(let a), .int(let b)): return Self.order(a, Double(b))
        case (.uint(let a), .uint(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.uint(let a), .double(let b)): return Self.order(Double(a), b)
        case (.double(let a), .uint(let b)): return Self.order(a, Double(b))
        case (.int(let a), .uint(let b)): return a < 0 ? -1 : UInt64(a) < b ? -1 : UInt64(a) == b ? 0 : 1
        case (.uint(let a), .int(let b)): return b < 0 ? 1 : a < UInt64(b) ? -1 : a == UInt64(b) ? 0 : 1
        case (.string(let a), .string(let b)):
            try meter.work(bytes: min(a.utf8.count, b.utf8.count))
            return Self.order(a.utf8, b.utf8)
        case (.bytes(let a), .bytes(let b)):
            try meter.work(bytes: min(a.count, b.count))
            return Self.order(a, b)
        case (.bool(let a), .bool(let b)): return a == b ? 0 : a ? 1 : -1
        case (.timestamp(let a), .timestamp(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.duration(let a), .duration(let b)): return a < b ? -1 : a == b ? 0 : 1
        default:  // Every other pair.
            throw fault(.type, "\"\(symbol)\" does not compare \(left.typeName.words) with \(right.typeName.words)")
        }
    }

    private static func order(_ left: Double, _ right: Double) -> Int? {
        left < right ? -1 : left == right ? 0 : left > right ? 1 : nil
    }

    // The order of UTF-8 bytes is the order of code points.
    private static func order(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Int {
        var others = right.makeIterator()
        for byte in left {
            guard let other = others.next() else { return 1 }
            if byte != other { return byte < other ? -1 : 1 }
        }
        return others.next() == nil ? 0 : -1
    }

    mutating func arithmetic(_ node: Program.Node) throws(Fault) -> Value {
        var result = try evaluate(node.a)
        for index in node.b..<node.b + node.c {
            let operand = program.operands[Int(index)]
            let right = try evaluate(operand.node)
            offset = operand.offset
            guard let operation = Arithmetic(rawValue: operand.detail) else { preconditionFailure("a term without an operator") }
            result = try arithmetic(operation, result, right)
        }
        return result
    }

    mutating func arithmetic(_ operation: Arithmetic, _ left: Value, _ right: Value) throws(Fault) -> Value {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try integer(operation, a, b))
        case (.double(let a), .double(let b)): return .double(try double(operation, a, b))
        case (.uint(let a), .uint(let b)): return .uint(try integer(operation, a, b))
        case (.int(let a), .double(let b)) where program.mode == .promoting: return .double(try double(operation, Double(a), b))
        case (.double(let a), .int(let b)) where program.mode == .promoting: return .double(try double(operation, a, Double(b)))
        default:  // Texts, lists and times: nearly all pairs are an error.
            return try combine(operation, left, right)
        }
    }

    private func integer<Number: FixedWidthInteger>(_ operation: Arithmetic, _ left: Number, _ right: Number) throws(Fault) -> Number {
        let (result, overflow): (Number, Bool)
        switch operation {
        case .add: (result, overflow) = left.addingReportingOverflow(right)
        case .subtract: (result, overflow) = left.subtractingReportingOverflow(right)
        case .multiply: (result, overflow) = left.multipliedReportingOverflow(by: right)
        case .divide:
            guard right != 0 else { throw fault(.evaluation, "division by zero") }
            (result, overflow) = left.dividedReportingOverflow(by: right)
        case .remainder:
            guard right != 0 else { throw fault(.evaluation, "remainder of a division by zero") }
            (result, overflow) = left.remainderReportingOverflow(dividingBy: right)
        }
        guard !overflow else { throw fault(.evaluation, "the integer overflows") }
        return result
    }

    private func double(_ operation: Arithmetic, _ left: Double, _ right: Double) throws(Fault) -> Double {
        switch operation {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .remainder: throw fault(.type, "\"%\" does not take double")
        }
    }

    @inline(never)
    private mutating func combine(_ operation: Arithmetic, _ left: Value, _ right: Value) throws(Fault) -> Value {
        switch (operation, left, right) {
        case (.add, .string(let a), .string(let b)):
            try meter.charge(bytes: a.utf8.count + b.utf8.count)
            return .string(a + b)
        case (.add, .bytes(let a), .bytes(let b)):
            try meter.charge(bytes: a.count + b.count)
            return .bytes(a + b)
        case (.add, .list(let a), .list(let b)):
            if a.count == 0 { return right }
            if b.count == 0 { return left }
            try meter.charge(values: a.count + b.count)
            return .list(.values(a.array + b.array))
        case (.add, .timestamp(let a), .duration(let b)), (.add, .duration(let b), .timestamp(let a)):
            return .timestamp(try moment(a, adding: try nanoseconds(b)))
        case (.subtract, .timestamp(let a), .duration(let b)):
            let (amount, overflow) = Int64(0).subtractingReportingOverflow(try nanoseconds(b))
            guard !overflow else { throw fault(.evaluation, "the duration overflows") }
            return .timestamp(try moment(a, adding: amount))
        case (.subtract, .timestamp(let a), .timestamp(let b)):
            guard let difference = a.nanoseconds(since: b) else { throw fault(.evaluation, "the duration overflows") }
            return .duration(.nanoseconds(difference))
        case (.add, .duration(let a), .duration(let b)):
            return .duration(.nanoseconds(try integer(.add, try nanoseconds(a), try nanoseconds(b))))
        case (.subtract, .duration(let a), .duration(let b)):
            return .duration(.nanoseconds(try integer(.subtract, try nanoseconds(a), try nanoseconds(b))))
        default:  // Every other pair.
            throw fault(.type, "\"\(operation.symbol)\" does not take \(left.typeName.words) and \(right.typeName.words)")
        }
    }

    func nanoseconds(_ duration: Duration) throws(Fault) -> Int64 {
        guard let nanoseconds = DurationSeconds.nanoseconds(duration) else { throw fault(.evaluation, "the duration overflows") }
        return nanoseconds
    }

    private func moment(_ moment: Moment, adding nanoseconds: Int64) throws(Fault) -> Moment {
        guard let result = moment.adding(nanoseconds: nanoseconds) else {
            throw fault(.evaluation, "the timestamp leaves the years 1 to 9999")
        }
        return result
    }
}
