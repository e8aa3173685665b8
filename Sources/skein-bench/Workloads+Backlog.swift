// W6: what a step costs while much else lies about, beside what it costs without. Each measurement with a backlog stands between two
// without; the run is W2's.

import Foundation
import Postgres
import WorkflowModel

extension Workloads {
    private static let steps = 10

    static func backlogs(_ options: WorkloadOptions, on cluster: BenchCluster) async throws -> [Figure] {
        try await prepareSnapshot(on: cluster)
        try await cluster.prepareBacklog()
        _ = try await plain(options, on: cluster)
        var figures: [Figure] = []
        for backlog in Backlog.allCases {
            var ratios: [Double] = []
            var costs: [Double] = []
            var before = try await plain(options, on: cluster).cpuMicroseconds
            for _ in 0..<options.w6Repeats {
                try await cluster.clearLiveTables()
                try await cluster.make(backlog, rows: options.w6Rows, long: options.w6Long)
                let cost = try await round("w6", runs: options.w6Runs, steps: steps, on: cluster).cpuMicroseconds
                let after = try await plain(options, on: cluster).cpuMicroseconds
                ratios.append(cost / ((before + after) / 2))
                costs.append(cost)
                before = after
            }
            figures += [
                Figure(workload: "W6", name: backlog.figure, medianOf: ratios, unit: "x"),
                Figure(workload: "W6", name: "\(backlog.figure), in time", medianOf: costs, unit: "us"),
            ]
        }
        return figures + (try await heldSnapshot(
            runs: options.w6Runs, repeats: options.repeats, seconds: Double(options.snapshotSeconds), on: cluster))
    }

    /// What `heldSnapshot` needs.
    static func prepareSnapshot(on cluster: BenchCluster) async throws {
        try await cluster.quiet()
        try await cluster.apply(sequence("w6", steps: steps))
    }

    // Nothing else lies about.
    private static func plain(_ options: WorkloadOptions, on cluster: BenchCluster) async throws -> Round {
        try await cluster.clearLiveTables()
        return try await round("w6", runs: options.w6Runs, steps: steps, on: cluster)
    }

    /// While a snapshot is held nothing that dies can be tidied up, and the work goes on. What counts is how fast it is over all that time.
    static func heldSnapshot(
        runs: Int, repeats: Int, seconds: Double, on cluster: BenchCluster, note: (String) -> Void = { _ in }
    ) async throws -> [Figure] {
        func rate() async throws -> Double { try await round("w6", runs: runs, steps: steps, on: cluster).rate }
        // Rounds are of the same size, so the time for a step is what has a mean.
        func mean(_ rates: some Collection<Double>) -> Double { Double(rates.count) / rates.reduce(0) { $0 + 1 / $1 } }
        func rates(_ when: String) async throws -> Double {
            var rates: [Double] = []
            for _ in 0..<repeats { rates.append(try await rate()) }
            note("\(when): \(rates.map { Report.plain($0) }.joined(separator: ", ")) steps/s")
            return Statistics.median(rates)
        }
        try await cluster.clearLiveTables()
        // The first round warms caches and is not counted.
        _ = try await rate()
        let before = try await rates("before")
        let holder = try await PostgresConnection.connect(
            PostgresConfiguration(cluster.databaseURL, applicationName: "skein-bench-snapshot"))
        _ = try await holder.query("begin isolation level repeatable read")
        _ = try await holder.query("select count(*) from skein.run")
        let clock = ContinuousClock()
        let begun = clock.now
        var noted = 0.0
        var held: [Double] = []
        while clock.now < begun + .seconds(seconds) {
            let rate = try await rate()
            held.append(rate)
            let passed = (clock.now - begun).seconds
            guard passed >= noted + seconds / 10 else { continue }
            noted = passed
            let dead = try await cluster.number("select sum(n_dead_tup) from pg_stat_user_tables where schemaname = 'skein'")
            note("held for \(Report.plain(passed.rounded())) s: \(Report.plain(rate)) steps/s, \(Report.plain(dead)) dead rows")
        }
        let last = held.suffix(max(1, held.count / 5))
        note("over all: \(Report.plain(mean(held))) steps/s; in the last fifth of the time: \(Report.plain(mean(last))) steps/s")
        _ = try await holder.query("commit")
        await holder.close()
        try await cluster.clearLiveTables()
        let after = try await rates("after")
        let plain = (before + after) / 2
        return [
            Figure(workload: "W6", name: Name.heldSnapshot, value: mean(held) / plain * 100, unit: "%"),
            Figure(workload: "W6", name: "steps a second while a snapshot is held for \(Report.plain(seconds)) s", value: mean(held), unit: "steps/s"),
            Figure(workload: "W6", name: "steps a second in the last fifth of that time", value: mean(last), unit: "steps/s"),
        ]
    }
}
