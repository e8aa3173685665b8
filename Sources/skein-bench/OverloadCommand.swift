// What happens when much more is asked for than can be done: who is refused, what memory does, whether the accepted work goes on.

import ArgumentParser
import Foundation
import NIOCore
import Synchronization
import WorkflowModel

struct OverloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "overload",
        abstract: "Submits ten times what the cluster can do, and watches memory, refusals and throughput.",
        discussion: """
            The agents take their time, so the slots of the workers are the capacity. It is measured first, by runs that wait; then batches \
            of runs are submitted at a multiple of it. With --check it fails unless submits were refused with 429 and a time, nothing else \
            went wrong, memory stayed flat, at least 90 % of the capacity was kept, and every accepted run has succeeded in the end.

            Example: skein-bench overload --seconds 120 --check
            """)

    @Option(help: "How many times the capacity is asked for.")
    var factor = 10

    @Option(help: "How long, in seconds.")
    var seconds = 60

    @Option(help: "Milliseconds that an agent takes.")
    var delay = 100

    @Option(help: "Slots of the one worker.")
    var slots = 64

    @Option(help: "How many runs may be under way (backlog.limit).")
    var backlog = 5000

    @Option(help: "Bytes of the input of a run.")
    var bytes = 1000

    @Option(help: "Where the private database lives; default: a new directory in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Exit with 1 when something is not as it should be.")
    var check = false

    private static let clients = 16
    private static let batch = 50
    // What a heap may grow by when it is flat: fragments, caches that fill up.
    private static let flatShare = 1.25
    private static let keptShare = 0.9

    func validate() throws {
        for (option, value) in [
            ("--factor", factor), ("--seconds", seconds), ("--delay", delay), ("--slots", slots), ("--backlog", backlog), ("--bytes", bytes),
        ] {
            try atLeastOne(option, value)
        }
    }

    func run() async throws {
        let agent = try await DelayAgent.start(delay: .milliseconds(Int64(delay)))
        let cluster = try await BenchCluster.start(
            directory: directory, coordinators: 1, workers: 1, slots: slots, settings: ["SKEIN_BACKLOG_LIMIT": "\(backlog)"])
        let isGood: Bool
        do {
            isGood = try await measure(cluster, agent)
            await cluster.stop()
        } catch {
            await cluster.stop()
            throw error
        }
        await agent.stop()
        if check && !isGood { throw ExitCode.failure }
    }

    private struct Counts {
        var accepted = 0
        var refused = 0
        var refusals = 0
        var otherwise: [String: Int] = [:]
        var withoutTime = 0
    }

    private final class Tally: Sendable {
        private let counts = Mutex(Counts())

        var now: Counts { counts.withLock { $0 } }

        func add(_ answer: (status: Int, retryAfter: String?, text: String), batch: Int) {
            let results = answer.status == 200 ? (try? JSONValue(parsing: answer.text))?["results"]?.arrayValue ?? [] : []
            counts.withLock { counts in
                switch answer.status {
                case 200:
                    let accepted = results.count { $0["status"] == 201 }
                    counts.accepted += accepted
                    if accepted < batch { counts.otherwise["in a batch", default: 0] += batch - accepted }
                case 429:
                    counts.refused += batch
                    counts.refusals += 1
                    if answer.retryAfter.flatMap({ Int($0) }) == nil { counts.withoutTime += 1 }
                default: counts.otherwise["\(answer.status)", default: 0] += 1
                }
            }
        }
    }

    private func measure(_ cluster: BenchCluster, _ agent: DelayAgent) async throws -> Bool {
        let step: JSONValue = ["id": "s1", "agent": "slow"]
        try await cluster.apply([
            "workflow": "overload", "agents": ["slow": ["kind": "http", "url": .string(agent.url)]], "steps": [step],
        ])
        let mark = try await cluster.mark()
        // The slots alone bound the throughput; what a run costs beside its call is measured with it.
        let warmUp = min(backlog, slots * 1000 / delay * 4)
        try await cluster.submit("overload", count: warmUp)
        try await cluster.waitForEnds(warmUp, since: mark)
        let capacity = Double(warmUp) / (try await cluster.span(since: mark, from: "started_at"))
        print("capacity: \(Report.plain(capacity)) runs/s with \(slots) slots and \(delay) ms")

        let tally = Tally()
        let clock = ContinuousClock()
        let begun = clock.now
        let end = begun + .seconds(seconds)
        let pause = Duration.seconds(Double(Self.clients * Self.batch) / (capacity * Double(factor)))
        let (api, body) = (cluster.api, batchBody())
        let ended = "select count(*) from skein.ended_run where run_id >= '\(mark.firstRun)'"
        var samples: [(memory: Double, ended: Double, at: Double)] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<Self.clients {
                let first = begun + pause * client / Self.clients
                group.addTask { [api, body, tally] in
                    var next = first
                    while clock.now < end {
                        try await clock.sleep(until: next)
                        next = max(next + pause, clock.now)
                        tally.add(try await api.answer("POST", "/api/v1/runs:batch", body: body), batch: Self.batch)
                    }
                }
            }
            let interval = Duration.seconds(max(1, Double(seconds) / 12))
            for number in 1... {
                try await clock.sleep(until: begun + interval * number)
                guard clock.now <= end else { break }
                let counted = try await cluster.number(ended)
                let sample = (memory: cluster.memory().coordinator, ended: counted, at: (clock.now - begun).seconds)
                samples.append(sample)
                let now = tally.now
                print(
                    "\(Report.plain(sample.at)) s: coordinator \(Report.plain(sample.memory)) MiB, \(now.accepted) accepted, \(now.refused) refused, \(Int(counted) - warmUp) ended"
                )
            }
            try await group.waitForAll()
        }
        let took = (clock.now - begun).seconds
        let sum = tally.now
        try await cluster.waitForEnds(warmUp + sum.accepted, since: mark)
        let left = try await cluster.number("select count(*) from skein.run")
        let all = try await cluster.number(ended)
        return judge(sum, samples, capacity: capacity, took: took, lost: Double(warmUp + sum.accepted) - all, left: left)
    }

    private func judge(
        _ sum: Counts, _ samples: [(memory: Double, ended: Double, at: Double)], capacity: Double, took: Double, lost: Double, left: Double
    ) -> Bool {
        let asked = Double(sum.accepted + sum.refused) / took
        // From the first third on everything is full: the backlog, the caches, the heap.
        let settled = samples.dropFirst(samples.count / 3)
        guard let first = settled.first, let last = settled.last, last.at > first.at else { return false }
        let rate = (last.ended - first.ended) / (last.at - first.at)
        let memory = (first.memory, settled.map(\.memory).max() ?? 0)
        let lines: [(String, Bool)] = [
            ("asked for: \(Report.plain(asked)) runs/s, \(Report.plain(asked / capacity)) times the capacity", true),
            ("accepted: \(sum.accepted), refused with 429: \(sum.refused) in \(sum.refusals) answers", sum.refused > 0),
            ("429 without Retry-After: \(sum.withoutTime)", sum.withoutTime == 0),
            ("other answers: \(sum.otherwise.isEmpty ? "none" : "\(sum.otherwise)")", sum.otherwise.isEmpty),
            (
                "coordinator: \(Report.plain(memory.0)) MiB after a third of the time, at most \(Report.plain(memory.1)) MiB later",
                memory.1 <= memory.0 * Self.flatShare
            ),
            ("accepted work: \(Report.plain(rate)) runs/s, \(Report.plain(rate / capacity * 100)) % of the capacity", rate >= capacity * Self.keptShare),
            ("accepted and not ended: \(Int(lost)), live: \(Int(left))", lost == 0 && left == 0),
        ]
        for (line, isGood) in lines { print(isGood ? line : "\(line)  MISSED") }
        return lines.allSatisfy(\.1)
    }

    private func batchBody() -> String {
        let input: JSONValue = ["text": .string(String(repeating: "x", count: bytes))]
        let run: JSONValue = ["workflow": "overload", "input": input]
        return (["runs": .array(Array(repeating: run, count: Self.batch))] as JSONValue).compactText
    }
}
