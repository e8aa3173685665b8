// A campaign: runs under way, faults among them, and what is asked for at the end.

import Foundation
import Synchronization
import WorkflowModel

/// What a campaign does. Every random choice comes from the seed.
struct Campaign: Sendable {
    var seed: UInt64
    /// How many runs are under way at most, and in a campaign without a set time how many there are at all.
    var runs = 300
    /// How long new runs are started. Nil: all at the beginning, and the faults end with the last of them.
    var time: Duration?
    /// How long faults go on at most once the last run was started.
    var longestFaults: Duration = .seconds(100)
    var coordinators = 2
    var workers = 3
    var slots = 32
    var lease: Duration = .seconds(2)
    /// Whether there are more kinds of faults than kills, one pause and one crash of the database.
    var isHarsh: Bool { time != nil }
    /// The planted fault that this campaign has to find.
    var mutant: Mutant?
    /// Whether the runs are of all constructs, are sent signals, and are paused and resumed meanwhile; otherwise they are all graphs.
    var isMixed = false

    /// The campaign that the environment asks for: `SKEIN_SEED`, `SKEIN_KILL_MINUTES`, `SKEIN_MUTANT`.
    static func fromEnvironment() throws -> Campaign {
        let environment = ProcessInfo.processInfo.environment
        var campaign = Campaign(seed: environment["SKEIN_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... UInt64(UInt32.max)))
        if let minutes = environment["SKEIN_KILL_MINUTES"].flatMap({ Double($0) }) { campaign.time = .seconds(minutes * 60) }
        if let name = environment["SKEIN_MUTANT"] {
            guard let mutant = Mutant(rawValue: name) else {
                throw HarnessError("There is no mutant \(name); there are \(Mutant.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            campaign.mutant = mutant
        }
        return campaign
    }

    static let stepsPerRun = 8

    /// The agent that the workflows call.
    var agent: AgentServer.Script { isMixed ? Mixture.agent : Self.loom }

    /// The workflows, those first that others start.
    func definitions(_ agent: String) -> [(name: String, source: String)] {
        isMixed ? Mixture.definitions(agent) : [("weave", Self.definition(agent))]
    }

    /// The workflow of the run with this number.
    func workflow(_ number: Int) -> String { isMixed ? Mixture(number: number).rawValue : "weave" }

    /// Eight calls: two that fan out and come together, and one at the side.
    private static func definition(_ agent: String) -> String {
        """
        workflow: weave
        agents: { loom: { kind: http, url: "\(agent)" } }
        graph:
          - { id: start, agent: loom, with: { n: "${{ input.n }}" } }
          - { id: left, needs: [start], agent: loom }
          - { id: middle, needs: [start], agent: loom }
          - { id: right, needs: [start], agent: loom }
          - { id: upper, needs: [left, middle], agent: loom }
          - { id: lower, needs: [middle, right], agent: loom }
          - { id: side, agent: loom, with: { n: "${{ input.n }}" } }
          - { id: end, needs: [upper, lower, side], agent: loom, with: { fence: "${{ steps.upper.output.fence }}" } }
        output: ${{ steps.end.output.key }}
        """
    }

    /// 0.2 to 2 s, the same for every call with the same key.
    private static let loom: AgentServer.Script = { call in
        let hash = call.key.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        return .reply(["key": .string(call.key), "fence": .int(call.fence)], after: .milliseconds(200 + Int(hash >> 32) % 1801))
    }
}

/// SplitMix64: randomness that can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The clients of a campaign: they start runs at whichever coordinator answers, and ask again with the same key until one has accepted.
final class Clients: Sendable {
    private let cluster: Cluster
    private let campaign: Campaign
    private let accepted = Mutex<[Int: String]>([:])
    private let pauses = Mutex(0)
    private let haveAllStarted = Mutex(false)
    private static let batch = 50

    init(_ cluster: Cluster, _ campaign: Campaign) {
        self.cluster = cluster
        self.campaign = campaign
    }

    /// The runs that were accepted, by their number.
    var runs: [Int: String] { accepted.withLock { $0 } }

    /// Starts runs until there are enough, or the time is over.
    func work() async throws {
        defer { haveAllStarted.withLock { $0 = true } }
        var generator = SeededGenerator(seed: campaign.seed &+ 1)
        let end = campaign.time.map { ContinuousClock.now + $0 }
        var next = 0
        while end.map({ .now < $0 }) ?? (next < campaign.runs) {
            var room = campaign.runs - next
            if end != nil {
                // As many as have ended are started anew.
                try await Task.sleep(for: .milliseconds(500))
                let live = (try? await cluster.count("select count(*) from skein.run")) ?? campaign.runs
                room = campaign.runs - live
            }
            while room > 0 {
                let count = min(room, Self.batch)
                try await start(next..<next + count, &generator)
                next += count
                room -= count
            }
        }
    }

    /// Sends every run the signals that it waits for, in order, each until it was accepted; a second time with the same id has no effect.
    func signal() async throws {
        guard campaign.isMixed else { return }
        var generator = SeededGenerator(seed: campaign.seed &+ 3)
        var sent: Set<Int> = []
        while true {
            // Whoever was accepted before this is sent its signals in this round.
            let isLastRound = haveAllStarted.withLock { $0 }
            for (number, run) in runs.sorted(by: { $0.key < $1.key }) where !sent.contains(number) {
                for k in 0..<Mixture(number: number).signals {
                    try await order(run, "signal", ["name": .string(Mixture.signal), "data": ["k": .int(Int64(k + 1))], "id": .string("\(number)-\(k)")], &generator)
                    if Bool.random(using: &generator) {
                        try await order(run, "signal", ["name": .string(Mixture.signal), "data": ["k": .int(Int64(k + 1))], "id": .string("\(number)-\(k)")], &generator)
                    }
                }
                sent.insert(number)
            }
            if isLastRound { return }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Pauses some runs for a while, again and again, until the task is cancelled; none of them is paused at the end.
    func pause() async throws {
        guard campaign.isMixed else { return }
        var generator = SeededGenerator(seed: campaign.seed &+ 4)
        while !Task.isCancelled {
            let chosen = runs.sorted { $0.key < $1.key }.shuffled(using: &generator).prefix(Self.pausedAtOnce).map(\.value)
            for run in chosen { try await order(run, "pause", [:], &generator) }
            try? await Task.sleep(for: .milliseconds(Int.random(in: 500...2500, using: &generator)))
            for run in chosen { try await order(run, "resume", [:], &generator) }
            pauses.withLock { $0 += chosen.count }
        }
    }

    /// How many times a run was paused and resumed.
    var pauseCount: Int { pauses.withLock { $0 } }
    private static let pausedAtOnce = 8

    // Asks whichever coordinator answers until one has. A run that has ended, or that is not paused (any more), is an answer as well. What was
    // begun is finished even when the campaign is over, so that no run stays paused: hence the detached tasks.
    private func order(_ run: String, _ verb: String, _ body: JSONValue, _ generator: inout SeededGenerator) async throws {
        while true {
            let port = cluster.coordinators.compactMap(\.knownPort).randomElement(using: &generator)
            let answer: AdminAnswer? = await Task.detached {
                guard let port else { return nil }
                return try? await AdminClient(port: port).request(
                    "POST", "/api/v1/runs/\(run):\(verb)", body: body.compactText, timeout: .seconds(5))
            }.value
            if let answer {
                if answer.status < 300 || answer.status == 409 { return }
                guard answer.status >= 500 else { throw HarnessError("\(verb) of \(run) was refused: \(answer)") }
            }
            await Task.detached { try? await Task.sleep(for: .milliseconds(100)) }.value
        }
    }

    /// Asks for runs once more with the keys of the first time, and gives those that were not answered with the same run.
    func differingAnswers() async throws -> [Int] {
        let first = runs
        var generator = SeededGenerator(seed: campaign.seed &+ 2)
        var differing: [Int] = []
        for begin in stride(from: 0, to: first.count, by: Self.batch) {
            let numbers = begin..<min(begin + Self.batch, first.count)
            try await start(numbers, &generator)
            let second = runs
            differing += numbers.filter { first[$0] != second[$0] }
        }
        return differing
    }

    private func start(_ numbers: Range<Int>, _ generator: inout SeededGenerator) async throws {
        var missing = Set(numbers)
        while !missing.isEmpty {
            let order = missing.sorted()
            let requests = order.map { number -> JSONValue in
                ["workflow": .string(campaign.workflow(number)), "input": ["n": .int(Int64(number))], "key": .string("run-\(number)")]
            }
            let body = (["runs": .array(requests)] as JSONValue).compactText
            let port = cluster.coordinators.compactMap(\.knownPort).randomElement(using: &generator)
            let answer: AdminAnswer? = if let port {
                try? await AdminClient(port: port).request("POST", "/api/v1/runs:batch", body: body, timeout: .seconds(10))
            } else {
                nil
            }
            if let answer, answer.status == 200, let results = answer.json["results"]?.arrayValue, results.count == order.count {
                for (number, result) in zip(order, results) {
                    guard let run = result["run"]?["run_id"]?.stringValue else {
                        guard let status = result["status"]?.intValue, status >= 500 else { throw HarnessError("run \(number) was refused: \(result)") }
                        continue
                    }
                    accepted.withLock { $0[number] = run }
                    missing.remove(number)
                }
            } else if let answer, answer.status < 500 {
                throw HarnessError("runs were refused: \(answer)")
            }
            if !missing.isEmpty { try await Task.sleep(for: .milliseconds(100)) }
        }
    }
}
