// Calls of functions: evaluates the arguments and hands them to the function.

import Patterns
import WorkflowModel

/// The arguments of a call. Few calls have more than three, so that nothing has to be allocated for them.
struct Arguments {
    private(set) var count = 0
    private var first = Value.null
    private var second = Value.null
    private var third = Value.null
    private var rest: [Value] = []

    mutating func append(_ value: Value) {
        switch count {
        case 0: first = value
        case 1: second = value
        case 2: third = value
        default: rest.append(value)
        }
        count += 1
    }

    subscript(index: Int) -> Value {
        switch index {
        case 0: first
        case 1: second
        case 2: third
        default: rest[index - 3]
        }
    }

    var all: [Value] { (0..<count).map { self[$0] } }
}

extension Evaluator {
    @inline(never)
    mutating func call(_ node: Program.Node) throws(Fault) -> Value {
        var arguments = Arguments()
        for index in node.b..<node.b + node.c { arguments.append(try evaluate(operandNode(index))) }
        offset = node.offset
        guard let function = Function(rawValue: node.a) else { preconditionFailure("a call without a function") }
        return try apply(function, arguments, node)
    }

    // Apart from `call`, whose frame is on the stack once for each nested call.
    @inline(never)
    private mutating func apply(_ function: Function, _ arguments: Arguments, _ node: Program.Node) throws(Fault) -> Value {
        switch function {
        case .size: return try size(arguments[0])
        case .contains, .startsWith, .endsWith: return try search(function, arguments)
        case .toDynamic: return arguments[0]
        case .typeOf: return .type(arguments[0].typeName)
        case .toInt, .toUint, .toDouble, .toString, .toBytes, .toBool, .toDuration, .toTimestamp:
            return try convert(function, arguments[0])
        case .getFullYear, .getMonth, .getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear, .getHours, .getMinutes, .getSeconds,
            .getMilliseconds:
            return try part(function, arguments)
        case .charAt, .indexOf, .lastIndexOf, .lowerAscii, .upperAscii, .replace, .split, .substring, .trim, .quote:
            return try text(function, arguments)
        case .join: return try join(arguments)
        case .format: return try format(arguments)
        case .reverse: return try reverse(arguments[0])
        case .greatest, .least, .minimum, .maximum: return try extreme(function, arguments)
        case .ceil, .floor, .round, .truncate, .absolute, .sign, .isNaN, .isInfinite, .isFinite, .squareRoot:
            return try mathematics(function, arguments[0])
        case .bitAnd, .bitOr, .bitXor, .bitNot, .bitShiftLeft, .bitShiftRight: return try bits(function, arguments)
        case .sum, .average: return try total(function, arguments[0])
        case .sort, .distinct, .flatten, .slice, .first, .last: return try list(function, arguments)
        case .range: return try range(arguments)
        case .keys, .values: return try parts(function, arguments[0])
        case .merge: return try merge(arguments)
        case .setContains, .setEquivalent, .setIntersects: return try sets(function, arguments)
        case .base64Encode, .base64Decode, .jsonParse, .jsonFormat, .sha256: return try encode(function, arguments[0])
        case .matches, .regexExtract, .regexExtractAll, .regexReplace:
            return try pattern(function, arguments, constant: program.operands[Int(node.b)].detail)
        case .optionalOf: return .optional(arguments[0])
        case .optionalNone: return .optional(nil)
        case .optionalOfNonZero, .optionalHasValue, .optionalValue, .optionalUnwrap: return try optional(function, arguments[0])
        }
    }

    /// An error for arguments that no overload takes.
    func noOverload(_ name: String, _ arguments: Value...) -> Fault {
        fault(.type, "\(name) does not take \(arguments.map(\.typeName.words).joined(separator: " and "))")
    }

    // MARK: What several kinds of values have

    private mutating func size(_ value: Value) throws(Fault) -> Value {
        switch value {
        case .string(let text):
            try meter.work(bytes: text.utf8.count)
            return .int(Int64(text.unicodeScalars.count))
        case .bytes(let bytes): return .int(Int64(bytes.count))
        case .list(let list): return .int(Int64(list.count))
        case .map(let map): return .int(Int64(map.count))
        case .null, .bool, .int, .uint, .double, .timestamp, .duration, .type, .optional: throw noOverload("size()", value)
        }
    }

    private mutating func reverse(_ value: Value) throws(Fault) -> Value {
        switch value {
        case .string(let text):
            try meter.charge(bytes: text.utf8.count)
            var scalars = String.UnicodeScalarView()
            scalars.append(contentsOf: text.unicodeScalars.reversed())
            return .string(String(scalars))
        case .list(let list):
            try meter.charge(values: list.count)
            return .list(.values(list.array.reversed()))
        case .null, .bool, .int, .uint, .double, .bytes, .map, .timestamp, .duration, .type, .optional: throw noOverload("reverse()", value)
        }
    }

    private mutating func optional(_ function: Function, _ value: Value) throws(Fault) -> Value {
        switch (function, value) {
        case (.optionalOfNonZero, _): return .optional(isZero(value) ? nil : value)
        case (.optionalHasValue, .optional(let content)): return .bool(content != nil)
        case (.optionalValue, .optional(let content)):
            guard let content else { throw fault(.evaluation, "the optional has no value") }
            return content
        case (.optionalUnwrap, .list(let list)):
            try meter.charge(values: list.count)
            var values: [Value] = []
            for index in 0..<list.count {
                guard case .optional(let content) = list[index] else { throw noOverload(function.name + "()", list[index]) }
                if let content { values.append(content) }
            }
            return .list(.values(values))
        default:  // Every other type.
            throw noOverload(function.name + "()", value)
        }
    }

    private func isZero(_ value: Value) -> Bool {
        switch value {
        case .null: true
        case .bool(let value): !value
        case .int(let value): value == 0
        case .uint(let value): value == 0
        case .double(let value): value == 0
        case .string(let text): text.isEmpty
        case .bytes(let bytes): bytes.isEmpty
        case .list(let list): list.count == 0
        case .map(let map): map.count == 0
        case .timestamp(let moment): moment.seconds == 0 && moment.nanoseconds == 0
        case .duration(let duration): duration == .zero
        case .optional(let content): content == nil
        case .type: false
        }
    }

    // MARK: Patterns

    private mutating func pattern(_ function: Function, _ arguments: Arguments, constant: Int32) throws(Fault) -> Value {
        guard case .string(let text) = arguments[0], case .string(let source) = arguments[1] else {
            throw noOverload(function.name + "()", arguments[0], arguments[1])
        }
        let pattern = constant > 0 ? program.patterns[Int(constant) - 1] : try compiled(source)
        try meter.work(bytes: text.utf8.count)
        switch function {
        case .matches:
            return .bool(try searching { (budget: inout Int) throws(PatternError) in try pattern.matches(text, budget: &budget) })
        case .regexExtract, .regexExtractAll:
            guard pattern.captureCount <= 1 else {
                throw fault(.evaluation, "the pattern has \(pattern.captureCount) groups; extracting takes one at most")
            }
            return try extract(pattern, Array(text.utf8), all: function == .regexExtractAll)
        default: return try replace(pattern, text, arguments)  // regexReplace
        }
    }

    private mutating func compiled(_ source: String) throws(Fault) -> Pattern {
        if let lastPattern, lastPattern.source.hasSameBytes(as: source) { return lastPattern }
        // Repetitions are written out when a pattern is compiled.
        try meter.work(steps: 20 + source.utf8.count + min(Pattern.longestRepeat(in: source), 500))
        do {
            let pattern = try Pattern(source)
            lastPattern = pattern
            return pattern
        } catch {
            throw fault(.evaluation, "the pattern is wrong: \(error.message)")
        }
    }

    // What a search does is paid for: a step for what takes about as long as one.
    private static let unitsForAStep = 25

    private mutating func searching<Result>(_ search: (inout Int) throws(PatternError) -> Result) throws(Fault) -> Result {
        try meter.step()
        let before = meter.remainingSteps.multipliedReportingOverflow(by: Self.unitsForAStep)
        var budget = before.overflow ? Int.max : before.partialValue
        let start = budget
        let found: Swift.Result<Result, PatternError>
        do { found = .success(try search(&budget)) } catch { found = .failure(error) }
        try meter.work(steps: (start - budget) / Self.unitsForAStep)
        do { return try found.get() } catch { throw fault(.limit, error.message) }
    }

    private mutating func extract(_ pattern: Pattern, _ bytes: [UInt8], all: Bool) throws(Fault) -> Value {
        var found: [Value] = []
        var start = 0
        while start <= bytes.count {
            let match = try searching { [start] (budget: inout Int) throws(PatternError) in
                try pattern.firstMatch(in: bytes, from: start, budget: &budget)
            }
            guard let match else { break }
            if let text = match.group(pattern.captureCount) {
                try meter.charge(bytes: text.utf8.count + MemoryLayout<Value>.stride)
                if !all { return .optional(.string(text)) }
                found.append(.string(text))
            } else if !all {
                return .optional(nil)
            }
            start = match.range.isEmpty ? Pattern.next(after: match.range.upperBound, in: bytes) : max(match.range.upperBound, start + 1)
        }
        return all ? .list(.values(found)) : .optional(nil)
    }

    private mutating func replace(_ pattern: Pattern, _ text: String, _ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let replacementText) = arguments[2] else { throw noOverload("regex.replace()", arguments[2]) }
        var count = Int.max
        if arguments.count == 4 {
            guard case .int(let limit) = arguments[3] else { throw noOverload("regex.replace()", arguments[3]) }
            if limit >= 0 { count = Int(limit) }
        }
        try meter.work(bytes: replacementText.utf8.count)
        let replacement: Replacement
        do { replacement = try Replacement(replacementText, for: pattern) } catch { throw fault(.evaluation, error.message) }
        let bytes = Array(text.utf8)
        var evaluator = self
        let result = try pattern.replacing(in: bytes, with: replacement, count: count, maximumBytes: meter.bytes) {
            (bytes, start) throws(Fault) in
            try evaluator.searching { (budget: inout Int) throws(PatternError) in
                try pattern.firstMatch(in: bytes, from: start, budget: &budget)
            }
        } tooLarge: {
            Fault(kind: .limit, message: "the evaluation needs more memory than it may", offset: -1)
        }
        meter = evaluator.meter
        try meter.charge(bytes: result.utf8.count)
        return .string(result)
    }
}
