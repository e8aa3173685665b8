// The seeds of the random tests.

import Foundation

/// Which seeds the random tests try.
enum Seeds {
    /// One seed that failed before, to be looked at alone.
    static let given = ProcessInfo.processInfo.environment["SKEIN_SEED"].flatMap { UInt64($0) }

    /// How many seeds a random test tries: the standard number, or what the environment asks for.
    static func count(standard: Int) -> Int {
        ProcessInfo.processInfo.environment["SKEIN_SEEDS"].flatMap { Int($0) } ?? standard
    }

    /// The seed to begin with, so that further runs try others.
    static let first = ProcessInfo.processInfo.environment["SKEIN_FIRST_SEED"].flatMap { UInt64($0) } ?? 0

    /// The seeds in chunks: one test case a chunk, so that they spread over the cores and the report stays short.
    static func chunks(standard: Int, of size: Int = 50) -> [ClosedRange<UInt64>] {
        if let given { return [given...given] }
        let count = count(standard: standard)
        return stride(from: 0, to: count, by: size).map { first + UInt64($0)...first + UInt64(min($0 + size, count) - 1) }
    }
}
