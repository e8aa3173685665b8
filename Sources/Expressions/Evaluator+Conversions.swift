// Conversions between types.

import WorkflowModel

extension Evaluator {
    @inline(never)
    mutating func convert(_ function: Function, _ value: Value) throws(Fault) -> Value {
        // A number may be written with any number of zeros.
        if case .string(let text) = value { try meter.work(bytes: text.utf8.count) }
        switch function {
        case .toInt: return .int(try int(value))
        case .toUint: return .uint(try uint(value))
        case .toDouble: return .double(try double(value))
        case .toString: return .string(try string(value))
        case .toBytes: return .bytes(try bytes(value))
        case .toBool: return .bool(try bool(value))
        case .toDuration: return .duration(try duration(value))
        default: return .timestamp(try timestamp(value))  // toTimestamp
        }
    }

    private var outOfRange: Fault { fault(.evaluation, "the number is out of the range of its new type") }

    private func int(_ value: Value) throws(Fault) -> Int64 {
        switch value {
        case .int(let number): return number
        case .uint(let number):
            guard let result = Int64(exactly: number) else { throw outOfRange }
            return result
        case .double(let number):
            // The bounds themselves are out: a double next to 2^63 may have been anything.
            guard number > -0x1p63, number < 0x1p63 else { throw outOfRange }
            return Int64(number)
        case .string(let text):
            guard let result = Int64(text) else { throw fault(.evaluation, "the string is no int") }
            return result
        case .timestamp(let moment): return moment.seconds
        case .duration(let duration): return duration.components.seconds
        case .null, .bool, .bytes, .list, .map, .type, .optional: throw noOverload("int()", value)
        }
    }

    private func uint(_ value: Value) throws(Fault) -> UInt64 {
        switch value {
        case .uint(let number): return number
        case .int(let number):
            guard let result = UInt64(exactly: number) else { throw outOfRange }
            return result
        case .double(let number):
            guard number >= 0, number < 0x1p64 else { throw outOfRange }
            return UInt64(number)
        case .string(let text):
            guard text.utf8.first != 0x2B, let result = UInt64(text) else { throw fault(.evaluation, "the string is no uint") }
            return result
        case .null, .bool, .bytes, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload("uint()", value)
        }
    }

    private func double(_ value: Value) throws(Fault) -> Double {
        switch value {
        case .double(let number): return number
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .string(let text):
            guard let result = Double(text) else { throw fault(.evaluation, "the string is no double") }
            // Digits that are too large are an error; infinity that is asked for is not.
            if result.isInfinite, text.utf8.contains(where: { (0x30...0x39).contains($0) }) { throw outOfRange }
            return result
        case .null, .bool, .bytes, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload("double()", value)
        }
    }

    private mutating func string(_ value: Value) throws(Fault) -> String {
        switch value {
        case .string(let text): return text
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .double(let number): return Self.text(number)
        case .bytes(let bytes):
            try meter.charge(bytes: bytes.count)
            guard let text = String(validating: bytes, as: UTF8.self) else { throw fault(.evaluation, "the bytes are not UTF-8") }
            return text
        case .timestamp(let moment): return moment.text
        case .duration(let duration): return DurationSeconds.text(duration)
        case .null, .list, .map, .type, .optional: throw noOverload("string()", value)
        }
    }

    private mutating func bytes(_ value: Value) throws(Fault) -> [UInt8] {
        switch value {
        case .bytes(let bytes): return bytes
        case .string(let text):
            try meter.charge(bytes: text.utf8.count)
            return Array(text.utf8)
        case .null, .bool, .int, .uint, .double, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload("bytes()", value)
        }
    }

    private func bool(_ value: Value) throws(Fault) -> Bool {
        switch value {
        case .bool(let flag): return flag
        case .string(let text):
            switch text {
            case "1", "t", "T", "true", "TRUE", "True": return true
            case "0", "f", "F", "false", "FALSE", "False": return false
            default: throw fault(.evaluation, "the string is no bool")
            }
        case .null, .int, .uint, .double, .bytes, .list, .map, .timestamp, .duration, .type, .optional: throw noOverload("bool()", value)
        }
    }

    private func duration(_ value: Value) throws(Fault) -> Duration {
        switch value {
        case .duration(let duration): return duration
        case .string(let text):
            guard let duration = DurationSeconds.parse(text) else { throw fault(.evaluation, "the string is no duration of ±292 years") }
            return duration
        case .int(let seconds):
            let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            guard !overflow else { throw outOfRange }
            return .nanoseconds(nanoseconds)
        case .null, .bool, .uint, .double, .bytes, .list, .map, .timestamp, .type, .optional: throw noOverload("duration()", value)
        }
    }

    private func timestamp(_ value: Value) throws(Fault) -> Moment {
        switch value {
        case .timestamp(let moment): return moment
        case .string(let text):
            guard let moment = Moment(text) else {
                throw fault(.evaluation, "the string is no timestamp of the years 1 to 9999 in RFC 3339")
            }
            return moment
        case .int(let seconds):
            guard let moment = Moment(seconds: seconds) else { throw fault(.evaluation, "the timestamp is out of the years 1 to 9999") }
            return moment
        case .null, .bool, .uint, .double, .bytes, .list, .map, .duration, .type, .optional: throw noOverload("timestamp()", value)
        }
    }
}
