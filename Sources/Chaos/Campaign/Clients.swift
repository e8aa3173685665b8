// The clients of a campaign: they start runs at whichever coordinator answers, and ask again with the same key until one has accepted. Every
// call is written down before it is made, and its answer, or that there was none, before the next one.

import Foundation
import Synchronization
import WorkflowModel

final class Clients: Sendable {
    let cluster: Cluster
    let campaign: Campaign
    let workload: Workload
    private let recorder: Recorder
    let state = Mutex(State())

    struct State {
        var accepted: [Int: String] = [:]
        /// In the order of their acceptance.
        var order: [Int] = []
        var unsignalled: [Int] = []
        var unwritten: [Int] = []
        var unadjusted: [Int] = []
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
    func call(
        _ operation: String, _ fields: KeyValuePairs<String, JSONValue>, _ method: String, _ path: String, _ body: JSONValue? = nil,
        in namespace: String, _ generator: inout SeededGenerator, told: (AdminAnswer) -> JSONValue = { _ in .null }
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
        line["namespace"] = .string(namespace)
        for (key, value) in fields { line[key] = value }
        recorder.write("invoke", ["call": .object(line)])
        let answer = await Task.detached {
            try? await AdminClient(port: port).request(
                method, path, body: body?.compactText, headers: [AdminClient.namespaceHeader: namespace], timeout: Self.timeout)
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
    struct Patience {
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
                for (namespace, numbers) in byNamespace(Array(next..<next + room)) { try await submit(numbers, in: namespace, &generator) }
                next += room
            }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    // A call is made in one namespace.
    private func byNamespace(_ numbers: [Int]) -> [(namespace: String, numbers: [Int])] {
        Dictionary(grouping: numbers, by: workload.namespace).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func request(_ number: Int) -> JSONValue {
        [
            "workflow": .string(workload.kind(number).name), "input": workload.input(number), "key": .string(workload.label(number)),
        ]
    }

    private func keys(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .string(workload.label($0)) }) }

    private func submit(_ numbers: [Int], in namespace: String, _ generator: inout SeededGenerator) async throws {
        for number in numbers { expect(number) }
        var missing = Set(numbers)
        var patience = Patience()
        while !missing.isEmpty {
            let order = missing.sorted()
            let answer = await call(
                "submit", ["keys": keys(order)], "POST", "/api/v1/runs:batch", ["runs": .array(order.map(request))], in: namespace, &generator
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
        var followers = JSONObject()
        for (status, runs) in kind.followers.sorted(by: { $0.key < $1.key }) {
            followers[status] = .array(runs.map { ["workflow": .string($0.workflow), "output": $0.output] })
        }
        var children = JSONObject()
        for (path, runs) in kind.children.sorted(by: { $0.key < $1.key }) {
            children[path] = ["statuses": .array(runs.statuses.map { .string($0) }), "awaited": .bool(runs.isAwaited)]
        }
        recorder.write(
            "expect",
            [
                "key": .string(workload.label(number)), "namespace": .string(workload.namespace(number)), "workflow": .string(kind.name),
                "status": .string(ending.status), "output": ending.output, "may_be_cancelled": .bool(workload.mayBeCancelled(number)),
                "followers": .object(followers), "children": .object(children), "has_editions": .bool(kind.hasEditions),
            ])
    }

    private func note(_ number: Int, _ run: String) {
        let kind = workload.kind(number)
        state.withLock { state in
            guard state.accepted[number] == nil else { return }
            state.accepted[number] = run
            state.order.append(number)
            if kind.signals > 0 { state.unsignalled.append(number) }
            if kind.awaitsLetter { state.unwritten.append(number) }
            if kind.adjustment != nil { state.unadjusted.append(number) }
            if kind.isCancelled || workload.mayBeCancelled(number) { state.uncancelled.append(number) }
        }
    }

    // MARK: Afterwards

    /// Asks for all runs once more with the keys of the first time, and for some with another input under a key that is taken.
    func askAgain() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 2)
        let numbers = state.withLock { $0.order }
        for (namespace, numbers) in byNamespace(numbers) {
            for begin in stride(from: 0, to: numbers.count, by: Self.batch) {
                try await submitAgain(Array(numbers[begin..<min(begin + Self.batch, numbers.count)]), in: namespace, &generator)
            }
        }
        for number in numbers.shuffled(using: &generator).prefix(Self.conflicts) {
            let key = JSONValue.string(workload.label(number))
            _ = await call(
                "conflict", ["key": key], "POST", "/api/v1/runs",
                ["workflow": .string(workload.kind(number).name), "input": ["n": -1], "key": key], in: workload.namespace(number), &generator)
        }
    }

    private static let conflicts = 20

    private func submitAgain(_ numbers: [Int], in namespace: String, _ generator: inout SeededGenerator) async throws {
        var patience = Patience()
        while true {
            let answer = await call(
                "submit", ["keys": keys(numbers)], "POST", "/api/v1/runs:batch", ["runs": .array(numbers.map(request))], in: namespace, &generator
            ) { answer in .array((answer.json["results"]?.arrayValue ?? []).map { $0["run"]?["run_id"] ?? .null }) }
            if let answer, answer.status == 200 { return }
            await patience.wait()
        }
    }
}
