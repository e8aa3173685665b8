// The protocol end to end against a real database: submit, claim, settle, fold, end.

import Definitions
import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Protocol", .timeLimit(.minutes(2)))
struct ProtocolTests {
    static let chain = """
        workflow: chain
        agents: { echo: { kind: noop } }
        steps:
          - { id: first, agent: echo, with: { n: "${{ input.n }}" } }
          - { id: second, agent: echo, with: { n: "${{ steps.first.output.n + 1 }}" } }
          - { id: third, set: { n: "${{ steps.second.output.n * 10 }}" } }
        output: ${{ steps.third.output.n }}
        """

    static let diamond = """
        workflow: diamond
        agents: { echo: { kind: noop } }
        graph:
          - { id: start, agent: echo, with: { n: 1 } }
          - { id: left, agent: echo, needs: [start], with: { n: "${{ steps.start.output.n + 1 }}" } }
          - { id: right, needs: [start], do: [ { id: inner, agent: echo, with: { n: 40 } } ] }
          - { id: join, agent: echo, needs: [left, right], with: { sum: "${{ steps.left.output.n + steps.right.output.n }}" } }
        """

    @Test("a sequence runs step by step, and its run ends with its output")
    func sequence() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.chain)
        let run = try await cluster.submit("chain", input: ["n": 4])
        let session = try await cluster.register()
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        let output = try await cluster.text("select output from skein.ended_run where run_id = '\(run)'")
        #expect(output == "50")
        let steps = try await cluster.count("select count(*) from skein.step where run_id = '\(run)' and status = 'succeeded'")
        #expect(steps == 3)
        try await cluster.expectClean()
    }

    @Test("a graph runs its independent steps side by side and joins once")
    func graph() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.diamond)
        let run = try await cluster.submit("diamond")
        let session = try await cluster.register()
        let first = try await cluster.claim(session)
        #expect(first.map(\.key.path.text) == ["start"])
        try await cluster.settle(session, first)
        try await cluster.fold()
        let second = try await cluster.claim(session)
        #expect(Set(second.map(\.key.path.text)) == ["left", "right.inner"])
        try await cluster.work(session)
        // The two branches are still leased: nothing more can happen.
        let waiting = try await cluster.status(of: run)
        #expect(waiting == "running")
        try await cluster.settle(session, second)
        try await cluster.work(session)
        let output = try await cluster.text("select output from skein.ended_run where run_id = '\(run)'")
        #expect(output == #"{"join":{"sum":42}}"#)
        try await cluster.expectClean()
    }

    @Test("a coordinator that remembers nothing folds as one that remembers everything")
    func forgetful() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.diamond)
        _ = try await cluster.apply(Self.chain)
        let session = try await cluster.register()
        var runs: [RunID] = []
        for n in 0..<10 {
            runs.append(try await cluster.submit("chain", input: ["n": .int(Int64(n))]))
            runs.append(try await cluster.submit("diamond"))
        }
        for _ in 0..<200 {
            let tasks = try await cluster.claim(session, upTo: 7)
            try await cluster.settle(session, tasks)
            let report = try await cluster.fold(by: RunStore())
            #expect(report.refused.isEmpty)
            if tasks.isEmpty, report.runs == 0 { break }
        }
        for run in runs {
            let status = try await cluster.status(of: run)
            #expect(status == "succeeded")
        }
        try await cluster.expectClean()
    }

    @Test("a late result is refused, and the later attempt counts")
    func zombie() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.chain)
        let run = try await cluster.submit("chain", input: ["n": 1])
        let zombie = try await cluster.register(lease: .milliseconds(1))
        let stale = try await cluster.claim(zombie)
        #expect(stale.count == 1)
        try await waitUntil(deadline: .seconds(10)) {
            try await cluster.count("select skein.mark_dead_sessions_v1()") == 1
        }
        let reaped = try await cluster.count("select skein.reap_tasks_v1(100)")
        #expect(reaped == 1)
        try await cluster.fold()
        let kept = try await cluster.settle(zombie, stale, output: ["n": 999])
        #expect(kept == [false])
        let session = try await cluster.register()
        let again = try await cluster.claim(session)
        #expect(again.count == 1)
        #expect(again[0].attempt == 1, "a lost worker uses up no attempt")
        #expect(again[0].fence > stale[0].fence)
        let late = try await cluster.settle(zombie, stale, output: ["n": 999])
        #expect(late == [false])
        try await cluster.settle(session, again)
        try await cluster.work(session)
        let output = try await cluster.text("select output from skein.ended_run where run_id = '\(run)'")
        #expect(output == "20")
        let lost = try await cluster.count("select count(*) from skein.attempt where status = 'lost'")
        #expect(lost == 1)
        try await cluster.expectClean()
    }

    @Test("a dead session can claim nothing")
    func deadSession() async throws {
        let cluster = try await Cluster.start()
        let session = try await cluster.register()
        try await TaskQueue.close(session, on: cluster.connection)
        await #expect(throws: TaskQueueError.sessionDead) { try await cluster.claim(session) }
        await #expect(throws: TaskQueueError.sessionDead) {
            try await TaskQueue.heartbeat(session, draining: false, on: cluster.connection)
        }
    }

    @Test("the same key gives the same run; another body is refused")
    func idempotency() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.chain)
        let first = try await cluster.submit("chain", input: ["n": 1, "m": 2], key: "order-7")
        let second = try await cluster.submit("chain", input: ["m": 2, "n": 1], key: "order-7")
        #expect(first == second)
        let answers = try await cluster.store.submit(
            [SubmitRequest(workflow: "chain", input: JSONText(["n": 2]), key: "order-7")], on: cluster.connection)
        guard case .keyConflict(let owner) = answers[0] else { throw Unexpected("\(answers[0])") }
        #expect(owner == first)
        let both = try await cluster.store.submit(
            [
                SubmitRequest(workflow: "chain", input: JSONText(["n": 3]), key: "twin"),
                SubmitRequest(workflow: "chain", input: JSONText(["n": 3]), key: "twin"),
                SubmitRequest(workflow: "nobody", input: JSONText(["n": 3])),
            ], on: cluster.connection)
        guard case .accepted(let one, _, _) = both[0], case .accepted(let other, _, true) = both[1], case .unknownWorkflow = both[2] else {
            throw Unexpected("\(both)")
        }
        #expect(one == other)
        try await cluster.expectClean()
    }

    @Test("a retry waits for its back-off, and its timer makes it ready")
    func retry() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: stubborn
            agents: { echo: { kind: noop } }
            steps:
              - id: try
                agent: echo
                retry: { maxAttempts: 3, backoff: fixed, delay: 1ms, jitter: none }
            """)
        let run = try await cluster.submit("stubborn")
        let session = try await cluster.register()
        for attempt in 1...3 {
            var tasks: [ClaimedTask] = []
            try await waitUntil(deadline: .seconds(10)) {
                try await cluster.fold()
                tasks = try await cluster.claim(session)
                return !tasks.isEmpty
            }
            #expect(tasks[0].attempt == attempt)
            try await cluster.settle(session, tasks, status: .failed, failure: Failure(type: .connect, message: "refused"))
            try await cluster.fold()
        }
        let status = try await cluster.status(of: run)
        #expect(status == "failed")
        let attempts = try await cluster.count("select count(*) from skein.attempt_overview where run_id = '\(run)'")
        #expect(attempts == 3)
        try await cluster.expectClean()
    }

    @Test("a cancel holds queued work at once, tells the worker, and keeps a late result as discarded")
    func cancel() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.diamond)
        let run = try await cluster.submit("diamond")
        let session = try await cluster.register()
        try await cluster.settle(session, try await cluster.claim(session))
        try await cluster.fold()
        let leased = try await cluster.claim(session, upTo: 1)
        let answer = try await cluster.text("select skein.cancel('\(run)', 'changed my mind')")
        #expect(answer == "cancelling")
        let more = try await cluster.claim(session)
        #expect(more.isEmpty, "nothing starts after the cancel")
        try await cluster.fold()
        let orders = try await TaskQueue.heartbeat(session, draining: false, on: cluster.connection)
        #expect(orders.cancels.map(\.fence) == leased.map(\.fence))
        let kept = try await cluster.settle(session, leased)
        #expect(kept == [true])
        try await cluster.fold()
        let status = try await cluster.status(of: run)
        #expect(status == "cancelled")
        let discarded = try await cluster.count("select count(*) from skein.attempt where run_id = '\(run)' and discarded")
        #expect(discarded == 1)
        let again = try await cluster.text("select skein.cancel('\(run)')")
        #expect(again == "cancelled")
        try await cluster.expectClean()
    }

    @Test("an application starts a run inside its own transaction")
    func submitInSQL() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.chain)
        let first = try await cluster.text("select skein.submit('chain', '{\"n\": 1}', 'sql-1')::text")
        let second = try await cluster.text("select skein.submit('chain', '{\"n\": 1}', 'sql-1')::text")
        #expect(first == second)
        try await cluster.work(try await cluster.register())
        let status = try await cluster.text("select status from skein.run_overview where run_id = '\(first ?? "")'")
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a claim that is committed after its worker has looked for strays is given back by the next look, and what the worker knows is not")
    func strays() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.chain)
        for n: Int64 in 0..<2 { _ = try await cluster.submit("chain", input: ["n": .int(n)]) }
        let session = try await cluster.register()
        let known = try await cluster.claim(session, upTo: 1).map(\.fence)
        // The server is still at a claim whose worker has lost the connection.
        let server = try await cluster.database.connect()
        _ = try await server.query("begin")
        let unknown = try await cluster.claim(session, on: server)
        let early = try await TaskQueue.releaseStrays(session, known: known, on: cluster.connection)
        _ = try await server.query("commit")
        let late = try await TaskQueue.releaseStrays(session, known: known, on: cluster.connection)
        #expect(known.count == 1 && unknown.count == 1 && early == 0 && late == 1)
        try await cluster.fold()
        try await cluster.work(session)
        let released = try await cluster.count("select count(*) from skein.attempt where status = 'released'")
        #expect(released == 1)
        let leased = try await cluster.texts("select fence::text from skein.task where state = 'leased'")
        #expect(leased == known.map { "\($0.rawValue)" })
        try await cluster.expectClean()
    }

    @Test("two coordinators and two workers share the work of many runs")
    func concurrency() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.diamond)
        _ = try await cluster.apply(Self.chain)
        let requests = (0..<100).map { n in
            SubmitRequest(workflow: n % 2 == 0 ? "chain" : "diamond", input: JSONText(["n": .int(Int64(n))]))
        }
        _ = try await cluster.store.submit(requests, on: cluster.connection)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    let connection = try await cluster.database.connect()
                    let store = RunStore()
                    while try await cluster.count("select count(*) from skein.run") > 0 {
                        let report = try await store.fold(upTo: 13, on: connection)
                        #expect(report.refused.isEmpty)
                    }
                }
                group.addTask {
                    let connection = try await cluster.database.connect()
                    let session = try await cluster.register()
                    var done: [SettledTask] = []
                    while try await cluster.count("select count(*) from skein.run") > 0 {
                        let (kept, claimed) = try await TaskQueue.exchange(session, settling: done, claimingUpTo: 9, on: connection)
                        #expect(kept.allSatisfy { $0 })
                        done = claimed.map { SettledTask(key: $0.key, fence: $0.fence, status: .succeeded, output: $0.input) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let ended = try await cluster.count("select count(*) from skein.ended_run where status = 'succeeded'")
        #expect(ended == 100)
        try await cluster.expectClean()
    }
}
