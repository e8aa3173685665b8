// One run under a random definition, random workers and a virtual clock, until nothing moves any more.

import Engine
import Simulation
import WorkflowModel

struct Simulation {
    let seed: UInt64
    var store: ModelStore
    var workers: Workers
    // Outcomes that were folded, to be handed in a second time.
    private var folded: [TaskOutcome] = []
    // The pause under way: since when, and what had been claimed and settled by then.
    private var pause: (since: Timestamp, fence: Int64, steps: Int, held: [StepPath])?
    /// How many pauses there were.
    private(set) var pauses = 0
    private(set) var actions = 0

    // After so many actions the faults stop; from then on something has to settle within as many again.
    static let actionLimit = 1500
    // No definition of the generator needs more.
    static let lastAction = 60_000

    init(seed: UInt64, flavour: DefinitionGenerator.Flavour) throws {
        self.seed = seed
        var generator = DefinitionGenerator(seed: seed, flavour: flavour)
        let definition = generator.definition()
        var random = generator.random
        store = try ModelStore(definition, input: ["n": .int(Int64(random.below(3)))])
        var temper = Temper()
        temper.loss = random.pick([0, 0, 5, 20, 70])
        temper.release = random.pick([0, 5, 15])
        temper.crash = random.pick([0, 0, 10])
        temper.forgetting = random.pick([0, 20, 100])
        temper.pause = random.pick([0, 0, 3, 20])
        switch flavour {
        case .faultless:
            temper.isFaultless = true
            temper.failure = random.pick([0, 20])
        case .any:
            temper.failure = random.pick([0, 5, 20, 60])
            temper.cancel = random.pick([0, 0, 2, 10])
            temper.wrongAnswer = random.pick([0, 10])
            temper.adjustment = random.pick([0, 0, 3])
        }
        workers = Workers(random: random, temper: temper)
    }

    private var temper: Temper { workers.temper }

    /// Plays until the run has ended.
    mutating func play() throws {
        // Some runs are cancelled before anybody has seen them.
        if workers.random.below(200) < temper.cancel { store.cancel(reason: "early") }
        var progress = 0
        while store.ending == nil {
            actions += 1
            if actions == Self.actionLimit { workers.temper = Temper(isFaultless: temper.isFaultless) }
            guard actions < max(Self.actionLimit, progress) + Self.actionLimit, actions < Self.lastAction else {
                throw Violation("L2", "the run does not end: after \(actions) actions \(store.steps.count) steps have settled")
            }
            let before = store.steps.count
            try act()
            if store.steps.count > before { progress = actions }
        }
        for lease in workers.stale where store.settle(lease, .succeeded, output: .null) {
            throw Violation("I6", "a lease of an ended run settles something")
        }
        try handInAgain()
    }

    // What happened, shortly: for a failing seed.
    var journal: String { store.journal.suffix(60).joined(separator: "\n") }

    private mutating func act() throws {
        if pause == nil, workers.random.below(200) < temper.pause { beginPause() }
        if pause != nil { return try actPaused() }
        if workers.random.below(400) < temper.cancel { store.cancel(reason: workers.random.chance(50) ? "enough" : nil) }
        let claimable = store.claimable
        let leased = store.leased
        let isDue = store.isDue
        let waiting = store.children.filter { $0.value.ending == nil }.keys.sorted()
        if !waiting.isEmpty, workers.random.chance(leased.isEmpty && claimable.isEmpty ? 50 : 15) {
            workers.endChild(workers.random.pick(waiting), in: &store)
        } else if !store.waits.isEmpty, workers.random.chance(20) {
            store.signal(workers.random.pick(["go", "go", "stop", "noise"]), ["n": .int(Int64(workers.random.below(4)))])
        } else if isDue, workers.random.chance(claimable.isEmpty && leased.isEmpty ? 90 : 30) {
            try fold()
        } else if !leased.isEmpty, workers.random.chance(claimable.isEmpty ? 85 : 45) {
            workers.settle(workers.random.pick(leased), in: &store)
        } else if !claimable.isEmpty {
            workers.claim(workers.random.pick(claimable), in: &store)
        } else if let timer = store.nextTimer, !isDue {
            store.now = max(store.now, timer) + .milliseconds(workers.random.pick([0, 1, 700]))
        }
        if workers.random.chance(temper.adjustment),
            let loop = store.live.keys.sorted().first(where: { store.live[$0]?.facts.isLoop == true })
        {
            let change = workers.random.pick([
                LoopAdjustment(maxParallel: 1 + workers.random.below(4)), LoopAdjustment(tolerance: workers.random.below(3)),
                LoopAdjustment(maxParallel: 0, toleranceShare: Share(fraction: 0.4)),
            ])
            store.orders.append(.adjust(loop, change))
        }
        if workers.random.chance(20) { store.now = store.now + .milliseconds(workers.random.below(2000)) }
        if !workers.stale.isEmpty, workers.random.chance(5), store.settle(workers.random.pick(workers.stale), .succeeded, output: .null) {
            throw Violation("I6", "a stale lease settles something")
        }
        if workers.random.chance(3) { try handInAgain() }
    }

    // MARK: Pauses

    // A paused run is not folded and its tasks are held; so it is the store's doing, and what comes meanwhile is decided after it.
    private mutating func beginPause() {
        pauses += 1
        let ready = store.claimable
        pause = (store.now, store.lastFence, store.steps.count, ready)
        for path in ready { store.tasks[path]?.held = true }
    }

    private mutating func actPaused() throws {
        let waiting = store.children.filter { $0.value.ending == nil }.keys.sorted()
        if let path = pause?.held.first, store.claim(path) != nil { throw Violation("I10", "\(path) starts while the run is paused") }
        if !store.leased.isEmpty, workers.random.chance(50) {
            workers.settle(workers.random.pick(store.leased), in: &store)
        } else if !waiting.isEmpty, workers.random.chance(30) {
            workers.endChild(workers.random.pick(waiting), in: &store)
        } else if !store.waits.isEmpty, workers.random.chance(20) {
            store.signal(workers.random.pick(["go", "stop", "noise"]), ["n": .int(Int64(workers.random.below(4)))])
        }
        store.now = store.now + .milliseconds(workers.random.below(5000))
        if workers.random.below(400) < temper.cancel {
            store.cancel(reason: "paused")
            try endPause()
        } else if workers.random.chance(25) {
            try endPause()
        }
    }

    // Durations go on where they stood still.
    private mutating func endPause() throws {
        guard let pause else { return }
        guard store.lastFence == pause.fence, store.steps.count == pause.steps else { throw Violation("I10", "something went on in a pause") }
        let length = store.now - pause.since
        for key in store.timers.keys where store.timers[key]?.isAbsolute == false {
            if let timer = store.timers[key] { store.timers[key] = ModelStore.Timer(dueAt: timer.dueAt + length, isAbsolute: false) }
        }
        store.deadline = store.deadline.map { $0 + length }
        if !store.run.cancelRequested { for path in pause.held { store.tasks[path]?.held = false } }
        self.pause = nil
    }

    // MARK: Coordinators

    private mutating func fold() throws {
        let draw = workers.random.below(100)
        let fate: ModelStore.Fate = draw < temper.crash ? .crashed : workers.random.chance(temper.forgetting) ? .forgotten : .committed
        // All kinds of frames side by side cost three times as much, so it is done now and then.
        let sources: [ModelStore.FrameSource] =
            workers.random.chance(20) ? ModelStore.FrameSource.allCases : [workers.random.pick(ModelStore.FrameSource.allCases)]
        let busy = workers.random.chance(30) ? workers.random.below(4) : 0
        let due = store.tasks.values.compactMap(\.outcome)
        var workers = workers
        try store.fold(limit: workers.random.chance(20) ? 1 : .max, sources: sources, fate: fate) { store, locked in
            for _ in 0..<busy { workers.workMeanwhile(&store, locked) }
        }
        self.workers = workers
        if fate != .crashed { folded += due.filter { outcome in !store.tasks.values.contains { $0.outcome?.fence == outcome.fence } } }
    }

    // What was folded once is refused, and changes nothing.
    private func handInAgain() throws {
        guard var frame = store.keptFrame, frame.isComplete else { return }
        for outcome in folded.suffix(4) {
            // The same attempt again, after its worker was lost: only the fence tells them apart, and the store looks at that.
            if let row = store.tasks[outcome.path], row.attempt == outcome.task.attempt { continue }
            var locked: Set<StepPath> = []
            switch try store.decide(.outcome(outcome), &frame, &locked) {
            case .refused(.alreadySettled), .refused(.staleTask): continue
            case .refused(let rejection): throw Violation("duplicates", "\(rejection)")
            case .commands(let commands):
                throw Violation("duplicates", "an outcome of \(outcome.path) was taken twice: \(commands.map(\.line))")
            }
        }
    }
}

extension LiveStepFacts {
    var isLoop: Bool { if case .loop = self { true } else { false } }
}
