// Directed crashes: a process is killed, stopped, or deceived about its commit, at every boundary of the protocol, and all comes out as it must.

#if DEBUG
import Faults
import Foundation
import Postgres
import PostgresTestKit
import Testing

extension EndToEnd {
    @Suite("Crash points", .tags(.chaos), .timeLimit(.minutes(10)))
    struct CrashTests {
        @Test("whatever is killed, stopped beyond its lease or deceived about its commit at a boundary of the protocol, all runs end as they must")
        func boundaries() async throws {
            let plans = try CrashPlan.chosen().filter { $0.point.boundary != .migrate }
            // Two stages side by side: most of the time goes by while leases run out.
            let halves = (0..<2).map { half in plans.enumerated().filter { $0.offset % 2 == half }.map(\.element) }
            let refused = try await withThrowingTaskGroup(of: Int.self) { group in
                for half in halves { group.addTask { try await Self.play(half) } }
                return try await group.reduce(0, +)
            }
            print("crash: \(plans.count) scenarios at \(Set(plans.map(\.point)).count) points, \(refused) late results refused")
            if plans.contains(CrashPlan(CrashPoint(.exchange, .before), .pause)) { #expect(refused > 0) }
        }

        private static func play(_ plans: [CrashPlan]) async throws -> Int {
            let refused = Shared(0)
            var rest = plans[...]
            // A scenario that fails is told, and the others are played on another stage.
            while !rest.isEmpty {
                do {
                    try await withCluster { cluster in
                        let stage = try await CrashStage(on: cluster)
                        defer { refused.value += stage.refusedCount }
                        try await stage.begin()
                        while let plan = rest.popFirst() {
                            let begun = ContinuousClock.now
                            do {
                                try await stage.play(plan)
                            } catch {
                                throw HarnessError("\(plan.text): \(error)")
                            }
                            print("crash: \(plan.text) in \(ContinuousClock.now - begun)")
                        }
                    }
                } catch {
                    Issue.record("\(error)")
                }
            }
            return refused.value
        }

        @Test("a server that crashes while a process stands still at the end of a transaction loses nothing that anybody was told")
        func serverCrash() async throws {
            try await withCluster(.ownServer) { cluster in
                let stage = try await CrashStage(on: cluster)
                try await stage.begin()
                for point in CrashPlan.chosenServerCrashes {
                    let begun = ContinuousClock.now
                    do {
                        try await stage.playServerCrash(at: point)
                    } catch {
                        throw HarnessError("\(point), the server crashed: \(error)")
                    }
                    print("crash: the server at \(point) in \(ContinuousClock.now - begun)")
                }
            }
        }

        @Test("a migration that is killed, or deceived about its commit, is finished by the next start")
        func migration() async throws {
            for plan in try CrashPlan.chosen() where plan.point.boundary == .migrate {
                try await withCluster(.unmigrated) { cluster in
                    let coordinator = try ArmedProcess("coordinator-1", in: cluster.directory) { settings in
                        try cluster.process(
                            "coordinator-1", binary: "skein-coordinator", arguments: ["--port", "0"],
                            settings: settings.merging(["SKEIN_MIGRATE": "true"]) { $1 })
                    }
                    try coordinator.arm(plan)
                    try coordinator.process.start()
                    try await coordinator.waitUntilReached(plan.point)
                    if plan.action == .kill {
                        let ending = try await coordinator.process.ending()
                        #expect(ending == .signaled(SIGKILL), "\(plan.text)")
                        try coordinator.disarm()
                        try coordinator.process.start()
                    }
                    try await coordinator.process.waitUntilReady()
                    try await cluster.expectClean()
                }
            }
        }

        @Test("every point is in the plan of every day, and in the documentation")
        func complete() throws {
            for day in 0..<3 { #expect(CrashPlan.selection(day: day).map(\.point) == CrashPoint.all) }
            #expect(CrashPoint.all.count >= 50)
            #expect(Set(CrashPlan.all).count == CrashPlan.all.count)
            let article = try String(contentsOf: ProgramRun.repository.appending(path: "Sources/Faults/Faults.docc/Faults.md"), encoding: .utf8)
            let documented = article.split(separator: "\n").compactMap { line in
                line.wholeMatch(of: /\| `(\w+)` \| ([a-z, ]+) \| .+ \|/).map { "\($0.1): \($0.2)" }
            }
            #expect(documented == Boundary.allCases.map { "\($0.rawValue): " + $0.phases.map(\.rawValue).joined(separator: ", ") })
        }

        @Test("every function of the database that changes something and that a process calls belongs to a boundary")
        func everyFunction() async throws {
            let targets = ["AdminAPI", "Coordination", "RunStore", "Schema", "TaskQueue", "Working", "skein-coordinator", "skein-worker"]
            let sources = try targets.flatMap { target in
                let directory = ProgramRun.repository.appending(path: "Sources/\(target)")
                return try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
                    .filter { $0.pathExtension == "swift" }.map { try String(contentsOf: $0, encoding: .utf8) }
            }
            try await withCluster { cluster in
                let functions = try await cluster.query(
                    "select distinct proname::text from pg_proc where pronamespace = 'skein'::regnamespace and provolatile = 'v' and prokind = 'f'")
                let called = functions.map { $0.text(0) }.filter { name in sources.contains { $0.contains("skein.\(name)(") } }
                #expect(called.count >= 20)
                // How statements are planned, and which timeline it is, changes nothing; what steps publish is written by the fold that settles them, in its transaction;
                // a look just below the marks does what the one of the boundary does after it, only sooner.
                let others = Set(called.filter { Boundary.of(["select skein.\($0)("]) == nil })
                #expect(others == ["look_just_below_marks_v1", "plan_by_key_v1", "publish_v1", "timeline"])
            }
        }
    }
}
#endif
