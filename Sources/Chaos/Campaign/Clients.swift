// The clients of a campaign: they start runs at whichever coordinator answers, and ask again with the same key until one has accepted. Every
// call is written down before it is made, and its answer, or that there was none, before the next one.

import Foundation
import Synchronization
import WorkflowModel

final class Clients: Sendable {
    private let cluster: Cluster
    private let campaign: Campaign
    private let workload: Workload
    private let recorder: Recorder
    private let state = Mutex(State())

    private struct State {
        var accepted: [Int: String] = [:]
        /// In the order of their acceptance.
        var order: [Int] = []
        var unsignalled: [Int] = []
        var uncancelled: [Int] = []
        var haveAllStarted = false
        var calls = 0
        var acknowledged = 0
        var pauses = 0
    }

    private static let batch = 40
    private static let timeout: Duration = .seconds(5)

    init(_ cluster: Cluster, _ campaign: Campaign, _ workload: Workload, _ recorder: Recorder) {
        self.cluster = cluster
        self.campaign = campaign
        self.workload = workload
        self.recorder = recorder
    }

    /// How many runs were accepted.
    var runCount: Int { state.withLock { $0.accepted.count } }
    var callCount: Int { state.withLock { $0.calls } }
    var acknowledgedCount: Int { state.withLock { $0.acknowledged } }

    // MARK: One call

    /// Asks some coordinator that runs. Nil: there was no answer, whatever became of the call.
    private func call(
        _ operation: String, _ fields: KeyValuePairs<String, JSONValue>, _ method: String, _ path: String, _ body: JSONValue? = nil,
        _ generator: inout SeededGenerator, told: (AdminAnswer) -> JSONValue = { _ in .null }
    ) async -> AdminAnswer? {
        let running = cluster.coordinators.filter(\.isRunning).compactMap(\.knownPort)
        guard let port = running.randomElement(using: &generator) else {
            await pass(.milliseconds(100))
            return nil
        }
        let number = state.withLock { state in
            state.calls += 1
            return state.calls
        }
        var line = JSONObject()
        line["id"] = .int(Int64(number))
        line["op"] = .string(operation)
        for (key, value) in fields { line[key] = value }
        recorder.write("invoke", ["call": .object(line)])
        let answer = await Task.detached {
            try? await AdminClient(port: port).request(method, path, body: body?.compactText, timeout: Self.timeout)
        }.value
        guard let answer else {
            recorder.write("unknown", ["id": .int(Int64(number))])
            return nil
        }
        recorder.write("answer", ["id": .int(Int64(number)), "status": .int(Int64(answer.status)), "told": told(answer)])
        if answer.status < 500 && answer.status != 429 { state.withLock { $0.acknowledged += 1 } }
        return answer
    }

    /// The pause before asking again: longer each time.
    private struct Patience {
        private var next: Duration = .milliseconds(100)

        mutating func wait() async {
            await pass(next)
            next = min(next * 2, .seconds(1))
        }
    }

    // MARK: Starting runs

    /// Starts runs until the time is over; as many as have ended are started anew.
    func start() async throws {
        defer { state.withLock { $0.haveAllStarted = true } }
        var generator = SeededGenerator(seed: campaign.seed &+ 1)
        let end = ContinuousClock.now + campaign.time
        var next = 0
        while ContinuousClock.now < end {
            let live = (try? await cluster.count("select count(*) from skein.run where parent_run_id is null")) ?? campaign.runs
            let room = min(campaign.runs - live, Self.batch)
            if room > 0 {
                try await submit(Array(next..<next + room), &generator)
                next += room
            }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private func request(_ number: Int) -> JSONValue {
        ["workflow": .string(workload.kind(number).name), "input": ["n": .int(Int64(number))], "key": .string("run-\(number)")]
    }

    private func submit(_ numbers: [Int], _ generator: inout SeededGenerator) async throws {
        for number in numbers { expect(number) }
        var missing = Set(numbers)
        var patience = Patience()
        while !missing.isEmpty {
            let order = missing.sorted()
            let answer = await call(
                "submit", ["keys": .array(order.map { .string("run-\($0)") })], "POST", "/api/v1/runs:batch",
                ["runs": .array(order.map(request))], &generator
            ) { answer in
                // What each key was told: the id of its run, or null.
                .array((answer.json["results"]?.arrayValue ?? []).map { $0["run"]?["run_id"] ?? .null })
            }
            if let answer, answer.status == 200, let results = answer.json["results"]?.arrayValue, results.count == order.count {
                for (number, result) in zip(order, results) {
                    guard let run = result["run"]?["run_id"]?.stringValue else {
                        guard let status = result["status"]?.intValue, status >= 500 || status == 429 else {
                            throw HarnessError("run \(number) was refused: \(result)")
                        }
                        continue
                    }
                    note(number, run)
                    missing.remove(number)
                }
            } else if let answer, answer.status < 500, answer.status != 429 {
                throw HarnessError("runs were refused: \(answer)")
            }
            if !missing.isEmpty { await patience.wait() }
        }
    }

    // What the oracle says, before the run is asked for.
    private func expect(_ number: Int) {
        let kind = workload.kind(number)
        let ending = kind.ending(number)
        recorder.write(
            "expect",
            [
                "key": .string("run-\(number)"), "workflow": .string(kind.name), "status": .string(ending.status), "output": ending.output,
                "may_be_cancelled": .bool(workload.mayBeCancelled(number)),
            ])
    }

    private func note(_ number: Int, _ run: String) {
        let kind = workload.kind(number)
        state.withLock { state in
            guard state.accepted[number] == nil else { return }
            state.accepted[number] = run
            state.order.append(number)
            if kind.signals > 0 { state.unsignalled.append(number) }
            if kind.isCancelled || workload.mayBeCancelled(number) { state.uncancelled.append(number) }
        }
    }

    // MARK: Orders

    // Asks until somebody has answered. A run that has ended, or that is not paused (any more), is an answer as well. What was begun is
    // finished even when the campaign is over, so that no run stays paused.
    private func order(_ number: Int, _ verb: String, _ body: JSONValue, _ generator: inout SeededGenerator) async throws {
        guard let run = state.withLock({ $0.accepted[number] }) else { return }
        var patience = Patience()
        while true {
            let answer = await call(
                verb, ["run": .string(run), "event": body["id"] ?? .null], "POST", "/api/v1/runs/\(run):\(verb)", body, &generator)
            if let answer {
                if answer.status < 300 || answer.status == 409 { return }
                guard answer.status >= 500 || answer.status == 429 else { throw HarnessError("\(verb) of \(run) was refused: \(answer)") }
            }
            await patience.wait()
        }
    }

    /// Sends every run the signals that it waits for, in order, each until it was accepted; a second time with the same id has no effect.
    func signal() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 3)
        while true {
            let (isLastRound, numbers) = state.withLock { state in
                defer { state.unsignalled = [] }
                return (state.haveAllStarted, state.unsignalled)
            }
            for number in numbers {
                for k in 1...workload.kind(number).signals {
                    let body: JSONValue = [
                        "name": .string(Workload.signal), "data": ["k": .int(Int64(k))], "id": .string("run-\(number)-\(k)"),
                    ]
                    for _ in 0...(Int.random(in: 0...3, using: &generator) == 0 ? 1 : 0) { try await order(number, "signal", body, &generator) }
                }
            }
            if isLastRound { return }
            if numbers.isEmpty { await pass(.milliseconds(100)) }
        }
    }

    /// Cancels the runs that are to be cancelled, each a while after it was accepted.
    func cancel() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 5)
        while true {
            let (isLastRound, numbers) = state.withLock { state in
                defer { state.uncancelled = [] }
                return (state.haveAllStarted, state.uncancelled)
            }
            await pass(.milliseconds(Int.random(in: 100...1500, using: &generator)))
            for number in numbers { try await order(number, "cancel", [:], &generator) }
            if isLastRound { return }
        }
    }

    /// Pauses some young runs for a while, again and again, until the task is cancelled; none of them is paused at the end.
    func pause() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 4)
        while !Task.isCancelled {
            let chosen = recent.shuffled(using: &generator).prefix(Self.pausedAtOnce)
            for number in chosen { try await order(number, "pause", [:], &generator) }
            await pass(.milliseconds(Int.random(in: 300...2500, using: &generator)))
            for number in chosen { try await order(number, "resume", [:], &generator) }
            state.withLock { $0.pauses += chosen.count }
        }
    }

    private static let pausedAtOnce = 6
    private var recent: [Int] { state.withLock { Array($0.order.suffix(campaign.runs)) } }

    /// Looks at runs, so that it is known what was seen of them and when, until the task is cancelled.
    func look() async {
        var generator = SeededGenerator(seed: campaign.seed &+ 6)
        while !Task.isCancelled {
            let run = state.withLock { state in state.order.randomElement(using: &generator).flatMap { state.accepted[$0] } }
            if let run {
                _ = await call("look", ["run": .string(run)], "GET", "/api/v1/runs/\(run)", nil, &generator) { answer in
                    answer.status == 200 ? ["status": answer.json["status"] ?? .null, "output": answer.json["output"] ?? .null] : .null
                }
            }
            await pass(.milliseconds(200))
        }
    }

    // MARK: Afterwards

    /// Asks for all runs once more with the keys of the first time, and for some with another input under a key that is taken.
    func askAgain() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 2)
        let numbers = state.withLock { $0.order }
        for begin in stride(from: 0, to: numbers.count, by: Self.batch) {
            try await submitAgain(Array(numbers[begin..<min(begin + Self.batch, numbers.count)]), &generator)
        }
        for number in numbers.shuffled(using: &generator).prefix(Self.conflicts) {
            _ = await call(
                "conflict", ["key": .string("run-\(number)")], "POST", "/api/v1/runs",
                ["workflow": .string(workload.kind(number).name), "input": ["n": -1], "key": .string("run-\(number)")], &generator)
        }
    }

    private static let conflicts = 20

    private func submitAgain(_ numbers: [Int], _ generator: inout SeededGenerator) async throws {
        var patience = Patience()
        while true {
            let answer = await call(
                "submit", ["keys": .array(numbers.map { .string("run-\($0)") })], "POST", "/api/v1/runs:batch",
                ["runs": .array(numbers.map(request))], &generator
            ) { answer in .array((answer.json["results"]?.arrayValue ?? []).map { $0["run"]?["run_id"] ?? .null }) }
            if let answer, answer.status == 200 { return }
            await patience.wait()
        }
    }
}
