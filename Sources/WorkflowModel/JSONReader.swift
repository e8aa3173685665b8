// One grammar, two uses: `scan` checks a text without building a tree, `parse` builds it.

enum JSONReader {
    static func scan(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) -> JSONError? {
        guard bytes.count <= limits.bytes else { return JSONError(problem: .tooLarge(limit: limits.bytes), offset: 0) }
        var cursor = JSONCursor(bytes: bytes, depthLimit: limits.depth)
        do throws(JSONError) {
            try cursor.skipValue(depth: 0)
            try cursor.expectEnd()
            return nil
        } catch {
            return error
        }
    }

    static func parse(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) -> Result<JSONValue, JSONError> {
        guard bytes.count <= limits.bytes else { return .failure(JSONError(problem: .tooLarge(limit: limits.bytes), offset: 0)) }
        var cursor = JSONCursor(bytes: bytes, depthLimit: limits.depth)
        do throws(JSONError) {
            let value = try cursor.readValue(depth: 0)
            try cursor.expectEnd()
            return .success(value)
        } catch {
            return .failure(error)
        }
    }
}

private struct JSONCursor {
    let bytes: UnsafeBufferPointer<UInt8>
    let depthLimit: Int
    var position = 0

    func fail(_ problem: JSONError.Problem, at offset: Int? = nil) -> JSONError {
        JSONError(problem: problem, offset: offset ?? position)
    }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    mutating func expectEnd() throws(JSONError) {
        skipSpace()
        if position != bytes.count { throw fail(.syntax("something follows the end of the document")) }
    }

    func checkDepth(_ depth: Int) throws(JSONError) {
        if depth >= depthLimit { throw fail(.tooDeep(limit: depthLimit)) }
    }

    // MARK: Checking

    mutating func skipValue(depth: Int) throws(JSONError) {
        skipSpace()
        guard position < bytes.count else { throw fail(.syntax("a value is expected, the text ends")) }
        switch bytes[position] {
        case 0x22: _ = try string()
        case 0x7B:
            try checkDepth(depth)
            var keys = SeenKeys()
            try members { (cursor, key, offset) throws(JSONError) in
                if !keys.insert(key, in: cursor.bytes) { throw cursor.fail(.duplicateKey(key.text(in: cursor.bytes)), at: offset) }
                try cursor.skipValue(depth: depth + 1)
            }
        case 0x5B:
            try checkDepth(depth)
            try elements { (cursor) throws(JSONError) in try cursor.skipValue(depth: depth + 1) }
        case 0x74: try literal("true")
        case 0x66: try literal("false")
        case 0x6E: try literal("null")
        default: _ = try number()
        }
    }

    // MARK: Building

    mutating func readValue(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw fail(.syntax("a value is expected, the text ends")) }
        switch bytes[position] {
        case 0x22: return .string(try string().text(in: bytes))
        case 0x7B:
            try checkDepth(depth)
            var object = JSONObject()
            try members { (cursor, key, offset) throws(JSONError) in
                let name = key.text(in: cursor.bytes)
                if object.position(of: name) != nil { throw cursor.fail(.duplicateKey(name), at: offset) }
                object.append(name, try cursor.readValue(depth: depth + 1))
            }
            return .object(object)
        case 0x5B:
            try checkDepth(depth)
            var values: [JSONValue] = []
            try elements { (cursor) throws(JSONError) in values.append(try cursor.readValue(depth: depth + 1)) }
            return .array(values)
        case 0x74:
            try literal("true")
            return .bool(true)
        case 0x66:
            try literal("false")
            return .bool(false)
        case 0x6E:
            try literal("null")
            return .null
        default: return try number()
        }
    }

    // MARK: Structure

    mutating func members(
        _ body: (inout JSONCursor, JSONStringSlice, Int) throws(JSONError) -> Void
    ) throws(JSONError) {
        position += 1
        skipSpace()
        if position < bytes.count, bytes[position] == 0x7D {
            position += 1
            return
        }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == 0x22 else { throw fail(.syntax("a key in double quotes is expected")) }
            let offset = position
            let key = try string()
            skipSpace()
            guard position < bytes.count, bytes[position] == 0x3A else { throw fail(.syntax("a colon is expected after the key")) }
            position += 1
            try body(&self, key, offset)
            skipSpace()
            guard position < bytes.count else { throw fail(.syntax("the object is not closed")) }
            if bytes[position] == 0x7D {
                position += 1
                return
            }
            guard bytes[position] == 0x2C else { throw fail(.syntax("a comma or a closing brace is expected")) }
            position += 1
        }
    }

    mutating func elements(_ body: (inout JSONCursor) throws(JSONError) -> Void) throws(JSONError) {
        position += 1
        skipSpace()
        if position < bytes.count, bytes[position] == 0x5D {
            position += 1
            return
        }
        while true {
            try body(&self)
            skipSpace()
            guard position < bytes.count else { throw fail(.syntax("the array is not closed")) }
            if bytes[position] == 0x5D {
                position += 1
                return
            }
            guard bytes[position] == 0x2C else { throw fail(.syntax("a comma or a closing bracket is expected")) }
            position += 1
        }
    }

    mutating func literal(_ word: StaticString) throws(JSONError) {
        let matches =
            position + word.utf8CodeUnitCount <= bytes.count
            && (0..<word.utf8CodeUnitCount).allSatisfy { bytes[position + $0] == word.utf8Start[$0] }
        guard matches else { throw fail(.syntax("unknown word; a value is expected")) }
        position += word.utf8CodeUnitCount
    }

    // MARK: Strings

    mutating func string() throws(JSONError) -> JSONStringSlice {
        position += 1
        let start = position
        var escaped = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x22 {
                let slice = JSONStringSlice(start: start, end: position, escaped: escaped)
                position += 1
                return slice
            }
            if byte == 0x5C {
                escaped = true
                try escape()
            } else if byte < 0x20 {
                throw fail(.syntax("a control character in a string must be escaped"))
            } else {
                position += 1
            }
        }
        throw fail(.syntax("the string is not closed"), at: start - 1)
    }

    private mutating func escape() throws(JSONError) {
        let start = position
        guard position + 1 < bytes.count else { throw fail(.syntax("the string is not closed")) }
        switch bytes[position + 1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 2
        case 0x75:
            guard let unit = JSONStringSlice.hex(bytes, at: position + 2) else {
                throw fail(.syntax("four hexadecimal digits are expected"))
            }
            if unit == 0 { throw fail(.nulCharacter) }
            position += 6
            if unit >= 0xDC00, unit <= 0xDFFF { throw fail(.loneSurrogate, at: start) }
            if unit >= 0xD800, unit <= 0xDBFF {
                guard position + 1 < bytes.count, bytes[position] == 0x5C, bytes[position + 1] == 0x75,
                    let low = JSONStringSlice.hex(bytes, at: position + 2), low >= 0xDC00, low <= 0xDFFF
                else { throw fail(.loneSurrogate, at: start) }
                position += 6
            }
        default: throw fail(.syntax("unknown escape in a string"))
        }
    }

    // MARK: Numbers

    // PostgreSQL keeps at most so many digits behind the decimal point, and refuses the document otherwise.
    private static let scaleLimit = 16_383
    private static let exponentLimit = 16_383

    mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        let negative = bytes[position] == 0x2D
        if negative { position += 1 }
        var magnitude: UInt64 = 0
        var overflow = false
        let firstDigit = position
        while let digit = digit() {
            let (scaled, first) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, second) = scaled.addingReportingOverflow(UInt64(digit))
            overflow = overflow || first || second
            magnitude = sum
        }
        guard position > firstDigit else { throw fail(.syntax("a value is expected"), at: start) }
        if bytes[firstDigit] == 0x30, position > firstDigit + 1 { throw fail(.syntax("a number must not begin with 0"), at: start) }
        var isInteger = true
        var isZero = magnitude == 0 && !overflow
        // Digits behind the decimal point, once the exponent is worked in.
        var scale = 0
        if position < bytes.count, bytes[position] == 0x2E {
            isInteger = false
            position += 1
            let from = position
            while let digit = digit() { isZero = isZero && digit == 0 }
            guard position > from else { throw fail(.syntax("digits are expected after the decimal point")) }
            scale = position - from
        }
        if position < bytes.count, bytes[position] | 0x20 == 0x65 {
            isInteger = false
            position += 1
            let shrinks = position < bytes.count && bytes[position] == 0x2D
            if position < bytes.count, bytes[position] == 0x2B || shrinks { position += 1 }
            let from = position
            var exponent = 0
            while let digit = digit() { exponent = min(exponent * 10 + Int(digit), Self.exponentLimit + 1) }
            guard position > from else { throw fail(.syntax("digits are expected in the exponent")) }
            guard exponent <= Self.exponentLimit else { throw fail(.numberOutOfRange, at: start) }
            scale += shrinks ? exponent : -exponent
        }
        if isInteger, !overflow {
            if !negative, magnitude <= UInt64(Int64.max) { return .int(Int64(magnitude)) }
            if negative, magnitude <= UInt64(Int64.max) + 1 { return .int(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        guard let value = Double(text), value.isFinite, isZero || value != 0, scale <= Self.scaleLimit else {
            throw fail(.numberOutOfRange, at: start)
        }
        return .double(value)
    }

    private mutating func digit() -> UInt8? {
        guard position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 else { return nil }
        defer { position += 1 }
        return bytes[position] - 0x30
    }
}

// Where a string's characters are, between the quotes.
private struct JSONStringSlice {
    let start: Int
    let end: Int
    let escaped: Bool

    static func hex(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> UInt32? {
        guard offset + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
            case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
            default: return nil
            }
        }
        return value
    }

    func text(in bytes: UnsafeBufferPointer<UInt8>) -> String {
        let slice = UnsafeBufferPointer(rebasing: bytes[start..<end])
        guard escaped else { return String(decoding: slice, as: UTF8.self) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(slice.count)
        var index = 0
        while index < slice.count {
            guard slice[index] == 0x5C else {
                decoded.append(slice[index])
                index += 1
                continue
            }
            switch slice[index + 1] {
            case 0x62: decoded.append(0x08)
            case 0x66: decoded.append(0x0C)
            case 0x6E: decoded.append(0x0A)
            case 0x72: decoded.append(0x0D)
            case 0x74: decoded.append(0x09)
            case 0x75:
                var scalar = Self.hex(slice, at: index + 2) ?? 0xFFFD
                if scalar >= 0xD800, scalar <= 0xDBFF, let low = Self.hex(slice, at: index + 8) {
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
                    index += 6
                }
                decoded.append(contentsOf: String(Unicode.Scalar(scalar).map(Character.init) ?? "\u{FFFD}").utf8)
                index += 4
            default: decoded.append(slice[index + 1])
            }
            index += 2
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}

// The keys of one object so far: a few are compared one by one, many are hashed, so that no object costs quadratic time.
private struct SeenKeys {
    private var few: [JSONStringSlice] = []
    private var many: Set<KeyBytes> = []
    private static let linearLimit = 16

    mutating func insert(_ key: JSONStringSlice, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if few.count < Self.linearLimit {
            for seen in few where same(seen, key, bytes) { return false }
            few.append(key)
            if few.count == Self.linearLimit { many = Set(few.map { KeyBytes($0.text(in: bytes)) }) }
            return true
        }
        return many.insert(KeyBytes(key.text(in: bytes))).inserted
    }

    private func same(_ left: JSONStringSlice, _ right: JSONStringSlice, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if left.escaped || right.escaped { return left.text(in: bytes).hasSameBytes(as: right.text(in: bytes)) }
        return left.end - left.start == right.end - right.start
            && bytes[left.start..<left.end].elementsEqual(bytes[right.start..<right.end])
    }
}
