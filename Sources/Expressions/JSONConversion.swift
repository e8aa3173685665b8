// Values as JSON.

public import WorkflowModel

extension Value {
    /// This value as JSON: bytes become base64, timestamps RFC 3339, durations seconds (`1.5s`), an optional its value.
    ///
    /// What JSON cannot hold is an error: an optional without a value, a type, infinite numbers, keys that are no strings.
    public func json(limits: ExpressionLimits = .standard) throws(ExpressionError) -> JSONValue {
        var conversion = JSONConversion(meter: Meter(limits))
        do { return try conversion.convert(self, offset: 0) } catch { throw error.error(in: "") }
    }
}

/// Turns values into JSON, on a meter: a value that is built of itself over and over may be large beyond measure.
struct JSONConversion {
    var meter: Meter

    mutating func convert(_ value: Value, offset: Int) throws(Fault) -> JSONValue {
        switch value {
        // As it came; its size is known to whoever let it in.
        case .list(.json(let values)): return .array(values)
        case .map(.json(let object)): return .object(object)
        case .null, .bool, .int, .uint, .double, .string, .bytes, .list, .map, .timestamp, .duration, .type, .optional:
            do {
                return try convert(value, depth: 0)
            } catch {
                throw error.offset < 0 ? Fault(kind: error.kind, message: error.message, offset: offset) : error
            }
        }
    }

    private mutating func convert(_ value: Value, depth: Int) throws(Fault) -> JSONValue {
        guard depth <= Evaluator.valueDepth else {
            throw Fault(kind: .limit, message: "a value is nested deeper than \(Evaluator.valueDepth) levels", offset: -1)
        }
        try meter.charge(bytes: 16)
        switch value {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .uint(let number): return Int64(exactly: number).map { .int($0) } ?? .double(Double(number))
        case .double(let number):
            guard number.isFinite else { throw cannot("an infinite number or NaN") }
            return .double(number)
        case .string(let text):
            try meter.charge(bytes: text.utf8.count)
            return .string(text)
        case .bytes(let bytes):
            try meter.charge(bytes: bytes.count / 3 * 4 + 4)
            return .string(Base64.encode(bytes))
        case .timestamp(let moment): return .string(moment.text)
        case .duration(let duration): return .string(DurationSeconds.text(duration))
        case .list(.json(let values)):
            for element in values { try measure(element) }
            return .array(values)
        case .list(.values(let values)):
            var array: [JSONValue] = []
            array.reserveCapacity(values.count)
            for element in values { array.append(try convert(element, depth: depth + 1)) }
            return .array(array)
        case .map(.json(let object)):
            try measure(.object(object))
            return .object(object)
        case .map(.entries(let entries)):
            var object = JSONObject()
            for (key, element) in zip(entries.keys, entries.values) {
                guard case .string(let name) = key else { throw cannot("a map with a key of type \(key.typeName.words)") }
                try meter.charge(bytes: name.utf8.count + 32)
                if object.position(of: name) == nil { object.append(name, try convert(element, depth: depth + 1)) }
            }
            return .object(object)
        case .optional(.some(let content)): return try convert(content, depth: depth + 1)
        case .optional(nil): throw cannot("an optional without a value; give it one with .orValue(…)")
        case .type: throw cannot("a type")
        }
    }

    // JSON that is put into a larger value: it is shared, and written out each time.
    private mutating func measure(_ json: JSONValue) throws(Fault) {
        switch json {
        case .null, .bool, .int, .double: try meter.charge(bytes: 8)
        case .string(let text): try meter.charge(bytes: text.utf8.count + 2)
        case .array(let values):
            try meter.charge(bytes: 8)
            for element in values { try measure(element) }
        case .object(let object):
            try meter.charge(bytes: 8)
            for (key, element) in object.members {
                try meter.charge(bytes: key.utf8.count)
                try measure(element)
            }
        }
    }

    private func cannot(_ what: String) -> Fault {
        Fault(kind: .type, message: "JSON cannot hold \(what)", offset: -1)
    }
}
