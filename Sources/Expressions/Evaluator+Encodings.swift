// Base64, JSON and digests.

import WorkflowModel

extension Evaluator {
    @inline(never)
    mutating func encode(_ function: Function, _ value: Value) throws(Fault) -> Value {
        switch (function, value) {
        case (.base64Encode, .bytes(let bytes)):
            try meter.charge(bytes: bytes.count / 3 * 4 + 4)
            return .string(Base64.encode(bytes))
        case (.base64Decode, .string(let text)):
            try meter.charge(bytes: text.utf8.count)
            guard let bytes = Base64.decode(text) else { throw fault(.evaluation, "the string is not base64") }
            return .bytes(bytes)
        case (.jsonParse, .string(let text)):
            // A tree takes more room than its text: each value of a list or a map has a place of its own.
            let values = text.utf8.reduce(1) { $0 + ($1 == 0x2C || $1 == 0x5B || $1 == 0x7B || $1 == 0x3A ? 1 : 0) }
            try meter.charge(bytes: text.utf8.count + values * 40)
            try meter.work(bytes: text.utf8.count.multipliedReportingOverflow(by: 8).partialValue)
            do {
                return Value(try JSONValue(parsing: text, limits: JSONLimits(bytes: program.limits.bytes, depth: 200)))
            } catch {
                throw fault(.evaluation, "the string is no JSON (byte \(error.offset))")
            }
        case (.jsonFormat, _):
            let text = try json(value).compactText
            try meter.charge(bytes: text.utf8.count)
            return .string(text)
        case (.sha256, .string(let text)):
            try meter.work(bytes: text.utf8.count.multipliedReportingOverflow(by: 8).partialValue)
            return .string(Hexadecimal.text(SHA256.digest(Array(text.utf8))))
        case (.sha256, .bytes(let bytes)):
            try meter.work(bytes: bytes.count.multipliedReportingOverflow(by: 8).partialValue)
            return .string(Hexadecimal.text(SHA256.digest(bytes)))
        default:  // Every other type.
            throw noOverload(function.name + "()", value)
        }
    }

    mutating func json(_ value: Value) throws(Fault) -> JSONValue {
        var conversion = JSONConversion(meter: meter)
        let result = try conversion.convert(value, offset: Int(offset))
        meter = conversion.meter
        return result
    }
}
