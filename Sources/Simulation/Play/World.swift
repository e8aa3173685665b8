// Everything that a simulation has: the database, the processes, the clock, the faults, and the people who use it.

import WorkflowModel

/// A cluster on one thread.
package final class World {
    let stage = Stage()
    let tables: Tables
    let server: Server
    let observer: Observer
    let settings: Settings
    /// Decides who goes on.
    private var schedule: SeededGenerator
    /// Decides everything else that is left to chance.
    var random: SeededGenerator
    private var plan: ArraySlice<Fault>
    private(set) var turn = 0
    private(set) var processes: [Process] = []
    private var later: [(at: Timestamp, action: () -> Void)] = []
    private var last: Fiber?
    /// Faults that were carried out.
    private(set) var faults = 0
    private(set) var isHealing = false
    private(set) var healedAt = Timestamp.distantFuture
    var serverDownUntil: Timestamp?
    private(set) var serverSince: Timestamp
    private var mutedUntil: Timestamp?
    /// What happened, where somebody wants to read it.
    private(set) var trace: [String] = []
    private(set) var violation: Violation?
    /// What agents were asked: the key under which each step was called.
    var callKeys: [StepKey: String] = [:]
    /// The worlds that the last failovers have left behind: acknowledgements of these are void.
    private(set) var failovers = 0

    init(_ settings: Settings, plan: [Fault]) {
        self.settings = settings
        tables = Tables()
        server = Server(tables: tables, stage: stage, mutant: settings.mutant, lease: settings.lease)
        observer = Observer(tables)
        var seeds = SeededGenerator(seed: settings.seed)
        schedule = seeds.fork()
        random = seeds.fork()
        self.plan = plan[...]
        serverSince = stage.now
        let chance = settings.pauseInStatement
        tables.database.pause = { [unowned self] fiber, isCommit in
            if let (time, chances) = fiber.linger {
                guard chances == 0 || isCommit else {
                    fiber.linger = (time, chances - 1)
                    return nil
                }
                fiber.linger = nil
                return time
            }
            return chance > 0 && schedule.below(100) < chance ? .zero : nil
        }
        tables.database.deadlockSeen = { [unowned self] in note("CIRCLE \($0)") }
        observer.report = { [unowned self] promise, detail in report(promise, detail) }
        observer.note = { [unowned self] text in note(text()) }
        observer.now = { [stage] in stage.now }
        let slowLooks = settings.slowLooks
        server.looksAreSlow = { [unowned self] in slowLooks > 0 && schedule.below(100) < slowLooks }
    }

    var now: Timestamp { stage.now }

    /// Notes a broken promise; the first one counts.
    func report(_ promise: String, _ detail: String) {
        note("VIOLATION \(promise): \(detail)")
        if violation == nil { violation = Violation(promise, detail) }
    }

    func note(_ text: @autoclosure () -> String) {
        guard settings.isTraced else { return }
        trace.append("\(turn) \(now.microseconds / 1000 % 100_000_000) \(text())")
    }

    // MARK: Processes

    func add(_ process: Process) {
        processes.append(process)
        process.start()
    }

    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        later.append((now + delay, action))
        nextLater = min(nextLater, now + delay)
    }

    // When the first of those is due.
    private var nextLater = Timestamp.distantFuture

    // MARK: Notifications

    /// Tells everybody who sleeps that there may be something to do. May be lost; nothing depends on it.
    func notify(_ notices: Notices) {
        guard !notices.isEmpty else { return }
        if let mutedUntil, mutedUntil > now { return }
        if settings.losesNotifications, random.chance(30) { return }
        for fiber in stage.fibers where !fiber.hears.isDisjoint(with: notices) { fiber.wake() }
    }

    // MARK: The clock

    /// Plays until `isOver`, or until so many turns have passed.
    func play(turns: Int, until isOver: () -> Bool) {
        let end = turn + turns
        var looked = -1
        while violation == nil, turn < end {
            runLater()
            // It can only be over when something has been committed.
            if looked != tables.database.commits || hasAnswered {
                looked = tables.database.commits
                hasAnswered = false
                if isOver() { return }
            }
            if let fiber = next() {
                last = fiber
                turn += 1
                stage.now = now + .microseconds(20 + schedule.below(180))
                stage.resume(fiber)
            } else if let moment = nextMoment() {
                stage.now = max(now, moment)
            } else {
                return
            }
        }
    }

    private func runLater() {
        guard nextLater <= now else { return }
        let due = later.filter { $0.at <= now }
        later.removeAll { $0.at <= now }
        nextLater = later.map(\.at).min() ?? .distantFuture
        for item in due { item.action() }
    }

    private func next() -> Fiber? {
        if settings.stickiness > 0, let last, schedule.below(100) < settings.stickiness, last.mayGoOn(at: now) { return last }
        let count = stage.readyCount
        return count == 0 ? nil : stage.ready(schedule.below(count))
    }

    /// Whether a client has learned something since it was last asked whether it is done.
    var hasAnswered = false

    private func nextMoment() -> Timestamp? {
        let first = min(nextLater, stage.nextMoment())
        return first < .distantFuture ? first : nil
    }

    // MARK: Faults

    /// A boundary of the protocol: something may happen to whoever stands at it.
    func boundary(_ fiber: Fiber, _ link: Link, _ label: String, _ phase: Boundary) async throws(ModelError) {
        note("\(link.process.name) \(label) \(phase)")
        if let fault = plan.first, !isHealing, fault.strikes(label, phase, turn: turn) {
            plan.removeFirst()
            carryOut(fault.kind, at: link, fiber)
        }
        try await fiber.turn()
    }

    private func carryOut(_ kind: Fault.Kind, at link: Link, _ fiber: Fiber) {
        faults += 1
        note("FAULT \(kind) at \(link.process.name)")
        let process = link.process
        switch kind {
        case .kill(let restart): process.kill(restartAfter: restart)
        case .cutConnection: link.cut()
        case .terminate:
            let active = tables.database.active
            if !active.isEmpty { tables.database.terminate(random.pick(active)) }
        case .linger(let time): fiber.linger = (time, random.below(12))
        case .stop(let time): process.stop(until: now + time)
        case .isolate(let time): process.cutUntil = now + time
        case .crash(let lost, let down):
            tables.database.crash(losing: lost, at: now)
            observer.reload(isFailover: false)
            serverDown(for: down)
        case .failOver(let lost, let down):
            failovers += 1
            tables.database.failOver(losing: lost)
            observer.reload(isFailover: true)
            serverDown(for: down)
        case .mute(let time): mutedUntil = now + time
        }
    }

    private func serverDown(for time: Duration) {
        serverDownUntil = now + time
        serverSince = now + time
        for process in processes { for link in process.links { link.cut() } }
    }

    var isServerUp: Bool { serverDownUntil.map { $0 <= now } ?? true }

    /// From here on nothing bad happens any more.
    func heal() {
        isHealing = true
        healedAt = now
        note("HEAL")
        plan = []
        mutedUntil = nil
        serverDownUntil = nil
        for process in processes {
            process.goOn()
            process.cutUntil = nil
            if process.isDead { process.start() }
        }
    }

    func end() {
        for process in processes { process.isDead = true }
        stage.clear()
        later = []
        last = nil
        for process in processes { process.forget() }
        processes = []
    }
}

/// On which side of a round trip somebody stands.
enum Boundary {
    /// Nothing has been sent.
    case before
    /// It is done, and the answer is on its way.
    case after
}

/// What somebody who sleeps may be told: that there is something to claim, to fold, or to match.
struct Notices: OptionSet {
    let rawValue: Int
    static let tasks = Notices(rawValue: 1)
    static let folds = Notices(rawValue: 2)
    static let matches = Notices(rawValue: 4)
}
