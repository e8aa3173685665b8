// A run can always say why it waits.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Why a run waits", .timeLimit(.minutes(2)))
struct ExplainTests {
    private func why(_ cluster: Cluster, _ run: RunID) async throws -> [String] {
        try await cluster.texts(
            "select coalesce(step, '-') || ' ' || status || ' ' || reason || ': ' || detail || coalesce(' => ' || remedy, '') from skein.explain_run('\(run)')")
    }

    @Test("a queued task: nobody serves its queue; then a worker has it; then its outcome waits for a coordinator")
    func task() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(PauseTests.three)
        let run = try await cluster.submit("three")
        let alone = try await why(cluster, run)
        #expect(alone == [#"one ready worker: no worker serves queue "default" => start one: `skein-worker --queues default`"#])
        let session = try await cluster.register()
        let queued = try await why(cluster, run)
        #expect(queued == [#"one ready queue: in queue "default", 1 worker with 100 slots serve it => it is claimed when a slot is free; start more workers for more slots"#])
        let tasks = try await cluster.claim(session)
        let running = try await why(cluster, run)
        #expect(running == [#"one running agent: attempt 1 is with worker "test""#])
        try await cluster.settle(session, tasks)
        let settled = try await why(cluster, run)
        #expect(settled.count == 1 && settled[0].hasPrefix("one running coordinator: attempt 1 has ended (succeeded) and waits for a coordinator"))
        try await cluster.work(session)
        let ended = try await why(cluster, run)
        #expect(ended == ["- succeeded ended: the run succeeded; it waits for nothing"])
    }

    @Test("a back-off says what went wrong; a pending step says what it needs")
    func backoffAndNeeds() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: graph
            agents: { echo: { kind: noop } }
            graph:
              - { id: a, agent: echo, retry: { maxAttempts: 3, delay: 1h, jitter: none } }
              - { id: b, agent: echo }
              - { id: c, agent: echo, needs: [a, b] }
            """)
        let run = try await cluster.submit("graph")
        let session = try await cluster.register()
        for task in try await cluster.claim(session) {
            if task.key.path.text == "a" {
                try await cluster.settle(session, [task], status: .failed, failure: Failure(type: .serverError, code: "503", message: "down"))
            } else {
                try await cluster.settle(session, [task])
            }
        }
        try await cluster.fold()
        let reasons = try await why(cluster, run)
        #expect(reasons.contains("a waiting backoff: attempt 2 begins when its back-off is over; attempt 1 ended with 5xx: down"))
        #expect(reasons.contains("c pending needs: waits for a"))
    }

    @Test("waits, sleeps, children, pauses and cancels name the fact and the remedy")
    func others() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(PauseTests.three)
        _ = try await cluster.apply(
            """
            workflow: many
            graph:
              - { id: pay, await: { event: paid } }
              - { id: ship, await: { event: shipped, key: "4711" } }
              - { id: nap, sleep: 1h }
              - { id: sub, workflow: three }
            """)
        let run = try await cluster.submit("many")
        let session = try await cluster.register()
        let leased = try await cluster.claim(session)
        try await cluster.fold()
        let child = try await cluster.text("select run_id::text from skein.run where parent_run_id = '\(run)'") ?? ""
        let reasons = try await why(cluster, run)
        #expect(reasons.contains("pay waiting event: waits for event paid => `skein run signal \(run) paid`"))
        #expect(reasons.contains("ship waiting event: waits for event shipped with key \"4711\" => `skein event emit shipped --key 4711`"))
        #expect(reasons.contains("nap waiting timer: sleeps"))
        #expect(reasons.contains("sub waiting child: sub-workflow three v1 (run \(child)) is under way => `skein run why \(child)`"))
        _ = try await cluster.text("select skein.pause('\(run)', 'deploying')")
        let paused = try await why(cluster, run)
        #expect(paused.first == "- paused paused: the run was paused (deploying); draining: 1 attempt still running => `skein run resume \(run)`")
        #expect(paused.contains { $0.hasPrefix("nap waiting timer: sleeps, ") && $0.hasSuffix(" more after the resume") })
        let below = try await cluster.texts("select detail from skein.explain_run('\(child)')")
        #expect(below.first == "the run was paused with run \(run) (deploying); draining: 1 attempt still running")
        _ = try await cluster.text("select skein.cancel('\(child)', 'enough')")
        let cancelling = try await cluster.texts("select detail from skein.explain_run('\(child)')")
        #expect(cancelling.first == "the run is being cancelled (enough): 1 attempt still running")
        try await cluster.settle(session, leased)
        let tree = try await cluster.texts("select level || ' ' || kind || ' ' || coalesce(step, workflow) from skein.trace_run('\(run)')")
        #expect(tree.first == "0 run many")
        #expect(tree.contains("2 run three"))
        #expect(tree.contains("3 step one"))
        await #expect(throws: PostgresError.self) { try await cluster.texts("select detail from skein.explain_run('00000000-0000-7000-8000-000000000000')") }
    }

    @Test("whoever may only read may ask why, and look at every view")
    func reader() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(PauseTests.three)
        let run = try await cluster.submit("three")
        _ = try await cluster.text("set role skein_reader")
        let reasons = try await why(cluster, run)
        #expect(reasons.count == 1)
        let tree = try await cluster.texts("select kind from skein.trace_run('\(run)')")
        #expect(tree.contains("run"))
        let views = try await cluster.texts(
            "select format('select count(*)::text from %I.%I', schemaname, viewname) from pg_views where schemaname = 'skein' order by viewname")
        #expect(views.count >= 11)
        for view in views { _ = try await cluster.text(view) }
        await #expect(throws: PostgresError.self) { try await cluster.text("select input from skein.run") }
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.cancel('\(run)')") }
    }
}
