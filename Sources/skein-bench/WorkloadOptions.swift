// How large the workloads are.

import ArgumentParser
import Foundation

struct WorkloadOptions: ParsableArguments {
    @Option(help: "How often W1 and W2 are measured; the median counts.")
    var repeats = 3

    @Option(help: "How many single-step runs W1 drains.")
    var w1Runs = 60_000

    @Option(help: "How many sequential runs W2 submits at a time.")
    var w2Runs = 500

    @Option(help: "How many steps a run of W2 has.")
    var w2Steps = 10

    @Option(help: "How many times W2 submits its runs, one after the other.")
    var w2Waves = 12

    @Option(help: "How many parallel steps W3 has; several sizes separated by commas.")
    var w3Steps = "1000,10000,100000"

    @Option(help: "How often each size of W3 is measured; the median counts.")
    var w3Repeats = 5

    @Option(help: "How long W4 submits 10 runs a second, in seconds.")
    var w4Seconds = 30

    @Option(help: "How long W5 watches an idle cluster, in seconds.")
    var idleSeconds = 30

    @Option(help: "How many tasks are ready behind, or have just finished in front, in W6.")
    var w6Rows = 1_000_000

    @Option(help: "How many long tasks are in flight in W6.")
    var w6Long = 20_000

    @Option(help: "How many runs of 10 steps W6 measures at a time.")
    var w6Runs = 6000

    @Option(help: "How often W6 measures with a backlog, always between two measurements without; the median counts.")
    var w6Repeats = 5

    @Option(help: "How long W6 holds a snapshot, in seconds.")
    var snapshotSeconds = 300

    @Option(help: "How many runs W7 submits by batches; a fifth as many are submitted one by one.")
    var w7Runs = 50_000

    @Option(help: "How many items the loops of W8 have; the small one first, separated by commas.")
    var w8Items = "1000,100000"

    @Option(help: "How often each size of W8 is measured; the median counts.")
    var w8Repeats = 3

    @Option(help: "How often W9 joins its branches.")
    var w9Joins = 50

    @Option(help: "How many branches W9 has, and each of them again.")
    var w9Branches = 100

    func validate() throws {
        for (option, value) in [
            ("--repeats", repeats), ("--w1-runs", w1Runs), ("--w2-runs", w2Runs), ("--w2-steps", w2Steps), ("--w2-waves", w2Waves),
            ("--w3-repeats", w3Repeats), ("--w4-seconds", w4Seconds), ("--idle-seconds", idleSeconds), ("--w6-rows", w6Rows),
            ("--w6-long", w6Long), ("--w6-runs", w6Runs), ("--w6-repeats", w6Repeats), ("--snapshot-seconds", snapshotSeconds),
            ("--w7-runs", w7Runs), ("--w8-repeats", w8Repeats), ("--w9-joins", w9Joins), ("--w9-branches", w9Branches),
        ] {
            try atLeastOne(option, value)
        }
        _ = try fanOuts
        _ = try loops
    }

    /// The sizes of W3.
    var fanOuts: [Int] { get throws { try sizes(w3Steps, "--w3-steps") } }

    /// The sizes of W8.
    var loops: [Int] { get throws { try sizes(w8Items, "--w8-items") } }

    private func sizes(_ text: String, _ option: String) throws -> [Int] {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let sizes = words.compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard sizes.count == words.count, sizes.allSatisfy({ (1...200_000).contains($0) }) else {
            throw ValidationError("\(option) takes numbers from 1 to 200000, separated by commas, not \"\(text)\"")
        }
        return sizes
    }
}

func atLeastOne(_ option: String, _ value: Int) throws {
    guard value >= 1 else { throw ValidationError("\(option) must be 1 or more, not \(value)") }
}
