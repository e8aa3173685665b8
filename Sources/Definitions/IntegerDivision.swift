// Finds `1 / 2` in an expression: two whole numbers as literals, whose quotient is a whole number too.

enum IntegerDivision {
    /// Where in the source such a division sign stands, in bytes.
    static func offsets(in source: String) -> [Int] {
        let bytes = Array(source.utf8)
        guard bytes.contains(0x2F) else { return [] }
        var found: [Int] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x22, 0x27: index = end(ofTextAt: index, in: bytes)
            case 0x2F where endsWithInteger(bytes[..<index]) && beginsWithInteger(bytes[(index + 1)...]):
                found.append(index)
                index += 1
            default: index += 1
            }
        }
        return found
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == 0x5F || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
    }

    private static func endsWithInteger(_ bytes: ArraySlice<UInt8>) -> Bool {
        let word = bytes.reversed().drop { $0 <= 0x20 }
        let digits = word.prefix(while: isDigit)
        guard !digits.isEmpty else { return false }
        return word.dropFirst(digits.count).first.map { !isWord($0) && $0 != 0x2E } ?? true
    }

    private static func beginsWithInteger(_ bytes: ArraySlice<UInt8>) -> Bool {
        let word = bytes.drop { $0 <= 0x20 }
        let digits = word.prefix(while: isDigit)
        guard !digits.isEmpty else { return false }
        return word.dropFirst(digits.count).first.map { !isWord($0) && $0 != 0x2E } ?? true
    }

    private static func end(ofTextAt start: Int, in bytes: [UInt8]) -> Int {
        let quote = bytes[start]
        var index = start + 1
        while index < bytes.count, bytes[index] != quote { index += bytes[index] == 0x5C ? 2 : 1 }
        return min(index, bytes.count) + 1
    }
}
