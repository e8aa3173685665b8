// What a promoted standby must not be told: leases of a session that was declared dead meanwhile, and what was remembered of a history
// that is gone. Both were found by the simulator.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Failover", .timeLimit(.minutes(2)))
struct FailoverTests {
    @Test("a changed timeline voids sessions only after the claims that are under way: what they take is reaped")
    func claimsComeFirst() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(ProtocolTests.chain)
        _ = try await cluster.submit("chain", input: ["n": 1])
        let session = try await cluster.register()
        let worker = try await cluster.database.connect(applicationName: "worker")
        try await worker.script("begin")
        let claimed = try await worker.query("select fence from skein.claim_tasks_v1($1, 1)", [.int64(session.rawValue)]).count
        #expect(claimed == 1)
        // As if the database were on a timeline that it has never been on.
        let coordinator = try await cluster.database.connect(applicationName: "coordinator")
        _ = try await coordinator.query("delete from skein.cluster_epoch")
        let check = Task { try await coordinator.query("select skein.check_epoch_v1()")[0].int32(0) }
        try await cluster.database.waitUntilBlocked()
        try await worker.script("commit")
        let voided = try await check.value
        #expect(voided == 1)
        let reaped = try await cluster.count("select skein.reap_tasks_v1(100)::bigint")
        #expect(reaped == 1)
        await worker.close()
        await coordinator.close()
    }

    @Test("a promoted standby that lags behind gives no session's number again: nobody keeps another's leases alive")
    func sessionNumbers() async throws {
        let cluster = try await Cluster.start()
        let first = try await cluster.register()
        // As on a standby that has not got the registration, and is promoted.
        _ = try await cluster.connection.query("delete from skein.worker_session")
        _ = try await cluster.connection.query("select setval(pg_get_serial_sequence('skein.worker_session', 'session_id'), 1, false)")
        let timeline = try await cluster.count("select skein.timeline()::bigint")
        try await cluster.connection.script(
            "create or replace function skein.timeline() returns integer language sql stable as 'select \(timeline + 1)'")
        let second = try await cluster.register()
        #expect(first != second)
        #expect(second.rawValue >> 40 == Int64(timeline + 1))
        let revived = try await cluster.connection.query("select 1 from skein.heartbeat_v1($1, false)", [.int64(first.rawValue)]).count
        #expect(revived == 0)
    }

    @Test("after a new connection nothing is remembered, not even what a transaction from before it brings along")
    func framesAreForgotten() throws {
        let definition = WorkflowDefinition(name: "one", body: .steps([Step(id: "a", verb: .set(["n": 1]))]))
        let id = RunID(UUIDBytes(high: 0x0192_0000_0000_7000, low: 0x8000_0000_0000_0001))
        let facts = RunFacts(
            id: id, version: 1, historyLength: 1, submittedAt: Timestamp(microseconds: 0), trigger: "api", input: nil)
        let frame = Frame(program: try Program(definition), run: facts, isComplete: true)
        let frames = FrameCache()
        let before = frames.generation
        frames.put(id, revision: 3, frame, generation: before)
        frames.forgetAll()
        let forgotten = frames.take(id, revision: 3) == nil
        #expect(forgotten)
        frames.put(id, revision: 4, frame, generation: before)
        let late = frames.take(id, revision: 4) == nil
        #expect(late)
        frames.put(id, revision: 4, frame, generation: frames.generation)
        let kept = frames.take(id, revision: 4) != nil
        #expect(kept)
    }
}
