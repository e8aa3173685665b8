// Randomness that can be had again: the same seed, the same story.

import Foundation

/// SplitMix64. Small, fast, and the same on every platform.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// One of the elements; the list must not be empty.
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

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
