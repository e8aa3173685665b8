// W7: how many runs a coordinator accepts, each of them durable before it is acknowledged. No worker takes part.

import WorkflowModel

extension Workloads {
    private static let batch = 500
    private static let batchClients = 4
    private static let singleClients = 50

    static func submits(_ options: WorkloadOptions, on cluster: BenchCluster, floor: FloorProbe) async throws -> [Figure] {
        try await cluster.apply(sequence("w7", steps: 1))
        let workers = cluster.workers.count
        let singles = max(1, options.w7Runs / 5)
        var byBatches: [Double] = []
        var singly: [Double] = []
        _ = try await repeated(options.repeats, floor) {
            cluster.stopWorkers()
            let mark = try await cluster.mark()
            byBatches.append(try await rate(of: options.w7Runs, by: batchClients, atOnce: batch, on: cluster))
            singly.append(try await rate(of: singles, by: singleClients, atOnce: 1, on: cluster))
            try await cluster.startWorkers(workers)
            try await cluster.waitForEnds(options.w7Runs + singles, since: mark)
            try await cluster.quiet()
        }
        return [
            Figure(workload: "W7", name: Name.submitBatches, medianOf: byBatches, unit: "runs/s"),
            Figure(workload: "W7", name: Name.submitSingly, medianOf: singly, unit: "runs/s"),
        ]
    }

    // Some clients submit runs until there are enough; how many that is a second.
    private static func rate(of runs: Int, by clients: Int, atOnce size: Int, on cluster: BenchCluster) async throws -> Double {
        let api = cluster.api
        let clock = ContinuousClock()
        let begun = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                let share = runs / clients + (client < runs % clients ? 1 : 0)
                group.addTask {
                    var left = share
                    while left > 0 {
                        if size == 1 {
                            _ = try await api.start("w7", input: [:])
                        } else {
                            try await api.submit("w7", count: min(size, left))
                        }
                        left -= min(size, left)
                    }
                }
            }
            try await group.waitForAll()
        }
        return Double(runs) / (clock.now - begun).seconds
    }
}
