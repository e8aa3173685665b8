// The one who breaks things: kills, pauses, takes the database away. Once a second, as the seed says.

import Foundation
import Postgres
import Synchronization

/// A kind of fault.
enum Fault: String, CaseIterable, Sendable {
    case killCoordinator = "coordinator killed"
    case killWorker = "worker killed"
    case pauseWorker = "worker stopped past its lease"
    case crashDatabase = "database stopped (immediate)"
    case drainWorker = "worker drained"
    case drainCoordinator = "coordinator drained"
    case terminateSessions = "sessions terminated"
    case killBackend = "backend killed"
}

/// Does harm until it is told to stop, and leaves everything running.
final class Nemesis: Sendable {
    private let cluster: Cluster
    private let agent: AgentServer
    private let campaign: Campaign
    private let server: OwnServer
    private let state = Mutex(State())

    private struct State {
        var counts: [Fault: Int] = [:]
        // Processes that are down, going down, or standing still.
        var busy: Set<String> = []
        var problems: [String] = []
    }

    init(_ cluster: Cluster, _ agent: AgentServer, _ campaign: Campaign) throws {
        guard let server = cluster.server else { throw HarnessError("a campaign needs a server of its own") }
        self.cluster = cluster
        self.agent = agent
        self.campaign = campaign
        self.server = server
    }

    func count(_ fault: Fault) -> Int { state.withLock { $0.counts[fault] ?? 0 } }
    var kills: Int { count(.killCoordinator) + count(.killWorker) }
    var summary: String { Fault.allCases.filter { count($0) > 0 }.map { "\(count($0)) × \($0.rawValue)" }.joined(separator: ", ") }
    /// What went wrong with the faults themselves: processes that did not come up, drains that did not end well.
    var problems: [String] { state.withLock { $0.problems } }

    private static let firstPause = 6
    private static let pauseEvery = 10
    /// In a short campaign: a worker that stands still is one that nobody kills, so there are no more than it takes.
    private static let mostPauses = 2
    private static let firstCrash = 15
    private static let crashEvery = 45

    /// One fault a second until the task is cancelled.
    func work() async {
        var generator = SeededGenerator(seed: campaign.seed)
        await withDiscardingTaskGroup { group in
            var second = 0
            let begun = ContinuousClock.now
            while !Task.isCancelled {
                second += 1
                try? await Task.sleep(until: begun + .seconds(second), clock: .continuous)
                if Task.isCancelled { break }
                let delay: Duration = Bool.random(using: &generator) ? .zero : .milliseconds(Int.random(in: 0...2000, using: &generator))
                let mayPause = campaign.isHarsh || count(.pauseWorker) < Self.mostPauses
                if mayPause, second % Self.pauseEvery == Self.firstPause, let victim = pick(cluster.workers, &generator) {
                    group.addTask { await self.pause(victim) }
                } else if second == Self.firstCrash || (campaign.isHarsh && second % Self.crashEvery == Self.firstCrash) {
                    group.addTask { await self.crashDatabase(down: .milliseconds(500) + delay / 2) }
                } else if campaign.isHarsh, Int.random(in: 0..<10, using: &generator) < 4 {
                    // Who is picked is busy until it runs again, so nobody is picked in vain.
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0:
                        if let worker = pick(cluster.workers, &generator) {
                            group.addTask { await self.drain(worker, .drainWorker, restartAfter: delay) }
                        }
                    case 1:
                        if let coordinator = pick(cluster.coordinators, &generator) {
                            group.addTask { await self.drain(coordinator, .drainCoordinator, restartAfter: delay) }
                        }
                    case 2: group.addTask { await self.terminateSessions() }
                    default: group.addTask { await self.killBackend() }
                    }
                } else if let victim = pick(victims, &generator) {
                    group.addTask { await self.kill(victim, restartAfter: delay) }
                }
            }
        }
    }

    // A step that has lost several workers through no fault of its own would end as poison, which is right and not what is tested here: as
    // long as such a step is with an agent, workers are spared.
    private static let mostStarts = 3

    private var victims: [ServerProcess] {
        var starts: [String: Int] = [:]
        var open: Set<String> = []
        for call in agent.calls {
            starts[call.key, default: 0] += 1
            if call.answered == nil, call.brokenOff == nil { open.insert(call.key) } else if call.answered != nil { open.remove(call.key) }
        }
        let isPerilous = starts.contains { key, count in count > Self.mostStarts && open.contains(key) }
        return isPerilous ? cluster.coordinators : cluster.coordinators + cluster.workers
    }

    private func pick(_ processes: [ServerProcess], _ generator: inout SeededGenerator) -> ServerProcess? {
        let choice = generator.next()
        return state.withLock { state in
            let free = processes.filter { !state.busy.contains($0.name) && $0.isRunning }
            guard !free.isEmpty else { return nil }
            let victim = free[Int(choice % UInt64(free.count))]
            state.busy.insert(victim.name)
            return victim
        }
    }

    private func note(_ fault: Fault) { state.withLock { $0.counts[fault, default: 0] += 1 } }
    private func complain(_ problem: String) { state.withLock { $0.problems.append(problem) } }
    private func release(_ process: ServerProcess) { state.withLock { _ = $0.busy.remove(process.name) } }

    // What was begun is finished even when the campaign is over: nothing is left broken.
    private func wait(_ duration: Duration) async { try? await Task.sleep(for: duration) }

    private func restart(_ process: ServerProcess, after delay: Duration) async {
        await wait(delay)
        do { try process.start() } catch { complain("\(process.name) could not be started: \(error)") }
        release(process)
    }

    private func kill(_ process: ServerProcess, restartAfter delay: Duration) async {
        note(process.name.hasPrefix("worker") ? .killWorker : .killCoordinator)
        process.send(SIGKILL)
        if await ended(process, within: .seconds(10)) == nil { complain("\(process.name) survived SIGKILL") }
        await restart(process, after: delay)
    }

    private func drain(_ process: ServerProcess, _ fault: Fault, restartAfter delay: Duration) async {
        note(fault)
        process.send(SIGTERM)
        // A worker may wait for its calls; a database that is away at this moment makes a drain end otherwise than with 0.
        if await ended(process, within: .seconds(60)) == nil {
            complain("\(process.name) did not end within 60 s of SIGTERM")
            process.send(SIGKILL)
            _ = await ended(process, within: .seconds(10))
        }
        await restart(process, after: delay)
    }

    // Waits for the end of a process in the face of cancellation.
    private func ended(_ process: ServerProcess, within deadline: Duration) async -> ProcessEnding? {
        await Task.detached { try? await process.ending(within: deadline) }.value
    }

    private static let longestPause: Duration = .seconds(20)

    // A late result is most dangerous while another worker holds the task: so that is the moment when the stopped one goes on.
    private func pause(_ worker: ServerProcess) async {
        note(.pauseWorker)
        let open = agent.calls.filter { $0.answered == nil && $0.brokenOff == nil }
        worker.send(SIGSTOP)
        let (agent, lease) = (agent, campaign.lease)
        await Task.detached {
            try? await Task.sleep(for: lease)
            let end = ContinuousClock.now + Self.longestPause
            while ContinuousClock.now < end, !Self.isWithOthers(open, agent.calls) { try? await Task.sleep(for: .milliseconds(10)) }
        }.value
        worker.send(SIGCONT)
        // It has a moment to report what it finished meanwhile, before anything else may happen to it.
        await Task.detached { try? await Task.sleep(for: .seconds(3)) }.value
        release(worker)
    }

    // Whether the agent has answered one of these calls, and works for somebody else on the same step all the same. Of a worker that was
    // killed the connection is gone, so whoever was answered stands still.
    private static func isWithOthers(_ stopped: [AgentCall], _ calls: [AgentCall]) -> Bool {
        let fences = Dictionary(stopped.map { ($0.key, $0.fence) }) { first, _ in first }
        var answered: Set<String> = []
        var again: Set<String> = []
        for call in calls {
            guard let fence = fences[call.key] else { continue }
            if call.fence == fence, call.answered != nil { answered.insert(call.key) }
            if call.fence > fence, call.answered == nil, call.brokenOff == nil { again.insert(call.key) }
        }
        return !answered.isDisjoint(with: again)
    }

    private func crashDatabase(down: Duration) async {
        guard server.isRunning else { return }
        note(.crashDatabase)
        let server = server
        await Task.detached {
            server.crash()
            try? await Task.sleep(for: down)
        }.value
        do { try server.start() } catch { complain("the database did not start again: \(error)") }
    }

    private func terminateSessions() async {
        note(.terminateSessions)
        _ = try? await cluster.query(
            """
            select pg_terminate_backend(pid) from (
              select pid from pg_stat_activity where application_name like 'skein%' and pid <> pg_backend_pid() order by random() limit 3) as chosen
            """)
    }

    // One backend that dies takes all sessions with it: the server recovers as after a crash.
    private func killBackend() async {
        guard let victim = try? await cluster.count(
            "select pid from pg_stat_activity where application_name like 'skein%' order by random() limit 1")
        else { return }
        note(.killBackend)
        Foundation.kill(Int32(victim), SIGKILL)
    }
}
