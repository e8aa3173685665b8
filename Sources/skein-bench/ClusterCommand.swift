// Measures Skein as people run it: real coordinator and worker processes, durable settings, and the raw SQL floor of the same
// machine in the same minutes.

import ArgumentParser
import Foundation

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Measures throughput, latency and cost of a cluster on this machine, beside its targets.",
        discussion: """
            W1 drains single-step runs that were submitted beforehand. W2 runs sequences of 10 steps. W3 runs many parallel steps and a \
            join. W4 measures latency at 10 runs a second. W5 measures what a step costs at W2's load, and an idle cluster. W6 measures \
            what a backlog costs. W7 submits runs by batches and one by one. W8 runs parallel loops of two sizes, and short runs beside \
            the larger one. W9 joins 100 x 100 branches again and again, folded by two coordinators. W8 and W9 have no targets here.

            The floor is what bare SQL loops reach on the same machine. What a workload is compared with is measured before, between and \
            after its repetitions; "floor" among the workloads measures all of it. A target that the machine decides (how many a second, \
            how much CPU) is a ratio to the floor, every other one is checked as it is.

            Examples: skein-bench cluster --workloads W1,W2 --json
                      skein-bench cluster --check
            """)

    @Option(help: "Workloads, separated by commas: W1 W2 W3 W4 W5 W6 W7 W8 W9 floor.")
    var workloads = "W1,W2,W3,W4,W5,W6,W7"

    @OptionGroup(title: "Sizes")
    var options: WorkloadOptions

    @Option(help: "Worker processes.")
    var workers = 2

    @Option(help: "Slots of each worker.")
    var slots = 256

    @Option(help: "Coordinator processes.")
    var coordinators = 1

    @Option(help: "Seconds for each cell of the floor.")
    var floorSeconds = 4

    @Flag(inversion: .prefixedNo, help: "Measure the floor beside the workloads; without it there are no ratios.")
    var floor = true

    @Option(help: "Where the private databases live; default: new directories in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Exit with 1 when a target of the workloads is missed.")
    var check = false

    @Flag(help: "Print the figures as one JSON document.")
    var json = false

    private static let known = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "FLOOR"]

    func validate() throws {
        try atLeastOne("--workers", workers)
        try atLeastOne("--slots", slots)
        try atLeastOne("--coordinators", coordinators)
        try atLeastOne("--floor-seconds", floorSeconds)
        if let unknown = wanted.first(where: { !Self.known.contains($0) }) {
            throw ValidationError("there is no workload \"\(unknown)\"; there are W1 to W9 and floor")
        }
    }

    private var wanted: [String] { workloads.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).uppercased() } }

    func run() async throws {
        var report = Report()
        report.workloads = wanted
        let floor = self.floor || wanted.contains("FLOOR") ? try Floor.start(seconds: floorSeconds, directory: directory) : nil
        defer { floor?.stop() }
        if wanted.contains("FLOOR") {
            progress("the floor: bare SQL loops")
            try floor?.measureAll()
        }
        let measured = wanted.filter { $0 != "FLOOR" }
        if !measured.isEmpty {
            // What lies about in W6 counts as under way.
            let cluster = try await BenchCluster.start(
                directory: directory, coordinators: coordinators, workers: workers, slots: slots,
                settings: ["SKEIN_BACKLOG_LIMIT": "\(2 * options.w6Rows + 1_000_000)"])
            do {
                for workload in Self.order(measured) {
                    progress(workload)
                    report.figures += try await measure(workload, on: cluster, floor: self.floor ? floor : nil)
                }
                await cluster.stop()
            } catch {
                await cluster.stop()
                // What was measured until then is not lost.
                report.floor = floor?.samples ?? []
                if !report.figures.isEmpty { print(json ? report.json : report.text) }
                throw error
            }
        }
        report.floor = floor?.samples ?? []
        print(json ? report.json : report.text)
        if check && !report.isMet { throw ExitCode.failure }
    }

    // What a step of W5 costs is measured by W2.
    private static func order(_ wanted: [String]) -> [String] {
        guard let place = wanted.firstIndex(of: "W5"), !wanted.contains("W2") else { return wanted }
        var order = wanted
        order.insert("W2", at: place)
        return order
    }

    private func measure(_ workload: String, on cluster: BenchCluster, floor: Floor?) async throws -> [Figure] {
        func probe(_ workloads: String...) -> FloorProbe {
            { for workload in workloads { try floor?.measure(Target.cells(of: workload), beside: workload) } }
        }
        switch workload {
        case "W1": return try await Workloads.drain(options, on: cluster, floor: probe("W1"))
        case "W2": return try await Workloads.sequences(options, on: cluster, floor: probe("W2", "W5"))
        case "W3": return try await Workloads.fanOut(options, on: cluster, floor: probe("W3"))
        case "W4": return try await Workloads.latency(seconds: options.w4Seconds, on: cluster)
        case "W5": return try await Workloads.idle(seconds: options.idleSeconds, on: cluster)
        case "W6": return try await Workloads.backlogs(options, on: cluster)
        case "W7": return try await Workloads.submits(options, on: cluster, floor: probe("W7"))
        case "W8": return try await Workloads.loops(options, on: cluster)
        default: return try await Workloads.fanIn(options, on: cluster)
        }
    }

    private func progress(_ text: String) {
        FileHandle.standardError.write(Data("\(text) …\n".utf8))
    }
}
