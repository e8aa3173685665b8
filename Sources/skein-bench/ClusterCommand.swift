// Measures Skein as people run it: real coordinator and worker processes, durable settings, and the raw SQL floor of the same
// machine in the same run. Figures are printed; nothing is asserted.

import ArgumentParser
import Foundation

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Measures throughput, latency and cost of a cluster on this machine.",
        discussion: """
            Workloads: W1 drains single-step runs that were submitted beforehand; W2 runs sequential workflows of 10 steps; W3 runs one \
            graph of parallel steps and a join; W4 measures latency at 10 runs a second; W5 measures what a step and an idle cluster \
            cost; W6 runs parallel loops of two sizes, and short runs beside the larger one; W7 joins 100 x 100 branches again and \
            again, folded by two coordinators. The floor is what bare SQL loops reach on the same machine.

            Example: skein-bench cluster --workloads W1,W2 --json
            """)

    @Option(help: "Workloads, separated by commas: W1 W2 W3 W4 W5 W6 W7 floor.")
    var workloads = "W1,W2,W3,W4,W5,floor"

    @Option(help: "How many single-step runs W1 drains.")
    var w1Runs = 20_000

    @Option(help: "How many sequential runs W2 has.")
    var w2Runs = 500

    @Option(help: "How many steps a run of W2 has.")
    var w2Steps = 10

    @Option(help: "How many parallel steps W3 has; several sizes separated by commas.")
    var w3Steps = "1000,10000"

    @Option(help: "How often each size of W3 is measured; the median counts.")
    var w3Repeats = 5

    @Option(help: "How long W4 submits 10 runs a second, in seconds.")
    var w4Seconds = 20

    @Option(help: "How long W5 watches an idle cluster, in seconds.")
    var idleSeconds = 30

    @Option(help: "How many items the loops of W6 have; the small one first, separated by commas.")
    var w6Items = "1000,100000"

    @Option(help: "How often each size of W6 is measured; the median counts.")
    var w6Repeats = 3

    @Option(help: "How often W7 joins its branches.")
    var w7Joins = 50

    @Option(help: "How many branches W7 has, and each of them again.")
    var w7Branches = 100

    @Option(help: "Worker processes.")
    var workers = 2

    @Option(help: "Slots of each worker.")
    var slots = 256

    @Option(help: "Coordinator processes.")
    var coordinators = 1

    @Option(help: "Seconds for each cell of the floor.")
    var floorSeconds = 5

    @Option(help: "Where the private database lives; default: a new directory in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Print the figures as one JSON document.")
    var json = false

    func validate() throws {
        for (option, value) in [
            ("--w1-runs", w1Runs), ("--w2-runs", w2Runs), ("--w2-steps", w2Steps), ("--w3-repeats", w3Repeats), ("--w4-seconds", w4Seconds),
            ("--idle-seconds", idleSeconds), ("--w6-repeats", w6Repeats), ("--w7-joins", w7Joins), ("--w7-branches", w7Branches), ("--workers", workers), ("--slots", slots), ("--coordinators", coordinators),
            ("--floor-seconds", floorSeconds),
        ] where value < 1 {
            throw ValidationError("\(option) must be 1 or more, not \(value)")
        }
    }

    func run() async throws {
        let wanted = workloads.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        let known = ["w1", "w2", "w3", "w4", "w5", "w6", "w7", "floor"]
        if let unknown = wanted.first(where: { !known.contains($0) }) {
            throw ValidationError("there is no workload \"\(unknown)\"; there are \(known.joined(separator: ", "))")
        }
        let sizes = try Self.sizes(w3Steps, "--w3-steps")
        let scale = LoopScale(items: try Self.sizes(w6Items, "--w6-items"), repeats: w6Repeats, branches: w7Branches, joins: w7Joins)
        var report = Report()
        if wanted.contains("floor") {
            progress("floor: bare SQL loops")
            report.floor = try Floor.measure(seconds: floorSeconds, directory: directory)
        }
        let measured = wanted.filter { $0 != "floor" }
        if !measured.isEmpty {
            let cluster = try await BenchCluster.start(
                directory: directory, coordinators: coordinators, workers: workers, slots: slots)
            do {
                for workload in measured {
                    progress("\(workload.uppercased()) …")
                    switch workload {
                    case "w1": report.figures += try await Workloads.drain(runs: w1Runs, on: cluster)
                    case "w2": report.figures += try await Workloads.sequences(runs: w2Runs, steps: w2Steps, on: cluster)
                    case "w3": report.figures += try await Workloads.fanOut(sizes: sizes, repeats: w3Repeats, on: cluster)
                    case "w4": report.figures += try await Workloads.latency(seconds: w4Seconds, on: cluster)
                    case "w5": report.figures += try await Workloads.idle(seconds: idleSeconds, on: cluster)
                    case "w6": report.figures += try await Workloads.loops(scale, on: cluster)
                    case "w7": report.figures += try await Workloads.fanIn(scale, on: cluster)
                    default: continue
                    }
                }
                await cluster.stop()
            } catch {
                await cluster.stop()
                throw error
            }
        }
        print(json ? report.json : report.text)
    }

    private static func sizes(_ text: String, _ option: String) throws -> [Int] {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let sizes = words.compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard sizes.count == words.count, sizes.allSatisfy({ (1...200_000).contains($0) }) else {
            throw ValidationError("\(option) takes numbers from 1 to 200000, separated by commas, not \"\(text)\"")
        }
        return sizes
    }

    private func progress(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
