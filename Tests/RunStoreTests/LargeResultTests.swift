// How much one fold takes into memory.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Large results", .timeLimit(.minutes(2)))
struct LargeResultTests {
    private static let megabyte = JSONValue.string(String(repeating: "x", count: 1 << 20))

    // One lane takes its own runs; one whose share is empty takes what there is.
    @Test("a fold takes results of 16 MiB and leaves the rest to the next one", arguments: [FoldShare.all, FoldShare(index: 255, of: 256)])
    func bounded(share: FoldShare) async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: large
            agents: { echo: { kind: noop } }
            steps: [ { id: only, agent: echo } ]
            output: ${{ size(steps.only.output) }}
            """)
        for _ in 0..<20 { _ = try await cluster.submit("large") }
        let session = try await cluster.register()
        try await cluster.settle(session, try await cluster.claim(session), output: Self.megabyte)
        let none = try await cluster.count("select count(*) from skein.task where get_byte(uuid_send(run_id), 15) = 255")
        let first = try await cluster.store.fold(upTo: 1000, share: share, on: cluster.connection)
        let second = try await cluster.store.fold(upTo: 1000, share: share, on: cluster.connection)
        if share == .all || none == 0 {
            // Each has two bytes more than a megabyte, its quotes; the last one that fits may be over.
            #expect(first.runs == 16 && first.hasMore && second.runs == 4 && !second.hasMore)
        }
        try await cluster.work(session)
        let outputs = try await cluster.texts("select output from skein.ended_run group by output")
        #expect(outputs == ["1048576"])
        let ended = try await cluster.count("select count(*) from skein.ended_run")
        #expect(ended == 20)
        try await cluster.expectClean()
    }

    @Test("a result larger than what a fold takes is folded alone")
    func alone() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: large
            agents: { echo: { kind: noop } }
            steps: [ { id: only, agent: echo } ]
            output: ${{ size(steps.only.output) }}
            """)
        for _ in 0..<2 { _ = try await cluster.submit("large") }
        let session = try await cluster.register()
        let huge = JSONValue.string(String(repeating: "x", count: 17 << 20))
        try await cluster.settle(session, try await cluster.claim(session), output: huge)
        for _ in 0..<2 {
            let report = try await cluster.fold()
            #expect(report.runs == 1)
        }
        let outputs = try await cluster.texts("select output from skein.ended_run")
        #expect(outputs == ["\(17 << 20)", "\(17 << 20)"])
        try await cluster.expectClean()
    }
}
