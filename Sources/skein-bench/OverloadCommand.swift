// What happens when much more is asked for than can be done: who is refused, what memory does, whether the accepted work goes on.

import ArgumentParser
import NIOCore
import WorkflowModel

struct OverloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "overload",
        abstract: "Submits ten times what the cluster can do, and watches memory, refusals and throughput.",
        discussion: """
            The capacity is measured first, by runs that wait: with agents that take their time it is the slots of the worker, with --delay 0 \
            the machine. Then runs are submitted at a multiple of it, a tenth of them one by one and the rest by batches. With --check it \
            fails unless so many were really asked for, submits were refused with 429 and a time, nothing else went wrong, memory and the \
            tables of live work stayed flat, at least 80 % of the capacity was kept, and every accepted run has succeeded in the end. When \
            the machine has nothing left to give, what the clients and other processes take of it is no part of the capacity.

            Examples: skein-bench overload --seconds 120 --check
                      skein-bench overload --seconds 30 --delay 0
            """)

    @Option(help: "How many times the capacity is asked for.")
    var factor = 10

    @Option(help: "How long, in seconds.")
    var seconds = 60

    @Option(help: "Milliseconds that an agent takes; with 0 the worker answers by itself.")
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

    // Of each kind.
    private static let clients = 8
    private static let batch = 50
    // The part of the runs that are submitted one by one.
    private static let alone = 0.1
    private static let drained = 500
    private static let capacityLimit = 20_000

    func validate() throws {
        for (option, value) in [
            ("--factor", factor), ("--seconds", seconds), ("--slots", slots),  ("--bytes", bytes),
        ] {
            try atLeastOne(option, value)
        }
        guard backlog >= Self.drained else { throw ValidationError("--backlog must be \(Self.drained) or more, not \(backlog)") }
        guard delay >= 0 else { throw ValidationError("--delay must be 0 or more, not \(delay)") }
    }

    func run() async throws {
        let agent = try await DelayAgent.start(delay: .milliseconds(Int64(delay)))
        let cluster = try await BenchCluster.start(
            directory: directory, coordinators: 1, workers: 1, slots: slots, settings: ["SKEIN_BACKLOG_LIMIT": "\(backlog)"])
        let isGood: Bool
        do {
            let slow: JSONValue = delay == 0 ? ["kind": "noop"] : ["kind": "http", "url": .string(agent.url)]
            try await cluster.apply(["workflow": "overload", "agents": ["slow": slow], "steps": [["id": "s1", "agent": "slow"]]])
            isGood = try await measure(cluster)
            await cluster.stop()
        } catch {
            await cluster.stop()
            throw error
        }
        await agent.stop()
        if check && !isGood { throw ExitCode.failure }
    }

    private func measure(_ cluster: BenchCluster) async throws -> Bool {
        let mark = try await cluster.mark()
        // Seconds of work; a machine that has warmed up gives more.
        let runs = max(1, min(backlog, Self.capacityLimit) / Self.drained) * Self.drained
        try await drain(runs, on: cluster)
        let before = try await OverloadSample(cluster, since: mark, at: 0)
        let (rate, took) = try await drain(runs, on: cluster)
        var report = OverloadReport(capacity: rate, idle: try await OverloadSample(cluster, since: mark, at: took) - before)
        print("capacity: \(Report.plain(rate)) steps/s with \(slots) slots and \(delay) ms; CPU: \(report.idle.cpu)")

        let tally = OverloadTally()
        let clock = ContinuousClock()
        let begun = clock.now
        let (offered, port) = (report.capacity * Double(factor), cluster.port)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Most runs come by batches, some alone.
            for (path, size, share) in [("/api/v1/runs:batch", Self.batch, 1 - Self.alone), ("/api/v1/runs", 1, Self.alone)] {
                let (body, clients) = (body(ofBatch: size), Self.clients)
                let pause = TimeAmount.nanoseconds(Int64(Double(size * clients) / (offered * share) * 1e9))
                for client in 0..<clients {
                    let now = NIODeadline.now()
                    let plan = OverloadPlan(
                        path: path, body: body, pause: pause, first: now + .nanoseconds(pause.nanoseconds / Int64(clients) * Int64(client)),
                        end: now + .seconds(Int64(seconds)))
                    group.addTask { try await OverloadClient.run(plan, port: port) { tally.add($0, runs: size) } }
                }
            }
            let interval = Duration.seconds(max(1, Double(seconds) / 12))
            for number in 1... {
                let due = begun + interval * number
                guard due <= begun + .seconds(seconds) else { break }
                try await clock.sleep(until: due)
                let sample = try await OverloadSample(cluster, since: mark, at: (clock.now - begun).seconds)
                report.samples.append(sample)
                let now = tally.now
                print("\(sample.line), accepted \(Report.plain(Double(now.accepted))), refused \(Report.plain(Double(now.refused)))")
            }
            try await group.waitForAll()
        }
        report.seconds = (clock.now - begun).seconds
        report.counts = tally.now
        let all = 2 * runs + report.counts.accepted
        try await cluster.waitForEnds(all, since: mark)
        report.lost = all - Int(try await cluster.number("select count(*) from skein.ended_run where run_id >= '\(mark.firstRun)'"))
        report.left = Int(try await cluster.number("select count(*) from skein.run"))
        return report.judge(factor: Double(factor))
    }

    // How many runs a second end, and how long it took.
    @discardableResult
    private func drain(_ runs: Int, on cluster: BenchCluster) async throws -> (rate: Double, seconds: Double) {
        let mark = try await cluster.mark()
        for _ in stride(from: 0, to: runs, by: Self.drained) {
            // The coordinator may not have counted yet what has ended just now.
            try await cluster.wait("room for runs") { (try? await cluster.api.submit("overload", count: Self.drained)) != nil }
        }
        try await cluster.waitForEnds(runs, since: mark)
        let took = try await cluster.span(since: mark, from: "started_at")
        return (Double(runs) / took, took)
    }

    private func body(ofBatch size: Int) -> String {
        let input: JSONValue = ["text": .string(String(repeating: "x", count: bytes))]
        let run: JSONValue = ["workflow": "overload", "input": input]
        return (size == 1 ? run : ["runs": .array(Array(repeating: run, count: size))] as JSONValue).compactText
    }
}
