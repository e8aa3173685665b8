// What was seen under overload, and whether it is as it should be.

import Foundation
import Synchronization
import WorkflowModel

/// The cluster at one moment, or what lies between two.
struct OverloadSample {
    /// Seconds since the beginning.
    var at: Double
    /// Runs that have ended.
    var ended: Double
    /// MiB of the processes, and of the tables of live work.
    var coordinator: Double
    var worker: Double
    var tables: Double
    /// CPU seconds of the cluster and of this program.
    var usage: Usage
    /// CPU seconds of everything on the machine.
    var machine: Double

    init(_ cluster: BenchCluster, since mark: Mark, at seconds: Double) async throws {
        ended = try await cluster.number("select count(*) from skein.ended_run where run_id >= '\(mark.firstRun)'")
        tables = try await cluster.number(
            "select sum(pg_total_relation_size('skein.' || t)) / 1048576.0 from unnest(array['run', 'task', 'inbox', 'timer', 'wait']) t")
        (coordinator, worker) = cluster.memory()
        usage = try await cluster.usage()
        machine = ProcessTable.machineSeconds()
        at = seconds
    }

    static func - (left: OverloadSample, right: OverloadSample) -> OverloadSample {
        var between = left
        between.at -= right.at
        between.ended -= right.ended
        between.usage = left.usage - right.usage
        between.machine -= right.machine
        return between
    }

    var line: String {
        "\(Report.plain(at)) s: coordinator \(Report.plain(coordinator)) MiB, worker \(Report.plain(worker)) MiB, tables \(Report.plain(tables)) MiB, ended \(Report.plain(ended))"
    }

    // MARK: CPU, in cores

    private func cores(_ seconds: Double) -> Double { seconds / max(at, 0.001) }
    /// What the cluster does not use: agents and clients, and whatever else runs on the machine.
    var foreign: Double { max(0, cores(machine - usage.cluster)) }
    var isSaturated: Bool { cores(machine) >= Double(ProcessInfo.processInfo.activeProcessorCount) * 0.95 }

    var cpu: String {
        let others = max(0, machine - usage.cluster - usage.bench)
        let parts = [
            ("PostgreSQL", usage.postgres), ("coordinator", usage.coordinators), ("worker", usage.workers), ("clients and agents", usage.bench),
            ("others", others),
        ]
        return parts.map { "\($0) \(Report.plain(cores($1)))" }.joined(separator: ", ") + " cores"
    }
}

/// How long answers took, in milliseconds.
struct OverloadTimes {
    var values: [Double] = []

    var text: String {
        guard !values.isEmpty else { return "none" }
        return "\(Report.plain(Statistics.percentile(values, 0.5))) / \(Report.plain(Statistics.percentile(values, 0.99))) ms"
    }
}

/// What clients were answered.
struct OverloadCounts {
    var accepted = 0
    var refused = 0
    var refusals = 0
    var otherwise: [String: Int] = [:]
    var withoutTime = 0
    var acceptedTimes = OverloadTimes()
    var refusedTimes = OverloadTimes()
}

final class OverloadTally: Sendable {
    private let counts = Mutex(OverloadCounts())

    var now: OverloadCounts { counts.withLock { $0 } }

    func add(_ answer: OverloadAnswer, runs: Int) {
        let results = answer.status == 200 ? (try? JSONValue(parsing: answer.text))?["results"]?.arrayValue ?? [] : []
        counts.withLock { counts in
            switch answer.status {
            case 200, 201:
                let accepted = answer.status == 201 ? 1 : results.count { $0["status"] == 201 }
                counts.accepted += accepted
                counts.acceptedTimes.values.append(answer.milliseconds)
                if accepted < runs { counts.otherwise["in a batch", default: 0] += runs - accepted }
            case 429:
                counts.refused += runs
                counts.refusals += 1
                counts.refusedTimes.values.append(answer.milliseconds)
                if answer.retryAfter.flatMap({ Int($0) }) == nil { counts.withoutTime += 1 }
            case 0: counts.otherwise["no answer", default: 0] += 1
            default: counts.otherwise["\(answer.status)", default: 0] += 1
            }
        }
    }
}

/// Everything that was seen.
struct OverloadReport {
    let capacity: Double
    /// What lies between beginning and end of the measurement of the capacity.
    let idle: OverloadSample
    var samples: [OverloadSample] = []
    var counts = OverloadCounts()
    var seconds = 0.0
    var lost = 0
    var left = 0

    // What a heap or a table may grow by when it is flat: fragments, caches that fill up, rows that vacuum has not come to yet.
    private static let flatShare = 1.25
    private static let flatMebibytes = 8.0
    private static let keptShare = 0.8
    private static let offeredShare = 0.95

    init(capacity: Double, idle: OverloadSample) {
        self.capacity = capacity
        self.idle = idle
    }

    /// Prints each figure, and says whether all are as they should be.
    func judge(factor: Double) -> Bool {
        // From the first third on everything is full: the backlog, the caches, the heap.
        let settled = samples.dropFirst(samples.count / 3)
        guard let first = settled.first, let last = settled.last, last.at > first.at else {
            print("too short to say anything; give it more --seconds")
            return false
        }
        let during = last - first
        let rate = during.ended / during.at
        let kept = rate / capacity
        let asked = Double(counts.accepted + counts.refused) / seconds / capacity
        var lines: [(String, Bool)] = [
            ("offered: \(Report.plain(asked * capacity)) runs/s, \(Report.plain(asked)) times the capacity", asked >= factor * Self.offeredShare),
            ("accepted: \(Report.plain(Double(counts.accepted))), p50 / p99 \(counts.acceptedTimes.text)", counts.accepted > 0),
            (
                "refused with 429: \(Report.plain(Double(counts.refused))) in \(Report.plain(Double(counts.refusals))) answers, p50 / p99 \(counts.refusedTimes.text)",
                counts.refused > 0
            ),
            ("429 without Retry-After: \(counts.withoutTime)", counts.withoutTime == 0),
            ("other answers: \(counts.otherwise.isEmpty ? "none" : "\(counts.otherwise)")", counts.otherwise.isEmpty),
        ]
        for (name, memory) in [
            ("coordinator", \OverloadSample.coordinator), ("worker", \OverloadSample.worker), ("tables of live work", \OverloadSample.tables),
        ] {
            let (begin, end, peak) = (first[keyPath: memory], last[keyPath: memory], settled.map { $0[keyPath: memory] }.max() ?? 0)
            lines.append(
                (
                    "\(name): \(Report.plain(begin)) MiB after a third of the time, \(Report.plain(end)) MiB at the end, at most \(Report.plain(peak)) MiB",
                    peak <= begin * Self.flatShare + Self.flatMebibytes
                ))
        }
        let fair = kept / fairShare(during)
        lines += [
            ("CPU before: \(idle.cpu)", true), ("CPU during: \(during.cpu)", true),
            (
                "finished steps: \(Report.plain(capacity)) a second before, \(Report.plain(rate)) during: \(Report.plain(kept * 100)) % kept, \(Report.plain(fair * 100)) % of what the CPU left to the cluster allows",
                fair >= Self.keptShare
            ),
            ("accepted and not ended: \(lost), live: \(left)", lost == 0 && left == 0),
        ]
        for (line, isGood) in lines { print(isGood ? line : "\(line)  MISSED") }
        return lines.allSatisfy(\.1)
    }

    // How much of the CPU that the cluster had before is left to it, all of it as long as the machine has some to spare; where clients take more than half
    // of it, nothing is shown.
    private func fairShare(_ during: OverloadSample) -> Double {
        guard during.isSaturated else { return 1 }
        let cores = Double(ProcessInfo.processInfo.activeProcessorCount)
        return min(1, max(0.5, (cores - during.foreign) / max(0.5, cores - idle.foreign)))
    }
}
