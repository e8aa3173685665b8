// The workloads. Each makes its own workflow, waits until the cluster is quiet, and reads its figures from the run tables.

import Foundation
import Postgres
import WorkflowModel

enum Workloads {
    static let noop: JSONValue = ["noop": ["kind": "noop"]]

    static func step(_ id: String, needs: [String] = []) -> JSONValue {
        var step = JSONObject()
        step["id"] = .string(id)
        step["agent"] = "noop"
        if !needs.isEmpty { step["needs"] = .array(needs.map { .string($0) }) }
        return .object(step)
    }

    static func quiet(_ cluster: BenchCluster) async throws {
        try await cluster.wait("a quiet cluster", timeout: .seconds(300)) { try await cluster.number("select count(*) from skein.run") == 0 }
        _ = try await cluster.connection.query("checkpoint")
    }

    // Seconds from a workflow's first sign of life to its last ending.
    private static func span(of workflow: String, from column: String, on cluster: BenchCluster) async throws -> Double {
        try await cluster.number(
            """
            select extract(epoch from max(e.ended_at) - min(e.\(column)))
              from skein.ended_run e join skein.workflow_version v using (version_id) where v.name = '\(workflow)'
            """)
    }

    // MARK: W1

    static func drain(runs: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.apply(["workflow": "w1", "agents": noop, "steps": [step("only")]])
        let workerCount = Int(try await cluster.number("select count(*) from skein.worker_session where dead_at is null"))
        try await cluster.stopWorkers()
        let clock = ContinuousClock()
        let begun = clock.now
        try await cluster.submit("w1", count: runs)
        let submitted = (clock.now - begun).seconds
        try await cluster.startWorkers(workerCount)
        try await cluster.waitForEnd(of: "w1", count: runs)
        let seconds = try await span(of: "w1", from: "started_at", on: cluster)
        try await quiet(cluster)
        return [
            Figure(workload: "W1", name: "throughput", value: Double(runs) / seconds, unit: "runs/s"),
            Figure(workload: "W1", name: "submitted by batches of 1,000", value: Double(runs) / submitted, unit: "runs/s"),
        ]
    }

    // MARK: W2 and the cost of a step

    static func sequences(runs: Int, steps: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.apply(["workflow": "w2", "agents": noop, "steps": .array((1...steps).map { step("s\($0)") })])
        try await quiet(cluster)
        let cpu = cluster.cpu()
        let wal = try await cluster.walBytes()
        try await cluster.submit("w2", count: runs)
        try await cluster.waitForEnd(of: "w2", count: runs)
        let seconds = try await span(of: "w2", from: "submitted_at", on: cluster)
        let used = cluster.cpu()
        let written = try await cluster.walBytes() - wal
        let count = Double(runs * steps)
        return [
            Figure(workload: "W2", name: "throughput", value: count / seconds, unit: "steps/s"),
            Figure(workload: "W5", name: "PostgreSQL's CPU per step at W2's load", value: (used.postgres - cpu.postgres) / count * 1e6, unit: "us"),
            Figure(
                workload: "W5", name: "our CPU per step at W2's load",
                value: (used.coordinators - cpu.coordinators + used.workers - cpu.workers) / count * 1e6, unit: "us"),
            Figure(workload: "W5", name: "WAL per step at W2's load", value: written / count, unit: "bytes"),
        ]
    }

    // MARK: W3

    static func fanOut(sizes: [Int], repeats: Int, on cluster: BenchCluster) async throws -> [Figure] {
        var figures: [Figure] = []
        for size in sizes {
            let name = "w3-\(size)"
            let names = (1...size).map { "p\($0)" }
            let join: JSONValue = ["id": "join", "set": true, "needs": .array(names.map { .string($0) })]
            try await cluster.apply(["workflow": .string(name), "agents": noop, "graph": .array(names.map { step($0) } + [join])])
            var times: [Double] = []
            var costs: [Double] = []
            for repetition in 1...repeats {
                try await quiet(cluster)
                let cpu = cluster.cpu()
                try await cluster.submit(name, count: 1)
                try await cluster.waitForEnd(of: name, count: repetition)
                let used = cluster.cpu()
                times.append(
                    try await cluster.number(
                        """
                        select extract(epoch from e.ended_at - e.submitted_at)
                          from skein.ended_run e join skein.workflow_version v using (version_id)
                         where v.name = '\(name)' order by e.run_id desc limit 1
                        """))
                costs.append(
                    (used.postgres - cpu.postgres + used.coordinators - cpu.coordinators + used.workers - cpu.workers) / Double(size) * 1e6)
            }
            figures.append(Figure(workload: "W3", name: "\(size) parallel steps and a join, median", value: median(times) * 1000, unit: "ms"))
            figures.append(Figure(workload: "W3", name: "\(size) parallel steps: CPU per step, median", value: median(costs), unit: "us"))
        }
        figures.append(Figure(workload: "W3", name: "coordinator's memory afterwards", value: cluster.memory().coordinator / 1_048_576, unit: "MiB"))
        return figures
    }

    // MARK: W4

    static func latency(seconds: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.apply(["workflow": "w4", "agents": noop, "steps": .array((1...3).map { step("s\($0)") })])
        try await quiet(cluster)
        // The first runs warm caches and are not counted.
        try await cluster.submit("w4", count: 5)
        try await cluster.waitForEnd(of: "w4", count: 5)
        let clock = ContinuousClock()
        let begun = clock.now
        var sent: [String: Double] = [:]
        for index in 0..<(seconds * 10) {
            try await clock.sleep(until: begun + .milliseconds(100 * index))
            let now = Date().timeIntervalSince1970
            let answer = try await cluster.request("POST", "/api/v1/runs", body: #"{"workflow":"w4","input":{}}"#)
            guard let id = try JSONValue(parsing: answer)["run_id"]?.stringValue else { throw BenchError(description: answer) }
            sent[id] = now
        }
        try await cluster.waitForEnd(of: "w4", count: 5 + sent.count)
        var first: [Double] = []
        var end: [Double] = []
        for row in try await cluster.connection.query(
            """
            select e.run_id::text, extract(epoch from e.started_at)::double precision, extract(epoch from e.ended_at)::double precision
              from skein.ended_run e join skein.workflow_version v using (version_id) where v.name = 'w4'
            """)
        {
            guard let begun = sent[row.text(0)] else { continue }
            first.append((row.double(1) - begun) * 1000)
            end.append((row.double(2) - begun) * 1000)
        }
        return [
            Figure(workload: "W4", name: "submit to first step, p50", value: percentile(first, 0.5), unit: "ms"),
            Figure(workload: "W4", name: "submit to first step, p99", value: percentile(first, 0.99), unit: "ms"),
            Figure(workload: "W4", name: "submit to the end of 3 steps, p50", value: percentile(end, 0.5), unit: "ms"),
            Figure(workload: "W4", name: "submit to the end of 3 steps, p99", value: percentile(end, 0.99), unit: "ms"),
        ]
    }

    // MARK: W5

    static func idle(seconds: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await quiet(cluster)
        // Backends report what they have done up to ten seconds later.
        try await Task.sleep(for: .seconds(12))
        let before = cluster.cpu()
        let transactions = try await cluster.transactions()
        try await Task.sleep(for: .seconds(seconds))
        let after = cluster.cpu()
        let used = try await cluster.transactions() - transactions
        let memory = cluster.memory()
        let total = after.postgres - before.postgres + after.coordinators - before.coordinators + after.workers - before.workers
        return [
            Figure(workload: "W5", name: "idle \(seconds) s: coordinators' CPU", value: after.coordinators - before.coordinators, unit: "s"),
            Figure(workload: "W5", name: "idle \(seconds) s: workers' CPU", value: after.workers - before.workers, unit: "s"),
            Figure(workload: "W5", name: "idle \(seconds) s: PostgreSQL's CPU", value: after.postgres - before.postgres, unit: "s"),
            Figure(workload: "W5", name: "idle \(seconds) s: whole cluster, share of a core", value: total / Double(seconds) * 100, unit: "%"),
            Figure(workload: "W5", name: "idle \(seconds) s: transactions", value: used, unit: ""),
            Figure(workload: "W5", name: "coordinator's memory", value: memory.coordinator / 1_048_576, unit: "MiB"),
            Figure(workload: "W5", name: "worker's memory", value: memory.worker / 1_048_576, unit: "MiB"),
        ]
    }

    // MARK: Statistics

    static func median(_ values: [Double]) -> Double { percentile(values, 0.5) }

    static func percentile(_ values: [Double], _ share: Double) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.down)))]
    }
}
