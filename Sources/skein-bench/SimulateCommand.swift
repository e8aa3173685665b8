// The protocol under a simulator: a model database, several coordinators and workers, a virtual clock, faults at every boundary.

import ArgumentParser
import Foundation
import Simulation

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Plays the protocol under faults in a model of PostgreSQL, and checks every promise after every commit. Needs no database.",
        discussion: """
            A seed is one story: three runs of random definitions, two coordinators, three workers, up to thirty faults; then the faults end, \
            and everything has to come to its end. The same seed is the same story, byte for byte: a failing one is printed, made smaller, \
            and can be read with --seed S --seeds 1 --trace. With --focus the stories are about one thing, whose moments are rare \
            otherwise. With --mutants each planted fault of the protocol must be found, in stories about what it is about; with \
            --witnesses too, and the seeds that show them are printed as the source file that the tests replay them from. \
            Exits with 1 when a promise was broken, or a mutant was not found.
            """)

    @Option(help: "How many seeds.")
    var seeds = 10_000

    @Option(help: "The first seed.")
    var seed: UInt64 = 0

    @Option(help: "How many seeds are played at the same time. Otherwise as many as there are cores.")
    var jobs: Int?

    @Flag(help: "Print what happens in a seed that fails; with --seeds 1 in any case.")
    var trace = false

    @Flag(help: "Plant each fault of the list, and play seeds until it is found.")
    var mutants = false

    @Flag(help: "The same, and print Sources/Simulation/Play/Witnesses.swift: the seed that shows each fault.")
    var witnesses = false

    @Option(help: "Plant one fault of the list.")
    var mutant: String?

    @Option(help: "What the stories are about: \(Focus.list). Otherwise everything.")
    var focus: Focus?

    func validate() throws {
        if seeds < 1 { throw ValidationError("--seeds must be 1 or more, not \(seeds)") }
        if let jobs, jobs < 1 { throw ValidationError("--jobs must be 1 or more, not \(jobs)") }
        if let mutant, Mutant(rawValue: mutant) == nil {
            let known = Mutant.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no planted fault \"\(mutant)\"; there are \(known)")
        }
    }

    func run() async throws {
        if mutants || witnesses { return try await findMutants() }
        let planted = mutant.flatMap { Mutant(rawValue: $0) }
        let clock = ContinuousClock()
        let begun = clock.now
        let cpuBefore = Self.cpuSeconds
        var tally = SimulationTally()
        await play(from: seed, count: seeds, about: stories, mutant: planted) { report in
            tally.add(report)
            if report.violation != nil { show(report, planted) } else if trace, seeds == 1 { print(report.trace.joined(separator: "\n")) }
            if tally.seeds % max(1, seeds / 10) == 0 {
                FileHandle.standardError.write(Data("simulate: \(tally.seeds) of \(seeds)\n".utf8))
            }
            return true
        }
        let time = (clock.now - begun).inSeconds
        print("simulate: \(tally.line(seconds: time, cpu: Self.cpuSeconds - cpuBefore))")
        if tally.failed > 0 { throw ExitCode.failure }
    }

    // What this process has had of all cores together: others on the machine do not count.
    private static var cpuSeconds: Double {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // A planted fault is looked for where it shows.
    private var stories: Focus? { focus ?? mutant.flatMap { Mutant(rawValue: $0) }?.focus }

    private var jobCount: Int { jobs ?? ProcessInfo.processInfo.activeProcessorCount }

    // Plays seeds, several at a time, until all are played or `note` has had enough: then it still hears of those under way.
    private func play(from first: UInt64, count: Int, about focus: Focus?, mutant: Mutant?, note: (SimulationReport) -> Bool) async {
        let isTraced = trace && count == 1
        await withTaskGroup(of: SimulationReport.self) { group in
            var next = 0
            func add() {
                guard next < count else { return }
                var settings = Settings(seed: first &+ UInt64(next), focus: focus, mutant: mutant)
                settings.isTraced = isTraced
                next += 1
                group.addTask { Simulator.play(settings) }
            }
            for _ in 0..<jobCount { add() }
            for await report in group {
                if !note(report) { next = count }
                add()
            }
        }
    }

    private func show(_ report: SimulationReport, _ planted: Mutant?) {
        guard let violation = report.violation else { return }
        print("simulate: seed \(report.seed): \(violation)")
        var settings = Settings(seed: report.seed, focus: stories, mutant: planted)
        settings.isTraced = trace
        var shrinker = Shrinker(settings)
        shrinker.shrink()
        print("simulate: seed \(report.seed): fails with \(shrinker.summary): \(shrinker.report.violation.map { "\($0)" } ?? "")")
        if trace { print(shrinker.report.trace.joined(separator: "\n")) }
    }

    // MARK: Mutants

    private func findMutants() async throws {
        var found: [Mutant: UInt64] = [:]
        let clock = ContinuousClock()
        for mutant in Mutant.allCases {
            let begun = clock.now
            var first: SimulationReport?
            var played = 0
            await play(from: seed, count: mutant.seedBudget, about: mutant.focus, mutant: mutant) { report in
                played += 1
                // A story that fails in any case shows nothing.
                let failsAnyway = { Simulator.play(Settings(seed: report.seed, focus: mutant.focus)).violation != nil }
                if report.violation != nil, report.seed < first?.seed ?? .max, !failsAnyway() { first = report }
                return first == nil
            }
            let time = String(format: "%.1f s", (clock.now - begun).inSeconds)
            if let first, let violation = first.violation {
                let name = mutant.rawValue.padding(toLength: 28, withPad: " ", startingAt: 0)
                let promise = violation.promise.padding(toLength: 10, withPad: " ", startingAt: 0)
                say("simulate: \(name) \(promise) seed \(first.seed), after \(played) of \(mutant.seedBudget) seeds, \(time)")
                found[mutant] = first.seed
            } else {
                say("simulate: \(mutant.rawValue) SURVIVED \(played) seeds, \(time)")
            }
        }
        say("simulate: \(found.count) of \(Mutant.allCases.count) planted faults were found")
        if witnesses { print(Witnesses.source(found)) }
        if found.count < Mutant.allCases.count { throw ExitCode.failure }
    }

    // The standard output is for the source, if there is one.
    private func say(_ line: String) {
        if witnesses { FileHandle.standardError.write(Data("\(line)\n".utf8)) } else { print(line) }
    }
}

extension Focus: ExpressibleByArgument {
    fileprivate static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// What many seeds come to.
private struct SimulationTally {
    var seeds = 0
    var failed = 0
    private var commits = 0
    private var steps = 0
    private var faults = 0

    mutating func add(_ report: SimulationReport) {
        seeds += 1
        if report.violation != nil { failed += 1 }
        commits += report.commits
        steps += report.steps
        faults += report.faults
    }

    func line(seconds: Double, cpu: Double) -> String {
        func each(_ count: Int) -> String { String(format: "%.1f", Double(count) / Double(max(1, seeds))) }
        let time = String(format: "%.1f s; %.0f seeds for each second of a core", seconds, Double(seeds) / max(cpu, 0.001))
        return "\(seeds) seeds, \(failed) failed; \(each(steps)) steps, \(each(faults)) faults and \(each(commits)) commits looked at in each; \(time)"
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
