// Loops, forks, sub-workflows and chains against a real database: what the fold writes, and what it reads back.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Control flow in the store", .timeLimit(.minutes(2)))
struct ControlFlowTests {
    @Test("a loop's output is aligned with its collection, whatever the order in which the iterations end")
    func loop() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: loop
            agents: { echo: { kind: noop } }
            steps:
              - { id: visit, each: "${{ input.items }}", maxParallel: 3, agent: echo, with: { n: "${{ item }}", at: "${{ index }}" } }
              - { id: total, set: "${{ sum(steps.visit.output.map(v, v.n)) }}" }
            output: { total: "${{ steps.total.output }}", all: "${{ steps.visit.output }}", ok: "${{ size(steps.visit.ok) }}" }
            """)
        let run = try await cluster.submit("loop", input: ["items": [5, 6, 7, 8, 9]])
        let session = try await cluster.register()
        let first = try await cluster.claim(session)
        #expect(first.map(\.key.path.text).sorted() == ["visit[0]", "visit[1]", "visit[2]"])
        // The last one first: the list is in the order of the collection all the same.
        try await cluster.settle(session, [first[2]])
        try await cluster.fold(by: RunStore())
        let second = try await cluster.claim(session)
        #expect(second.map(\.key.path.text) == ["visit[3]"])
        try await cluster.settle(session, second + [first[0]])
        try await cluster.fold()
        try await cluster.settle(session, [first[1]])
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(
            output
                == #"{"total":35,"all":[{"n":5,"at":0},{"n":6,"at":1},{"n":7,"at":2},{"n":8,"at":3},{"n":9,"at":4}],"ok":5}"#)
        try await cluster.expectClean()
    }

    @Test("a loop as the last step gives the run its list, put together in the database")
    func loopAsOutput() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: list
            agents: { echo: { kind: noop } }
            steps:
              - { id: visit, each: "${{ range(600) }}", maxParallel: 0, agent: echo, with: { n: "${{ item }}" } }
            """)
        let run = try await cluster.submit("list")
        let session = try await cluster.register()
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == "[" + (0..<600).map { "{\"n\":\($0)}" }.joined(separator: ",") + "]")
        let slices = try await cluster.texts("select count(*)::text from skein.loop_slice where run_id = '\(run)'")
        #expect(slices == ["3"], "600 items are three slices of 256")
        let shown = try await cluster.text("select jsonb_array_length(output)::text from skein.step_overview where run_id = '\(run)' and step = 'visit'")
        #expect(shown == "600")
        _ = try await cluster.text("select skein.remove_leftovers_v1(100)::text")
        let left = try await cluster.count("select count(*) from skein.loop_slice")
        #expect(left == 0)
        try await cluster.expectClean()
    }

    @Test("what failed in a loop is named with its index and its item")
    func failedItems() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: tolerant
            agents: { echo: { kind: noop } }
            steps:
              - { id: visit, each: "${{ input.items }}", maxParallel: 0, join: { tolerate: 1 }, agent: echo, with: { n: "${{ item }}" } }
            output: { failed: "${{ steps.visit.failed.map(f, [f.index, f.item]) }}", ok: "${{ steps.visit.ok }}", all: "${{ steps.visit.output }}" }
            """)
        let run = try await cluster.submit("tolerant", input: ["items": ["a", "b", "c"]])
        let session = try await cluster.register()
        let tasks = try await cluster.claim(session).sorted { $0.key.path < $1.key.path }
        try await cluster.settle(session, [tasks[1]], status: .failed, failure: Failure(type: .clientError, code: "404", message: "gone"))
        try await cluster.settle(session, [tasks[0], tasks[2]])
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == #"{"failed":[[1,"b"]],"ok":[{"n":"a"},{"n":"c"}],"all":[{"n":"a"},null,{"n":"c"}]}"#)
        try await cluster.expectClean()
    }

    @Test("what failed in a loop is named also when the failure was caught, beside what the catch block made of it")
    func failedItemsOfACaughtLoop() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: caught
            agents: { echo: { kind: noop } }
            steps:
              - id: visit
                each: "${{ input.items }}"
                maxParallel: 0
                join: { onError: drain }
                do: [ { id: call, agent: echo, with: { n: "${{ item }}" } } ]
                onError: { do: [ { id: note, set: instead } ] }
            output: { failed: "${{ steps.visit.failed.map(f, [f.index, f.item, f.error.code]) }}", ok: "${{ steps.visit.ok }}", all: "${{ steps.visit.output }}" }
            """)
        let run = try await cluster.submit("caught", input: ["items": ["a", "b", "c"]])
        let none = try await cluster.submit("caught", input: ["items": []])
        let session = try await cluster.register()
        let tasks = try await cluster.claim(session).sorted { $0.key.path < $1.key.path }
        try await cluster.settle(session, [tasks[1]], status: .failed, failure: Failure(type: .clientError, code: "404", message: "gone"))
        try await cluster.settle(session, [tasks[0], tasks[2]])
        try await cluster.work(session)
        #expect(try await cluster.output(of: run) == #"{"failed":[[1,"b","404"]],"ok":[{"n":"a"},{"n":"c"}],"all":"instead"}"#)
        #expect(try await cluster.output(of: none) == #"{"failed":[],"ok":[],"all":[]}"#)
        try await cluster.expectClean()
    }

    @Test("a cancelled loop ends its queued iterations at once, and makes no more")
    func cancelLoop() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: long
            agents: { echo: { kind: noop } }
            steps: [ { id: visit, each: "${{ range(1000) }}", maxParallel: 10, do: [ { id: call, agent: echo } ] } ]
            """)
        let run = try await cluster.submit("long")
        let session = try await cluster.register()
        let leased = try await cluster.claim(session, upTo: 3)
        _ = try await cluster.text("select skein.cancel('\(run)', 'enough')")
        try await cluster.fold(by: RunStore())
        let more = try await cluster.claim(session)
        #expect(more.isEmpty)
        try await cluster.settle(session, leased)
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "cancelled")
        let discarded = try await cluster.count("select count(*) from skein.attempt where discarded")
        #expect(discarded == 3)
        try await cluster.expectClean()
    }

    @Test("an operator changes how many iterations of a running loop run at once")
    func adjust() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: slow
            agents: { echo: { kind: noop } }
            steps: [ { id: visit, each: "${{ range(10) }}", maxParallel: 2, agent: echo } ]
            """)
        let run = try await cluster.submit("slow")
        let session = try await cluster.register()
        let first = try await cluster.claim(session)
        #expect(first.count == 2)
        let answer = try await cluster.text("select skein.adjust('\(run)', 'visit', 5)")
        #expect(answer == "adjusted")
        try await cluster.fold()
        let second = try await cluster.claim(session)
        #expect(second.count == 3)
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.adjust('\(run)', 'nobody', 5)") }
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.adjust('\(run)', 'visit')") }
        try await cluster.settle(session, first + second)
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    static let child = """
        workflow: child
        input: { type: object, required: [n], properties: { n: { type: integer } } }
        agents: { echo: { kind: noop } }
        steps: [ { id: call, agent: echo, with: { n: "${{ input.n + 1 }}" } } ]
        output: ${{ steps.call.output.n }}
        """

    @Test("a sub-workflow keeps the version it had when its parent was submitted, and holds no slot while it is waited for")
    func subWorkflow() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.child)
        _ = try await cluster.apply(
            """
            workflow: parent
            steps:
              - { id: sub, workflow: child, with: { n: "${{ input.n }}" } }
              - { id: done, set: "${{ steps.sub.output * 100 }}" }
            """)
        let run = try await cluster.submit("parent", input: ["n": 1])
        _ = try await cluster.apply(Self.child.replacing("input.n + 1", with: "input.n + 1000"))
        let parentTasks = try await cluster.count("select count(*) from skein.task where run_id = '\(run)'")
        #expect(parentTasks == 0)
        let children = try await cluster.texts("select status from skein.run_overview where parent_run_id = '\(run)' and parent_step = 'sub'")
        #expect(children == ["running"] || children == ["queued"])
        let status = try await cluster.status(of: run)
        #expect(status == "waiting")
        let session = try await cluster.register()
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == "200")
        let later = try await cluster.submit("parent", input: ["n": 1])
        try await cluster.work(session)
        let other = try await cluster.output(of: later)
        #expect(other == "100100")
        try await cluster.expectClean()
    }

    @Test("a child's failure is the step's, with the child's path; its input is checked before it starts")
    func childFails() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.child)
        _ = try await cluster.apply("workflow: parent\nsteps: [ { id: sub, workflow: child, with: { n: \"${{ input.n }}\" } } ]")
        let session = try await cluster.register()
        let refused = try await cluster.submit("parent", input: ["n": "seven"])
        try await cluster.work(session)
        let reason = try await cluster.text("select error_type from skein.run_overview where run_id = '\(refused)'")
        #expect(reason == "schema")
        let run = try await cluster.submit("parent", input: ["n": 7])
        let tasks = try await cluster.claim(session)
        try await cluster.settle(session, tasks, status: .failed, failure: Failure(type: .clientError, code: "404", message: "no such thing"))
        try await cluster.work(session)
        let failure = try await cluster.text("select failure from skein.ended_run where run_id = '\(run)'")
        #expect(failure?.contains("no such thing") == true)
        #expect(failure?.contains("call") == true, "the path of the child's step")
        try await cluster.expectClean()
    }

    @Test("a cancel goes down the tree in one transaction, and the parent ends after its child")
    func cancelTree() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.child)
        _ = try await cluster.apply("workflow: middle\nsteps: [ { id: sub, workflow: child, with: { n: 1 } } ]")
        _ = try await cluster.apply("workflow: top\nsteps: [ { id: sub, workflow: middle } ]")
        let run = try await cluster.submit("top")
        let session = try await cluster.register()
        let leased = try await cluster.claim(session)
        #expect(leased.count == 1)
        _ = try await cluster.text("select skein.cancel('\(run)', 'enough')")
        let requested = try await cluster.count("select count(*) from skein.run where cancel_requested_at is not null")
        #expect(requested == 3)
        try await cluster.fold()
        let running = try await cluster.status(of: run)
        #expect(running != "cancelled", "the child's attempt is still with its worker")
        try await cluster.settle(session, leased)
        try await cluster.work(session)
        let endings = try await cluster.texts("select status::text from skein.ended_run order by depth")
        #expect(endings == ["cancelled", "cancelled", "cancelled"])
        try await cluster.expectClean()
    }

    @Test("chained runs start in the transaction that ends the run, once, and each knows the other")
    func chain() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.child)
        _ = try await cluster.apply(
            """
            workflow: first
            agents: { echo: { kind: noop } }
            steps: [ { id: call, agent: echo, with: { n: 41 } } ]
            onSuccess:
              - { workflow: child, with: { n: "${{ output.n }}" } }
              - { workflow: child, with: { n: text } }
              - { workflow: nobody }
            onFailure: [ { workflow: child, with: { n: 0 } } ]
            """)
        let run = try await cluster.submit("first")
        let session = try await cluster.register()
        try await cluster.work(session)
        let outputs = try await cluster.texts("select output from skein.ended_run where source_run_id = '\(run)'")
        #expect(outputs == ["42"])
        let trigger = try await cluster.text("select trigger from skein.run_overview where source_run_id = '\(run)'")
        #expect(trigger == "onSuccess")
        let letters = try await cluster.texts("select step || ' ' || workflow from skein.dead_letter_overview where run_id = '\(run)' order by 1")
        #expect(letters == ["onSuccess[1] child", "onSuccess[2] nobody"])
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded", "a chain that cannot start never changes the ending")
        try await cluster.expectClean()
    }

    @Test("a tree of runs has a limit, and the message shows the chain")
    func descendants() async throws {
        let cluster = try await Cluster.start()
        let store = RunStore(descendantLimit: 3)
        _ = try await cluster.apply("workflow: leaf\nsteps: [ { id: one, set: 1 } ]")
        _ = try await cluster.apply("workflow: wide\nsteps: [ { id: sub, each: \"${{ range(5) }}\", maxParallel: 1, workflow: leaf } ]")
        let run = try await cluster.submit("wide")
        for _ in 0..<50 {
            let report = try await store.fold(upTo: 100, on: cluster.connection)
            if report.runs == 0 { break }
        }
        let failure = try await cluster.text("select failure from skein.ended_run where run_id = '\(run)'")
        #expect(failure?.contains("wide > leaf") == true, "\(failure ?? "none")")
        try await cluster.expectClean()
    }
}
