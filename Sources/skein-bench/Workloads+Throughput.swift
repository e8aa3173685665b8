// W1 drains single-step runs that were submitted beforehand; W2 runs sequences, and shows what a step costs (W5).

import WorkflowModel

extension Workloads {
    // MARK: W1

    static func drain(_ options: WorkloadOptions, on cluster: BenchCluster, floor: FloorProbe) async throws -> [Figure] {
        try await cluster.apply(sequence("w1", steps: 1))
        let workers = cluster.workers.count
        // What is compiled and connected for the first time does not count.
        try await drainOnce(options.w1Runs / 20 + 1, workers, on: cluster)
        let rounds = try await repeated(options.repeats, floor) {
            try await cluster.quiet()
            return try await drainOnce(options.w1Runs, workers, on: cluster)
        }
        return [
            Figure(workload: "W1", name: Name.runRate, medianOf: rounds.map(\.rate), unit: "runs/s"),
            Figure(
                workload: "W1", name: "PostgreSQL's CPU for a run", medianOf: rounds.map { $0.usage.postgres / $0.units * 1e6 }, unit: "us"),
            Figure(workload: "W1", name: "our CPU for a run", medianOf: rounds.map { $0.usage.own / $0.units * 1e6 }, unit: "us"),
            Figure(workload: "W1", name: "WAL of a run", medianOf: rounds.map { $0.usage.walBytes / $0.units }, unit: "bytes"),
        ]
    }

    @discardableResult
    private static func drainOnce(_ runs: Int, _ workers: Int, on cluster: BenchCluster) async throws -> Round {
        cluster.stopWorkers()
        let mark = try await cluster.mark()
        try await cluster.submit("w1", count: runs)
        let before = try await cluster.usage()
        try await cluster.startWorkers(workers)
        try await cluster.waitForEnds(runs, since: mark)
        let usage = try await cluster.usage() - before
        return Round(units: Double(runs), seconds: try await cluster.span(since: mark, from: "started_at"), usage: usage)
    }

    // MARK: W2

    /// What some runs took.
    struct Round {
        let units: Double
        let seconds: Double
        let usage: Usage

        var rate: Double { units / max(seconds, 0.001) }
        var cpuMicroseconds: Double { usage.cluster / units * 1e6 }
    }

    static func sequences(_ options: WorkloadOptions, on cluster: BenchCluster, floor: FloorProbe) async throws -> [Figure] {
        try await cluster.apply(sequence("w2", steps: options.w2Steps))
        _ = try await round("w2", runs: options.w2Runs, steps: options.w2Steps, on: cluster)
        let rounds = try await repeated(options.repeats, floor) {
            try await cluster.quiet()
            return try await round("w2", runs: options.w2Runs, steps: options.w2Steps, waves: options.w2Waves, on: cluster)
        }
        return [
            Figure(workload: "W2", name: Name.stepRate, medianOf: rounds.map(\.rate), unit: "steps/s"),
            Figure(workload: "W5", name: Name.stepServerCPU, medianOf: rounds.map { $0.usage.postgres / $0.units * 1e6 }, unit: "us"),
            Figure(workload: "W5", name: Name.stepOwnCPU, medianOf: rounds.map { $0.usage.own / $0.units * 1e6 }, unit: "us"),
            Figure(
                workload: "W5", name: "of these, the coordinators'", medianOf: rounds.map { $0.usage.coordinators / $0.units * 1e6 },
                unit: "us"),
            Figure(workload: "W5", name: "of these, the workers'", medianOf: rounds.map { $0.usage.workers / $0.units * 1e6 }, unit: "us"),
            Figure(workload: "W5", name: Name.stepWAL, medianOf: rounds.map { $0.usage.walBytes / $0.units }, unit: "bytes"),
        ]
    }

    /// Submits runs of a workflow wave by wave, and returns when all have ended.
    static func round(_ workflow: String, runs: Int, steps: Int, waves: Int = 1, on cluster: BenchCluster) async throws -> Round {
        let before = try await cluster.usage()
        let mark = try await cluster.mark()
        for _ in 0..<waves { try await cluster.submit(workflow, count: runs, batch: min(runs, 500)) }
        try await cluster.waitForEnds(runs * waves, since: mark)
        let usage = try await cluster.usage() - before
        return Round(units: Double(runs * steps * waves), seconds: try await cluster.span(since: mark), usage: usage)
    }
}
