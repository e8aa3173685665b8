// Functions of numbers.

import WorkflowModel

extension Evaluator {
    @inline(never)
    func mathematics(_ function: Function, _ value: Value) throws(Fault) -> Value {
        switch (function, value) {
        case (.ceil, .double(let number)): return .double(number.rounded(.up))
        case (.floor, .double(let number)): return .double(number.rounded(.down))
        case (.round, .double(let number)): return .double(number.rounded(.toNearestOrAwayFromZero))
        case (.truncate, .double(let number)): return .double(number.rounded(.towardZero))
        case (.absolute, .double(let number)): return .double(number.magnitude)
        case (.absolute, .uint): return value
        case (.absolute, .int(let number)):
            guard number != .min else { throw fault(.evaluation, "the integer overflows") }
            return .int(abs(number))
        case (.sign, .double(let number)): return .double(number.isNaN ? number : number > 0 ? 1 : number < 0 ? -1 : 0)
        case (.sign, .int(let number)): return .int(number.signum())
        case (.sign, .uint(let number)): return .uint(number == 0 ? 0 : 1)
        case (.isNaN, .double(let number)): return .bool(number.isNaN)
        case (.isInfinite, .double(let number)): return .bool(number.isInfinite)
        case (.isFinite, .double(let number)): return .bool(number.isFinite)
        case (.squareRoot, .double(let number)): return .double(number.squareRoot())
        case (.squareRoot, .int(let number)): return .double(Double(number).squareRoot())
        case (.squareRoot, .uint(let number)): return .double(Double(number).squareRoot())
        // With promotion a whole number in JSON is as good as a double.
        case (.ceil, .int), (.floor, .int), (.round, .int), (.truncate, .int):
            if program.mode == .promoting { return value }
        case (.isNaN, .int), (.isInfinite, .int):
            if program.mode == .promoting { return .bool(false) }
        case (.isFinite, .int):
            if program.mode == .promoting { return .bool(true) }
        default: break  // No overload.
        }
        throw noOverload(function.name + "()", value)
    }

    @inline(never)
    func bits(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        switch (arguments[0], arguments[1]) {
        case (.int(let left), _) where function == .bitNot: return .int(~left)
        case (.uint(let left), _) where function == .bitNot: return .uint(~left)
        case (.int(let left), .int(let right)):
            switch function {
            case .bitAnd: return .int(left & right)
            case .bitOr: return .int(left | right)
            case .bitXor: return .int(left ^ right)
            default: return .int(Int64(bitPattern: try shift(function, UInt64(bitPattern: left), by: right)))  // Shifts.
            }
        case (.uint(let left), .uint(let right)):
            switch function {
            case .bitAnd: return .uint(left & right)
            case .bitOr: return .uint(left | right)
            case .bitXor: return .uint(left ^ right)
            default: break  // What is shifted by is an int.
            }
        case (.uint(let left), .int(let right)):
            if function == .bitShiftLeft || function == .bitShiftRight { return .uint(try shift(function, left, by: right)) }
        default: break  // No overload.
        }
        throw noOverload(function.name + "()", arguments[0], arguments[1])
    }

    // Shifts are of bits, not of signs; beyond the width nothing is left.
    private func shift(_ function: Function, _ value: UInt64, by count: Int64) throws(Fault) -> UInt64 {
        guard count >= 0 else { throw fault(.evaluation, "the number of bits to shift by is negative") }
        return function == .bitShiftLeft ? value << count : value >> count
    }

    /// `math.greatest`, `math.least`, `min` and `max`: of several arguments, or of the elements of one list.
    @inline(never)
    mutating func extreme(_ function: Function, _ arguments: Arguments) throws(Fault) -> Value {
        let values: [Value]
        if arguments.count == 1, case .list(let list) = arguments[0] {
            try meter.work(elements: list.count)
            try meter.charge(values: list.count)
            values = list.array
        } else {
            values = arguments.all
        }
        let wantsGreatest = function == .greatest || function == .maximum
        let isNumeric = function == .greatest || function == .least
        guard var result = values.first else { throw fault(.evaluation, "the list is empty") }
        if isNumeric, !result.isNumber { throw noOverload(function.name + "()", result) }
        _ = try order(result, result, "min and max")
        for value in values.dropFirst() {
            if isNumeric, !value.isNumber { throw noOverload(function.name + "()", value) }
            guard let order = try order(value, result, "min and max") else {
                // A NaN is not greater and not less than anything; it is the answer, so that it is not lost.
                return value.isNaN ? value : result
            }
            if wantsGreatest ? order > 0 : order < 0 { result = value }
        }
        return result
    }

    @inline(never)
    mutating func total(_ function: Function, _ value: Value) throws(Fault) -> Value {
        guard case .list(let list) = value else { throw noOverload(function.name + "()", value) }
        try meter.work(elements: list.count)
        if function == .average {
            guard list.count > 0 else { throw fault(.evaluation, "avg() of an empty list") }
            var sum = 0.0
            for index in 0..<list.count {
                switch list[index] {
                case .int(let number): sum += Double(number)
                case .uint(let number): sum += Double(number)
                case .double(let number): sum += number
                case .null, .bool, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional:
                    throw noOverload("avg()", list[index])
                }
            }
            return .double(sum / Double(list.count))
        }
        guard list.count > 0 else { return .int(0) }
        var sum = list[0]
        switch sum {
        case .int, .uint, .double, .duration: break
        case .null, .bool, .string, .bytes, .list, .map, .timestamp, .type, .optional: throw noOverload("sum()", sum)
        }
        for index in 1..<list.count { sum = try arithmetic(.add, sum, list[index]) }
        return sum
    }
}

extension Value {
    var isNumber: Bool {
        switch self {
        case .int, .uint, .double: true
        case .null, .bool, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional: false
        }
    }

    var isNaN: Bool { if case .double(let number) = self { number.isNaN } else { false } }
}
