// A statement: static text, and by that text the identity of a prepared statement.

/// A statement with `$1`, `$2`, … where its parameters go.
///
/// Every distinct text is prepared once per connection and kept, so write statements as literals and pass what varies as parameters:
///
/// ```swift
/// static let due: SQL = "select timer_id from skein.timer where fires_at <= $1 order by fires_at limit $2"
/// ```
public struct SQL: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The statement as the server gets it.
    public let text: String

    /// A statement from a literal.
    public init(stringLiteral text: String) {
        self.text = text
    }

    /// A statement from text made at run time. Use it for few distinct texts: each of them occupies a prepared statement.
    public init(_ text: String) {
        self.text = text
    }

    /// The text.
    public var description: String { text }

    /// Hashes the length and a few samples instead of some kilobytes; equality, which starts with comparing addresses, settles the rest.
    public func hash(into hasher: inout Hasher) {
        let hashed: Void? = text.utf8.withContiguousStorageIfAvailable { utf8 in
            hasher.combine(utf8.count)
            let raw = UnsafeRawBufferPointer(utf8)
            guard raw.count >= 64 else { return hasher.combine(bytes: raw) }
            for part in 1...4 {
                let offset = (raw.count - 8) * part / 4
                hasher.combine(raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            }
        }
        if hashed == nil { hasher.combine(text.utf8.count) }
    }
}
