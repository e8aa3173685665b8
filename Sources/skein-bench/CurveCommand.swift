// How the throughput of agents that take their time grows with the processes, and where the time goes.

import ArgumentParser
import Foundation
import NIOCore
import WorkflowModel

struct CurveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "curve",
        abstract: "Measures throughput with 1, 2, 4 … workers and coordinators, and agents that take 5 ms.",
        discussion: """
            Runs of 10 sequential steps, each a call of an HTTP agent in this process. The curve of the workers is drawn with one coordinator, \
            the one of the coordinators with the most workers. CPU is in microseconds for a step; "agents" is this process.

            Example: skein-bench curve --workers 1,2,4,8 --coordinators 1,2,4
            """)

    @Option(help: "Numbers of worker processes.")
    var workers = "1,2,4,8"

    @Option(help: "Numbers of coordinator processes.")
    var coordinators = "1,2,4"

    @Option(help: "Slots of each worker.")
    var slots = 32

    @Option(help: "Milliseconds that an agent takes.")
    var delay = 5

    @Option(help: "Runs at each point, of 10 steps each.")
    var runs = 3000

    @Option(help: "How often each point is measured; the median counts.")
    var repeats = 3

    @Option(help: "Where the private database lives; default: a new directory in the system's temporary directory.")
    var directory: String?

    @Flag(help: "Print the figures as one JSON document.")
    var json = false

    private struct Point {
        let workers: Int
        let coordinators: Int
        let rounds: [Workloads.Round]

        func median(_ value: (Workloads.Round) -> Double) -> Double { Statistics.median(rounds.map(value)) }
    }

    func validate() throws {
        try atLeastOne("--slots", slots)
        try atLeastOne("--delay", delay)
        try atLeastOne("--runs", runs)
        try atLeastOne("--repeats", repeats)
        _ = try counts(workers, "--workers")
        _ = try counts(coordinators, "--coordinators")
    }

    func run() async throws {
        let workerCounts = try counts(workers, "--workers")
        let coordinatorCounts = try counts(coordinators, "--coordinators")
        let most = workerCounts.max() ?? 1
        var places = workerCounts.map { (workers: $0, coordinators: 1) }
        for count in coordinatorCounts where !places.contains(where: { $0 == (most, count) }) { places.append((most, count)) }
        let agent = try await DelayAgent.start(delay: .milliseconds(Int64(delay)))
        var points: [Point] = []
        for place in places {
            FileHandle.standardError.write(Data("\(place.workers) workers, \(place.coordinators) coordinators …\n".utf8))
            points.append(try await measure(place.workers, place.coordinators, agent))
        }
        await agent.stop()
        print(json ? Self.json(points) : text(points))
    }

    private func measure(_ workers: Int, _ coordinators: Int, _ agent: DelayAgent) async throws -> Point {
        let cluster = try await BenchCluster.start(directory: directory, coordinators: coordinators, workers: workers, slots: slots)
        do {
            let slow: JSONValue = ["slow": ["kind": "http", "url": .string(agent.url)]]
            let steps: [JSONValue] = (1...10).map { ["id": .string("s\($0)"), "agent": "slow"] }
            try await cluster.apply(["workflow": "curve", "agents": slow, "steps": .array(steps)])
            _ = try await Workloads.round("curve", runs: max(1, runs / 10), steps: 10, on: cluster)
            let rounds = try await Workloads.repeated(repeats, {}) {
                try await cluster.quiet()
                return try await Workloads.round("curve", runs: runs, steps: 10, on: cluster)
            }
            await cluster.stop()
            return Point(workers: workers, coordinators: coordinators, rounds: rounds)
        } catch {
            await cluster.stop()
            throw error
        }
    }

    private func counts(_ text: String, _ option: String) throws -> [Int] {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let counts = words.compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        guard counts.count == words.count, counts.allSatisfy({ (1...64).contains($0) }) else {
            throw ValidationError("\(option) takes numbers from 1 to 64, separated by commas, not \"\(text)\"")
        }
        return counts
    }

    // MARK: The table

    private func text(_ points: [Point]) -> String {
        var lines = [
            "Agents that take \(delay) ms, \(slots) slots a worker; CPU in us for a step",
            Report.row([
                .init("workers", 8), .init("coordinators", 13), .init("steps/s", 10), .init("of the slots", 13), .init("PostgreSQL", 11),
                .init("coordinators", 13), .init("workers", 8), .init("agents", 7), .init("cores"),
            ]),
        ]
        for point in points {
            let rate = point.median(\.rate)
            let most = Double(point.workers * slots) * 1000 / Double(delay)
            func cpu(_ part: @escaping (Usage) -> Double) -> String {
                Report.plain(point.median { part($0.usage) / $0.units * 1e6 }.rounded())
            }
            lines.append(
                Report.row([
                    .init("\(point.workers)", 8), .init("\(point.coordinators)", 13), .init(Report.plain(rate.rounded()), 10),
                    .init("\(Report.plain((rate / most * 100).rounded())) %", 13), .init(cpu(\.postgres), 11),
                    .init(cpu(\.coordinators), 13),
                    .init(cpu(\.workers), 8), .init(cpu(\.bench), 7),
                    .init(Report.plain(point.median { ($0.usage.cluster + $0.usage.bench) / max($0.seconds, 0.001) })),
                ]))
        }
        return lines.joined(separator: "\n")
    }

    private static func json(_ points: [Point]) -> String {
        let rows: [JSONValue] = points.map { point in
            func cpu(_ part: (Usage) -> Double) -> JSONValue { .double(point.median { part($0.usage) / $0.units * 1e6 }) }
            return [
                "workers": .int(Int64(point.workers)), "coordinators": .int(Int64(point.coordinators)),
                "steps_per_second": .double(point.median(\.rate)),
                "postgres_microseconds": cpu(\.postgres), "coordinator_microseconds": cpu(\.coordinators),
                "worker_microseconds": cpu(\.workers),
                "agent_microseconds": cpu(\.bench),
            ]
        }
        return JSONValue.array(rows).compactText
    }
}
