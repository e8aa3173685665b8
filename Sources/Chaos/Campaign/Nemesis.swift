// The one who breaks things, as the seed says: one fault after the other, several at work at the same time.

import Foundation
import Postgres
import Synchronization
import WorkflowModel

/// Does harm until it is told to stop, and leaves everything running.
final class Nemesis: Sendable {
    let cluster: Cluster
    let agent: AgentServer
    let campaign: Campaign
    let server: OwnServer
    let surroundings: Surroundings
    let recorder: Recorder
    private let state = Mutex(State())

    private struct State {
        var counts: [Fault: Int] = [:]
        // Processes that are down, going down, or standing still.
        var busy: Set<String> = []
        var isServerBusy = false
        var problems: [String] = []
    }

    init(_ cluster: Cluster, _ agent: AgentServer, _ surroundings: Surroundings, _ campaign: Campaign, _ recorder: Recorder) throws {
        guard let server = cluster.server else { throw HarnessError("a campaign needs a server of its own") }
        self.cluster = cluster
        self.agent = agent
        self.campaign = campaign
        self.server = server
        self.surroundings = surroundings
        self.recorder = recorder
    }

    /// How often each kind of fault has struck.
    var counts: [Fault: Int] { state.withLock { $0.counts } }
    /// What went wrong with the faults themselves: processes that did not come up, or that ended although nobody had done them harm.
    var problems: [String] { state.withLock { $0.problems } }

    /// About this time passes between two faults.
    private static let interval: ClosedRange<Int> = 400...1400

    /// Faults until the task is cancelled.
    func work() async {
        var generator = SeededGenerator(seed: campaign.seed)
        let kinds = Fault.allCases.filter { campaign.faults.contains($0) && $0.weight > 0 && surroundings.impossible[$0] == nil }
        guard !kinds.isEmpty else { return }
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(Int.random(in: Self.interval, using: &generator)))
                if Task.isCancelled { break }
                lookForDeaths()
                let seed = generator.next()
                let kind = Self.choose(kinds, &generator)
                group.addTask {
                    var generator = SeededGenerator(seed: seed)
                    await self.strike(kind, &generator)
                }
            }
        }
    }

    private static func choose(_ kinds: [Fault], _ generator: inout SeededGenerator) -> Fault {
        var place = Int.random(in: 0..<kinds.reduce(0) { $0 + $1.weight }, using: &generator)
        for kind in kinds {
            place -= kind.weight
            if place < 0 { return kind }
        }
        return kinds[0]
    }

    private func strike(_ fault: Fault, _ generator: inout SeededGenerator) async {
        switch fault {
        case .killWorker:
            // A step that has lost several workers through no fault of its own would end as poison, which is right and not what is tested
            // here: as long as such a step is with an agent, workers are spared.
            if !agent.tally.isImperilled(after: Self.mostLosses) { await kill(workers(&generator), sparing: 1, fault, &generator) }
        case .killCoordinator: await kill(cluster.coordinators, fault, &generator)
        case .stopWorker:
            if !agent.tally.isImperilled(after: Self.mostLosses) { await stopPastLease(&generator) }
        case .stopCoordinator: await stop(cluster.coordinators, fault, &generator)
        case .drainWorker: await drain(workers(&generator), sparing: 1, fault, &generator)
        case .drainCoordinator: await drain(cluster.coordinators, fault, &generator)
        case .terminateSessions: await terminateSessions(&generator)
        case .killBackend: await killBackend(&generator)
        case .crashDatabase: await crashDatabase(&generator)
        case .hangDatabase: await hangDatabase(&generator)
        case .lockTable: await lockTable(&generator)
        case .holdSnapshot: await holdSnapshot(&generator)
        case .starveConnections: await starveConnections(&generator)
        case .loseCommits: await loseCommits(&generator)
        case .cutConnections: await cutConnections(&generator)
        case .silence: await fallSilent(&generator)
        case .delay: await delay(&generator)
        case .muteNotifications: await muteNotifications(&generator)
        case .cutNetwork: await cutNetwork(&generator)
        case .jumpClock: await jumpClock(&generator)
        case .fillDisk: await fillDisk(&generator)
        // Agents see to it themselves.
        case .badAgents: break
        }
    }

    private static let mostLosses = 3

    /// The workers of one namespace: in each some must be left.
    func workers(_ generator: inout SeededGenerator) -> [ServerProcess] {
        let all = cluster.workers
        let isElsewhere = Int.random(in: 0..<all.count, using: &generator) >= campaign.workers
        return Array(isElsewhere ? all.suffix(campaign.workersElsewhere) : all.prefix(campaign.workers))
    }

    // MARK: Bookkeeping

    func note(_ fault: Fault, _ target: String = "", _ process: Int32? = nil) {
        state.withLock { $0.counts[fault, default: 0] += 1 }
        recorder.write(
            "fault",
            ["kind": .string(fault.rawValue), "target": .string(target), "pid": process.map { .int(Int64($0)) } ?? .null])
    }

    func healed(_ fault: Fault, _ target: String = "") {
        recorder.write("healed", ["kind": .string(fault.rawValue), "target": .string(target)])
    }

    func complain(_ problem: String) {
        recorder.write("problem", ["what": .string(problem)])
        state.withLock { $0.problems.append(problem) }
    }

    /// Chooses one that nobody is about to harm. It is this fault's own until it is released.
    ///
    /// - Parameter sparing: how many must be left that nobody harms: where no worker is left, the time until work goes on says nothing.
    func pick(_ processes: [ServerProcess], sparing: Int = 0, _ generator: inout SeededGenerator) -> ServerProcess? {
        let choice = generator.next()
        return state.withLock { state in
            let free = processes.filter { !state.busy.contains($0.name) && $0.isRunning }
            guard free.count > sparing else { return nil }
            let victim = free[Int(choice % UInt64(free.count))]
            state.busy.insert(victim.name)
            return victim
        }
    }

    func release(_ process: ServerProcess) { state.withLock { _ = $0.busy.remove(process.name) } }

    /// Harm to the database comes one at a time.
    func withServer(_ body: () async -> Void) async {
        let isMine = state.withLock { state in
            defer { state.isServerBusy = true }
            return !state.isServerBusy
        }
        guard isMine else { return }
        await body()
        state.withLock { $0.isServerBusy = false }
    }

    // Whoever is not running and was not harmed has ended by itself: that must not be. It is started again, as a supervisor would.
    private func lookForDeaths() {
        let dead = state.withLock { state in
            let dead = (cluster.coordinators + cluster.workers).filter { !state.busy.contains($0.name) && !$0.isRunning }
            for process in dead { state.busy.insert(process.name) }
            return dead
        }
        for process in dead {
            complain("\(process.name) ended by itself: \(process.logLines.suffix(3).joined(separator: " | "))")
            do { try process.start() } catch { complain("\(process.name) could not be started: \(error)") }
            release(process)
        }
    }

    /// Nothing is to be found missing at the end either.
    func close() { lookForDeaths() }
}
