// W3: many parallel steps of one run, and a join.

import WorkflowModel

extension Workloads {
    /// Up to so many steps are written down as a graph; a loop makes more of them, since a definition has a largest size.
    private static let largestGraph = 10_000

    static func fanOut(_ options: WorkloadOptions, on cluster: BenchCluster, floor: FloorProbe) async throws -> [Figure] {
        var figures: [Figure] = []
        for size in try options.fanOuts {
            let name = "w3-\(size)"
            // All that it keeps counts: the definition, and what the first run leaves behind.
            cluster.forgetPeaks()
            let resident = cluster.memory().coordinator
            try await cluster.apply(fanOut(name, size))
            try floor()
            // Somebody has to do it a first time.
            let input: JSONValue = size > largestGraph ? ["items": .array((0..<size).map { .int(Int64($0)) })] : [:]
            try await cluster.waitForEnd(ofRun: try await cluster.api.start(name, input: input))
            var times: [Double] = []
            var costs: [Double] = []
            for _ in 0..<options.w3Repeats {
                try await cluster.quiet()
                let before = try await cluster.usage()
                let run = try await cluster.api.start(name, input: input)
                try await cluster.waitForEnd(ofRun: run)
                let usage = try await cluster.usage() - before
                times.append(try await cluster.seconds(ofRun: run) * 1000)
                costs.append(usage.cluster / Double(size) * 1e6)
            }
            try floor()
            figures += [
                Figure(workload: "W3", name: Name.fanOut(size), medianOf: times, unit: "ms"),
                Figure(workload: "W3", name: "\(size) parallel steps: CPU for a step", medianOf: costs, unit: "us"),
                Figure(workload: "W3", name: Name.fanOutMemory(size), value: cluster.peakMemory() - resident, unit: "MiB"),
                Figure(
                    workload: "W3", name: "\(size) parallel steps: coordinator's memory afterwards", value: cluster.memory().coordinator,
                    unit: "MiB"),
            ]
        }
        return figures
    }

    private static func fanOut(_ name: String, _ size: Int) -> JSONValue {
        if size > largestGraph {
            let all: JSONValue = ["id": "all", "each": "${{ input.items }}", "maxParallel": 0, "agent": "noop"]
            return ["workflow": .string(name), "agents": noop, "steps": [all, ["id": "join", "set": true]]]
        }
        let names = (1...size).map { "p\($0)" }
        let join: JSONValue = ["id": "join", "set": true, "needs": .array(names.map { .string($0) })]
        return ["workflow": .string(name), "agents": noop, "graph": .array(names.map { step($0) } + [join])]
    }
}
