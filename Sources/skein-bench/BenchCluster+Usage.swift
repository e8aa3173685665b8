// What work costs, process by process.

import EmbeddedPostgres
import Foundation

/// CPU seconds, WAL bytes: what was used so far, or between two moments.
struct Usage {
    var postgres = 0.0
    var coordinators = 0.0
    var workers = 0.0
    /// This program itself, which may play the agents.
    var bench = 0.0
    var walBytes = 0.0

    /// Coordinators and workers.
    var own: Double { coordinators + workers }
    var cluster: Double { postgres + own }

    static func - (left: Usage, right: Usage) -> Usage {
        Usage(
            postgres: left.postgres - right.postgres, coordinators: left.coordinators - right.coordinators,
            workers: left.workers - right.workers, bench: left.bench - right.bench, walBytes: left.walBytes - right.walBytes)
    }
}

extension BenchCluster {
    func usage() async throws -> Usage {
        let wal = try await number("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        let table = ProcessTable.read()
        return Usage(
            postgres: table.treeSeconds(of: server.processID),
            coordinators: coordinators.reduce(0) { $0 + table.seconds(of: $1.processIdentifier) },
            workers: workers.reduce(0) { $0 + table.seconds(of: $1.processIdentifier) }, bench: table.seconds(of: getpid()), walBytes: wal)
    }

    /// The CPU seconds of each process so far, to the nanosecond; for those that do next to nothing.
    func fineCPU() -> (coordinators: [Double], workers: [Double]) {
        (
            coordinators.map { ProcessTable.fineSeconds(of: $0.processIdentifier) },
            workers.map { ProcessTable.fineSeconds(of: $0.processIdentifier) }
        )
    }

    /// Resident memory in MiB, the largest of each.
    func memory() -> (coordinator: Double, worker: Double) {
        (
            coordinators.map { ProcessTable.residentMebibytes(of: $0.processIdentifier) }.max() ?? 0,
            workers.map { ProcessTable.residentMebibytes(of: $0.processIdentifier) }.max() ?? 0
        )
    }

    /// Lets the kernel count the coordinators' peak memory anew.
    func forgetPeaks() {
        for process in coordinators { ProcessTable.forgetPeak(of: process.processIdentifier) }
    }

    /// The coordinators' peak of resident memory in MiB since `forgetPeaks`; the largest.
    func peakMemory() -> Double { coordinators.map { ProcessTable.peakMebibytes(of: $0.processIdentifier) }.max() ?? 0 }

    func transactions() async throws -> Double {
        try await number("select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database()")
    }
}
