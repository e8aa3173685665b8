// What a search found.

/// A match and its groups.
public struct PatternMatch: Sendable {
    private let bytes: [UInt8]
    /// Where the groups are, in bytes from the start of the text; group 0 is the whole match, nil a group that took no part.
    public let ranges: [Range<Int>?]

    package init(bytes: [UInt8], ranges: [Range<Int>?]) {
        self.bytes = bytes
        self.ranges = ranges
    }

    /// Where the whole match is.
    public var range: Range<Int> { (ranges.first ?? nil) ?? 0..<0 }

    /// The text of a group; nil when it took no part, or when there is no such group.
    public func group(_ number: Int) -> String? {
        guard ranges.indices.contains(number), let range = ranges[number] else { return nil }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// The texts of the groups, without the whole match.
    public var captures: [String?] { ranges.indices.dropFirst().map { group($0) } }
}
