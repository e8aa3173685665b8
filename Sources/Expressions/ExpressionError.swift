// Why an expression is refused, or why its evaluation failed.

/// An error of an expression. It names the source, the place and the reason, and never contains data that was evaluated.
public struct ExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong.
    public enum Kind: String, Sendable, Hashable {
        /// The source does not follow the grammar, or a macro is used in a way that it cannot be.
        case syntax
        /// A variable or a function of this name does not exist.
        case unknownName
        /// A map does not have a field of this name, and cannot have one.
        case unknownField
        /// A function was given too many or too few arguments.
        case arity
        /// An operator or a function does not take values of these types.
        case type
        /// The operation failed on these values: a missing field, a division by zero, an overflow, a bad index.
        case evaluation
        /// The source, the evaluation or its result is larger than the limits allow.
        case limit
    }

    /// What went wrong.
    public let kind: Kind
    /// A sentence for the author of the expression.
    public let message: String
    /// Where in `source`, in bytes of UTF-8.
    public let offset: Int
    /// The line in `source`, counted from 1.
    public let line: Int
    /// The column in that line, in characters counted from 1.
    public let column: Int
    /// The expression, without its delimiters.
    public let source: String
    /// In a template: where the text with the expression is, as a JSON pointer (`/headers/authorization`).
    public var path: String?
    /// In a template: where `source` starts in that text, in bytes of UTF-8.
    public var textOffset: Int

    /// An error at a byte offset of `source`.
    public init(kind: Kind, message: String, offset: Int, source: String, path: String? = nil, textOffset: Int = 0) {
        let bytes = source.utf8
        let bounded = min(max(offset, 0), bytes.count)
        let prefix = String(decoding: bytes.prefix(bounded), as: UTF8.self)
        let lineStart = prefix.utf8.lastIndex(of: 0x0A).map { prefix.utf8.index(after: $0) } ?? prefix.startIndex
        self.kind = kind
        self.message = message
        self.offset = bounded
        self.line = prefix.utf8.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        self.column = prefix[lineStart...].count + 1
        self.source = source
        self.path = path
        self.textOffset = textOffset
    }

    /// The name that stands at the place; empty where there is none.
    public var word: String {
        let bytes = source.utf8.dropFirst(offset).prefix { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// How many characters the name at the place has, or 1 where there is none.
    public var wordLength: Int { max(1, word.utf8.count) }

    /// The line of the source and a caret below the place; the middle of a long line. Empty where the source is not known.
    public var excerpt: [String] {
        guard !source.isEmpty else { return [] }
        // Characters stand for one column each, so that the caret is below its place.
        let bytes = Array(source.utf8)
        let start = bytes[..<offset].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let end = bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count
        let text = Array(String(decoding: bytes[start..<end], as: UTF8.self))
        let place = min(column - 1, text.count)
        let lower = text.count <= Self.excerptWidth ? 0 : max(0, min(place - Self.excerptWidth / 3, text.count - Self.excerptWidth))
        let upper = min(text.count, lower + Self.excerptWidth)
        let excerpt = (lower > 0 ? "…" : "") + String(text[lower..<upper]) + (upper < text.count ? "…" : "")
        return [excerpt, String(repeating: " ", count: place - lower + (lower > 0 ? 1 : 0)) + "^"]
    }

    private static let excerptWidth = 100

    /// The reason with the place: `no such key "score" (line 1, column 7)`.
    public var description: String {
        let place = source.isEmpty ? "" : " (line \(line), column \(column))"
        guard let path, !path.isEmpty else { return message + place }
        return "\(path): \(message)\(place)"
    }
}

/// What the parts of this module throw among themselves: an `ExpressionError` that does not know its source yet.
struct Fault: Error {
    var kind: ExpressionError.Kind
    var message: String
    var offset: Int

    func error(in source: String) -> ExpressionError {
        ExpressionError(kind: kind, message: message, offset: offset, source: source)
    }
}
