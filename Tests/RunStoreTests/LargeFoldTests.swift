// Folds of many outcomes of one run: whom they tell, and how they are written.

import Postgres
import PostgresTestKit
import RunStore
import Synchronization
import Testing
import WorkflowModel

@Suite("Large folds", .timeLimit(.minutes(2)))
struct LargeFoldTests {
    private static let steps = 600
    private let cluster: Cluster
    private let run: RunID

    // All of the run's steps have settled.
    init() async throws {
        cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: wide
            agents: { echo: { kind: noop } }
            steps:
              - { id: all, each: "${{ input.items }}", maxParallel: 0, agent: echo }
              - { id: last, agent: echo }
            """)
        run = try await cluster.submit("wide", input: ["items": .array((0..<Self.steps).map { .int(Int64($0)) })])
        let session = try await cluster.register()
        while true {
            let claimed = try await cluster.claim(session)
            if claimed.isEmpty { break }
            try await cluster.settle(session, claimed)
        }
    }

    private func recorded() async throws -> Int { try await cluster.count("select count(*) from skein.step where run_id = '\(run)'") }

    @Test("other lanes learn of a run of which much was locked, while it is")
    func noted() async throws {
        let noted = Mutex<[[RunID]]>([])
        let report = try await cluster.store.fold(upTo: 400, on: cluster.connection) { runs in noted.withLock { $0.append(runs) } }
        #expect(report.inputs == 400 && report.hasMore)
        #expect(noted.withLock { $0 } == [[run]])
        // Of the next step there is one outcome.
        let rest = try await cluster.store.fold(upTo: 400, on: cluster.connection)
        #expect(rest.inputs == 200)
        let session = try await cluster.register()
        try await cluster.settle(session, try await cluster.claim(session))
        let last = try await cluster.store.fold(upTo: 400, on: cluster.connection) { runs in noted.withLock { $0.append(runs) } }
        #expect(last.inputs == 1)
        #expect(noted.withLock { $0.count } == 1)
        #expect(try await cluster.status(of: run) == "succeeded")
        try await cluster.expectClean()
    }

    @Test("what was written ahead goes when the rest cannot be decided")
    func takenBack() async throws {
        // The last one names a step that the workflow has not; so its result can never be taken.
        _ = try await cluster.connection.query(
            SQL("update skein.task set path = 'all[0].gone' where run_id = '\(run)' and fence = (select max(fence) from skein.task)"))
        let report = try await cluster.store.fold(upTo: 1000, on: cluster.connection)
        #expect(report.quarantined.map(\.0) == [run])
        #expect(try await recorded() == 0)
        #expect(try await cluster.count("select count(*) from skein.task where state = 'settled'") == Self.steps)
    }

    @Test("history is written in portions, by one transaction, and counted")
    func counted() async throws {
        let report = try await cluster.store.fold(upTo: 1000, on: cluster.connection)
        #expect(report.inputs == Self.steps && report.stepsSettled == Self.steps + 1)
        #expect(try await recorded() == Self.steps + 1)
        #expect(try await cluster.count("select count(distinct cmin::text) from skein.step where run_id = '\(run)'") == 3)
        #expect(try await cluster.count("select count(distinct xmin::text) from skein.step where run_id = '\(run)'") == 1)
    }
}
