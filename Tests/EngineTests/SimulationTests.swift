// Thousands of random runs. Every decision of theirs is checked against the promises; the output against a plain evaluation.

import Engine
import Simulation
import Testing
import WorkflowModel

@Suite struct SimulationTests {
    @Test(
        "whatever happens to a run, every promise holds after every decision, and it ends",
        arguments: Seeds.chunks(standard: 600))
    func anything(seeds: ClosedRange<UInt64>) {
        for seed in seeds {
            var simulation: Simulation?
            do {
                simulation = try Simulation(seed: seed, flavour: .any)
                try simulation?.play()
            } catch {
                let detail = Seeds.given == nil ? "" : "\n\(simulation?.journal ?? "")\n\(String(describing: simulation?.store.definition))"
                Issue.record("SKEIN_SEED=\(seed): \(error)\(detail)")
            }
        }
    }

    @Test(
        "a definition without failures gives what a plain evaluation gives, through lost workers, retries and crashes",
        arguments: Seeds.chunks(standard: 300))
    func faultless(seeds: ClosedRange<UInt64>) {
        for seed in seeds {
            do {
                var simulation = try Simulation(seed: seed, flavour: .faultless)
                try simulation.play()
                let store = simulation.store
                let expected = try PlainEvaluation.run(store.definition, input: store.runInput.value)
                guard let ending = store.ending, ending.status == .succeeded, store.output?.value == expected.output else {
                    throw Violation(
                        "output",
                        "\(String(describing: store.ending)) \(store.output?.text ?? "-") instead of \(expected.output.compactText)")
                }
                guard Set(store.steps.keys) == Set(expected.results.keys) else {
                    let difference = Set(store.steps.keys).symmetricDifference(expected.results.keys).sorted()
                    throw Violation("output", "\(difference) did not settle in both")
                }
                for (path, result) in expected.results {
                    let settled = store.steps[path]?.settled
                    guard settled?.status == result.status, settled?.output?.value ?? .null == result.output else {
                        throw Violation("output", "\(path) is \(String(describing: settled)) instead of \(result)")
                    }
                }
            } catch {
                Issue.record("SKEIN_SEED=\(seed): \(error)")
            }
        }
    }

    @Test("the random runs see every command, every ending, and every kind of attempt")
    func variety() throws {
        var seen: Set<String> = []
        var endings: Set<RunStatus> = []
        var failures: Set<FailureType> = []
        var pauses = 0
        for seed in 0..<600 as Range<UInt64> {
            var simulation = try Simulation(seed: seed, flavour: .any)
            try simulation.play()
            pauses += simulation.pauses
            let store = simulation.store
            if let status = store.ending?.status { endings.insert(status) }
            for step in store.steps.values { if let type = step.settled.failure?.type { failures.insert(type) } }
            for line in store.journal {
                // The verb, and for attempts how they ended.
                let words = line.split(separator: " ").map { String($0) }
                if line.hasPrefix("cancel child") || line.hasPrefix("end wait") {
                    seen.insert(words[0] + " " + words[1])
                    continue
                }
                seen.insert(words[0] == "attempt" ? "attempt " + words[2...].joined(separator: " ") : words[0])
            }
        }
        #expect(pauses > 100)
        #expect(endings == [.succeeded, .failed, .timedOut, .cancelled])
        #expect(failures.isSuperset(of: [.expression, .schema, .poison, .cancelled, .timeout, .clientError]))
        #expect(
            seen == [
                "enqueue", "requeue", "back", "wake", "dequeue", "tell", "keep", "drop", "event", "end", "succeeded", "failed", "skipped",
                "cancelled", "set", "remove", "items", "child", "wait", "consume", "refuse", "ignore", "emit", "chain", "cancel child",
                "end wait",
                "attempt failed", "attempt timed_out", "attempt lost", "attempt released", "attempt cancelled",
                "attempt succeeded discarded",
            ])
    }
}
