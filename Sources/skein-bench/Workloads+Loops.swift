// W8: what an iteration of a loop costs must not depend on how many there are.

import Foundation
import Postgres
import WorkflowModel

extension Workloads {
    /// How many iterations of the loop run at once.
    private static let parallel = 100

    static func loops(_ options: WorkloadOptions, on cluster: BenchCluster) async throws -> [Figure] {
        let sizes = try options.loops
        try await cluster.apply([
            "workflow": "w8", "agents": noop,
            "steps": [["id": "all", "each": "${{ input.items }}", "maxParallel": .int(Int64(parallel)), "agent": "noop"]], "output": true,
        ])
        try await cluster.apply(sequence("w8-beside", steps: 3))
        // Caches are warm and pools are full before anything counts.
        try await loop(items: 100, on: cluster)
        _ = try await beside(on: cluster) { try await loop(items: 100, on: cluster) }

        var figures: [Figure] = []
        var costs: [Double] = []
        var peaks: [Double] = []
        for size in sizes {
            var cost: [Double] = []
            var peak: [Double] = []
            var seconds: [Double] = []
            for _ in 0..<options.w8Repeats {
                try await cluster.quiet()
                cluster.forgetPeaks()
                let before = try await cluster.usage()
                seconds.append(try await loop(items: size, on: cluster))
                cost.append((try await cluster.usage() - before).cluster / Double(size) * 1e6)
                peak.append(cluster.peakMemory())
            }
            costs.append(Statistics.median(cost))
            peaks.append(peak.max() ?? 0)
            figures.append(
                Figure(
                    workload: "W8", name: "\(size) items: items per second, median", value: Double(size) / Statistics.median(seconds),
                    unit: "items/s"))
            figures.append(Figure(workload: "W8", name: "\(size) items: CPU per item, median", value: Statistics.median(cost), unit: "us"))
            figures.append(Figure(workload: "W8", name: "\(size) items: coordinator's peak memory", value: peak.max() ?? 0, unit: "MiB"))
        }
        if let first = costs.first, let last = costs.last, costs.count > 1, first > 0 {
            figures.append(Figure(workload: "W8", name: "CPU per item, largest to smallest loop", value: last / first, unit: "x"))
            figures.append(
                Figure(
                    workload: "W8", name: "peak memory, largest less smallest loop", value: peaks[peaks.count - 1] - peaks[0], unit: "MiB"))
        }
        let latencies = try await beside(on: cluster) { try await loop(items: sizes.max() ?? 0, on: cluster) }
        figures.append(Figure(workload: "W8", name: "3-step runs beside the largest loop", value: Double(latencies.count), unit: ""))
        figures.append(
            Figure(
                workload: "W8", name: "3-step runs beside it, submit to end, p50", value: Statistics.percentile(latencies, 0.5), unit: "ms")
        )
        figures.append(
            Figure(
                workload: "W8", name: "3-step runs beside it, submit to end, p95", value: Statistics.percentile(latencies, 0.95), unit: "ms"
            ))
        for (name, from, to) in [
            ("submit to the first claim", "submitted_at", "first_claim"), ("claim to decision, each step", "claimed_at", "finished_at"),
            ("decision to the next claim", "before", "claimed_at"),
        ] {
            let value = try await cluster.number(besidePart(from: from, to: to))
            figures.append(Figure(workload: "W8", name: "of these, \(name), median", value: value, unit: "ms"))
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
                 where v.name = 'w8-beside') as steps
        """
    }

    // Runs one loop to its end; how many seconds it took.
    @discardableResult
    private static func loop(items: Int, on cluster: BenchCluster) async throws -> Double {
        let input: JSONValue = ["items": .array((0..<items).map { .int(Int64($0)) })]
        let run = try await cluster.api.start("w8", input: input)
        try await cluster.waitForEnd(ofRun: run)
        let settled = Int(
            try await cluster.number(
                "select count(*) from skein.step where run_id = '\(run)' and status = 'succeeded' and path like 'all[%'"))
        guard settled == items else { throw BenchError(description: "W8: \(settled) of \(items) iterations have a result") }
        return try await cluster.seconds(ofRun: run)
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
                sent[try await api.start("w8-beside", input: [:])] = now
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
        try await cluster.quiet()
        var latencies: [Double] = []
        for row in try await cluster.connection.query(
            """
            select e.run_id::text, extract(epoch from e.ended_at)::double precision
              from skein.ended_run e join skein.workflow_version v using (version_id) where v.name = 'w8-beside' and e.status = 'succeeded'
            """)
        {
            if let begun = sent[row.text(0)] { latencies.append((row.double(1) - begun) * 1000) }
        }
        guard latencies.count == sent.count else {
            throw BenchError(description: "W8: \(latencies.count) of \(sent.count) runs beside the loop succeeded")
        }
        return latencies
    }
}
