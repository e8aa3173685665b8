// Replacing what a pattern finds.

/// A parsed replacement: `\0` to `\9` are groups, `\\` is a backslash, everything else is itself.
package struct Replacement: Sendable {
    private enum Piece: Sendable {
        case text([UInt8])
        case group(Int)
    }
    private var pieces: [Piece] = []

    package init(_ text: String, for pattern: Pattern) throws(PatternError) {
        var literal: [UInt8] = []
        var escaped = false
        for byte in text.utf8 {
            if !escaped {
                if byte == 0x5C { escaped = true } else { literal.append(byte) }
                continue
            }
            escaped = false
            switch byte {
            case 0x5C: literal.append(byte)
            case 0x30...0x39:
                let group = Int(byte - 0x30)
                guard group <= pattern.captureCount else {
                    throw PatternError(
                        kind: .replacement,
                        message: "the replacement names group \(group); the pattern has \(pattern.captureCount)")
                }
                if !literal.isEmpty { pieces.append(.text(literal)) }
                literal = []
                pieces.append(.group(group))
            default:
                throw PatternError(kind: .replacement, message: "a backslash in a replacement is followed by a digit or a backslash")
            }
        }
        guard !escaped else { throw PatternError(kind: .replacement, message: "the replacement ends in a single backslash") }
        if !literal.isEmpty { pieces.append(.text(literal)) }
    }

    /// Appends what stands for `match`.
    package func append(to output: inout [UInt8], for match: PatternMatch, in bytes: [UInt8]) {
        for piece in pieces {
            switch piece {
            case .text(let text): output.append(contentsOf: text)
            case .group(let number):
                if match.ranges.indices.contains(number), let range = match.ranges[number] { output.append(contentsOf: bytes[range]) }
            }
        }
    }

    /// How many bytes stand for `match`.
    package func length(for match: PatternMatch) -> Int {
        pieces.reduce(0) { sum, piece in
            switch piece {
            case .text(let text): sum + text.count
            case .group(let number): sum + (match.ranges.indices.contains(number) ? match.ranges[number]?.count ?? 0 : 0)
            }
        }
    }
}

extension Pattern {
    /// The largest result of a replacement, in bytes, unless the caller says otherwise.
    public static let maximumResultBytes = 16 << 20

    /// `text` with the first `count` matches replaced. In `replacement`, `\0` to `\9` are the groups of the match.
    public func replacing(
        in text: String, with replacement: String, count: Int = .max, maximumBytes: Int = Pattern.maximumResultBytes
    ) throws(PatternError) -> String {
        let parsed = try Replacement(replacement, for: self)
        return try replacing(in: Array(text.utf8), with: parsed, count: count, maximumBytes: maximumBytes) {
            (bytes, start) throws(PatternError) in
            var budget = Int.max
            return try self.firstMatch(in: bytes, from: start, budget: &budget)
        }
    }

    /// The same with a search of the caller's, which may count what it spends.
    package func replacing<Failure: Error>(
        in bytes: [UInt8], with replacement: Replacement, count: Int, maximumBytes: Int,
        find: (_ bytes: [UInt8], _ start: Int) throws(Failure) -> PatternMatch?,
        tooLarge: () -> Failure
    ) throws(Failure) -> String {
        var output: [UInt8] = []
        var copied = 0
        var start = 0
        var replaced = 0
        while replaced < count, start <= bytes.count, let match = try find(bytes, start) {
            let range = match.range
            let grown = output.count + max(0, range.lowerBound - copied) + replacement.length(for: match)
            guard grown <= maximumBytes else { throw tooLarge() }
            if range.lowerBound > copied { output.append(contentsOf: bytes[copied..<range.lowerBound]) }
            replacement.append(to: &output, for: match, in: bytes)
            copied = max(copied, range.upperBound)
            start = range.isEmpty ? Self.next(after: range.upperBound, in: bytes) : range.upperBound
            replaced += 1
        }
        guard output.count + bytes.count - copied <= maximumBytes else { throw tooLarge() }
        output.append(contentsOf: bytes[min(copied, bytes.count)...])
        return String(decoding: output, as: UTF8.self)
    }

    private func replacing(
        in bytes: [UInt8], with replacement: Replacement, count: Int, maximumBytes: Int,
        find: (_ bytes: [UInt8], _ start: Int) throws(PatternError) -> PatternMatch?
    ) throws(PatternError) -> String {
        try replacing(
            in: bytes, with: replacement, count: count, maximumBytes: maximumBytes, find: find,
            tooLarge: { PatternError(kind: .tooLarge, message: "the result of the replacement is larger than \(maximumBytes) bytes") })
    }

    /// The start of the next character: an empty match must not be found again.
    package static func next(after position: Int, in bytes: [UInt8]) -> Int {
        var next = position + 1
        while next < bytes.count, bytes[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }
}
