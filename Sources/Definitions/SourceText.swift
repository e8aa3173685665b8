// A workflow file as text: its lines, and the way between byte offsets and positions.

/// The bytes of a file and where its lines begin. A line ends with LF, CR LF or CR.
struct SourceText: Sendable {
    let bytes: [UInt8]
    private let lineStarts: [Int]

    /// Takes a text; a byte order mark in front is left out.
    init(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        var starts = [0]
        var index = 0
        while index < bytes.count {
            index += 1
            switch bytes[index - 1] {
            case 0x0A: starts.append(index)
            case 0x0D:
                if index < bytes.count, bytes[index] == 0x0A { index += 1 }
                starts.append(index)
            default: break
            }
        }
        self.bytes = bytes
        lineStarts = starts
    }

    /// The text as a string.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// How many lines there are.
    var lineCount: Int { lineStarts.count }

    /// The position of a byte.
    func position(of offset: Int) -> SourcePosition {
        let offset = min(max(offset, 0), bytes.count)
        var low = 0
        var high = lineStarts.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let column = bytes[lineStarts[low]..<offset].count { $0 & 0xC0 != 0x80 }
        return SourcePosition(line: low + 1, column: column + 1)
    }

    /// The byte at a position; the end of the line where the column lies beyond it.
    func offset(of position: SourcePosition) -> Int {
        guard position.line >= 1 else { return 0 }
        guard position.line <= lineStarts.count else { return bytes.count }
        var offset = lineStarts[position.line - 1]
        let end = position.line < lineStarts.count ? lineStarts[position.line] : bytes.count
        var remaining = position.column - 1
        while remaining > 0, offset < end {
            offset += 1
            while offset < end, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
            remaining -= 1
        }
        return offset
    }

    /// A line without its break; empty where there is no such line.
    func line(_ number: Int) -> String {
        guard number >= 1, number <= lineStarts.count else { return "" }
        let start = lineStarts[number - 1]
        var end = number < lineStarts.count ? lineStarts[number] : bytes.count
        while end > start, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }
}
