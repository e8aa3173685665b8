// What the clients of a campaign tell their runs: signals, events, pauses, cancels, changes; and what they see of them.

import Foundation
import Synchronization
import WorkflowModel

extension Clients {
    // Asks until somebody has answered. A run that has ended, or that is not paused (any more), is an answer as well. What was begun is
    // finished even when the campaign is over, so that no run stays paused.
    private func order(_ number: Int, _ verb: String, _ body: JSONValue, _ generator: inout SeededGenerator) async throws {
        guard let run = run(number) else { return }
        var patience = Patience()
        while true {
            let answer = await call(
                verb, ["run": .string(run), "event": body["id"] ?? .null], "POST", "/api/v1/runs/\(run):\(verb)", body,
                in: workload.namespace(number), &generator)
            if let answer {
                if answer.status < 300 || answer.status == 409 { return }
                guard answer.isWorthAnotherTry else { throw HarnessError("\(verb) of \(run) was refused: \(answer)") }
            }
            await patience.wait()
        }
    }

    private func run(_ number: Int) -> String? { state.withLock { $0.accepted[number] } }

    /// Does something with each run of a list that grows until all runs were started.
    private func tend(
        _ waiting: WritableKeyPath<State, [Int]>, _ generator: inout SeededGenerator,
        _ body: (_ number: Int, _ generator: inout SeededGenerator) async throws -> Void
    ) async throws {
        while true {
            let (isLastRound, numbers) = state.withLock { state in
                defer { state[keyPath: waiting] = [] }
                return (state.haveAllStarted, state[keyPath: waiting])
            }
            for number in numbers { try await body(number, &generator) }
            if isLastRound, state.withLock({ $0[keyPath: waiting].isEmpty }) { return }
            if numbers.isEmpty { await pass(.milliseconds(100)) }
        }
    }

    /// Sends every run the signals that it waits for, in order, each until it was accepted; a second time with the same id has no effect.
    func signal() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 3)
        try await tend(\.unsignalled, &generator) { number, generator in
            for k in 1...workload.kind(number).signals {
                let body: JSONValue = [
                    "name": .string(Workload.signal), "data": ["k": .int(Int64(k))], "id": .string("run-\(number)-\(k)"),
                ]
                for _ in 0...(Int.random(in: 0...3, using: &generator) == 0 ? 1 : 0) { try await order(number, "signal", body, &generator) }
            }
        }
    }

    /// Publishes the events that runs wait for by their key, some of them twice.
    func post() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 8)
        try await tend(\.unwritten, &generator) { number, generator in
            let label = workload.label(number)
            let body: JSONValue = [
                "name": .string(Workload.letter), "key": .string(label), "data": ["k": .int(Int64(number))], "id": .string("letter-\(label)"),
            ]
            for _ in 0...(Int.random(in: 0...3, using: &generator) == 0 ? 1 : 0) {
                var patience = Patience()
                while true {
                    let answer = await call(
                        "emit", ["event": .string("letter-\(label)")], "POST", "/api/v1/events", body, in: workload.namespace(number), &generator)
                    if let answer {
                        if answer.status < 300 { break }
                        guard answer.isWorthAnotherTry else { throw HarnessError("an event was refused: \(answer)") }
                    }
                    await patience.wait()
                }
            }
        }
    }

    /// Adjusts the loops that would never end otherwise, as soon as they are under way.
    func adjust() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 9)
        try await tend(\.unadjusted, &generator) { number, generator in
            guard let run = run(number), let adjustment = workload.kind(number).adjustment else { return }
            let answer = await call(
                "adjust", ["run": .string(run)], "POST", "/api/v1/runs/\(run)/steps/\(adjustment.loop):adjust", adjustment.body,
                in: workload.namespace(number), &generator)
            if let answer, answer.status < 300 || answer.status == 409 { return }
            // The loop is not under way yet, or nobody has answered.
            guard answer == nil || answer?.status == 404 || answer?.isWorthAnotherTry == true else {
                throw HarnessError("a change of \(run) was refused: \(answer.map { "\($0)" } ?? "")")
            }
            state.withLock { $0.unadjusted.append(number) }
            await pass(.milliseconds(100))
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

    /// Looks at runs, so that it is known what was seen of them and when, until the task is cancelled; some from the other namespace, from
    /// which there is nothing to be seen.
    func look() async {
        var generator = SeededGenerator(seed: campaign.seed &+ 6)
        while !Task.isCancelled {
            let chosen = state.withLock { state in state.order.randomElement(using: &generator).flatMap { number in state.accepted[number].map { (number, $0) } } }
            if let (number, run) = chosen {
                let namespace = workload.namespace(number)
                let isStranger = Int.random(in: 0...9, using: &generator) == 0
                let stranger = namespace == "default" ? Workload.otherNamespace : "default"
                _ = await call(
                    isStranger ? "peek" : "look", ["run": .string(run)], "GET", "/api/v1/runs/\(run)", nil, in: isStranger ? stranger : namespace,
                    &generator
                ) { answer in
                    answer.status == 200 ? ["status": answer.json["status"] ?? .null, "output": answer.json["output"] ?? .null] : .null
                }
            }
            await pass(.milliseconds(200))
        }
    }

    /// Registers one edition after the other of a workflow that is in use, each until it was accepted, until the task is cancelled.
    func publish() async throws {
        var generator = SeededGenerator(seed: campaign.seed &+ 10)
        var edition = 0
        while !Task.isCancelled {
            await pass(.milliseconds(Int.random(in: 1000...4000, using: &generator)))
            edition += 1
            for namespace in ["default", Workload.otherNamespace] {
                var patience = Patience()
                while true {
                    let answer = await call(
                        "apply", ["edition": .int(Int64(edition))], "PUT", "/api/v1/workflows/\(Mixture.editionName)",
                        try JSONValue(parsing: Mixture.edition(edition, workload.agent)), in: namespace, &generator)
                    if let answer {
                        if answer.status < 300 { break }
                        guard answer.isWorthAnotherTry else { throw HarnessError("an edition was refused: \(answer)") }
                    }
                    await patience.wait()
                }
            }
        }
    }
}

extension AdminAnswer {
    /// Whether the same may be accepted a moment later.
    var isWorthAnotherTry: Bool { status >= 500 || status == 429 }
}
