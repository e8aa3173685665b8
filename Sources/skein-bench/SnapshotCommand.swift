// How much throughput is left while somebody holds a snapshot, and nothing that dies can be tidied up.

import ArgumentParser
import Foundation

struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Holds a snapshot and watches the throughput.",
        discussion: """
            It is the last part of W6: runs of 10 steps before, all the while that an outsider holds a snapshot, and afterwards. What counts is \
            how fast the work is over all the time that the snapshot is held, beside the mean of before and after; how fast it is in the last \
            fifth of that time is printed, too. With --check it fails below 70 %.

            Example: skein-bench snapshot --minutes 10 --check
            """)

    @Option(help: "How long the snapshot is held, in minutes.")
    var minutes = 10.0

    @Option(help: "How many runs of 10 steps are measured at a time.")
    var runs = 6000

    @Option(help: "How often it is measured before and afterwards; the median counts.")
    var repeats = 3

    @Option(help: "Worker processes.")
    var workers = 2

    @Option(help: "Slots of each worker.")
    var slots = 256

    @Option(help: "Where the private database lives; default: a new directory in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Exit with 1 when less than 70 % of the throughput is left.")
    var check = false

    func validate() throws {
        for (option, value) in [("--runs", runs), ("--repeats", repeats), ("--workers", workers), ("--slots", slots)] { try atLeastOne(option, value) }
        guard minutes > 0, minutes <= 1440 else { throw ValidationError("--minutes must be more than 0 and at most 1440, not \(minutes)") }
    }

    func run() async throws {
        let cluster = try await BenchCluster.start(directory: directory, coordinators: 1, workers: workers, slots: slots)
        var figures: [Figure] = []
        do {
            try await Workloads.prepareSnapshot(on: cluster)
            figures = try await Workloads.heldSnapshot(runs: runs, repeats: repeats, seconds: minutes * 60, on: cluster) { print($0) }
            await cluster.stop()
        } catch {
            await cluster.stop()
            throw error
        }
        var report = Report()
        report.figures = figures
        print(report.text)
        guard let target = Target.all.first(where: { $0.figure == Name.heldSnapshot }) else { return }
        let isMet = Verdict(target, figures: figures, floor: []).isMet == true
        print("\(isMet ? "met" : "MISSED"): \(target.figure)")
        if check && !isMet { throw ExitCode.failure }
    }
}
