// Loops on real coordinators that come and go.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Loops", .timeLimit(.minutes(5)))
    struct LoopTests {
        @Test("iterations that settle together are decided once, also by a coordinator that has just begun, or by two of them")
        func together() async throws {
            let agent = try await AgentServer.start(Workload.agent)
            try await withCluster { cluster in
                let first = try await cluster.startCoordinator()
                try await cluster.startCoordinator()
                try await cluster.startWorker()
                var client = try await cluster.client(of: first)
                let name = Mixture.crowd.rawValue
                let definition = try #require(Mixture.definitions(agent.url()).first { $0.name == name })
                try await client.apply(name, definition.source)
                var runs: [String] = []
                for number in 0..<12 { runs.append(try await client.start(name, input: ["n": .int(Int64(number))])) }
                try await waitUntil("iterations are under way") {
                    try await cluster.count("select count(*) from skein.timer where kind = 'sleep'") >= 40
                }
                await first.crash()
                try first.start()
                try await first.waitUntilReady()
                client = try await cluster.client(of: first)
                for run in runs {
                    let ended = try await client.ended(run, within: .seconds(60))
                    #expect(ended["status"] == "succeeded" && ended["output"] == Mixture.crowd.output(0), "\(ended.compactText)")
                }
                try await waitUntil("nothing is left to be settled") { try await cluster.count("select count(*) from skein.task") == 0 }
                try await cluster.expectClean()
            }
        }
    }
}
