// Events and waits against a real database: whatever the order in which they come, they meet once.

import Engine
import Postgres
import PostgresTestKit
import RunStore
import TaskQueue
import Testing
import WorkflowModel

@Suite("Events in the store", .timeLimit(.minutes(2)))
struct EventTests {
    static let waiting = """
        workflow: waiting
        steps:
          - { id: pay, await: { event: paid, match: "event.amount > 10" }, output: "${{ event.amount }}" }
        """

    @Test("a signal that comes before the wait is not lost, and the same id counts once")
    func early() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: late
            agents: { echo: { kind: noop } }
            steps:
              - { id: call, agent: echo }
              - { id: pay, await: { event: paid }, output: "${{ event.amount }}" }
            """)
        let run = try await cluster.submit("late")
        let first = try await cluster.text("select skein.signal('\(run)', 'paid', '{\"amount\": 5}', 'payment-1')::text")
        let second = try await cluster.text("select skein.signal('\(run)', 'paid', '{\"amount\": 6}', 'payment-1')::text")
        #expect(first == second)
        let session = try await cluster.register()
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == "5")
        let states = try await cluster.texts("select status from skein.event_overview")
        #expect(states == ["consumed"])
        let third = try await cluster.text("select skein.signal('\(run)', 'paid', '{\"amount\": 5}', 'payment-1')::text")
        #expect(third == first, "sent again after the run has ended: the same answer")
        try await cluster.expectClean()
    }

    @Test("an event that the wait does not take is kept")
    func unmatched() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.waiting)
        let run = try await cluster.submit("waiting")
        let session = try await cluster.register()
        _ = try await cluster.text("select skein.signal('\(run)', 'paid', '{\"amount\": 1}')::text")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "waiting")
        _ = try await cluster.text("select skein.signal('\(run)', 'other', '{\"amount\": 100}')::text")
        _ = try await cluster.text("select skein.signal('\(run)', 'paid', '{\"amount\": 11}')::text")
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == "11")
        let states = try await cluster.texts("select status || coalesce(': ' || reason, '') from skein.event_overview order by event_id")
        let left = "expired: the run ended before anybody took it"
        #expect(states == [left, left, "consumed"])
        try await cluster.expectClean()
        await #expect(throws: PostgresError.self) { try await cluster.text("select skein.signal('\(run)', 'paid')::text") }
    }

    @Test("an event with a key goes to the run that waits for it longest; a broadcast to each")
    func keys() async throws {
        let cluster = try await Cluster.start()
        for (name, consume) in [("one", "exclusive"), ("all", "broadcast")] {
            _ = try await cluster.apply(
                """
                workflow: \(name)
                steps: [ { id: ship, await: { event: shipped, key: "${{ input.order }}", consume: \(consume) }, output: "${{ event.parcel }}" } ]
                """)
        }
        var exclusive: [RunID] = []
        var broadcast: [RunID] = []
        for _ in 0..<2 {
            exclusive.append(try await cluster.submit("one", input: ["order": "4711"]))
            broadcast.append(try await cluster.submit("all", input: ["order": "4711"]))
        }
        let other = try await cluster.submit("one", input: ["order": "4712"])
        let session = try await cluster.register()
        try await cluster.work(session)
        _ = try await cluster.text("select skein.emit('shipped', '{\"parcel\": 1}', '4711')::text")
        try await cluster.work(session)
        let taken = try await cluster.texts("select run_id::text from skein.ended_run")
        #expect(Set(taken) == Set([exclusive[0], broadcast[0], broadcast[1]].map(\.description)))
        _ = try await cluster.text("select skein.emit('shipped', '{\"parcel\": 2}', '4711')::text")
        try await cluster.work(session)
        let outputs = try await [cluster.output(of: exclusive[0]), cluster.output(of: exclusive[1])]
        #expect(outputs == ["1", "2"])
        let status = try await cluster.status(of: other)
        #expect(status == "waiting")
        try await cluster.expectClean()
    }

    @Test("a step of one run wakes another")
    func emit() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply("workflow: listener\nsteps: [ { id: hear, await: { event: said, key: all }, output: \"${{ event.words }}\" } ]")
        _ = try await cluster.apply("workflow: speaker\nsteps: [ { id: say, emit: { event: said, key: all, data: { words: hello } } } ]")
        let session = try await cluster.register()
        let listener = try await cluster.submit("listener")
        try await cluster.work(session)
        let speaker = try await cluster.submit("speaker")
        try await cluster.work(session)
        let output = try await cluster.output(of: listener)
        #expect(output == "\"hello\"")
        let status = try await cluster.status(of: speaker)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("an event for a run that is over, or that never was, is refused with the reason, and wakes nobody")
    func nobody() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply("workflow: brief\nsteps: [ { id: one, set: 1 } ]")
        _ = try await cluster.apply("workflow: speaker\nsteps: [ { id: say, emit: { event: said, run: \"${{ input.run }}\" } } ]")
        let ended = try await cluster.submit("brief")
        let nobody = "01890000-0000-7000-8000-000000000009"
        for run in [ended.description, nobody] { _ = try await cluster.submit("speaker", input: ["run": .string(run)]) }
        let reasons = try await cluster.texts("select status || ': ' || reason from skein.event_overview order by event_id")
        #expect(reasons == ["refused: run \(ended) has ended: it succeeded", "refused: there is no run \(nobody)"])
        try await cluster.expectClean()
    }

    static let order = """
        workflow: order
        input: { type: object, properties: { total: { type: number } } }
        states:
          initial: waiting
          waiting:
            on:
              payment.received: { if: "${{ event.amount >= input.total }}", to: paid }
              order.cancelled: { to: cancelled }
            after: { 24h: { to: cancelled } }
          paid: { next: [ { to: done } ] }
          done: { final: true, output: { shipped: true } }
          cancelled: { final: cancelled }
        """

    @Test("a state machine takes an event whose guard holds, and records the transition")
    func machine() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.order)
        let run = try await cluster.submit("order", input: ["total": 50])
        let session = try await cluster.register()
        _ = try await cluster.text("select skein.signal('\(run)', 'payment.received', '{\"amount\": 10}')::text")
        try await cluster.work(session)
        let waiting = try await cluster.status(of: run)
        #expect(waiting == "waiting")
        _ = try await cluster.text("select skein.signal('\(run)', 'payment.received', '{\"amount\": 50}', null, 'erika')::text")
        try await cluster.work(session)
        let output = try await cluster.output(of: run)
        #expect(output == #"{"shipped":true}"#)
        let moves = try await cluster.texts(
            "select coalesce(from_state, '') || '>' || to_state from skein.transition_overview where run_id = '\(run)' and from_state is not null order by seq")
        #expect(moves == ["waiting>paid", "paid>done"])
        let actor = try await cluster.text("select actor from skein.transition_overview where event = 'payment.received'")
        #expect(actor == "erika")
        try await cluster.expectClean()
    }

    @Test("a state is left when its time is over")
    func after() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.order)
        let run = try await cluster.submit("order", input: ["total": 50])
        try await cluster.fold()
        try await cluster.travel(by: .seconds(86_400 - 60))
        try await cluster.fold()
        let waiting = try await cluster.status(of: run)
        #expect(waiting == "waiting")
        try await cluster.travel(by: .seconds(86_400 + 60))
        try await cluster.fold()
        let status = try await cluster.status(of: run)
        #expect(status == "cancelled")
        try await cluster.expectClean()
    }

    @Test("a state's time begins when it is entered, also when the time of the one before it was over in the same moment")
    func supersededTimer() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: relay
            states:
              initial: first
              first: { on: { go: { to: second } }, after: { 1h: { to: late } } }
              second: { after: { 1h: { to: done } } }
              done: { final: true }
              late: { final: failed }
            """)
        let run = try await cluster.submit("relay")
        try await cluster.fold()
        _ = try await cluster.text("select skein.signal('\(run)', 'go')::text")
        _ = try await cluster.match()
        // The event and the timer of the first state are due together.
        try await cluster.travel(by: .seconds(3700))
        try await cluster.fold()
        let status = try await cluster.status(of: run)
        #expect(status == "waiting")
        let left = try await cluster.text("select round(extract(epoch from due_at - skein.now()) / 60)::text from skein.timer where run_id = '\(run)'")
        #expect(left == "60")
        try await cluster.travel(by: .seconds(7400))
        try await cluster.fold()
        let ended = try await cluster.status(of: run)
        #expect(ended == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a machine that rejects what it does not expect says so")
    func reject() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.order.replacing("  initial: waiting", with: "  initial: waiting\n  unexpected: reject"))
        let run = try await cluster.submit("order", input: ["total": 50])
        let session = try await cluster.register()
        let event = try await cluster.text("select skein.signal('\(run)', 'weather.changed')::text")
        try await cluster.work(session)
        let status = try await cluster.text("select status from skein.event_overview where event_id = \(event ?? "0")")
        #expect(status == "refused")
        _ = try await cluster.text("select skein.signal('\(run)', 'payment.received', '{\"amount\": 60}')::text")
        try await cluster.work(session)
        let ended = try await cluster.status(of: run)
        #expect(ended == "succeeded")
        try await cluster.expectClean()
    }

    @Test("an event and a wait that commit at the same moment meet, whichever is seen first", arguments: [true, false])
    func race(eventFirst: Bool) async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.waiting)
        let other = try await cluster.database.connect()
        let run = try await cluster.text("select skein.submit('waiting')::text") ?? ""
        // The event's transaction is open while the wait is written, and the other way round the matcher has looked in between.
        _ = try await other.query("begin")
        _ = try await other.query(SQL("select skein.signal('\(run)', 'paid', '{\"amount\": 20}')"))
        if eventFirst { _ = try await other.query("commit") }
        try await cluster.fold()
        try await cluster.match()
        if !eventFirst { _ = try await other.query("commit") }
        let session = try await cluster.register()
        try await cluster.work(session)
        let status = try await cluster.text("select status from skein.run_overview where run_id = '\(run)'")
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    static let choosing = """
        workflow: choosing
        steps:
          - id: choose
            await: { any: [ { event: go, match: event.n > 1 }, { event: stop } ], key: k }
            output: "${{ event.n }}"
        """

    @Test("an event that comes while its wait looks at another one is not overlooked, also under another name", arguments: ["exclusive", "broadcast"])
    func whileLooking(consume: String) async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(Self.choosing.replacing("key: k", with: "key: k, consume: \(consume)"))
        let run = try await cluster.submit("choosing")
        try await cluster.fold()
        try await cluster.match()
        _ = try await cluster.text("select skein.emit('go', '{\"n\": 1}', 'k')::text")
        try await cluster.match()
        // The wait has been told of the first one, and has not looked at it yet: nobody can be told of the second one.
        _ = try await cluster.text("select skein.emit('stop', '{\"n\": 2}', 'k')::text")
        try await cluster.match()
        try await cluster.work(try await cluster.register())
        let output = try await cluster.output(of: run)
        #expect(output == "2")
        try await cluster.expectClean()
    }

    @Test("a wait that another one was before is given what else there is for it")
    func behindAnother() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: both
            steps:
              - id: all
                parallel:
                  branches:
                    first: [ { id: wait, await: { event: go, key: k } } ]
                    second: [ { id: wait, await: { event: go, key: k } } ]
            """)
        let run = try await cluster.submit("both")
        // Both could take the first, and only one gets it; the other is to get the second, which is the run's own.
        _ = try await cluster.text("select skein.emit('go', '{\"n\": 1}', 'k')::text")
        _ = try await cluster.text("select skein.signal('\(run)', 'go', '{\"n\": 2}')::text")
        try await cluster.work(try await cluster.register())
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("what one wait of a run says of an event does not hide what another one says")
    func decisions() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: both
            steps:
              - id: all
                parallel:
                  branches:
                    first: [ { id: wait, await: { event: go, key: k, consume: exclusive } } ]
                    second: [ { id: wait, await: { event: go, key: k, consume: broadcast } } ]
                    third: [ { id: wait, await: { event: go, key: k, consume: broadcast, match: event.n > 1 } } ]
            """)
        let run = try await cluster.submit("both")
        let session = try await cluster.register()
        _ = try await cluster.text("select skein.emit('go', '{\"n\": 1}', 'k')::text")
        try await cluster.work(session)
        let taken = try await cluster.texts("select path from skein.event_delivery where is_consumed order by path")
        #expect(taken == ["all.first.wait", "all.second.wait"])
        let states = try await cluster.texts("select status from skein.event_overview")
        #expect(states == ["consumed"])
        try await cluster.expectClean()
        _ = try await cluster.text("select skein.emit('go', '{\"n\": 2}', 'k')::text")
        try await cluster.work(session)
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        try await cluster.expectClean()
    }

    @Test("a wait that is set again knows what is on its way to it")
    func onItsWay() async throws {
        let cluster = try await Cluster.start()
        _ = try await cluster.apply(
            """
            workflow: twice
            steps:
              - id: all
                parallel:
                  branches:
                    first: [ { id: wait, await: hello } ]
                    second:
                      - id: machine
                        do:
                          states:
                            initial: early
                            early: { on: { go: { to: done } }, after: { 1h: { to: late } } }
                            late: { on: { go: { to: done } } }
                            done: { final: true }
            """)
        let run = try await cluster.submit("twice")
        try await cluster.fold()
        try await cluster.match()
        _ = try await cluster.text("select skein.signal('\(run)', 'hello')::text")
        try await cluster.match()
        _ = try await cluster.text("select skein.signal('\(run)', 'go')::text")
        try await cluster.match()
        let told = try await cluster.count("select count(*) from skein.inbox where kind = 'event'")
        #expect(told == 2)
        // The fold takes one of the two, and the timer that makes the machine wait anew.
        try await cluster.travel(by: .seconds(3601))
        _ = try await cluster.store.fold(upTo: 1, on: cluster.connection)
        let left = try await cluster.count("select count(*) from skein.inbox where kind = 'event'")
        #expect(left == 1)
        try await cluster.work(try await cluster.register())
        let status = try await cluster.status(of: run)
        #expect(status == "succeeded")
        let states = try await cluster.texts("select status from skein.event_overview order by event_id")
        #expect(states == ["consumed", "consumed"])
        try await cluster.expectClean()
    }
}
