// A coordinator: it folds, brings events and waits together, and looks after leases.

import Engine
import WorkflowModel

/// A coordinator process, for as long as it lives.
final class Coordinator {
    let process: Process
    var world: World { process.world }
    private var server: Server { world.server }
    private var frames: [RunID: (revision: Int, frame: Frame)] = [:]
    private let foldLimit: Int
    private var random: SeededGenerator

    private static let shortestIdle: Duration = .milliseconds(100)
    private static let longestIdle: Duration = .seconds(2)
    private static let namesAtOnce = 500
    private static let reapedAtOnce = 500

    init(_ process: Process) {
        self.process = process
        random = process.world.random.fork()
        foldLimit = process.world.settings.foldLimit
        process.run("fold", hears: .folds) { [self] fiber throws(ModelError) in try await foldAlways(fiber) }
        process.run("match", hears: .matches) { [self] fiber throws(ModelError) in try await matchAlways(fiber) }
        process.run("reap") { [self] fiber throws(ModelError) in try await reapAlways(fiber) }
    }

    /// For a process that only submits.
    init(remembering process: Process) {
        self.process = process
        random = SeededGenerator(seed: 0)
        foldLimit = 1
    }

    // MARK: Frames

    func takeFrame(_ run: RunID, revision: Int) -> Frame? {
        guard let kept = frames.removeValue(forKey: run) else { return nil }
        return kept.revision == revision || server.mutant == .frameOfAnyRevision ? kept.frame : nil
    }

    func keep(_ frame: Frame, of run: RunID, revision: Int) {
        if world.settings.forgetsFrames, random.chance(40) { return }
        frames[run] = (revision, frame)
    }

    // MARK: Loops

    private func pause(_ fiber: Fiber, _ time: Duration) async throws(ModelError) {
        if server.mutant == .notifyOnly, !fiber.hears.isEmpty { return try await fiber.sleep(until: .distantFuture) }
        try await fiber.sleep(until: world.now + time * (0.75 + Double(random.below(26)) / 100))
    }

    // What a failure is to the loop that met it: a reason to try again, or to say that a promise is broken.
    private func note(_ error: ModelError, _ what: String) throws(ModelError) {
        switch error {
        case .killed: throw error
        case .connectionLost: return
        // Whoever holds tasks waits for no others, and begins again.
        case .lockNotAvailable where what == "fold": return
        case .uniqueViolation(let table): world.report("I4", "\(what): a key of \(table) is taken")
        case .deadlock: world.report("deadlock", "\(process.name) \(what) waits in a circle")
        case .lockNotAvailable, .inFailedTransaction, .raised: world.report("errors", "\(what): \(error)")
        }
    }

    private func foldAlways(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        var idle = Self.shortestIdle
        var failures = 0
        while true {
            do throws(ModelError) {
                // The database may be another one than before, whose history is shorter than what is remembered.
                if link?.isOpen != true, server.mutant != .framesOutliveConnection { frames = [:] }
                let open = try opened(&link, fiber)
                let fold = Fold(self, on: open, random: random.fork())
                try await fold.run(limit: foldLimit)
                failures = 0
                for (run, reason) in fold.report.refused { world.report("refusals", "\(run): \(reason)") }
                if fold.report.runs > 0 {
                    var notices: Notices = .tasks
                    if fold.report.leavesOrders { notices.insert(.folds) }
                    if fold.report.leavesMatches { notices.insert(.matches) }
                    world.notify(notices)
                    idle = Self.shortestIdle
                    continue
                }
                try await pause(fiber, idle)
                idle = min(idle * 2, Self.longestIdle)
            } catch {
                try note(error, "fold")
                link?.cut()
                link = nil
                failures += 1
                try await fiber.sleep(until: world.now + .milliseconds(50 * min(failures, 20)))
            }
        }
    }

    private func opened(_ link: inout Link?, _ fiber: Fiber, isPooled: Bool = false) throws(ModelError) -> Link {
        if let link, link.isOpen { return link }
        // That it is gone is learned by using it: as an error. A pool replaces it without a word.
        guard isPooled || link == nil else { throw .connectionLost }
        guard world.isServerUp, !process.isCut else { throw .connectionLost }
        let open = Link(of: process, fiber)
        link = open
        return open
    }

    private func matchAlways(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        var idle = Self.shortestIdle
        while true {
            do throws(ModelError) {
                let open = try opened(&link, fiber, isPooled: true)
                let found = try await open.call("match") { transaction throws(ModelError) in
                    try await self.server.match(transaction, limit: Self.namesAtOnce)
                }
                if found.handed > 0 { world.notify(.folds) }
                if found.looked > 0 {
                    idle = Self.shortestIdle
                    continue
                }
                if world.random.chance(5) {
                    try await open.call("expire") { transaction throws(ModelError) in
                        try await self.server.expireEvents(transaction, limit: Self.namesAtOnce)
                    }
                }
                try await pause(fiber, idle)
                idle = min(idle * 2, Self.longestIdle)
            } catch {
                try note(error, "match")
                link?.cut()
                link = nil
                try await fiber.sleep(until: world.now + .milliseconds(200))
            }
        }
    }

    // Nobody is declared dead before one full lease has passed since the server began and since this coordinator could look.
    private func reapAlways(_ fiber: Fiber) async throws(ModelError) {
        var link: Link?
        var since = world.now
        var pause = world.settings.reapInterval
        var epochIsChecked = false
        while true {
            try await fiber.sleep(until: world.now + pause)
            pause = world.settings.reapInterval
            do throws(ModelError) {
                let open = try opened(&link, fiber, isPooled: true)
                let lease = world.settings.lease
                let isGrace = world.now - since < lease
                let look = try await open.call("reap") { transaction throws(ModelError) in
                    let marksDead = !isGrace && self.world.now - self.world.serverSince > lease
                    return try await self.server.lookAtLeases(transaction, marksDead: marksDead, limit: Self.reapedAtOnce)
                }
                if look.lost > 0 { world.notify(.folds) }
                if look.isNewTimeline, !epochIsChecked || server.mutant != .epochCheckedOnce {
                    _ = try await open.call("epoch") { transaction throws(ModelError) in try await self.server.checkEpoch(transaction) }
                    pause = .zero
                    continue
                }
                epochIsChecked = true
                world.observer.leasesWereLookedAt()
                if look.hasDueMark {
                    while try await open.call("look below", { transaction throws(ModelError) in try await self.server.lookBelowMarks(transaction) }) {}
                }
                // No lease runs out before it says so; a worker that comes meanwhile may have a short one.
                if look.lost == 0, !look.hasMark, !isGrace {
                    pause = max(pause, min(look.nextEnd.map { $0 - world.now } ?? .zero, Self.longestIdle))
                }
            } catch {
                try note(error, "reap")
                since = world.now
                epochIsChecked = false
                link?.cut()
                link = nil
            }
        }
    }
}
