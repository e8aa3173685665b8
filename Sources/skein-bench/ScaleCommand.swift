// Whether anything becomes slower when there is much of everything: history, waiting runs, queues.

import ArgumentParser
import Foundation
import Postgres
import WorkflowModel

struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Measures whether a cluster that holds much is slower than an empty one.",
        discussion: """
            Everything is measured in an empty cluster, in one that is full, and in one that has been emptied again; the ratio is the full \
            one's to the mean of the others'. Nothing should be slower than 1.2x.

            Example: skein-bench scale --steps 10000000 --waiting 100000 --queues 1000 --check
            """)

    @Option(help: "Finished steps, of runs of 10 steps, in the history of the last four weeks.")
    var steps = 10_000_000

    @Option(help: "Runs that wait for a timer.")
    var waiting = 100_000

    @Option(help: "Queues, with ten ready tasks in each that no worker takes.")
    var queues = 1000

    @Option(help: "Runs of 10 steps in each measurement.")
    var runs = 5000

    @Option(help: "How long latency is measured, in seconds.")
    var seconds = 20

    @Option(help: "How often each is measured; the median counts.")
    var repeats = 3

    @Option(help: "Where the private database lives; default: a new directory in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Exit with 1 when something is slower than 1.2x.")
    var check = false

    @Flag(help: "Print the figures as one JSON document.")
    var json = false

    private static let limit = 1.2
    private static let calls = 50

    // One thing that could become slower.
    private struct Cost {
        let name: String
        let unit: String
        let value: Double
    }

    func validate() throws {
        for (option, value) in [
            ("--steps", steps), ("--waiting", waiting), ("--queues", queues), ("--runs", runs), ("--seconds", seconds),
            ("--repeats", repeats),
        ] {
            try atLeastOne(option, value)
        }
    }

    func run() async throws {
        let cluster = try await BenchCluster.start(directory: directory, coordinators: 1, workers: 2, slots: 256)
        let phases: [[Cost]]
        do {
            phases = try await measure(cluster)
            await cluster.stop()
        } catch {
            await cluster.stop()
            throw error
        }
        var lines = [Report.row([.init("", 44), .init("empty", 12), .init("full", 12), .init("emptied", 12), .init("ratio")])]
        var rows: [JSONValue] = []
        var isMet = true
        for (index, full) in phases[1].enumerated() {
            let (before, after) = (phases[0][index], phases[2][index])
            let ratio = full.value / ((before.value + after.value) / 2)
            isMet = isMet && ratio <= Self.limit
            func text(_ cost: Cost) -> String { "\(Report.plain(cost.value)) \(cost.unit)" }
            lines.append(
                Report.row([
                    .init(full.name, 44), .init(text(before), 12), .init(text(full), 12), .init(text(after), 12),
                    .init("\(Report.plain(ratio))x\(ratio <= Self.limit ? "" : "  MISSED, at most \(Self.limit)x")"),
                ]))
            rows.append([
                "name": .string(full.name), "unit": .string(full.unit), "empty": .double(before.value), "full": .double(full.value),
                "emptied": .double(after.value), "ratio": .double(ratio), "met": .bool(ratio <= Self.limit),
            ])
        }
        print(json ? JSONValue.array(rows).compactText : lines.joined(separator: "\n"))
        if check && !isMet { throw ExitCode.failure }
    }

    private func measure(_ cluster: BenchCluster) async throws -> [[Cost]] {
        try await cluster.apply(Workloads.sequence("scale", steps: 10))
        try await cluster.apply(Workloads.sequence("scale-short", steps: 3))
        try await cluster.apply(["workflow": "scale-wait", "steps": [["id": "wait", "sleep": "60d"]]])
        try await cluster.prepareBacklog()
        _ = try await costs(cluster)
        progress("empty")
        let empty = try await costs(cluster)
        progress("filling")
        try await fill(cluster)
        progress("full")
        let full = try await costs(cluster)
        progress("emptying")
        try await cluster.clearLiveTables()
        for table in ["ended_run", "step", "attempt", "run_event"] { try await cluster.execute("truncate skein.\(table)") }
        try await cluster.execute("delete from skein.queue where name like 'scale-%'")
        try await cluster.settleDown()
        progress("emptied")
        return [empty, full, try await costs(cluster)]
    }

    // MARK: Measuring

    private func costs(_ cluster: BenchCluster) async throws -> [Cost] {
        var rounds: [Workloads.Round] = []
        var latencies: (first: [Double], end: [Double]) = ([], [])
        for _ in 0..<repeats { rounds.append(try await Workloads.round("scale", runs: runs, steps: 10, on: cluster)) }
        latencies = try await Workloads.latencies(of: "scale-short", seconds: seconds, on: cluster)
        let run = try await cluster.connection.query("select run_id::text from skein.ended_run order by run_id desc limit 1")[0].text(0)
        return [
            Cost(
                name: "PostgreSQL's CPU for a step", unit: "us", value: Statistics.median(rounds.map { $0.usage.postgres / $0.units * 1e6 })
            ),
            Cost(name: "our CPU for a step", unit: "us", value: Statistics.median(rounds.map { $0.usage.own / $0.units * 1e6 })),
            Cost(name: "a step, at full load", unit: "us", value: Statistics.median(rounds.map { 1e6 / $0.rate })),
            Cost(name: "submit to first step, p50", unit: "ms", value: Statistics.percentile(latencies.first, 0.5)),
            Cost(name: "submit to the end of 3 steps, p50", unit: "ms", value: Statistics.percentile(latencies.end, 0.5)),
            Cost(name: "the newest runs", unit: "ms", value: try await milliseconds("/api/v1/runs?limit=50", cluster)),
            Cost(
                name: "the newest runs of a workflow", unit: "ms",
                value: try await milliseconds("/api/v1/runs?workflow=scale&limit=50", cluster)),
            Cost(name: "a run", unit: "ms", value: try await milliseconds("/api/v1/runs/\(run)", cluster)),
            Cost(name: "a run's steps", unit: "ms", value: try await milliseconds("/api/v1/runs/\(run)/steps", cluster)),
        ]
    }

    private func milliseconds(_ path: String, _ cluster: BenchCluster) async throws -> Double {
        let clock = ContinuousClock()
        var times: [Double] = []
        for _ in 0..<Self.calls {
            let begun = clock.now
            _ = try await cluster.api.request("GET", path)
            times.append((clock.now - begun).seconds * 1000)
        }
        return Statistics.median(times)
    }

    // MARK: Filling

    private func fill(_ cluster: BenchCluster) async throws {
        let finished = try await cluster.api.start("scale", input: [:])
        try await cluster.waitForEnd(ofRun: finished)
        // The weeks that the history is about have partitions, as they had at their time.
        try await cluster.execute("set skein.fake_now = '\(try await cluster.text("(now() - interval '28 days')::text"))'")
        try await cluster.execute("select skein.ensure_partitions_v1(4)")
        try await cluster.execute("reset skein.fake_now")
        let past = """
            select overlay(skein.first_run_id(now() - random() * interval '28 days')::text placing '7' || substr(gen_random_uuid()::text, 16) from 15)::uuid
              from generate_series(1, \(steps / 10))
            """
        try await cluster.copy(finished, ids: past, into: [("ended_run", [:]), ("step", [:])])

        let waits = try await cluster.api.start("scale-wait", input: [:])
        try await cluster.wait("a run that waits") {
            try await cluster.number("select count(*) from skein.timer where run_id = '\(waits)'") == 1
        }
        try await cluster.copy(
            waits, ids: "select skein.new_run_id() from generate_series(1, \(waiting))",
            into: [("run", [:]), ("live_step", [:]), ("timer", [:])])

        try await cluster.execute(
            "insert into skein.queue (namespace_id, name) select 1, 'scale-' || g from generate_series(1, \(queues)) g")
        let ready = try await cluster.api.start(BenchCluster.backlogWorkflow, input: [:])
        let queue = "(select q.queue_id from skein.queue q where q.name = 'scale-' || 1 + abs(hashtext(i.run_id::text)) % \(queues))"
        try await cluster.copy(
            ready, ids: "select skein.new_run_id() from generate_series(1, \(queues * 10))",
            into: [("run", [:]), ("task", ["queue_id": queue])])
        try await cluster.execute("vacuum (analyze)")
        try await cluster.settleDown()
    }

    private func progress(_ text: String) { FileHandle.standardError.write(Data("\(text) …\n".utf8)) }
}
