// W4: how long a run waits at 10 runs a second.

import Foundation
import Postgres
import WorkflowModel

extension Workloads {
    static func latency(seconds: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.apply(sequence("w4", steps: 3))
        try await cluster.quiet()
        let (first, end) = try await latencies(of: "w4", seconds: seconds, on: cluster)
        return [
            Figure(workload: "W4", name: Name.firstStepMedian, value: Statistics.percentile(first, 0.5), unit: "ms"),
            Figure(workload: "W4", name: Name.firstStepTail, value: Statistics.percentile(first, 0.99), unit: "ms"),
            Figure(workload: "W4", name: Name.endMedian, value: Statistics.percentile(end, 0.5), unit: "ms"),
            Figure(workload: "W4", name: Name.endTail, value: Statistics.percentile(end, 0.99), unit: "ms"),
        ]
    }

    /// Milliseconds from each submit to the first step and to the end.
    static func latencies(of workflow: String, seconds: Int, on cluster: BenchCluster) async throws -> (first: [Double], end: [Double]) {
        // The first runs warm caches and are not counted.
        let warm = try await cluster.mark()
        try await cluster.submit(workflow, count: 5)
        try await cluster.waitForEnds(5, since: warm)
        let clock = ContinuousClock()
        let begun = clock.now
        let mark = try await cluster.mark()
        var sent: [String: Double] = [:]
        for index in 0..<(seconds * 10) {
            try await clock.sleep(until: begun + .milliseconds(100 * index))
            let now = Date().timeIntervalSince1970
            sent[try await cluster.api.start(workflow, input: [:])] = now
        }
        try await cluster.waitForEnds(sent.count, since: mark)
        var first: [Double] = []
        var end: [Double] = []
        for row in try await cluster.connection.query(
            SQL(
                """
                select run_id::text, extract(epoch from started_at)::double precision, extract(epoch from ended_at)::double precision
                  from skein.ended_run where run_id >= '\(mark.firstRun)'
                """))
        {
            guard let begun = sent[row.text(0)] else { continue }
            first.append((row.double(1) - begun) * 1000)
            end.append((row.double(2) - begun) * 1000)
        }
        return (first, end)
    }
}
