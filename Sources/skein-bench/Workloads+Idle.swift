// W5: what a cluster that has nothing to do costs.

extension Workloads {
    /// The figures are for 30 seconds, however long the cluster is watched.
    static func idle(seconds: Int, on cluster: BenchCluster) async throws -> [Figure] {
        try await cluster.quiet()
        try await cluster.restart()
        try await cluster.apply(sequence("w5", steps: 3))
        let mark = try await cluster.mark()
        try await cluster.submit("w5", count: 20)
        try await cluster.waitForEnds(20, since: mark)
        // The transactions of autovacuum are nobody's who is measured here.
        try await cluster.execute("alter system set autovacuum = off")
        try await cluster.execute("select pg_reload_conf()")
        try await cluster.settleDown()
        // Backends report what they have done up to ten seconds later.
        try await Task.sleep(for: .seconds(12))
        let transactions = try await cluster.transactions()
        let usage = try await cluster.usage()
        let before = cluster.fineCPU()
        try await Task.sleep(for: .seconds(seconds))
        let after = cluster.fineCPU()
        let used = try await cluster.usage() - usage
        // Three of them were asking for these figures: for the transactions themselves, and twice for what was used.
        let committed = try await cluster.transactions() - transactions - 3
        let memory = cluster.memory()
        try await cluster.execute("alter system reset autovacuum")
        try await cluster.execute("select pg_reload_conf()")

        let scale = 30 / Double(seconds)
        func mostOf(_ before: [Double], _ after: [Double]) -> Double { zip(after, before).map { $0 - $1 }.max() ?? 0 }
        let processes = Double(cluster.coordinators.count + cluster.workers.count)
        return [
            Figure(workload: "W5", name: Name.idleWorkerCPU, value: mostOf(before.workers, after.workers) * scale, unit: "s"),
            Figure(
                workload: "W5", name: Name.idleCoordinatorCPU, value: mostOf(before.coordinators, after.coordinators) * scale, unit: "s"),
            Figure(workload: "W5", name: "idle: PostgreSQL's CPU in 30 s", value: used.postgres * scale, unit: "s"),
            Figure(workload: "W5", name: Name.idleTransactions, value: max(0, committed) * scale / processes, unit: ""),
            Figure(workload: "W5", name: Name.idleWorkerMemory, value: memory.worker, unit: "MiB"),
            Figure(workload: "W5", name: Name.idleCoordinatorMemory, value: memory.coordinator, unit: "MiB"),
        ]
    }
}
