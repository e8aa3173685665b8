// `'%s scored %.2f'.format([name, score])`, and values as text.

import Foundation
import WorkflowModel

extension Evaluator {
    private static let maximumPrecision = 100

    @inline(never)
    mutating func format(_ arguments: Arguments) throws(Fault) -> Value {
        guard case .string(let template) = arguments[0], case .list(let values) = arguments[1] else {
            throw noOverload("format()", arguments[0], arguments[1])
        }
        try meter.charge(bytes: template.utf8.count)
        let bytes = Array(template.utf8)
        var result: [UInt8] = []
        var position = 0
        var next = 0
        while position < bytes.count {
            guard bytes[position] == 0x25 else {
                result.append(bytes[position])
                position += 1
                continue
            }
            position += 1
            guard position < bytes.count else { throw fault(.evaluation, "the format ends in a single %") }
            if bytes[position] == 0x25 {
                result.append(0x25)
                position += 1
                continue
            }
            var precision: Int?
            if bytes[position] == 0x2E {
                position += 1
                var digits = 0
                while position < bytes.count, (0x30...0x39).contains(bytes[position]), digits <= Self.maximumPrecision {
                    digits = digits * 10 + Int(bytes[position] - 0x30)
                    position += 1
                }
                guard digits <= Self.maximumPrecision else {
                    throw fault(.evaluation, "the precision of a format is \(Self.maximumPrecision) at most")
                }
                precision = digits
            }
            guard position < bytes.count else { throw fault(.evaluation, "the format ends in the middle of a clause") }
            guard next < values.count else { throw fault(.evaluation, "the format has more clauses than there are arguments") }
            let text = try clause(bytes[position], precision, values[next])
            position += 1
            next += 1
            try meter.charge(bytes: text.utf8.count)
            result.append(contentsOf: text.utf8)
        }
        return .string(String(decoding: result, as: UTF8.self))
    }

    private mutating func clause(_ letter: UInt8, _ precision: Int?, _ value: Value) throws(Fault) -> String {
        switch letter {
        case 0x73: return try description(value)
        case 0x64:
            switch value {
            case .int(let number): return String(number)
            case .uint(let number): return String(number)
            case .double(let number): return Self.text(number)
            case .null, .bool, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload("%d", value)
            }
        case 0x66, 0x65:
            let number: Double
            switch value {
            case .double(let value): number = value
            case .int(let value): number = Double(value)
            case .uint(let value): number = Double(value)
            case .null, .bool, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional:
                throw noOverload(letter == 0x66 ? "%f" : "%e", value)
            }
            guard number.isFinite else { return Self.text(number) }
            return String(format: letter == 0x66 ? "%.*f" : "%.*e", precision ?? 6, number)
        case 0x62:
            if case .bool(let flag) = value { return flag ? "1" : "0" }
            return try integer(value, radix: 2, "%b")
        case 0x6F: return try integer(value, radix: 8, "%o")
        case 0x78, 0x58:
            let text: String
            switch value {
            case .string(let value): text = try hexadecimal(Array(value.utf8))
            case .bytes(let value): text = try hexadecimal(value)
            case .int, .uint, .null, .bool, .double, .list, .map, .timestamp, .duration, .type, .optional:
                text = try integer(value, radix: 16, "%x")
            }
            return letter == 0x58 ? text.uppercased() : text
        default: throw fault(.evaluation, "the format has a clause other than %s %d %f %e %b %o %x %X")
        }
    }

    private func integer(_ value: Value, radix: Int, _ name: String) throws(Fault) -> String {
        switch value {
        case .int(let number): String(number, radix: radix)
        case .uint(let number): String(number, radix: radix)
        case .null, .bool, .double, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload(name, value)
        }
    }

    private mutating func hexadecimal(_ bytes: [UInt8]) throws(Fault) -> String {
        try meter.charge(bytes: 2 * bytes.count)
        return Hexadecimal.text(bytes)
    }

    // What `%s` makes of a value.
    private mutating func description(_ value: Value, depth: Int = 0) throws(Fault) -> String {
        try check(depth: depth)
        try meter.work(elements: 1)
        switch value {
        case .string(let text):
            try meter.charge(bytes: text.utf8.count)
            return text
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .double(let number): return Self.text(number)
        case .bytes(let bytes):
            try meter.charge(bytes: bytes.count)
            return String(decoding: bytes, as: UTF8.self)
        case .timestamp(let moment): return moment.text
        case .duration(let duration): return DurationSeconds.text(duration)
        case .type(let type): return type.rawValue
        case .list(let list):
            var parts: [String] = []
            for index in 0..<list.count { parts.append(try description(list[index], depth: depth + 1)) }
            return try joined(parts, "[", "]")
        case .map(let map):
            var parts: [(key: String, value: String)] = []
            for index in 0..<map.count {
                parts.append((try description(map.key(at: index)), try description(map.value(at: index), depth: depth + 1)))
            }
            try meter.work(elements: parts.count * 16)
            parts.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            return try joined(parts.map { $0.key + ": " + $0.value }, "{", "}")
        case .optional: throw noOverload("%s", value)
        }
    }

    private mutating func joined(_ parts: [String], _ opening: String, _ closing: String) throws(Fault) -> String {
        try meter.charge(bytes: parts.reduce(2) { $0 + $1.utf8.count + 2 })
        return opening + parts.joined(separator: ", ") + closing
    }

    /// A double as text: the shortest digits that read back as the same number, without an exponent where that is readable.
    static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        let short = "\(number)"
        let magnitude = number.magnitude
        guard let exponent = short.utf8.firstIndex(of: 0x65) else { return short.hasSuffix(".0") ? String(short.dropLast(2)) : short }
        guard magnitude < 1e21, magnitude >= 1e-7 else {
            let mantissa = short[..<exponent]
            return (mantissa.hasSuffix(".0") ? String(mantissa.dropLast(2)) : String(mantissa)) + short[exponent...]
        }
        // The digits, moved by the exponent.
        guard let power = Int(short[short.index(after: exponent)...]) else { return short }
        var digits = Array(short[..<exponent].utf8)
        let isNegative = digits.first == 0x2D
        if isNegative { digits.removeFirst() }
        let whole = digits.firstIndex(of: 0x2E) ?? digits.count
        digits.removeAll { $0 == 0x2E }
        let point = whole + power
        if point <= 0 {
            digits.insert(contentsOf: [0x30, 0x2E] + Array(repeating: 0x30, count: -point), at: 0)
        } else if point >= digits.count {
            digits.append(contentsOf: Array(repeating: 0x30, count: point - digits.count))
        } else {
            digits.insert(0x2E, at: point)
        }
        var text = String(decoding: digits, as: UTF8.self)
        if text.utf8.contains(0x2E) {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return (isNegative ? "-" : "") + text
    }
}

enum Hexadecimal {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        for byte in bytes {
            for digit in [byte >> 4, byte & 0xF] { digits.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
