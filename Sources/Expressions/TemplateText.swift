// Finds the expressions in a text: `Dear ${{ input.name }}`.

/// A text, cut into what is literal and what are expressions.
struct TemplateText {
    enum Piece {
        case literal(String)
        /// The source between the delimiters, without the blanks around it, and where it starts in the text.
        case expression(source: String, offset: Int)
    }

    let pieces: [Piece]
    /// The text is one expression and nothing else.
    let isWhole: Bool

    private static let opening = Array("${{".utf8)

    /// Whether there is anything to find. False for nearly all texts.
    static func mayHoldExpressions(_ text: String) -> Bool {
        var previous: (UInt8, UInt8) = (0, 0)
        for byte in text.utf8 {
            if byte == 0x7B, previous.1 == 0x7B, previous.0 == 0x24 { return true }
            previous = (previous.1, byte)
        }
        return false
    }

    /// Cuts a text. `$${{` is a literal `${{`. An expression ends at the first `}}` that its own words and braces leave over.
    init(_ text: String) throws(ExpressionError) {
        let bytes = Array(text.utf8)
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == 0x24, bytes[position...].dropFirst().starts(with: Self.opening) {
                literal.append(contentsOf: Self.opening)
                position += 4
            } else if bytes[position...].starts(with: Self.opening) {
                if !literal.isEmpty { pieces.append(.literal(String(decoding: literal, as: UTF8.self))) }
                literal = []
                let expression = try Self.expression(bytes, after: position + 3)
                pieces.append(.expression(source: expression.source, offset: expression.offset))
                position = expression.end
            } else {
                literal.append(bytes[position])
                position += 1
            }
        }
        if !literal.isEmpty { pieces.append(.literal(String(decoding: literal, as: UTF8.self))) }
        self.pieces = pieces
        if pieces.count == 1, case .expression = pieces[0] { isWhole = true } else { isWhole = false }
    }

    // The source up to the closing braces, found by reading its words: braces in strings and maps do not close it.
    private static func expression(_ bytes: [UInt8], after start: Int) throws(ExpressionError) -> (source: String, offset: Int, end: Int) {
        var lexer = Lexer(bytes, from: start)
        var depth = 0
        while true {
            let token: Token
            let offset: Int
            do {
                (token, offset) = try lexer.next()
            } catch {
                let rest = String(decoding: bytes[start...], as: UTF8.self)
                throw ExpressionError(
                    kind: error.kind, message: error.message, offset: error.offset - start, source: rest, textOffset: start)
            }
            switch token {
            case .symbol(.leftBrace): depth += 1
            case .symbol(.rightBrace) where depth > 0: depth -= 1
            case .symbol(.rightBrace) where offset + 1 < bytes.count && bytes[offset + 1] == 0x7D:
                var lower = start
                while lower < offset, Self.isBlank(bytes[lower]) { lower += 1 }
                var upper = offset
                while upper > lower, Self.isBlank(bytes[upper - 1]) { upper -= 1 }
                return (String(decoding: bytes[lower..<upper], as: UTF8.self), lower, offset + 2)
            case .end:
                let rest = String(decoding: bytes[start...], as: UTF8.self)
                throw ExpressionError(
                    kind: .syntax, message: "\"${{\" is not closed by \"}}\"", offset: rest.utf8.count, source: rest, textOffset: start)
            case .symbol, .identifier, .quotedIdentifier, .int, .uint, .double, .string, .bytes: break
            }
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
}

/// The expression in a field that takes one with or without `${{ … }}` around it: `if`, `until`, `while`, `match`.
public func bareExpression(_ text: String) throws(ExpressionError) -> String {
    let trimmed = text.unicodeScalars.drop { $0.properties.isWhitespace }
    guard String(trimmed).utf8.starts(with: "${{".utf8) else {
        if text.utf8.reversed().drop(while: { $0 <= 0x20 }).starts(with: "}}".utf8), !isClosedByItself(text) {
            throw ExpressionError(
                kind: .syntax, message: "\"}}\" closes nothing; write ${{ … }} around the expression, or nothing at all",
                offset: text.utf8.count, source: text)
        }
        return text
    }
    var inner = String(trimmed)
    while let last = inner.unicodeScalars.last, last.properties.isWhitespace { inner.unicodeScalars.removeLast() }
    let parsed = try TemplateText(inner)
    guard parsed.isWhole, case .expression(let source, _) = parsed.pieces[0] else {
        throw ExpressionError(
            kind: .syntax, message: "this field takes one expression and no text around it", offset: 0, source: text)
    }
    return source
}

// Whether the braces at the end belong to maps that the text opened.
private func isClosedByItself(_ text: String) -> Bool {
    var lexer = Lexer(Array(text.utf8))
    var depth = 0
    while let (token, _) = try? lexer.next() {
        switch token {
        case .symbol(.leftBrace): depth += 1
        case .symbol(.rightBrace):
            depth -= 1
            if depth < 0 { return false }
        case .end: return true
        case .symbol, .identifier, .quotedIdentifier, .int, .uint, .double, .string, .bytes: break
        }
    }
    return true
}
