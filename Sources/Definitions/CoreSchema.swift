// What an unquoted YAML scalar means: the core schema of YAML 1.2, and nothing of YAML 1.1's `yes`, `1_000` and `12:30:45`.

import WorkflowModel

enum CoreSchema {
    /// The value of a plain scalar. Nil where it is a number that cannot be kept (`.inf`, `.nan`, too large).
    static func resolve(_ text: String) -> JSONValue? {
        let bytes = Array(text.utf8)
        guard let first = bytes.first else { return .null }
        switch first {
        case 0x7E, 0x6E, 0x4E, 0x74, 0x54, 0x66, 0x46: return word(text)
        case 0x2B, 0x2D, 0x2E, 0x30...0x39: return number(bytes, text)
        default: return .string(text)
        }
    }

    /// Whether YAML 1.1 took the text for a boolean.
    static func isOldBoolean(_ text: String) -> Bool {
        switch text {
        case "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF": true
        default: false
        }
    }

    /// Whether the text is a whole number with a zero in front.
    static func hasLeadingZero(_ text: String) -> Bool {
        let digits = text.utf8.first == 0x2D || text.utf8.first == 0x2B ? text.utf8.dropFirst() : text.utf8[...]
        return digits.count > 1 && digits.first == 0x30 && digits.allSatisfy(isDigit)
    }

    private static func word(_ text: String) -> JSONValue {
        switch text {
        case "null", "Null", "NULL", "~": .null
        case "true", "True", "TRUE": .bool(true)
        case "false", "False", "FALSE": .bool(false)
        default: .string(text)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func number(_ bytes: [UInt8], _ text: String) -> JSONValue? {
        if bytes.count > 2, bytes[0] == 0x30, bytes[1] == 0x6F || bytes[1] == 0x78 {
            let radix = bytes[1] == 0x6F ? 8 : 16
            guard bytes.dropFirst(2).allSatisfy({ Character(Unicode.Scalar($0)).hexDigitValue.map { $0 < radix } ?? false }) else {
                return .string(text)
            }
            return Int64(text.dropFirst(2), radix: radix).map { .int($0) }
        }
        let signed = bytes[0] == 0x2B || bytes[0] == 0x2D
        var rest = signed ? bytes.dropFirst() : bytes[...]
        if rest.elementsEqual([0x2E, 0x69, 0x6E, 0x66]) || (!signed && rest.elementsEqual([0x2E, 0x6E, 0x61, 0x6E])) { return nil }
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        if rest.isEmpty, !whole.isEmpty {
            let digits = bytes[0] == 0x2B ? String(text.dropFirst()) : text
            if let value = Int64(digits) { return .int(value) }
            return finite(digits)
        }
        var fraction = 0
        if rest.first == 0x2E {
            fraction = rest.dropFirst().prefix(while: isDigit).count
            rest = rest.dropFirst(fraction + 1)
        }
        guard !whole.isEmpty || fraction > 0 else { return .string(text) }
        if let letter = rest.first, letter | 0x20 == 0x65 {
            rest = rest.dropFirst()
            if rest.first == 0x2B || rest.first == 0x2D { rest = rest.dropFirst() }
            let exponent = rest.prefix(while: isDigit).count
            guard exponent > 0 else { return .string(text) }
            rest = rest.dropFirst(exponent)
        }
        guard rest.isEmpty else { return .string(text) }
        return finite(text)
    }

    private static func finite(_ text: String) -> JSONValue? {
        guard let value = Double(text), value.isFinite else { return nil }
        return .double(value)
    }
}
