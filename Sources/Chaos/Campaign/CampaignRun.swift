// How a campaign is carried out: everything is started, harmed, left in peace, and judged.

package import Foundation
import Postgres
import Schema
import WorkflowModel

/// What came of a campaign.
package struct CampaignResult: Sendable {
    /// How often each kind of fault has struck.
    package let counts: [Fault: Int]
    /// The kinds that could not strike on this machine, and why.
    package let impossible: [Fault: String]
    /// What the judge has to say.
    package let judgement: Judgement
    /// Where the history is, if it was kept.
    package fileprivate(set) var directory: URL?
}

/// Carries out campaigns.
package struct CampaignRun {
    private let campaign: Campaign
    private let judge: Judge
    private let say: @Sendable (String) -> Void

    /// - Parameter say: is told how far it is.
    package init(_ campaign: Campaign, judge: Judge, say: @escaping @Sendable (String) -> Void) {
        self.campaign = campaign
        self.judge = judge
        self.say = say
    }

    package func carryOut() async throws -> CampaignResult {
        SmallDisk.removeLeftovers()
        ClusterDirectories.removeLeftovers()
        if let directory = campaign.directory { return try await carryOut(in: directory) }
        // What is worth keeping must outlive this process, and the next one that tidies up.
        let directory = try ClusterDirectories.make()
        do {
            var result = try await carryOut(in: directory)
            result.directory = try result.directory.map(ClusterDirectories.keep)
            return result
        } catch {
            if let kept = try? ClusterDirectories.keep(directory) { say("the history is in \(kept.path(percentEncoded: false))") }
            throw error
        }
    }

    private func carryOut(in directory: URL) async throws -> CampaignResult {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let recorder = try Recorder(directory.appending(path: "history.jsonl"))
        let surroundings = Surroundings(campaign.faults, in: directory)
        defer { surroundings.remove() }
        let agent = try await AgentServer.start(
            host: surroundings.agentHost, recorder: try Recorder(directory.appending(path: "agents.jsonl")), Workload.agent)
        let server = try OwnServer(in: directory.appending(path: "postgres"), parameters: Self.parameters)
        let cluster = Cluster(directory: directory, server: server, databaseURL: server.url)
        defer { cluster.endProcesses() }
        let workload = Workload(
            seed: campaign.seed, agent: agent.url(host: surroundings.agentHost),
            processLog: directory.appending(path: "processes.jsonl").path(percentEncoded: false), hasBadAgents: campaign.faults.contains(.badAgents))
        try await prepare(cluster, server, surroundings, workload)
        recorder.write(
            "campaign",
            [
                "seed": .int(Int64(bitPattern: campaign.seed)), "seconds": .double(campaign.time.inSeconds), "lease": .double(campaign.lease.inSeconds),
                "faults": .array(campaign.faults.map(\.rawValue).sorted().map { .string($0) }),
                "workflows": .array(workload.startedNames.map { .string($0) }),
            ])

        let clients = Clients(cluster, campaign, workload, recorder)
        let nemesis = try Nemesis(cluster, agent, surroundings, campaign, recorder)
        try await torment(clients, nemesis)
        recorder.write("peace")
        say("\(clients.runCount) runs were accepted; the faults are over")
        await drain(cluster, recorder)
        nemesis.close()
        try await clients.askAgain()
        surroundings.record(recorder)
        recorder.write("end")

        // The server's log is beside its data, on a disk that goes away.
        try FileManager.default.copyItem(at: server.log, to: directory.appending(path: "server.log"))
        let judgement = try await judge.judge(directory, database: cluster.databaseURL)
        let isKept = campaign.directory != nil || !judgement.isGood
        if !isKept { cluster.dispose() }
        return CampaignResult(counts: nemesis.counts, impossible: surroundings.impossible, judgement: judgement, directory: isKept ? directory : nil)
    }

    private static let parameters = ["max_connections": "120", "shared_buffers": "128MB", "max_wal_size": "256MB", "autovacuum_naptime": "5s"]

    private func prepare(_ cluster: Cluster, _ server: OwnServer, _ surroundings: Surroundings, _ workload: Workload) async throws {
        let connection = try await cluster.connect()
        _ = try await Migrator.migrate(connection)
        if let planted = campaign.planted { try await connection.script(planted) }
        try await connection.script("insert into skein.namespace (name) values ('\(Workload.otherNamespace)')")
        await connection.close()
        let settings = [
            "SKEIN_LEASE": "\(campaign.lease.components.seconds)s", "SKEIN_SLOTS": "\(campaign.slots)", "SKEIN_DRAIN_TIMEOUT": "5s",
            "SKEIN_QUEUES": "default,side",
        ]
        // The last of each kind has a clock that may jump; the first worker lives apart.
        for number in 1...campaign.coordinators {
            let home = try await surroundings.home(
                "coordinator-\(number)", server: server, isApart: false, hasClock: number == campaign.coordinators)
            try await cluster.startCoordinator(settings: settings.merging(home.settings) { $1 }, launcher: home.launcher)
        }
        for number in 1...campaign.workers {
            let home = try await surroundings.home("worker-\(number)", server: server, isApart: number == 1, hasClock: number == campaign.workers)
            try await cluster.startWorker(settings: settings.merging(home.settings) { $1 }, launcher: home.launcher)
        }
        for number in 1...campaign.workersElsewhere {
            let home = try await surroundings.home("worker-\(campaign.workers + number)", server: server, isApart: false, hasClock: false)
            let own = home.settings.merging(["SKEIN_NAMESPACE": Workload.otherNamespace]) { $1 }
            try await cluster.startWorker(settings: settings.merging(own) { $1 }, launcher: home.launcher)
        }
        let client = try await cluster.client()
        for namespace in ["default", Workload.otherNamespace] {
            for kind in workload.kinds { try await client.apply(kind.name, kind.source, in: namespace) }
        }
        let workers = campaign.workers + campaign.workersElsewhere
        say("\(campaign.coordinators) coordinators, \(workers) workers, \(workload.kinds.count) workflows in each of two namespaces; the faults begin")
    }

    // Faults from the first run to the last one.
    private func torment(_ clients: Clients, _ nemesis: Nemesis) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await nemesis.work() }
            group.addTask { try await clients.pause() }
            group.addTask { await clients.look() }
            group.addTask { try await clients.publish() }
            let orders = Task {
                async let signals: Void = clients.signal()
                async let letters: Void = clients.post()
                async let adjustments: Void = clients.adjust()
                async let cancels: Void = clients.cancel()
                _ = try await (signals, letters, adjustments, cancels)
            }
            try await clients.start()
            // Signals that were promised are sent, whatever becomes of the rest, and under the same faults.
            try await orders.value
            group.cancelAll()
        }
    }

    // Everything that can end has to end now, and soon.
    private func drain(_ cluster: Cluster, _ recorder: Recorder) async {
        let begun = ContinuousClock.now
        let hasEnded: Void? = try? await waitUntil("all runs have ended", deadline: Campaign.drainTime) {
            // The last fault may still be at work in the database: then they have not all ended.
            (try? await cluster.count("select count(*) from skein.run")) == 0
        }
        let time = ContinuousClock.now - begun
        recorder.write("drained", ["seconds": .double(time.inSeconds), "complete": .bool(hasEnded != nil)])
        say(hasEnded != nil ? "all runs have ended \(time.inSeconds.rounded()) s later" : "not all runs have ended within \(Campaign.drainTime)")
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
