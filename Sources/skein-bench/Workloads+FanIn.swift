// W9: branches of branches, folded by two coordinators: a join must happen once.

import Postgres
import WorkflowModel

extension Workloads {
    static func fanIn(_ options: WorkloadOptions, on cluster: BenchCluster) async throws -> [Figure] {
        let cells: JSONValue = ["id": "cell", "each": "${{ range(0, input.n) }}", "maxParallel": 0, "agent": "noop"]
        let rows: JSONValue = ["id": "row", "each": "${{ range(0, input.n) }}", "maxParallel": 0, "do": [cells]]
        try await cluster.apply(["workflow": "w9", "agents": noop, "steps": [rows, ["id": "join", "set": true]]])
        try await cluster.quiet()
        let other = try await cluster.startCoordinator()
        var seconds: [Double] = []
        do {
            for repetition in 1...options.w9Joins {
                let run = try await cluster.api.start("w9", input: ["n": .int(Int64(options.w9Branches))])
                try await cluster.waitForEnd(ofRun: run)
                try await expectOneJoin(of: run, repetition, options, on: cluster)
                seconds.append(try await cluster.seconds(ofRun: run))
            }
        } catch {
            cluster.stop(other)
            throw error
        }
        let folders = try await cluster.number(
            "select count(distinct application_name || pid) from pg_stat_activity where application_name like 'skein-coordinator%'")
        cluster.stop(other)
        let size = options.w9Branches * options.w9Branches
        return [
            Figure(
                workload: "W9", name: "fan-ins of \(options.w9Branches) x \(options.w9Branches), each joined exactly once",
                value: Double(seconds.count), unit: ""),
            Figure(workload: "W9", name: "one fan-in, median", value: Statistics.median(seconds) * 1000, unit: "ms"),
            Figure(workload: "W9", name: "branches per second, median", value: Double(size) / Statistics.median(seconds), unit: "steps/s"),
            Figure(workload: "W9", name: "connections of the two coordinators", value: folders, unit: ""),
        ]
    }

    // A join that happens twice has two rows, or a later number in the history than the step after it.
    private static func expectOneJoin(of run: String, _ repetition: Int, _ options: WorkloadOptions, on cluster: BenchCluster) async throws
    {
        let expected = [
            ("cell[", "path like 'row[%].cell[%'", options.w9Branches * options.w9Branches),
            ("row[].cell", "path ~ '^row\\[\\d+\\]\\.cell$'", options.w9Branches),
            ("row", "path = 'row'", 1), ("join", "path = 'join'", 1),
            (
                "what ended before the last branch",
                "path = 'row' and seq < (select max(seq) from skein.step x where x.run_id = s.run_id and x.path like 'row[%')", 0
            ),
        ]
        for (what, condition, count) in expected {
            let found = Int(
                try await cluster.number(
                    "select count(*) from skein.step s where run_id = '\(run)' and status = 'succeeded' and \(condition)"))
            guard found == count else {
                throw BenchError(description: "W9, repetition \(repetition): \(found) results of \(what), not \(count)")
            }
        }
    }
}
