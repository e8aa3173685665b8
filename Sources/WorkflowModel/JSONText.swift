// JSON as text that has been checked once, at the edge, and is passed through as it was received.

/// A JSON document as text. Whoever holds one may rely on it: it is valid, its numbers survive, no key occurs twice in one object,
/// and PostgreSQL can store it.
public struct JSONText: Sendable, Hashable, CustomStringConvertible {
    /// The text, as it was received.
    public let text: String

    /// Takes text that is known to be checked: it comes from our own tables, or from our own writer.
    package init(trusted text: String) { self.text = text }

    /// Checks a document without building a tree.
    public init(checking text: String, limits: JSONLimits = .standard) throws(JSONError) {
        var copy = text
        let result = copy.withUTF8 { bytes in JSONReader.scan(bytes, limits: limits) }
        if let error = result { throw error }
        self.text = copy
    }

    /// Checks a document that came as bytes; they must be UTF-8.
    public init(checking bytes: some Collection<UInt8>, limits: JSONLimits = .standard) throws(JSONError) {
        guard bytes.count <= limits.bytes else { throw JSONError(problem: .tooLarge(limit: limits.bytes), offset: 0) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw JSONError(problem: .notUTF8, offset: 0) }
        try self.init(checking: text, limits: limits)
    }

    /// The compact text of a value.
    public init(_ value: JSONValue) {
        text = JSONWriter.compact(value)
    }

    /// The compact text of a value that was computed; nil when it holds U+0000, which PostgreSQL cannot store.
    package init?(storable value: JSONValue) {
        var buffer = JSONBuffer()
        buffer.write(value)
        guard !buffer.holdsNUL else { return nil }
        text = buffer.finish()
    }

    /// `null`.
    public static let null = JSONText(trusted: "null")

    /// The document as a tree.
    public var value: JSONValue {
        var copy = text
        return copy.withUTF8 { bytes in
            switch JSONReader.parse(bytes, limits: .unlimited) {
            case .success(let value): value
            case .failure: .null
            }
        }
    }

    /// The text.
    public var description: String { text }

    /// Byte equality of the texts.
    public static func == (left: JSONText, right: JSONText) -> Bool { left.text.hasSameBytes(as: right.text) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(KeyBytes(text)) }
}

/// How large a document may be.
public struct JSONLimits: Sendable, Hashable {
    /// The most bytes that a document may have.
    public var bytes: Int
    /// The deepest nesting of arrays and objects.
    public var depth: Int

    /// Limits.
    public init(bytes: Int, depth: Int) {
        self.bytes = bytes
        self.depth = depth
    }

    /// 1 MiB, 200 levels: what the API and the workers accept unless told otherwise.
    public static let standard = JSONLimits(bytes: 1 << 20, depth: 200)
    /// Only for text that has been checked before.
    package static let unlimited = JSONLimits(bytes: .max, depth: 10_000)
}

/// Why a text is no JSON that can be kept.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Problem: Sendable, Hashable {
        /// The grammar is violated; the text says what was expected.
        case syntax(String)
        /// The bytes are not UTF-8.
        case notUTF8
        /// A key occurs twice in one object.
        case duplicateKey(String)
        /// The character U+0000, which PostgreSQL cannot store in text.
        case nulCharacter
        /// Half of a surrogate pair.
        case loneSurrogate
        /// A number that no double can hold.
        case numberOutOfRange
        /// Nested deeper than the limit.
        case tooDeep(limit: Int)
        /// Longer than the limit, in bytes.
        case tooLarge(limit: Int)
    }

    /// What is wrong.
    public let problem: Problem
    /// Where, in bytes from the start.
    public let offset: Int

    /// An error at `offset`.
    public init(problem: Problem, offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    /// A sentence for the sender of the text.
    public var description: String {
        switch problem {
        case .syntax(let expected): "invalid JSON at byte \(offset): \(expected)"
        case .notUTF8: "the text is not UTF-8"
        case .duplicateKey(let key): "the key \"\(key)\" occurs twice in one object (byte \(offset))"
        case .nulCharacter: "the character U+0000 cannot be stored (byte \(offset))"
        case .loneSurrogate: "half of a surrogate pair cannot be stored (byte \(offset))"
        case .numberOutOfRange: "the number at byte \(offset) is out of range"
        case .tooDeep(let limit): "nested deeper than \(limit) levels (byte \(offset))"
        case .tooLarge(let limit): "larger than \(limit) bytes"
        }
    }
}

extension JSONValue {
    /// Parses and checks a document.
    public init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
        var copy = text
        switch copy.withUTF8({ bytes in JSONReader.parse(bytes, limits: limits) }) {
        case .success(let value): self = value
        case .failure(let error): throw error
        }
    }

    /// The compact text, keys in the order of the object.
    public var compactText: String { JSONWriter.compact(self) }

    /// The canonical text (RFC 8785 but for the order of non-BMP keys, which is by code point): for hashes only.
    public var canonicalText: String { JSONWriter.canonical(self) }
}
