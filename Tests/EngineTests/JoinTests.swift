// Fork and join: every policy, what failures and deadlines do, and what becomes of the losers.

import Engine
import Simulation
import Testing
import WorkflowModel

@Suite struct JoinTests {
    private static func fork(_ join: JoinPolicy, branches: Int = 3, onError: ErrorHandling = .fail) -> Block {
        let names = ["a", "b", "c", "d", "e"].prefix(branches)
        return .steps([.parallel("f", names.map { ($0, .steps([.agent("x")])) }, join: join, onError: onError)])
    }

    @Test("all: the results are a map in declared order, whatever came first")
    func all() throws {
        var story = try Story.started(Self.fork(JoinPolicy()))
        try story.succeed("f.c.x", 3)
        try story.succeed("f.a.x", 1)
        #expect(story.ending == nil)
        try story.succeed("f.b.x", 2)
        #expect(story.store.output?.text == #"{"a":1,"b":2,"c":3}"#)
    }

    @Test("a join by expression sees the steps of its branches")
    func aggregation() throws {
        var story = try Story.started(
            .steps([
                .parallel(
                    "f", [("legal", .steps([.agent("check"), .set("note", 1)])), ("finance", .graph([.agent("check")]))],
                    output: ["l": "${{ branches.legal.check.output }}", "f": "${{ branches.finance.check.output }}"])
            ]))
        try story.succeed("f.finance.check", "ok")
        try story.succeed("f.legal.check", "fine")
        #expect(story.output == ["l": "fine", "f": "ok"])
    }

    @Test("any: the first success wins, the others are cancelled, and the join waits for them to settle")
    func any() throws {
        var story = try Story.started(Self.fork(JoinPolicy(rule: .any)))
        try story.claim("f.c.x")
        try story.fail("f.a.x", .clientError)
        #expect(story.ending == nil)
        try story.succeed("f.b.x", "won")
        #expect(story.ending == nil)
        try story.succeed("f.c.x", "late")
        #expect(story.output == ["a": nil, "b": "won", "c": nil])
        #expect(story.status("f.c") == .cancelled)
        #expect(story.store.attempts.last?.discarded == true)
    }

    @Test("any fails when nothing succeeded")
    func none() throws {
        var story = try Story.started(Self.fork(JoinPolicy(rule: .any), branches: 2))
        try story.fail("f.b.x", .clientError)
        try story.fail("f.a.x", .serverError)
        #expect(story.ending?.failure?.path == StepPath("f.b.x"))
    }

    @Test("first: the first that settles decides, for good or bad")
    func first() throws {
        var good = try Story.started(Self.fork(JoinPolicy(rule: .first)))
        try good.succeed("f.b.x")
        #expect(good.ending?.status == .succeeded)
        var bad = try Story.started(Self.fork(JoinPolicy(rule: .first)))
        try bad.fail("f.b.x", .clientError)
        #expect(bad.ending?.status == .failed)
        #expect(bad.status("f.a.x") == .cancelled)
    }

    @Test(
        "quorum and ratio: enough is enough, and what can no longer be enough fails at once",
        arguments: [JoinPolicy.Rule.quorum(2), .ratio(Share(fraction: 0.6))])
    func quorum(rule: JoinPolicy.Rule) throws {
        var good = try Story.started(Self.fork(JoinPolicy(rule: rule)))
        try good.succeed("f.a.x")
        #expect(good.ending == nil)
        try good.succeed("f.c.x")
        #expect(good.ending?.status == .succeeded)
        #expect(good.status("f.b") == .cancelled)
        var bad = try Story.started(Self.fork(JoinPolicy(rule: rule)))
        try bad.fail("f.a.x", .clientError)
        #expect(bad.ending == nil)
        try bad.fail("f.b.x", .clientError)
        #expect(bad.ending?.status == .failed)
    }

    @Test("tolerate: so many may fail, and all are waited for")
    func tolerate() throws {
        var story = try Story.started(Self.fork(JoinPolicy(rule: .tolerate(1))))
        try story.fail("f.a.x", .clientError)
        try story.succeed("f.b.x")
        #expect(story.ending == nil)
        try story.succeed("f.c.x")
        #expect(story.ending?.status == .succeeded)
        // A third of five, rounded down, is one.
        var share = try Story.started(Self.fork(JoinPolicy(rule: .tolerateShare(Share(fraction: 0.34))), branches: 5))
        try share.fail("f.a.x", .clientError)
        #expect(share.ending == nil)
        try share.fail("f.b.x", .clientError)
        #expect(share.ending?.status == .failed)
    }

    @Test("failFast cancels the others, drain lets them end before it fails, continue succeeds with what there is")
    func failures() throws {
        var fast = try Story.started(Self.fork(JoinPolicy()))
        try fast.claim("f.b.x")
        try fast.fail("f.a.x", .clientError)
        #expect(fast.said.contains("tell f.b.x"))
        #expect(fast.status("f.c.x") == .cancelled)
        var drain = try Story.started(Self.fork(JoinPolicy(onError: .drain)))
        try drain.fail("f.a.x", .clientError)
        try drain.succeed("f.b.x")
        #expect(drain.ending == nil)
        try drain.succeed("f.c.x")
        #expect(drain.ending?.failure?.path == StepPath("f.a.x"))
        #expect(drain.status("f.c") == .succeeded)
        var on = try Story.started(Self.fork(JoinPolicy(onError: .continue)))
        try on.fail("f.a.x", .clientError)
        try on.succeed("f.b.x", 2)
        try on.succeed("f.c.x", 3)
        #expect(on.output == ["a": nil, "b": 2, "c": 3])
    }

    @Test("a deadline fails the join, or makes do with what there is")
    func deadlines() throws {
        var fails = try Story.started(Self.fork(JoinPolicy(deadline: .seconds(10))))
        try fails.succeed("f.a.x", 1)
        #expect(fails.due("f", .joinDeadline) == .seconds(10))
        try fails.wait(.seconds(10))
        #expect(fails.ending?.failure?.type == .timeout)
        var partial = try Story.started(Self.fork(JoinPolicy(deadline: .seconds(10), onDeadline: .partial)))
        try partial.succeed("f.a.x", 1)
        try partial.wait(.seconds(11))
        #expect(partial.output == ["a": 1, "b": nil, "c": nil])
    }

    @Test("a loser is cancelled with everything under it")
    func deep() throws {
        let deep = Block.steps([
            .parallel("g", [("p", .steps([.agent("x")])), ("q", .steps([.agent("y", loop: .each([1, 2, 3], at: 2))]))])
        ])
        var story = try Story.started(
            .steps([.parallel("f", [("fast", .steps([.agent("z")])), ("slow", deep)], join: JoinPolicy(rule: .any))]))
        #expect(story.ready == ["f.fast.z", "f.slow.g.p.x", "f.slow.g.q.y[0]", "f.slow.g.q.y[1]"])
        try story.claim("f.slow.g.q.y[1]")
        try story.succeed("f.fast.z")
        #expect(story.said.contains("tell f.slow.g.q.y[1]"))
        #expect(story.status("f.slow.g.p.x") == .cancelled)
        try story.succeed("f.slow.g.q.y[1]")
        #expect(story.ending?.status == .succeeded)
        #expect(story.status("f.slow") == .cancelled)
    }

    @Test("a fork in a fork is joined exactly once: thirty iterations of thirty", .timeLimit(.minutes(1)))
    func nested() throws {
        let inner = Block.steps([.agent("x", loop: .each(.array((0..<30).map { .int($0) }), at: nil))])
        var story = try Story.started(.steps([.block("outer", inner, loop: .each(.array((0..<30).map { .int($0) }), at: nil))]))
        var random = SeededGenerator(seed: 7)
        while !story.store.claimable.isEmpty {
            for path in story.store.claimable.shuffled(using: &random).prefix(100) {
                guard let lease = story.store.claim(path) else { continue }
                story.store.settle(lease, .succeeded, output: JSONText("x"))
            }
            try story.store.fold(sources: [.kept])
        }
        #expect(story.ending?.status == .succeeded)
        #expect(story.store.steps.count == 1 + 30 + 30 + 900)
        #expect(story.store.events.isEmpty)
    }
}
