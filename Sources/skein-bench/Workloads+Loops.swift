// Loops and joins at scale: what an iteration costs must not depend on how many there are, and a join must happen once.

import Foundation
import Postgres
import WorkflowModel

/// What W6 and W7 do.
struct LoopScale {
    /// The sizes of W6's collections, the small one first.
    var items = [1000, 100_000]
    /// How often each size is measured; the median counts.
    var repeats = 3
    /// How many iterations of W6's loop run at once.
    var parallel = 100
    /// W7 joins this many branches, each of which joins as many.
    var branches = 100
    /// How often W7 does.
    var joins = 50
}

extension Workloads {
    // MARK: W6

    static func loops(_ scale: LoopScale, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.apply([
            "workflow": "w6", "agents": noop,
            "steps": [["id": "all", "each": "${{ input.items }}", "maxParallel": .int(Int64(scale.parallel)), "agent": "noop"]], "output": true,
        ])
        try await cluster.apply(["workflow": "w6-beside", "agents": noop, "steps": .array((1...3).map { step("s\($0)") })])
        // Caches are warm and pools are full before anything counts.
        try await loop(items: 100, on: cluster)
        _ = try await beside(on: cluster) { try await loop(items: 100, on: cluster) }

        var figures: [Figure] = []
        var costs: [Double] = []
        var peaks: [Double] = []
        for size in scale.items {
            var cost: [Double] = []
            var peak: [Double] = []
            var seconds: [Double] = []
            for _ in 0..<scale.repeats {
                try await quiet(cluster)
                cluster.forgetPeaks()
                let before = cluster.cpu()
                seconds.append(try await loop(items: size, on: cluster))
                let after = cluster.cpu()
                let used = after.postgres - before.postgres + after.coordinators - before.coordinators + after.workers - before.workers
                cost.append(used / Double(size) * 1e6)
                peak.append(cluster.peakMemory() / 1_048_576)
            }
            costs.append(median(cost))
            peaks.append(peak.max() ?? 0)
            figures.append(Figure(workload: "W6", name: "\(size) items: items per second, median", value: Double(size) / median(seconds), unit: "items/s"))
            figures.append(Figure(workload: "W6", name: "\(size) items: CPU per item, median", value: median(cost), unit: "us"))
            figures.append(Figure(workload: "W6", name: "\(size) items: coordinator's peak memory", value: peak.max() ?? 0, unit: "MiB"))
        }
        if let first = costs.first, let last = costs.last, costs.count > 1, first > 0 {
            figures.append(Figure(workload: "W6", name: "CPU per item, largest to smallest loop", value: last / first, unit: "x"))
            figures.append(Figure(workload: "W6", name: "peak memory, largest less smallest loop", value: peaks[peaks.count - 1] - peaks[0], unit: "MiB"))
        }
        let latencies = try await beside(on: cluster) { try await loop(items: scale.items.max() ?? 0, on: cluster) }
        figures.append(Figure(workload: "W6", name: "3-step runs beside the largest loop", value: Double(latencies.count), unit: ""))
        figures.append(Figure(workload: "W6", name: "3-step runs beside it, submit to end, p50", value: percentile(latencies, 0.5), unit: "ms"))
        figures.append(Figure(workload: "W6", name: "3-step runs beside it, submit to end, p95", value: percentile(latencies, 0.95), unit: "ms"))
        for (name, from, to) in [
            ("submit to the first claim", "submitted_at", "first_claim"), ("claim to decision, each step", "claimed_at", "finished_at"),
            ("decision to the next claim", "before", "claimed_at"),
        ] {
            let value = try await cluster.number(besidePart(from: from, to: to))
            figures.append(Figure(workload: "W6", name: "of these, \(name), median", value: value, unit: "ms"))
        }
        return figures
    }

    // Where the time of the runs beside the loop goes.
    private static func besidePart(from: String, to: String) -> String {
        """
        select percentile_cont(0.5) within group (order by extract(epoch from \(to) - \(from)) * 1000)
          from (select e.submitted_at, coalesce(s.claimed_at, s.started_at) as claimed_at, s.finished_at,
                       case when s.path = 's1' then coalesce(s.claimed_at, s.started_at) end as first_claim,
                       lag(s.finished_at) over (partition by s.run_id order by s.seq) as before
                  from skein.ended_run e join skein.workflow_version v using (version_id) join skein.step s using (run_id)
                 where v.name = 'w6-beside') as steps
        """
    }

    // Runs one loop to its end; how many seconds it took.
    @discardableResult
    private static func loop(items: Int, on cluster: BenchCluster) async throws -> Double {
        let input: JSONValue = ["items": .array((0..<items).map { .int(Int64($0)) })]
        let run = try await cluster.start("w6", input: input)
        try await cluster.waitForEnd(ofRun: run)
        let settled = Int(try await cluster.number("select count(*) from skein.step where run_id = '\(run)' and status = 'succeeded' and path like 'all[%'"))
        guard settled == items else { throw BenchError(description: "W6: \(settled) of \(items) iterations have a result") }
        return try await cluster.number("select extract(epoch from ended_at - submitted_at) from skein.ended_run where run_id = '\(run)'")
    }

    // Submits a run of 3 steps every 100 ms until `work` is done; the milliseconds from each submission to the run's end.
    private static func beside(on cluster: BenchCluster, _ work: () async throws -> Void) async throws -> [Double] {
        let clock = ContinuousClock()
        let api = cluster.api
        let submitting = Task { () throws -> [String: Double] in
            let begun = clock.now
            var sent: [String: Double] = [:]
            var index = 0
            while !Task.isCancelled {
                try? await clock.sleep(until: begun + .milliseconds(100 * index))
                if Task.isCancelled { break }
                index += 1
                let now = Date().timeIntervalSince1970
                sent[try await api.start("w6-beside", input: [:])] = now
            }
            return sent
        }
        do {
            try await work()
        } catch {
            submitting.cancel()
            throw error
        }
        submitting.cancel()
        let sent = try await submitting.value
        try await quiet(cluster)
        var latencies: [Double] = []
        for row in try await cluster.connection.query(
            """
            select e.run_id::text, extract(epoch from e.ended_at)::double precision
              from skein.ended_run e join skein.workflow_version v using (version_id) where v.name = 'w6-beside' and e.status = 'succeeded'
            """)
        {
            if let begun = sent[row.text(0)] { latencies.append((row.double(1) - begun) * 1000) }
        }
        guard latencies.count == sent.count else {
            throw BenchError(description: "W6: \(latencies.count) of \(sent.count) runs beside the loop succeeded")
        }
        return latencies
    }

    // MARK: W7

    static func fanIn(_ scale: LoopScale, on cluster: BenchCluster) async throws -> [Figure] {
        let cells: JSONValue = ["id": "cell", "each": "${{ range(0, input.n) }}", "maxParallel": 0, "agent": "noop"]
        let rows: JSONValue = ["id": "row", "each": "${{ range(0, input.n) }}", "maxParallel": 0, "do": [cells]]
        try await cluster.apply(["workflow": "w7", "agents": noop, "steps": [rows, ["id": "join", "set": true]]])
        try await quiet(cluster)
        let other = try await cluster.startCoordinator()
        var seconds: [Double] = []
        do {
            for repetition in 1...scale.joins {
                let run = try await cluster.start("w7", input: ["n": .int(Int64(scale.branches))])
                try await cluster.waitForEnd(ofRun: run)
                try await expectOneJoin(of: run, repetition, scale, on: cluster)
                seconds.append(try await cluster.number("select extract(epoch from ended_at - submitted_at) from skein.ended_run where run_id = '\(run)'"))
            }
        } catch {
            cluster.stop(other)
            throw error
        }
        let folders = try await cluster.number("select count(distinct application_name || pid) from pg_stat_activity where application_name like 'skein-coordinator%'")
        cluster.stop(other)
        let size = scale.branches * scale.branches
        return [
            Figure(workload: "W7", name: "fan-ins of \(scale.branches) x \(scale.branches), each joined exactly once", value: Double(seconds.count), unit: ""),
            Figure(workload: "W7", name: "one fan-in, median", value: median(seconds) * 1000, unit: "ms"),
            Figure(workload: "W7", name: "branches per second, median", value: Double(size) / median(seconds), unit: "steps/s"),
            Figure(workload: "W7", name: "connections of the two coordinators", value: folders, unit: ""),
        ]
    }

    // A join that happens twice has two rows, or a later number in the history than the step after it.
    private static func expectOneJoin(of run: String, _ repetition: Int, _ scale: LoopScale, on cluster: BenchCluster) async throws {
        let expected = [
            ("cell[", "path like 'row[%].cell[%'", scale.branches * scale.branches), ("row[].cell", "path ~ '^row\\[\\d+\\]\\.cell$'", scale.branches),
            ("row", "path = 'row'", 1), ("join", "path = 'join'", 1),
            ("what ended before the last branch", "path = 'row' and seq < (select max(seq) from skein.step x where x.run_id = s.run_id and x.path like 'row[%')", 0),
        ]
        for (what, condition, count) in expected {
            let found = Int(try await cluster.number("select count(*) from skein.step s where run_id = '\(run)' and status = 'succeeded' and \(condition)"))
            guard found == count else { throw BenchError(description: "W7, repetition \(repetition): \(found) results of \(what), not \(count)") }
        }
    }
}
