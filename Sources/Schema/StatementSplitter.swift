// Takes a file apart into statements, for files whose statements may not share a transaction.

/// Knows what hides a semicolon: quotes, dollar quotes and comments.
enum StatementSplitter {
    /// The statements of `text`, without their semicolons; comments between them are dropped.
    static func statements(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        var found: [String] = []
        var start = 0
        var position = 0
        var hasContent = false

        func finish(at end: Int) {
            if hasContent { found.append(String(decoding: bytes[start..<end], as: UTF8.self)) }
            start = end + 1
            hasContent = false
        }

        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: ";"):
                finish(at: position)
                position += 1
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                hasContent = true
                position = afterQuote(bytes, from: position)
            case UInt8(ascii: "-") where next(bytes, position) == UInt8(ascii: "-"):
                position = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                if !hasContent { start = position }
            case UInt8(ascii: "/") where next(bytes, position) == UInt8(ascii: "*"):
                position = afterComment(bytes, from: position)
                if !hasContent { start = position }
            case UInt8(ascii: "$"):
                hasContent = true
                position = afterDollarQuote(bytes, from: position)
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                position += 1
                if !hasContent { start = position }
            default:
                hasContent = true
                position += 1
            }
        }
        finish(at: bytes.count)
        return found
    }

    private static func next(_ bytes: [UInt8], _ position: Int) -> UInt8? {
        position + 1 < bytes.count ? bytes[position + 1] : nil
    }

    /// A doubled quote ends one piece and begins the next, which comes to the same.
    private static func afterQuote(_ bytes: [UInt8], from start: Int) -> Int {
        bytes[(start + 1)...].firstIndex(of: bytes[start]).map { $0 + 1 } ?? bytes.count
    }

    /// Comments in slashes nest.
    private static func afterComment(_ bytes: [UInt8], from start: Int) -> Int {
        var depth = 0
        var position = start
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "/") && next(bytes, position) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if bytes[position] == UInt8(ascii: "*") && next(bytes, position) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
                if depth == 0 { return position }
            } else {
                position += 1
            }
        }
        return position
    }

    /// `$tag$ … $tag$`; a dollar sign that begins no such thing is only itself.
    private static func afterDollarQuote(_ bytes: [UInt8], from start: Int) -> Int {
        func isTagByte(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: "_") || byte >= 128 || (byte | 32 >= UInt8(ascii: "a") && byte | 32 <= UInt8(ascii: "z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
        }
        guard let end = bytes[(start + 1)...].firstIndex(where: { !isTagByte($0) }), bytes[end] == UInt8(ascii: "$") else {
            return start + 1
        }
        let tag = bytes[start...end]
        var position = end + 1
        while position + tag.count <= bytes.count {
            if bytes[position] == UInt8(ascii: "$") && bytes[position..<position + tag.count].elementsEqual(tag) {
                return position + tag.count
            }
            position += 1
        }
        return bytes.count
    }
}
