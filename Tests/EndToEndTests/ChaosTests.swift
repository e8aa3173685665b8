// The promise under fire: a minute of every fault, and what must be true of campaigns themselves.

import Foundation
import Testing
import WorkflowModel

extension Tag {
    /// Faults at random among real processes.
    @Tag static var chaos: Self
}

extension EndToEnd {
    @Suite("Chaos", .tags(.chaos), .timeLimit(.minutes(5)))
    struct ChaosTests {
        /// Every accepted run ends once and as the oracle says, each step's result is committed once, whatever is killed, stopped or taken
        /// away. `SKEIN_SEED` and `SKEIN_CHAOS_MINUTES` say what is to be looked at again; `SKEIN_MUTANT` plants a fault of the protocol, and
        /// then the judge must find a promise broken.
        @Test("a minute of every fault breaks no promise")
        func minute() async throws {
            let environment = ProcessInfo.processInfo.environment
            let seed = environment["SKEIN_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
            let minutes = environment["SKEIN_CHAOS_MINUTES"].flatMap { Double($0) } ?? 1
            print("chaos: SKEIN_SEED=\(seed)")
            var arguments = ["chaos", "--minutes", "\(minutes)", "--seed", "\(seed)", "--faults", "all"]
            let scratch = FileManager.default.temporaryDirectory.appending(path: "skein-chaos-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: scratch) }
            let mutant = try environment["SKEIN_MUTANT"].map { name in
                guard let mutant = Mutant(rawValue: name) else {
                    throw HarnessError("There is no mutant \(name); there are \(Mutant.allCases.map(\.rawValue).joined(separator: ", ")).")
                }
                return mutant
            }
            if let mutant {
                let planted = scratch.appending(path: "planted.sql")
                try mutant.source.write(to: planted, atomically: true, encoding: .utf8)
                arguments += ["--plant", planted.path(percentEncoded: false)]
            }
            let run = try await ProgramRun.of(
                "skein-bench", arguments, environment: Self.binaries(environment), in: ProgramRun.repository, within: .seconds(minutes * 60 + 240))
            print(run.output)
            #expect(run.code == (mutant == nil ? 0 : 1), "\(run.errors)")
            // While a connection is being made libpq prints what the server says in its crash; nobody else has anything to say.
            let said = run.errors.split(separator: "\n").filter { line in !["WARNING:", "DETAIL:", "HINT:"].contains { line.hasPrefix($0) } }
            #expect(said.isEmpty, "\(run.errors)")
        }

        // Which binaries are tested, when they are not those beside the tests.
        private static func binaries(_ environment: [String: String]) -> [String: String] { environment.filter { $0.key == "SKEIN_BIN" } }

        @Test("every rule of the judge is broken by a history made by hand, and found")
        func judge() async throws {
            let tests = ProgramRun.repository.appending(path: "deploy/check-history-tests")
            let run = try await ProgramRun.of(tests.path(percentEncoded: false), within: .seconds(60))
            #expect(run.code == 0, "\(run)")
        }
    }
}
