// One seed: a cluster, some runs, some faults; then everything is whole again, and all has to come to its end.

import Engine
import WorkflowModel

/// How a simulation is set up. All of it follows from the seed; a shrinker leaves parts out.
package struct Settings: Sendable {
    /// Everything random comes from this.
    package let seed: UInt64
    /// What the story is about, if it is about something in particular.
    package let focus: Focus?
    /// The planted fault.
    package var mutant: Mutant?
    /// Whether what happens is written down.
    package var isTraced = false
    /// The runs that are left out.
    package var withoutRuns: Set<Int> = []
    /// The faults that are left out.
    package var withoutFaults: Set<Int> = []
    /// How many steps a definition has at most.
    package var stepLimit: Int

    var flavour = DefinitionGenerator.Flavour.any
    var lease: Duration = .seconds(10)
    var reapInterval: Duration = .seconds(1)
    var foldLimit = 200
    var stickiness = 0
    var pauseInStatement = 0
    var forgetsFrames = false
    var losesNotifications = false
    var temper = Temper()
    // How many looks at the queue take long, in percent: each of these leaves a mark.
    var slowLooks = 0
    // Whether definitions wait for events, and people send many.
    var isAboutEvents = false
    var faultCount = 0
    var climate = Fault.Climate.mixed
    // How long people wait between two orders at most, in milliseconds.
    var haste = 700

    /// What agents and people are like, in percent.
    struct Temper: Sendable {
        var failure = 0
        var release = 0
        var wrongAnswer = 0
        var slow = 0
        var pause = 0
        var signal = 0
        var cancel = 0
    }

    /// The settings of a seed.
    package init(seed: UInt64, focus: Focus? = nil, mutant: Mutant? = nil) {
        self.seed = seed
        self.focus = focus
        self.mutant = mutant
        var random = SeededGenerator(seed: seed ^ 0x5345_5454_494E_4753)
        stepLimit = random.pick([10, 20, 60])
        flavour = random.chance(50) ? .faultless : .any
        lease = .seconds(random.pick([2, 10]))
        reapInterval = .milliseconds(random.pick([200, 1000]))
        foldLimit = random.pick([1, 3, 200, 200])
        stickiness = random.pick([0, 0, 50, 90])
        pauseInStatement = random.pick([0, 10, 50])
        forgetsFrames = random.chance(50)
        losesNotifications = random.chance(50)
        faultCount = random.pick([0, 5, 15, 30, 30])
        climate = random.pick(Fault.Climate.allCases)
        temper.failure = random.pick([0, 5, 20])
        temper.release = random.pick([0, 5, 15])
        temper.slow = random.pick([0, 2, 10])
        temper.pause = random.pick([0, 0, 10, 25])
        temper.signal = random.pick([20, 50])
        haste = random.pick([60, 700, 1500])
        slowLooks = random.pick([0, 0, 20, 60])
        if flavour == .any {
            isAboutEvents = random.chance(20)
            if isAboutEvents {
                temper.signal = 70
                haste = random.pick([60, 200])
            }
            temper.wrongAnswer = random.pick([0, 10])
            temper.cancel = random.pick([0, 0, 2, 8])
        }
        focus?.adjust(&self, &random)
    }
}

/// What came of a seed.
package struct SimulationReport: Sendable {
    package let seed: UInt64
    /// The first promise that was broken.
    package let violation: Violation?
    package let turns: Int
    package let commits: Int
    package let steps: Int
    package let faults: Int
    /// What happened, if somebody wanted to know.
    package let trace: [String]
}

/// Plays seeds.
package enum Simulator {
    static let runCount = 3
    private static let workers = 3
    private static let coordinators = 2
    // Until the faults are over; then as many again for everything to come to its end.
    private static let faultTurns = 6000
    private static let healTurns = 60_000

    /// Plays one.
    package static func play(_ settings: Settings) -> SimulationReport {
        var random = SeededGenerator(seed: settings.seed ^ 0x464F_5254_554E_4553)
        let faults = Fault.plan(&random, for: settings)
        let kept = faults.enumerated().filter { !settings.withoutFaults.contains($0.offset) }.map(\.element)
        let world = World(settings, plan: kept)
        var wanted: [(name: String, input: JSONText)] = []
        for place in 0..<runCount {
            var generator = DefinitionGenerator(
                seed: random.next(), flavour: settings.flavour, steps: settings.stepLimit, isForStory: true,
                focus: settings.focus ?? (settings.isAboutEvents ? .events : nil))
            var definition = generator.definition()
            let input = JSONText(["n": .int(Int64(random.below(3)))])
            guard !settings.withoutRuns.contains(place) else { continue }
            definition.name = "run-\(place)"
            do throws(ProgramError) { try world.tables.add(definition) } catch {
                world.report("definitions", "\(error)")
            }
            wanted.append((definition.name, input))
        }
        for program in helpers { world.tables.add(program) }
        let client = start(world, wanted)
        world.play(turns: faultTurns) { client()?.isDone == true && world.tables.runs.isEmpty && world.tables.runKeys.committedRows.count >= wanted.count }
        if world.violation == nil {
            world.heal()
            world.play(turns: healTurns) { client()?.isDone == true && world.tables.runs.isEmpty }
            if world.violation == nil { check(world, wanted) }
        }
        world.end()
        return SimulationReport(
            seed: settings.seed, violation: world.violation, turns: world.turn, commits: world.observer.commits,
            steps: world.tables.steps.committedRows.count, faults: world.faults, trace: world.trace)
    }

    private static func start(_ world: World, _ wanted: [(name: String, input: JSONText)]) -> () -> Client? {
        final class Place { var client: Client? }
        let place = Place()
        let migration = world.stage.start("migration") { fiber throws(ModelError) in
            let transaction = world.tables.database.begin(fiber)
            try await world.server.statement(transaction) { statement throws(ModelError) in
                try await world.tables.epochs.insert(statement, EpochRow(timeline: 1))
            }
            world.tables.database.commit(transaction)
        }
        world.stage.resume(migration)
        for number in 1...coordinators { world.add(Process("coordinator \(number)", in: world) { _ = Coordinator($0) }) }
        for number in 1...workers { world.add(Process("worker \(number)", in: world) { _ = Worker($0) }) }
        world.add(Process("client", in: world) { place.client = Client($0, wanted: wanted) })
        return { place.client }
    }

    // What sub-workflows and chains start.
    private static let helpers: [Program] = {
        let work = Step(id: "work", verb: .agent(.inline(AgentDefinition(kind: .noop))), with: "${{ input }}")
        var child = WorkflowDefinition(name: "child", body: .steps([work]))
        child.output = "${{ steps.work.output }}"
        let next = WorkflowDefinition(name: "next", body: .steps([work]))
        return [child, next].compactMap { definition in
            do throws(ProgramError) { return try Program(definition) } catch { preconditionFailure("A helper does not compile: \(error)") }
        }
    }()

    private static func check(_ world: World, _ wanted: [(name: String, input: JSONText)]) {
        for run in world.tables.runs.committedRows {
            let work = world.tables.tasks.committedRows(of: run.id).map { "\($0.path) \($0.state)\($0.held ? " held" : "")" }
            let live = world.tables.liveSteps.committedRows(of: run.id).map { "\($0.path) \($0.facts)" }
            world.report("L2", "\(run.id) does not end: \(work) \(live)")
        }
        world.observer.checkAll()
        guard world.violation == nil, world.settings.flavour == .faultless else { return }
        for ended in world.tables.endedRuns.committedRows where ended.relatives.parent == nil && ended.relatives.source == nil {
            checkOutput(ended, world, wanted)
        }
    }

    // A definition without failures gives what a plain evaluation of it gives, whatever has happened meanwhile.
    private static func checkOutput(_ ended: EndedRunRow, _ world: World, _ wanted: [(name: String, input: JSONText)]) {
        let version = world.tables.version(ended.version)
        // A step that has lost too many workers is poison, and the plain evaluation knows none.
        let isPoisoned = world.tables.steps.committedRows.contains { $0.record.settled.failure?.type == .poison }
        guard !isPoisoned, let input = wanted.first(where: { $0.name == version.name })?.input else { return }
        do {
            let expected = try PlainEvaluation.run(version.program.definition, input: input.value)
            guard ended.ending.status == .succeeded, ended.output?.value == expected.output else {
                return world.report(
                    "output",
                    "\(version.name) \(ended.ending.status) \(ended.output?.text ?? "-") \(String(describing: ended.ending.failure)) instead of \(expected.output.compactText)"
                )
            }
            let paths = Set(world.tables.steps.committedRows(of: ended.id).map(\.record.path))
            let difference = paths.symmetricDifference(expected.results.keys).sorted()
            if !difference.isEmpty { world.report("output", "\(version.name): \(difference) did not settle in both") }
        } catch {
            world.report("definitions", "\(error)")
        }
    }
}
