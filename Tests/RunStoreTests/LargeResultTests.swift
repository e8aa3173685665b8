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
    @Test("a fold takes results of 16 MiB and leaves the rest to the next one", arguments: [true, false])
    func bounded(ownRuns: Bool) async throws {
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
        let free = try await cluster.count(
            "select min(b)::bigint from generate_series(0, 255) b where not exists (select from skein.task where get_byte(uuid_send(run_id), 15) = b)")
        let share = ownRuns ? FoldShare.all : FoldShare(index: free, of: 256)
        let first = try await cluster.store.fold(upTo: 1000, share: share, on: cluster.connection)
        let second = try await cluster.store.fold(upTo: 1000, share: share, on: cluster.connection)
        // Each has two bytes more than a megabyte, its quotes.
        #expect(first.runs == 15 && first.hasMore && second.runs == 5 && !second.hasMore)
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
        let session = try await cluster.register()
        for bytes in [1 << 20, 17 << 20, 17 << 20] {
            _ = try await cluster.submit("large")
            try await cluster.settle(session, try await cluster.claim(session), output: .string(String(repeating: "x", count: bytes)))
        }
        for _ in 0..<3 {
            let report = try await cluster.fold()
            #expect(report.runs == 1)
        }
        let outputs = try await cluster.texts("select output from skein.ended_run order by ended_at")
        #expect(outputs == ["\(1 << 20)", "\(17 << 20)", "\(17 << 20)"])
        try await cluster.expectClean()
    }
}
