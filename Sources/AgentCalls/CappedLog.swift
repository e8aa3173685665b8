// The beginning and the end of something that may be endless.

/// Keeps at most `limit` bytes: where it was more, the first and the last half of that.
struct CappedLog: Sendable {
    private let limit: Int
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private var total = 0

    init(limit: Int) { self.limit = max(0, limit) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        total += bytes.count
        let room = max(0, limit - limit / 2 - head.count)
        head.append(contentsOf: bytes.prefix(room))
        tail.append(contentsOf: bytes.dropFirst(room))
        // Cut in large steps, so that a byte is moved about once.
        if tail.count > max(limit, 4096) { tail.removeFirst(tail.count - limit / 2) }
    }

    /// The text; nil where there is none. What is not UTF-8, and U+0000, which cannot be stored, is replaced.
    var text: String? {
        guard total > 0, limit > 0 else { return nil }
        let end = tail.suffix(limit / 2)
        let omitted = total - head.count - end.count
        let bytes = omitted > 0 ? head + Array("\n… \(omitted) bytes left out …\n".utf8) + end : head + end
        return String(String(decoding: bytes, as: UTF8.self).map { character in character == "\0" ? "\u{FFFD}" : character })
    }

    /// The last bytes, for a message.
    func suffix(_ count: Int) -> [UInt8] { Array((head + tail).suffix(count)) }
}
