// Where a character of a scalar's value stands in the file: the value is laid over the source, step by step.

enum ScalarPositions {
    /// The position of the byte `offset` of the scalar's text. Where value and source cannot be laid over each other, the scalar's own.
    static func position(ofByte offset: Int, in node: DocumentNode, _ source: SourceText) -> SourcePosition {
        let text = Array(node.text.utf8)
        let bytes = source.bytes
        var place = source.offset(of: node.position)
        var index = 0
        switch node.style {
        case .plain: break
        case .singleQuoted, .doubleQuoted: place += 1
        case .literal, .folded:
            while place < bytes.count, bytes[place] != 0x0A, bytes[place] != 0x0D { place += 1 }
        }
        let target = min(offset, text.count)
        if node.style == .literal || node.style == .folded {
            skipSpace(bytes, &place)
            while index < target, isSpace(text[index]) { index += 1 }
        }
        while index < target {
            guard place < bytes.count else { return node.position }
            if isSpace(text[index]), isSpace(bytes[place]) {
                while index < target, isSpace(text[index]) { index += 1 }
                skipSpace(bytes, &place)
            } else if node.style == .doubleQuoted, bytes[place] == 0x5C {
                guard let step = escape(bytes, place) else { return node.position }
                place += step.source
                index += step.value
            } else if node.style == .singleQuoted, bytes[place] == 0x27 {
                place += 2
                index += 1
            } else if text[index] == bytes[place] {
                place += 1
                index += 1
            } else {
                return node.position
            }
        }
        return source.position(of: place)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private static func skipSpace(_ bytes: [UInt8], _ place: inout Int) {
        while place < bytes.count, isSpace(bytes[place]) { place += 1 }
    }

    // How many bytes an escape takes in the source, and how many its meaning takes in the value.
    private static func escape(_ bytes: [UInt8], _ place: Int) -> (source: Int, value: Int)? {
        guard place + 1 < bytes.count else { return nil }
        func hexadecimal(_ digits: Int, at start: Int) -> UInt32? {
            guard start + digits <= bytes.count else { return nil }
            return UInt32(String(decoding: bytes[start..<start + digits], as: UTF8.self), radix: 16)
        }
        func width(_ value: UInt32) -> Int { Unicode.Scalar(value).map { UTF8.width($0) } ?? 3 }
        switch bytes[place + 1] {
        case 0x0A, 0x0D:
            var end = place + 1
            skipSpace(bytes, &end)
            return (end - place, 0)
        case 0x78: return hexadecimal(2, at: place + 2).map { (4, width($0)) }
        case 0x75:
            guard let high = hexadecimal(4, at: place + 2) else { return nil }
            return high >= 0xD800 && high <= 0xDBFF ? (12, 4) : (6, width(high))
        case 0x55: return hexadecimal(8, at: place + 2).map { (10, width($0)) }
        case 0x4E, 0x5F: return (2, 2)
        case 0x4C, 0x50: return (2, 3)
        default: return (2, 1)
        }
    }
}
