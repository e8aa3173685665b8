// Counting what a search does.
//
// PCRE2's own match limit begins anew at every place of the text where a match could start, and it does not count how far a single item
// moves: `a*[bc]` on a long text of `a` takes hours within that limit. So every item of a pattern is compiled with a callout before it,
// which counts the items that are tried and the bytes between them. The count depends on the pattern and the text alone, and not on the
// machine: the same data gives the same answer.

import CPCRE2

/// What is known of a pattern's items beside what the callouts see.
struct SearchEffort: Sendable {
    /// The most repetitions that an item has at least: `a{500}` may fail after 500 bytes without a callout.
    let longestRepeat: Int
    /// Whether the pattern refers to groups: comparing with what a group holds takes as long as that is.
    let hasReferences: Bool
}

/// The count of one search.
struct SearchCount {
    // In eighths of a unit, so that bytes can count.
    private let limit: Int
    private var spent = 0
    private var position = 0
    private let surcharge: Int
    private let bytes: Int
    private let hasReferences: Bool

    static let eighths = 8

    init(_ effort: SearchEffort, units: Int, bytes: Int) {
        limit = units.multipliedReportingOverflow(by: Self.eighths).overflow ? .max : units * Self.eighths
        surcharge = Self.eighths + (effort.longestRepeat > 16 ? min(effort.longestRepeat, bytes) : 0)
        self.bytes = bytes
        hasReferences = effort.hasReferences
    }

    var spentUnits: Int { spent / Self.eighths + 1 }

    static func install(_ count: UnsafeMutablePointer<SearchCount>, in context: OpaquePointer) {
        pcre2_set_callout_8(
            context,
            { block, data in
                guard let block, let count = data?.assumingMemoryBound(to: SearchCount.self) else { return PCRE2_ERROR_CALLOUT }
                return count.pointee.add(block.pointee) ? 0 : PCRE2_ERROR_CALLOUT
            }, count)
    }

    /// Counts one callout; false when the search has to end.
    private mutating func add(_ block: pcre2_callout_block_8) -> Bool {
        let here = Int(block.current_position)
        spent += surcharge + abs(here - position)
        position = here
        if hasReferences, let vector = block.offset_vector {
            var longest = 0
            for group in 1..<max(1, Int(block.capture_top)) where vector[2 * group] != .max {
                longest = max(longest, Int(vector[2 * group + 1]) - Int(vector[2 * group]))
            }
            spent += longest
        }
        return spent <= limit
    }
}

// The limits of PCRE2 itself, which bound memory. The context is made once and copied for each search, which has a count of its own.
//
// `@unchecked Sendable` is true because the context is not written after `init`; copying only reads it.
final class MatchLimits: @unchecked Sendable {
    static let shared = MatchLimits()
    private let original: OpaquePointer?

    private init() {
        original = pcre2_match_context_create_8(nil)
        if let original { pcre2_set_heap_limit_8(original, UInt32(Pattern.heapLimitKiB)) }
    }

    func context() -> OpaquePointer? { original.flatMap { pcre2_match_context_copy_8($0) } }
}

extension Pattern {
    /// Refuses what moves over the text without being counted: `\X`, which takes any number of marks at once, and script runs, which are
    /// looked through again at every step.
    static func refuseUncounted(_ source: String) throws(PatternError) {
        let bytes = Array(source.utf8)
        var isEscaped = false
        for (offset, byte) in bytes.enumerated() {
            if isEscaped {
                isEscaped = false
                guard byte == 0x58 else { continue }
                throw PatternError(kind: .syntax, message: "\\X is not available; a character is matched by .", offset: offset - 1)
            }
            isEscaped = byte == 0x5C
            guard byte == 0x28 else { continue }
            for name in ["(*sr:", "(*asr:", "(*script_run:", "(*atomic_script_run:"] where bytes[offset...].starts(with: name.utf8) {
                throw PatternError(kind: .syntax, message: "script runs are not available", offset: offset)
            }
        }
    }

    /// The greatest number of repetitions that something in a pattern has at least. Wherever there may be one: too many is no harm.
    package static func longestRepeat(in source: String) -> Int {
        var longest = 0
        var number: Int?
        for byte in source.utf8 {
            switch byte {
            case 0x7B: number = 0
            case 0x20, 0x09: break
            case 0x30...0x39:
                if let digits = number { number = min(digits * 10 + Int(byte - 0x30), 1 << 16) }
            default:
                longest = max(longest, number ?? 0)
                number = nil
            }
        }
        return longest
    }
}
