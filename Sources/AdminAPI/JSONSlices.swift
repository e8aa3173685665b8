// The parts of a JSON document as the texts that they are: nothing below the first level is looked at.

import WorkflowModel

/// Cuts a checked document at its first level.
enum JSONSlices {
    /// The members of an object, in order; nil for anything else.
    static func members(of document: JSONText) -> [(key: String, value: JSONText)]? {
        var cutter = Cutter(document)
        guard cutter.skip(0x7B) else { return nil }
        var members: [(String, JSONText)] = []
        while !cutter.skip(0x7D) {
            _ = cutter.skip(0x2C)
            let key = cutter.value()
            _ = cutter.skip(0x3A)
            members.append((key.value.stringValue ?? "", cutter.value()))
        }
        return members
    }

    /// The elements of an array, in order; nil for anything else.
    static func elements(of document: JSONText) -> [JSONText]? {
        var cutter = Cutter(document)
        guard cutter.skip(0x5B) else { return nil }
        var elements: [JSONText] = []
        while !cutter.skip(0x5D) {
            _ = cutter.skip(0x2C)
            elements.append(cutter.value())
        }
        return elements
    }
}

/// Walks over a document that is known to be valid.
private struct Cutter {
    private let bytes: [UInt8]
    private var position = 0

    init(_ document: JSONText) { bytes = Array(document.text.utf8) }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] == 0x20 || (bytes[position] >= 0x09 && bytes[position] <= 0x0D) { position += 1 }
    }

    /// Whether the next character was `byte`. At the end everything is, so that no loop runs on.
    mutating func skip(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count else { return true }
        guard bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func value() -> JSONText {
        skipSpace()
        let start = position
        var depth = 0
        var inString = false
        scan: while position < bytes.count {
            let byte = bytes[position]
            if inString {
                if byte == 0x5C {
                    position += 1
                } else if byte == 0x22 {
                    inString = false
                    if depth == 0 {
                        position += 1
                        break scan
                    }
                }
            } else {
                switch byte {
                case 0x22: inString = true
                case 0x7B, 0x5B: depth += 1
                case 0x7D, 0x5D:
                    if depth == 0 { break scan }
                    depth -= 1
                    if depth == 0 {
                        position += 1
                        break scan
                    }
                case 0x2C, 0x3A, 0x20, 0x09, 0x0A, 0x0D:
                    if depth == 0 { break scan }
                default: break
                }
            }
            position += 1
        }
        return JSONText(trusted: String(decoding: bytes[start..<min(position, bytes.count)], as: UTF8.self))
    }
}
