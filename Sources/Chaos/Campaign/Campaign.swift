// A campaign: runs under way, faults among them, a history of everything, and a judge of its own.

package import Foundation

/// What a campaign does. Every random choice comes from the seed.
package struct Campaign: Sendable {
    package var seed: UInt64
    /// How long runs are started and faults go on.
    package var time: Duration
    /// The faults that may strike.
    package var faults: Set<Fault>
    /// How many runs are under way at most.
    package var runs = 240
    package var coordinators = 2
    package var workers = 3
    /// How many workers the other namespace has.
    package var workersElsewhere = 2
    package var slots = 32
    package var lease: Duration = .seconds(2)
    /// SQL that is run after the migrations: a planted fault that the campaign has to find.
    package var planted: String?
    /// Where the history is kept; nil keeps none.
    package var directory: URL?

    package init(seed: UInt64, time: Duration, faults: Set<Fault> = Set(Fault.allCases)) {
        self.seed = seed
        self.time = time
        self.faults = faults
    }

    /// How long everything may take to end once the last fault is over (L2).
    static let drainTime: Duration = .seconds(60)
}

/// SplitMix64: randomness that can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
