// Regular expressions that come from users: PCRE2 with a bound on everything.
//
// The platform's own regular expressions are never used for these: `^(a+)+$` keeps them busy for minutes.

import CPCRE2

/// A compiled regular expression. It searches; anchor it with `^` and `$` to match whole texts.
///
/// `\d`, `\w` and `\s` are ASCII, `.` does not match a line feed, `$` matches only at the very end. What a search does is counted and
/// bounded, in time and in memory, so that no pattern can keep a thread busy.
///
/// `@unchecked Sendable` is true because the compiled code is never written after `init`: PCRE2 documents compiled
/// patterns as shareable between threads, and every search has match data of its own.
public final class Pattern: @unchecked Sendable {
    /// How a pattern reads escapes and classes.
    public enum Dialect: Sendable, Hashable {
        /// PCRE2's own reading, a superset of RE2's syntax.
        case standard
        /// As ECMA-262 does it, for JSON Schema: `\uXXXX`, `[]` and `[^]`, references to groups that took no part.
        case javaScript
    }

    /// The longest pattern, in bytes.
    public static let maximumSourceBytes = 1024
    /// How much a search may do, in units: an item of the pattern that is tried at a place is one, and so are eight bytes that it moves over.
    public static let searchLimit = 100_000
    /// How much more it may do for each byte of the text.
    public static let searchLimitPerByte = 8
    /// How much memory a search may take for backtracking, in KiB.
    public static let heapLimitKiB = 4096

    /// The pattern as it was written.
    public let source: String
    /// How many groups capture.
    public let captureCount: Int
    private let code: OpaquePointer
    private let effort: SearchEffort

    /// Compiles a pattern.
    public init(_ source: String, dialect: Dialect = .standard) throws(PatternError) {
        guard source.utf8.count <= Self.maximumSourceBytes else {
            throw PatternError(kind: .tooLong, message: "the pattern is longer than \(Self.maximumSourceBytes) bytes")
        }
        try Self.refuseUncounted(source)
        var options =
            UInt32(PCRE2_AUTO_CALLOUT) | UInt32(PCRE2_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C) | UInt32(PCRE2_DOLLAR_ENDONLY)
            | UInt32(PCRE2_NO_UTF_CHECK)
        switch dialect {
        case .standard: break
        case .javaScript: options |= UInt32(PCRE2_ALT_BSUX) | UInt32(PCRE2_ALLOW_EMPTY_CLASS) | UInt32(PCRE2_MATCH_UNSET_BACKREF)
        }
        var errorCode: Int32 = 0
        var errorOffset = 0
        var copy = source
        let compiled = copy.withUTF8 { bytes in
            // An empty Swift string may have no address; PCRE2 wants one.
            var nothing: UInt8 = 0
            return withUnsafePointer(to: &nothing) { empty in
                pcre2_compile_8(bytes.baseAddress ?? empty, bytes.count, options, &errorCode, &errorOffset, nil)
            }
        }
        guard let compiled else {
            // 120: too large after expansion of repeats; 135: nested too deeply.
            let kind: PatternError.Kind = errorCode == PCRE2_ERROR_PATTERN_TOO_LARGE ? .tooLong : .syntax
            throw PatternError(kind: kind, message: Self.text(of: errorCode), offset: min(errorOffset, source.utf8.count))
        }
        var captures: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &captures)
        var references: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_BACKREFMAX), &references)
        self.effort = SearchEffort(longestRepeat: Self.longestRepeat(in: source), hasReferences: references > 0)
        self.source = source
        self.code = compiled
        self.captureCount = Int(captures)
    }

    deinit { pcre2_code_free_8(code) }

    /// Whether the pattern is found anywhere in `text`.
    public func matches(_ text: String) throws(PatternError) -> Bool {
        var budget = Int.max
        return try matches(text, budget: &budget)
    }

    /// The first match in `text`, with its groups.
    public func firstMatch(in text: String) throws(PatternError) -> PatternMatch? {
        var budget = Int.max
        return try firstMatch(in: Array(text.utf8), from: 0, budget: &budget)
    }

    /// Whether the pattern is found. What the search did is taken off the budget, which bounds it besides its own limit.
    package func matches(_ text: String, budget: inout Int) throws(PatternError) -> Bool {
        var copy = text
        let result = copy.withUTF8 { bytes in search(bytes, from: 0, &budget) { _ in } }
        return try Self.found(result)
    }

    /// The first match at or after the byte `start`. The bytes must be UTF-8. What the search did is taken off the budget.
    package func firstMatch(in bytes: [UInt8], from start: Int, budget: inout Int) throws(PatternError) -> PatternMatch? {
        var ranges: [Range<Int>?] = []
        let groups = captureCount + 1
        let result = bytes.withUnsafeBufferPointer { buffer in
            search(buffer, from: start, &budget) { vector in
                ranges.reserveCapacity(groups)
                for group in 0..<groups {
                    let lower = vector[2 * group]
                    let upper = vector[2 * group + 1]
                    // A look-behind with \K may end before it starts; such a match is empty.
                    ranges.append(lower == Self.unset ? nil : Int(lower)..<max(Int(lower), Int(upper)))
                }
            }
        }
        guard try Self.found(result) else { return nil }
        return PatternMatch(bytes: bytes, ranges: ranges)
    }

    private static let unset = UInt.max

    private func search(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, _ budget: inout Int, found: (UnsafeMutablePointer<UInt>) -> Void
    ) -> Int32 {
        guard let data = pcre2_match_data_create_from_pattern_8(code, nil), let context = MatchLimits.shared.context() else {
            return PCRE2_ERROR_NOMEMORY
        }
        defer {
            pcre2_match_data_free_8(data)
            pcre2_match_context_free_8(context)
        }
        let units = min(max(0, budget), Self.searchLimit + Self.searchLimitPerByte * (bytes.count - start))
        var count = SearchCount(effort, units: units, bytes: bytes.count)
        var nothing: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &count) { count in
            SearchCount.install(count, in: context)
            return withUnsafePointer(to: &nothing) { empty in
                pcre2_match_8(code, bytes.baseAddress ?? empty, bytes.count, start, UInt32(PCRE2_NO_UTF_CHECK), data, context)
            }
        }
        budget -= count.spentUnits
        if result > 0, let vector = pcre2_get_ovector_pointer_8(data) {
            vector.withMemoryRebound(to: UInt.self, capacity: 2 * (captureCount + 1)) { found($0) }
        }
        return result
    }

    private static func found(_ result: Int32) throws(PatternError) -> Bool {
        if result >= 0 { return true }
        if result == PCRE2_ERROR_NOMATCH { return false }
        // The reason is one of several limits, of which nobody who writes patterns has heard.
        throw PatternError(kind: .tooComplex, message: "the pattern takes too long on this text")
    }

    private static func text(of code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer.prefix(Int(length)), as: UTF8.self) : "error \(code)"
    }
}
