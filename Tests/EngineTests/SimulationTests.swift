// Thousands of random runs. Every decision of theirs is checked against the promises; the output against a plain evaluation.

import Engine
import Testing
import WorkflowModel

@Suite struct SimulationTests {
    @Test(
        "whatever happens to a run, every promise holds after every decision, and it ends",
        arguments: Seeds.chunks(standard: 2000))
    func anything(seeds: ClosedRange<UInt64>) {
        for seed in seeds {
            do {
                var simulation = try Simulation(seed: seed, flavour: .any)
                try simulation.play()
            } catch {
                Issue.record("SKEIN_SEED=\(seed): \(error)")
            }
        }
    }

    @Test(
        "a definition without failures gives what a plain evaluation gives, through lost workers, retries and crashes",
        arguments: Seeds.chunks(standard: 600))
    func faultless(seeds: ClosedRange<UInt64>) {
        for seed in seeds {
            do {
                var simulation = try Simulation(seed: seed, flavour: .faultless)
                try simulation.play()
                let store = simulation.store
                let expected = try PlainEvaluation.run(store.outline, input: store.runInput.value)
                guard let ending = store.ending, ending.status == .succeeded, ending.output?.value == expected.output else {
                    throw Violation("output", "\(String(describing: store.ending)) instead of \(expected.output)")
                }
                for entry in store.outline.entries {
                    let settled = store.steps[entry.index]?.settled
                    let result = expected.results[entry.index]
                    guard settled?.status == result?.status, settled?.output?.value ?? .null == result?.output ?? .null else {
                        throw Violation(
                            "output", "\(entry.path) is \(String(describing: settled)) instead of \(String(describing: result))")
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
        for seed in 0..<400 as Range<UInt64> {
            var simulation = try Simulation(seed: seed, flavour: .any)
            try simulation.play()
            let store = simulation.store
            if let status = store.ending?.status { endings.insert(status) }
            for step in store.steps { if let type = step?.settled.failure?.type { failures.insert(type) } }
            for line in store.journal {
                // The verb, and for attempts how they ended.
                let words = line.split(separator: " ").map { String($0) }
                seen.insert(words[0] == "attempt" ? "attempt " + words[2...].joined(separator: " ") : words[0])
            }
        }
        #expect(endings == [.succeeded, .failed, .timedOut, .cancelled])
        #expect(failures.isSuperset(of: [.expression, .schema, .poison, .cancelled, .timeout, .clientError]))
        #expect(
            seen == [
                "enqueue", "requeue", "back", "wake", "dequeue", "tell", "keep", "drop", "event", "end", "succeeded", "failed", "skipped",
                "cancelled", "attempt failed", "attempt timed_out", "attempt lost", "attempt released", "attempt cancelled",
                "attempt succeeded discarded",
            ])
    }
}
