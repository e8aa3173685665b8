// The promise under fire: processes are killed at random, one is stopped past its lease, the database crashes, and nothing is lost,
// nothing is committed twice, nothing is stuck.

import Foundation
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

extension Tag {
    /// Faults at random among real processes.
    @Tag static var chaos: Self
}

extension EndToEnd {
    @Suite("Chaos", .tags(.chaos))
    struct KillTests {
        /// What makes a campaign void: too few faults prove nothing.
        private static let fewestKills = 15

        @Test("every accepted run ends once, and each step's result is committed once, whatever is killed, stopped or taken away")
        func kill() async throws {
            let campaign = try Campaign.fromEnvironment()
            try await carryOut(campaign) { verdict, clients in
                #expect(verdict.zombiesRefused >= 1, "void: no late result was refused")
                #expect(verdict.steps == clients.runs.count * Campaign.stepsPerRun)
            }
        }

        @Test("loops, forks, sub-workflows, chains, catch blocks, state machines and waits come out as they must under the same faults, paused and resumed meanwhile")
        func mixture() async throws {
            var campaign = try Campaign.fromEnvironment()
            campaign.isMixed = true
            campaign.runs = 420
            try await carryOut(campaign) { _, clients in
                print("kill: runs were paused and resumed \(clients.pauseCount) times")
                #expect(clients.pauseCount > 0)
            }
        }

        private func carryOut(_ campaign: Campaign, then expect: (Verdict, Clients) -> Void) async throws {
            print("kill: SKEIN_SEED=\(campaign.seed)" + (campaign.mutant.map { " SKEIN_MUTANT=\($0.rawValue)" } ?? ""))
            let agent = try await AgentServer.start(campaign.agent)
            try await withCluster(.ownServer) { cluster in
                if let mutant = campaign.mutant {
                    let connection = try await cluster.connect()
                    try await mutant.plant(in: connection)
                    await connection.close()
                }
                let settings = [
                    "SKEIN_LEASE": "\(campaign.lease.components.seconds)s", "SKEIN_SLOTS": "\(campaign.slots)", "SKEIN_DRAIN_TIMEOUT": "5s",
                ]
                for _ in 0..<campaign.coordinators { try await cluster.startCoordinator(settings: settings) }
                for _ in 0..<campaign.workers { try await cluster.startWorker(settings: settings) }
                let client = try await cluster.client()
                for (name, source) in campaign.definitions(agent.url()) { try await client.apply(name, source) }

                let clients = Clients(cluster, campaign)
                let nemesis = try Nemesis(cluster, agent, campaign)
                let begun = ContinuousClock.now
                try await torment(cluster, clients, nemesis, campaign)
                let healed = ContinuousClock.now
                try await allEnded(cluster, clients, within: .seconds(60))
                let ended = ContinuousClock.now

                let verdict = try await Verdict.on(cluster, agent, clients, campaign)
                print(
                    """
                    kill: \(clients.runs.count) runs, \(verdict.steps) steps, \(verdict.calls) calls (\(verdict.duplicates) duplicates), \
                    faults for \(healed - begun), all ended \(ended - healed) later
                    kill: \(nemesis.summary)
                    kill: \(verdict.zombiesRefused) late results refused by the database, \(verdict.zombiesGivenUp) given up by their workers; attempts beside those that settled a step: \
                    \(verdict.attempts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
                    """)
                try #require(verdict.violations.isEmpty)
                try #require(nemesis.problems.isEmpty)
                try #require(nemesis.kills >= Self.fewestKills, "void: too few kills")
                try #require(nemesis.count(.pauseWorker) >= 1 && nemesis.count(.crashDatabase) >= 1, "void: not every kind of fault happened")
                try #require((verdict.attempts["lost"] ?? 0) > 0, "void: no worker was lost with a task")
                expect(verdict, clients)
            }
        }

        // Faults from the first run to the last one, or until the time is over.
        private func torment(_ cluster: Cluster, _ clients: Clients, _ nemesis: Nemesis, _ campaign: Campaign) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await nemesis.work() }
                group.addTask { try await clients.pause() }
                let signals = Task { try await clients.signal() }
                try await clients.work()
                // Signals that were promised are sent, whatever becomes of the rest.
                try await signals.value
                if campaign.time == nil {
                    let end = ContinuousClock.now + campaign.longestFaults
                    while ContinuousClock.now < end {
                        // The database may be away: then they have not all ended.
                        if let live = try? await cluster.count("select count(*) from skein.run"), live == 0 { break }
                        try await Task.sleep(for: .milliseconds(250))
                    }
                }
                group.cancelAll()
            }
        }

        private func allEnded(_ cluster: Cluster, _ clients: Clients, within deadline: Duration) async throws {
            do {
                // The last fault may still be at work in the database: then they have not all ended.
                try await waitUntil("all runs have ended", deadline: deadline) {
                    (try? await cluster.count("select count(*) from skein.run")) == 0
                }
            } catch is WaitTimeout {
                let rows = try await cluster.query(
                    """
                    select r.run_id || ' ' || r.status || ': ' || coalesce((select string_agg(s.step || ' ' || s.status, ', ') from skein.step_overview s
                                                                   where s.run_id = r.run_id and s.status in ('ready', 'running', 'waiting', 'pending')), 'nothing')
                      from skein.run_overview r where r.ended_at is null limit 10
                    """)
                let found = try await cluster.violations()
                throw HarnessError(
                    "\(try await cluster.count("select count(*) from skein.run")) runs have not ended \(deadline) after the last fault:\n"
                        + rows.map { $0.text(0) }.joined(separator: "\n") + "\n" + found.joined(separator: "\n"))
            }
        }
    }
}
