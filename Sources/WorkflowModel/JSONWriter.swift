// Writes JSON: compact for storage and transport, canonical for hashes.

enum JSONWriter {
    static func compact(_ value: JSONValue) -> String {
        var writer = JSONBuffer(sorted: false)
        writer.write(value)
        return writer.finish()
    }

    static func canonical(_ value: JSONValue) -> String {
        var writer = JSONBuffer(sorted: true)
        writer.write(value)
        return writer.finish()
    }
}

/// Puts a JSON document together from values and from texts that are already JSON, without a tree in between.
package struct JSONBuffer {
    private var bytes: [UInt8] = []
    private let sorted: Bool
    // Whether a string held U+0000, which PostgreSQL cannot store.
    package private(set) var holdsNUL = false

    package init(sorted: Bool = false) { self.sorted = sorted }

    package func finish() -> String { String(decoding: bytes, as: UTF8.self) }

    package mutating func write(_ value: JSONValue) {
        switch value {
        case .null: raw("null")
        case .bool(let value): raw(value ? "true" : "false")
        case .int(let value): raw(String(value))
        case .double(let value): raw(Self.text(of: value))
        case .string(let value): string(value)
        case .array(let values):
            bytes.append(0x5B)
            for (index, element) in values.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                write(element)
            }
            bytes.append(0x5D)
        case .object(let object):
            bytes.append(0x7B)
            let order =
                sorted
                ? object.keys.indices.sorted { object.keys[$0].utf8.lexicographicallyPrecedes(object.keys[$1].utf8) }
                : Array(object.keys.indices)
            for (index, position) in order.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                string(object.keys[position])
                bytes.append(0x3A)
                write(object.values[position])
            }
            bytes.append(0x7D)
        }
    }

    package mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    package mutating func string(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22: raw("\\\"")
            case 0x5C: raw("\\\\")
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case 0x00..<0x20:
                if byte == 0 { holdsNUL = true }
                raw("\\u00")
                for digit in [byte >> 4, byte & 0xF] { bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    // The shortest digits that read back as the same number; a whole number keeps its point, so that it stays a double.
    private static func text(of value: Double) -> String {
        guard value.isFinite else { return "null" }
        return "\(value)"
    }
}
