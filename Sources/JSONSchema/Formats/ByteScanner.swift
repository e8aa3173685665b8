// Reads ASCII texts byte by byte, for the formats.

struct ByteScanner {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ text: String) { self.init(Array(text.utf8)[...]) }

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var isAtEnd: Bool { position == bytes.endIndex }
    var peek: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    mutating func next() -> UInt8? {
        guard position < bytes.endIndex else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func skip(if accepts: (UInt8) -> Bool) -> Bool {
        guard let byte = peek, accepts(byte) else { return false }
        position += 1
        return true
    }

    mutating func skip(_ byte: UInt8) -> Bool { skip { $0 == byte } }

    mutating func skip(_ scalar: Unicode.Scalar) -> Bool { skip { UInt32($0) == scalar.value } }

    /// The value of exactly `count` digits; nil where there are fewer.
    mutating func digits(_ count: Int) -> Int? {
        var value = 0
        for _ in 0..<count {
            guard let byte = next(), byte.isASCIIDigit else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    /// Skips as many as fit; tells how many.
    mutating func skipAll(_ accepts: (UInt8) -> Bool) -> Int {
        let start = position
        while let byte = peek, accepts(byte) { position += 1 }
        return position - start
    }
}
