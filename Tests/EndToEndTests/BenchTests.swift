// The benchmark on a small scale: that it measures everything it has a target for. What it measures is printed, and not judged: a test machine
// does other things at the same time.

import Foundation
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Benchmark", .timeLimit(.minutes(5)))
    struct BenchTests {
        private static let small = [
            "--json", "--repeats", "1", "--slots", "16", "--w1-runs", "100", "--w2-runs", "20", "--w2-waves", "2", "--w3-steps", "100",
            "--w3-repeats", "1", "--w4-seconds", "1", "--idle-seconds", "1", "--w6-rows", "1000", "--w6-long", "100", "--w6-runs", "20",
            "--w6-repeats", "1", "--snapshot-seconds", "1", "--w7-runs", "1000", "--floor-seconds", "1",
        ]

        @Test("every workload has a figure for each of its targets")
        func figures() async throws {
            let report = try await Self.report(["--no-floor", "--workloads", "W1,W2,W3,W4,W5,W6,W7"])
            let targets = try #require(report["targets"]?.arrayValue)
            #expect(Set(targets.compactMap { $0["workload"]?.stringValue }) == ["W1", "W2", "W4", "W5", "W6", "W7"])
            for target in targets {
                #expect((target["value"]?.doubleValue ?? 0) > 0 || target["workload"] == "W5", "\(target.compactText)")
                // Nothing can be said of a ratio without a floor.
                #expect((target["met"]?.boolValue == nil) == (target["floor_cell"] != nil), "\(target.compactText)")
            }
            let fanOut = report["figures"]?.arrayValue?.contains { $0["name"] == "100 parallel steps and a join" }
            #expect(fanOut == true)
        }

        @Test("a workload stands beside the floor of the same minutes")
        func ratios() async throws {
            let report = try await Self.report(["--workloads", "W1"])
            let targets = try #require(report["targets"]?.arrayValue)
            #expect(targets.map { $0["floor_cell"]?.stringValue } == ["claim-settle", "single-step"])
            for target in targets {
                let (value, floor, ratio) = (
                    target["value"]?.doubleValue ?? 0, target["floor"]?.doubleValue ?? 0, target["ratio"]?.doubleValue ?? 0
                )
                #expect(value > 0 && floor > 0 && abs(ratio - value / floor) < 0.01 * ratio, "\(target.compactText)")
                #expect(target["met"]?.boolValue != nil, "\(target.compactText)")
                print("\(target["name"]?.stringValue ?? ""): \(ratio) of \(target["floor_cell"]?.stringValue ?? "")")
            }
        }

        @Test("a target that is missed fails the check")
        func check() async throws {
            let run = try await ProgramRun.of(
                "skein-bench", Self.small + ["--check", "--no-floor", "--workloads", "W1"], in: ProgramRun.repository, within: .seconds(120)
            )
            #expect(run.code == 1, "\(run)")
            #expect(try JSONValue(parsing: run.output, limits: Self.limits)["met"] == false)
        }

        private static let limits = JSONLimits(bytes: 1 << 22, depth: 20)

        private static func report(_ arguments: [String]) async throws -> JSONValue {
            let run = try await ProgramRun.of("skein-bench", small + arguments, in: ProgramRun.repository, within: .seconds(240))
            #expect(run.code == 0, "\(run)")
            return try JSONValue(parsing: run.output, limits: limits)
        }
    }
}
