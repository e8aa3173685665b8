// A worker: it claims, has agents called, and reports, and keeps its lease meanwhile.

import Engine
import WorkflowModel

/// A worker process, for as long as it lives.
final class Worker {
    private enum Phase: Equatable {
        /// It may claim.
        case alive(SessionID)
        /// Its lease may be over: it claims nothing more.
        case doubtful(SessionID)
        /// It has none.
        case none
    }

    private struct Call {
        let task: TaskRow
        var endsAt: Timestamp
        var settlement: Settlement
    }

    private let process: Process
    private var world: World { process.world }
    private var server: Server { world.server }
    private var random: SeededGenerator
    private var phase = Phase.none
    private var calls: [Call] = []
    private var outcomes: [Settlement] = []
    // Reported and kept, but perhaps not durable yet.
    private var doubtful: [(settlement: Settlement, at: Timestamp)] = []
    private let slots: Int
    private weak var exchanger: Fiber?

    private static let shortestIdle: Duration = .milliseconds(100)
    private static let longestIdle: Duration = .seconds(2)
    // What was reported without a lease is durable after this time.
    private static let durableAfter: Duration = .seconds(1)

    init(_ process: Process) {
        self.process = process
        random = process.world.random.fork()
        slots = random.pick([1, 2, 4, 8])
        process.run("exchange", hears: .tasks) { [self] fiber throws(ModelError) in
            exchanger = fiber
            try await exchangeAlways(fiber)
        }
        process.run("lease") { [self] fiber throws(ModelError) in try await keepLease(fiber) }
    }

    private var session: SessionID? {
        switch phase {
        case .alive(let session), .doubtful(let session): session
        case .none: nil
        }
    }

    private var room: Int { if case .alive = phase { max(0, slots - calls.count) } else { 0 } }

    private func finishCalls() {
        let moment = world.now
        outcomes += calls.filter { $0.endsAt <= moment }.map(\.settlement)
        calls.removeAll { $0.endsAt <= moment }
    }

    // MARK: Exchange

    private func exchangeAlways(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        var idle = Self.shortestIdle
        var mayHoldStrays = false
        var failures = 0
        while true {
            finishCalls()
            guard let session, !outcomes.isEmpty || room > 0 else {
                if session == nil { outcomes = [] }
                try await sleep(fiber, Self.longestIdle)
                continue
            }
            let reported = outcomes
            outcomes = []
            do throws(ModelError) {
                let open = try opened(&link, fiber)
                if mayHoldStrays {
                    let known = Set(calls.map { $0.task.fence ?? Fence(0) } + reported.map(\.fence))
                    _ = try await open.call("strays") { transaction throws(ModelError) in
                        try await self.server.releaseStrays(transaction, session, known: known)
                    }
                    mayHoldStrays = false
                }
                let asked = world.now
                let (kept, claimed) = try await exchange(session, reported, on: open)
                failures = 0
                note(kept, reported, claimed, asked)
                for task in claimed { begin(task) }
                if claimed.isEmpty, room > 0, world.isHealing { world.observer.wasNothing(toClaimSince: world.healedAt) }
                if claimed.isEmpty, reported.isEmpty {
                    try await sleep(fiber, idle)
                    idle = min(idle * 2, Self.longestIdle)
                } else {
                    idle = Self.shortestIdle
                }
            } catch {
                switch error {
                case .raised:
                    // What nobody has reaped still counts.
                    if !reported.isEmpty, let link {
                        do throws(ModelError) {
                            let asked = world.now
                            let kept = try await link.call("settle alone") { transaction throws(ModelError) in
                                try await self.server.settle(transaction, session, reported)
                            }
                            note(kept, reported, [], asked)
                        } catch {
                            if error == .killed { throw error }
                        }
                    }
                    abandon(session)
                case .killed: throw error
                case .connectionLost:
                    putBack(reported)
                    mayHoldStrays = true
                    link?.cut()
                    link = nil
                    failures += 1
                    try await fiber.sleep(until: world.now + .milliseconds(50 * min(failures, 20)))
                case .deadlock, .lockNotAvailable, .inFailedTransaction, .uniqueViolation:
                    world.report("errors", "\(process.name) exchange: \(error)")
                }
            }
        }
    }

    private func sleep(_ fiber: Fiber, _ time: Duration) async throws(ModelError) {
        let firstEnd = calls.map(\.endsAt).min() ?? .distantFuture
        let jittered = time * (0.75 + Double(random.below(26)) / 100)
        try await fiber.sleep(until: min(server.mutant == .notifyOnly ? .distantFuture : world.now + jittered, firstEnd))
    }

    private func opened(_ link: inout Link?, _ fiber: Fiber) throws(ModelError) -> Link {
        if let link, link.isOpen { return link }
        // That it is gone is learned by using it: as an error.
        guard link == nil else { throw .connectionLost }
        guard world.isServerUp, !process.isCut else { throw .connectionLost }
        let open = Link(of: process, fiber)
        link = open
        return open
    }

    private func exchange(
        _ session: SessionID, _ reported: [Settlement], on link: Link
    ) async throws(ModelError) -> (kept: [Bool], claimed: [TaskRow]) {
        let room = room
        return try await link.call("exchange") { transaction throws(ModelError) in
            let kept = reported.isEmpty ? [] : try await self.server.settle(transaction, session, reported)
            let claimed = room > 0 ? try await self.server.claim(transaction, session, limit: room) : []
            return (kept, claimed)
        }
    }

    // When the server has crashed, what was reported just before may be lost, too. All of it stays doubtful: what is reported again, and refused
    // because the first report is there, is on the disk no earlier for that.
    private func putBack(_ reported: [Settlement]) {
        var again: [Settlement]
        switch server.mutant {
        case .reportedOnce: again = []
        case .reportsByItsOwnClock: again = doubtful.filter { world.now - $0.at < Self.durableAfter }.map(\.settlement)
        default: again = doubtful.map(\.settlement)
        }
        if server.mutant == .reportedTwice { doubtful = [] }
        let listed = Set((reported + outcomes).map(\.fence))
        again.removeAll { listed.contains($0.fence) }
        outcomes = again + reported + outcomes
        if server.mutant != .reportedTwice { remember(reported) }
    }

    // These may have been kept, and may be lost.
    private func remember(_ settlements: [Settlement]) {
        let fences = Set(settlements.map(\.fence))
        doubtful.removeAll { fences.contains($0.settlement.fence) }
        doubtful += settlements.map { ($0, world.now) }
    }

    private func note(_ kept: [Bool], _ reported: [Settlement], _ claimed: [TaskRow], _ asked: Timestamp) {
        if !reported.isEmpty { world.notify(.folds) }
        if claimed.isEmpty {
            let known = Set(doubtful.map(\.settlement.fence))
            doubtful.removeAll { asked - $0.at >= Self.durableAfter }
            remember(zip(kept, reported).filter { $0 || known.contains($1.fence) }.map(\.1))
        } else {
            doubtful = []
        }
        for (held, settlement) in zip(kept, reported) {
            world.note("\(process.name) settled \(settlement.key.path) \(settlement.fence) \(settlement.status): \(held)")
            if held { world.observer.wasKept(settlement) }
        }
    }

    /// The session is gone: calls are ended, results dropped, and a new session registered.
    private func abandon(_ session: SessionID) {
        guard self.session == session else { return }
        world.note("\(process.name) lost session \(session)")
        phase = .none
        calls = []
        outcomes = []
        doubtful = []
    }

    // MARK: Calls

    private func begin(_ task: TaskRow) {
        guard let fence = task.fence else { return }
        world.note("\(process.name) calls \(task.path) \(fence) attempt \(task.attempt)")
        let key = server.mutant == .keyPerAttempt ? "\(task.run)/\(task.path)/\(task.attempt)" : "\(task.run)/\(task.path)"
        world.observer.wasCalled(task.key, key)
        var settlement = Settlement(key: task.key, fence: fence, status: .succeeded)
        let temper = world.settings.temper
        if !world.isHealing, random.chance(temper.release) {
            settlement.status = random.chance(80) ? .released : .cancelled
        } else if !world.isHealing, random.chance(temper.failure), let failure = failure(of: task) {
            settlement.status = failure.type == .timeout ? .timedOut : .failed
            settlement.failure = failure
        } else if !world.isHealing, random.chance(temper.wrongAnswer) {
            settlement.output = JSONText("wrong")
        } else {
            settlement.output = JSONText(answer(to: task))
        }
        let lease = world.settings.lease
        let time: Duration = random.chance(temper.slow) ? lease * (0.5 + Double(random.below(20)) / 10) : .milliseconds(2 + random.below(300))
        calls.append(Call(task: task, endsAt: world.now + time, settlement: settlement))
    }

    // The agent of a sub-workflow answers as the step that started it would have been answered.
    private func answer(to task: TaskRow) -> JSONValue {
        if let run = world.tables.runs.committedRow(task.run), run.trigger == "workflow", let path = run.relatives.parentPath {
            return DeterministicAgent.answer(path, run.input.value)
        }
        return DeterministicAgent.answer(task.path, task.input.value)
    }

    private func failure(of task: TaskRow) -> Failure? {
        let types: [FailureType] = [.timeout, .connect, .serverError, .rateLimited, .clientError, .exit, .protocolError, .tls, .custom]
        var failure = Failure(type: random.pick(types), message: "no")
        if random.chance(15) { failure.code = "E_BUSY" }
        if random.chance(15) { failure.retryAfter = .milliseconds(random.pick([0, 10, 5000])) }
        guard world.settings.flavour == .faultless else { return failure }
        // Only what the policy still answers with another attempt.
        let policy = world.tables.version(task.version).program.nodes[task.node].retry.entries
        let mayPass: Set<FailureType> = [.timeout, .connect, .tls, .serverError, .rateLimited, .protocolError, .exit, .signal, .custom]
        let index = policy.firstIndex { entry in
            guard let names = entry.on else { return mayPass.contains(failure.type) }
            return names.contains { $0 == failure.type.rawValue || $0 == failure.code || ($0 == "*" && mayPass.contains(failure.type)) }
        }
        guard let index else { return nil }
        let used = index < task.retryCounts.count ? task.retryCounts[index] : 0
        return used + 1 < policy[index].maxAttempts ? failure : nil
    }

    // MARK: Lease

    private func keepLease(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        var lastGood = world.now
        var failures = 0
        let lease = world.settings.lease
        while true {
            let sent = world.now
            do throws(ModelError) {
                let open = try opened(&link, fiber)
                if let session {
                    let told = try await open.call("heartbeat") { transaction throws(ModelError) in
                        try await self.server.heartbeat(transaction, session)
                    }
                    guard let told else {
                        abandon(session)
                        continue
                    }
                    lastGood = sent
                    if self.session == session { phase = .alive(session) }
                    for notice in told { cancel(notice) }
                } else {
                    let session = try await open.call("register") { transaction throws(ModelError) in try await self.server.register(transaction) }
                    lastGood = sent
                    phase = .alive(session)
                    world.observer.wasRegistered(session)
                    world.note("\(process.name) has session \(session)")
                    exchanger?.wake()
                }
                failures = 0
                try await fiber.sleep(until: world.now + lease / 3)
            } catch {
                if error == .killed { throw error }
                if error != .connectionLost { world.report("errors", "\(process.name) lease: \(error)") }
                failures += 1
                link?.cut()
                link = nil
                if case .alive(let session) = phase, world.now - lastGood > lease * 0.8 { phase = .doubtful(session) }
                try await fiber.sleep(until: world.now + min(.milliseconds(50 * failures), lease / 6))
            }
        }
    }

    private func cancel(_ notice: NoticeRow.Key) {
        for index in calls.indices where calls[index].task.run == notice.run && calls[index].task.path == notice.path {
            guard calls[index].settlement.fence == notice.fence, random.chance(70) else { continue }
            calls[index].endsAt = world.now
            calls[index].settlement.status = .cancelled
            calls[index].settlement.output = nil
        }
        exchanger?.wake()
    }
}
