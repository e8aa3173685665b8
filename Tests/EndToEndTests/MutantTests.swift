// Every planted fault is found: those of the database's functions by a story, those of the processes by a directed crash.

import Foundation
import Postgres
import PostgresTestKit
import Testing

#if DEBUG
import Faults
#endif

extension EndToEnd {
    @Suite("Mutants", .timeLimit(.minutes(2)))
    struct MutantTests {
        /// The suite plants the three that are found fastest, `deploy/prove mutants` all.
        private static let isProof = ProcessInfo.processInfo.environment["SKEIN_MUTANTS"] == "all"
        private static let planted = isProof ? Mutant.allCases : [.sessionWithoutTimeline, .noReaper, .keyIgnored]

        @Test("the story of a planted fault ends well without the fault, and not with it", arguments: planted)
        func isFound(mutant: Mutant) async throws {
            let healthy = try await Story().holds(mutant)
            #expect(healthy, "\(mutant.rawValue): the healthy functions fail the story")
            let story = try await Story()
            try await mutant.plant(in: story.connection)
            let begun = ContinuousClock.now
            let mutated = try await story.holds(mutant)
            #expect(!mutated, "\(mutant.rawValue) survived: no check finds it")
            Self.tell(mutant.rawValue, "its story", mutant.breaks, ContinuousClock.now - begun)
        }

        @Test("what a mutant changes is there to be changed", arguments: Mutant.allCases)
        func isPlantable(mutant: Mutant) throws {
            #expect(try !mutant.source.isEmpty)
        }

        #if DEBUG
        @Test("a scenario ends well without the fault of a process, and not with it", arguments: isProof ? PlantedFault.allCases : [])
        func isFound(fault: PlantedFault) async throws {
            try await withCluster { cluster in
                let stage = try await CrashStage(on: cluster)
                try await stage.begin()
                try await fault.play(on: stage)
            }
            // The fault breaks promises, and whoever looks for it says so.
            try await withCluster(endsChecked: false) { cluster in
                let stage = try await CrashStage(on: cluster, planted: fault, patience: .seconds(6))
                try await stage.begin()
                let begun = ContinuousClock.now
                await withKnownIssue("\(fault.rawValue) must be found") { try await fault.play(on: stage) }
                Self.tell(fault.rawValue, fault.foundBy, fault.breaks, ContinuousClock.now - begun)
            }
        }

        @Test("the documentation has the table of all mutants and what finds them")
        func documented() throws {
            let article = try String(contentsOf: ProgramRun.repository.appending(path: "Sources/Faults/Faults.docc/Faults.md"), encoding: .utf8)
            let rows = article.split(separator: "\n").compactMap { line in
                line.wholeMatch(of: /\| `([a-z-]+)` \| (.+) \| (.+) \| (.+) \|/).map { "\($0.1): \($0.3): \($0.4)" }
            }
            let mutants = Mutant.allCases.map { "\($0.rawValue): its story: \($0.breaks)" }
            let faults = PlantedFault.allCases.map { "\($0.rawValue): \($0.foundBy): \($0.breaks)" }
            #expect(rows == mutants + faults)
            #expect(rows.count >= 20)
        }
        #endif

        private static func tell(_ name: String, _ foundBy: String, _ breaks: String, _ time: Duration) {
            let seconds = Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)
            print("mutant: \(name) | \(foundBy) | \(breaks) | \(String(format: "%.2f", seconds)) s")
        }
    }
}
