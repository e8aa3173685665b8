// Loops: over a collection, as long as and until a condition holds.

import Engine
import Testing
import WorkflowModel

@Suite struct LoopTests {
    @Test("a loop over a list runs one iteration after the other, and gives a list in its order")
    func sequential() throws {
        var story = try Story.started(
            .steps([
                .agent(
                    "r", loop: .each("${{ input.docs }}", as: "doc"),
                    with: ["d": "${{ doc }}", "i": "${{ index }}", "j": "${{ doc_index }}"])
            ]),
            input: ["docs": ["x", "y"]])
        #expect(story.said == ["keep r", "items r 2", "keep r", "enqueue r[0]"])
        #expect(story.input(of: "r[0]") == ["d": "x", "i": 0, "j": 0])
        try story.succeed("r[0]", 10)
        #expect(story.said == ["dequeue r[0]", "succeeded r[0]", "keep r", "enqueue r[1]"])
        #expect(story.input(of: "r[1]") == ["d": "y", "i": 1, "j": 1])
        try story.succeed("r[1]", 20)
        #expect(story.said == ["dequeue r[1]", "succeeded r[1]", "drop r", "succeeded r", "end succeeded"])
        // The list never passed through the coordinator.
        #expect(story.ending?.outputFrom == StepPath("r"))
        #expect(story.ending?.output == nil)
        #expect(story.output == [10, 20])
    }

    @Test("so many at once: iterations are made as slots free up, and the results keep their order")
    func parallel() throws {
        var story = try Story.started(
            .steps([
                .agent("r", loop: .each(.array((0..<5).map { .int($0) }), at: 2), with: "${{ item }}"),
                .set("sum", "${{ steps.r.output }}"),
            ]))
        #expect(story.ready == ["r[0]", "r[1]"])
        try story.succeed("r[1]", 11)
        #expect(story.ready == ["r[0]", "r[2]"])
        for index in [2, 3, 0, 4] { try story.succeed("r[\(index)]", .int(Int64(10 + index))) }
        #expect(story.output == [10, 11, 12, 13, 14])
    }

    @Test("an empty collection succeeds with an empty list")
    func empty() throws {
        let story = try Story.started(.steps([.agent("r", loop: .each([])), .set("x", ["${{ steps.r.output }}", "${{ steps.r.ok }}"])]))
        #expect(story.output == [[], []])
    }

    @Test("what is no list fails the loop")
    func noList() throws {
        let story = try Story.started(.steps([.agent("r", loop: .each("${{ input.n }}"))]))
        #expect(story.ending?.failure?.type == .expression)
    }

    @Test("failures within the tolerance are in `failed`, with index, item and error; beyond it the loop fails")
    func tolerance() throws {
        let body = Block.steps([
            .agent("r", loop: .each(["a", "b", "c", "d"], at: 4, join: JoinPolicy(rule: .tolerateShare(Share(fraction: 0.25))))),
            .set(
                "x",
                [
                    "out": "${{ steps.r.output }}", "ok": "${{ steps.r.ok }}",
                    "bad": "${{ steps.r.failed.map(f, [f.index, f.item, f.error.type]) }}",
                ]),
        ])
        var story = try Story.started(body)
        try story.fail("r[1]", .clientError)
        for index in [3, 0, 2] { try story.succeed("r[\(index)]", .int(Int64(index))) }
        #expect(story.output == ["out": [0, nil, 2, 3], "ok": [0, 2, 3], "bad": [[1, "b", "4xx"]]])
        var worse = try Story.started(body)
        try worse.fail("r[1]", .clientError)
        #expect(worse.ending == nil)
        try worse.fail("r[3]", .clientError)
        #expect(worse.ending?.failure?.path == StepPath("r[1]"))
        #expect(worse.status("r[0]") == .cancelled)
    }

    @Test("only the iteration that failed is tried again")
    func retried() throws {
        var story = try Story.started(.steps([.agent("r", loop: .each([1, 2], at: 2), retry: RetryEntry(maxAttempts: 2, backoff: .none))]))
        try story.fail("r[0]")
        #expect(story.ready == ["r[0]", "r[1]"])
        #expect(story.store.tasks[StepPath("r[0]")]?.attempt == 2)
        #expect(story.store.tasks[StepPath("r[1]")]?.attempt == 1)
    }

    @Test("a body of several steps has paths within its iteration, and its steps are seen there only")
    func body() throws {
        var story = try Story.started(
            .steps([
                .set("first", "seen"),
                .block(
                    "each",
                    .steps([.agent("a", with: ["${{ item }}", "${{ steps.first.output }}"]), .agent("b", with: "${{ steps.a.output }}")]),
                    loop: .each([7, 8], at: 2)),
            ]))
        #expect(story.ready == ["each[0].a", "each[1].a"])
        #expect(story.input(of: "each[1].a") == [8, "seen"])
        try story.succeed("each[1].a", "one")
        #expect(story.input(of: "each[1].b") == "one")
        try story.succeed("each[1].b", 2)
        try story.succeed("each[0].a")
        try story.succeed("each[0].b", 1)
        #expect(story.output == [1, 2])
    }

    @Test("loops nest, and the outer one's index has a name")
    func nested() throws {
        let story = try Story.started(
            .steps([
                .block(
                    "o", .steps([.set("i", "${{ row_index * 10 + index }}", loop: .each("${{ row }}"))]),
                    loop: .each([[1, 2], [3]], as: "row"))
            ]))
        #expect(story.output == [[0, 1], [10]])
        #expect(story.status("o[0].i[1]") == .succeeded)
    }

    @Test("a batch is a list of items")
    func batches() throws {
        let story = try Story.started(.steps([.set("b", "${{ item }}", loop: .each([1, 2, 3, 4, 5], batch: 2))]))
        #expect(story.output == [[1, 2], [3, 4], [5]])
    }

    @Test("collect: the last one, or nothing")
    func collect() throws {
        #expect(try Story.started(.steps([.set("b", "${{ item }}", loop: .each([1, 2, 3], collect: .last))])).output == 3)
        #expect(try Story.started(.steps([.set("b", "${{ item }}", loop: .each([1, 2, 3], collect: .none))])).output == .some(.null))
    }

    @Test("breakIf leaves the loop after an iteration")
    func breaking() throws {
        var story = try Story.started(.steps([.agent("r", loop: .each([1, 2, 3, 4], at: 2, breakIf: "output.stop"))]))
        try story.succeed("r[0]", ["stop": false])
        try story.succeed("r[1]", ["stop": true])
        #expect(story.ending?.status == .succeeded)
        #expect(story.status("r[2]") == .cancelled)
        #expect(story.status("r[3]") == nil)
        #expect(story.output == [["stop": false], ["stop": true], nil])
    }

    @Test("while is tested before an iteration, with what the last one gave")
    func whiling() throws {
        let loop = Loop(source: .while("previous < 3"), initial: 0, maxIterations: 10)
        #expect(try Story.started(.steps([.set("w", "${{ previous + 1 }}", loop: loop)])).output == [1, 2, 3])
        let never = Loop(source: .while("previous < 3"), initial: 5, maxIterations: 10)
        #expect(try Story.started(.steps([.set("w", "${{ previous + 1 }}", loop: never)])).output == [])
    }

    @Test("until is tested after an iteration; between two of them the loop pauses")
    func until() throws {
        var story = try Story.started(
            .steps([.agent("poll", loop: Loop(source: .until("output.done"), every: .seconds(30), collect: .last, maxIterations: 5))]))
        try story.succeed("poll[0]", ["done": false])
        #expect(story.ready == [])
        #expect(story.due("poll", .every) == .seconds(30))
        try story.wait(.seconds(30))
        try story.succeed("poll[1]", ["done": true])
        #expect(story.output == ["done": true])
    }

    @Test("a loop that needs more than its most iterations fails")
    func limit() throws {
        let loop = Loop(source: .until("false"), maxIterations: 3)
        let story = try Story.started(.steps([.set("w", 1, loop: loop)]))
        #expect(story.ending?.failure?.code == "maxIterations")
        #expect(story.store.steps.count == 4)
    }

    @Test("an operator changes how many run at once, and how many may fail")
    func adjusting() throws {
        var story = try Story.started(.steps([.agent("r", loop: .each([1, 2, 3, 4], at: 1, join: JoinPolicy(rule: .tolerate(3))))]))
        try story.adjust("r", LoopAdjustment(maxParallel: 3))
        #expect(story.ready == ["r[0]", "r[1]", "r[2]"])
        #expect(story.events("adjusted") == [["maxParallel": 3]])
        try story.fail("r[0]", .clientError)
        #expect(story.ready == ["r[1]", "r[2]", "r[3]"])
        try story.adjust("r", LoopAdjustment(tolerance: 0))
        #expect(story.ending?.failure?.path == StepPath("r[0]"))
    }

    @Test("a loop of computed steps goes on in the next decision when one has done enough")
    func portions() throws {
        let count = 2 * EngineDefaults.iterationsPerTransaction + 100
        var story = try Story.started(
            .steps([.set("r", "${{ item }}", loop: .each(.array((0..<count).map { .int(Int64($0)) }), collect: .last))]))
        #expect(story.ending == nil)
        var folds = 1
        while story.ending == nil, folds < 10 {
            try story.fold()
            folds += 1
        }
        #expect(folds == 3)
        #expect(story.output == .int(Int64(count - 1)))
    }

    @Test("loops within loops share what one transaction makes")
    func nestedPortions() throws {
        let ten = JSONValue.array((0..<15).map { .int($0) })
        let inner = Block.steps([.set("z", "${{ item }}", loop: .each(ten, at: nil)), .set("s", "${{ sum(steps.z.output) }}")])
        let middle = Block.steps([.block("y", inner, loop: .each(ten, at: nil)), .set("t", "${{ sum(steps.y.output) }}")])
        var story = try Story(
            .steps([.block("x", middle, loop: .each(ten, at: nil)), .set("u", "${{ sum(steps.x.output) }}")]))
        var folds = 0
        while story.ending == nil, folds < 100 {
            let before = story.store.steps.count
            try story.store.fold(sources: [folds % 2 == 0 ? .kept : .asked])
            folds += 1
            // Each iteration of the innermost loop is a step, and its loop, block and sum come with the last of fifteen.
            #expect(story.store.steps.count - before <= 2 * EngineDefaults.iterationsPerTransaction)
        }
        #expect(story.output == .int(15 * 15 * 105))
    }

    @Test("a decision that has to ask is taken back whole: the collection of a loop that it ended is there again")
    func asksOnce() throws {
        var story = try Story.started(
            .steps([
                .agent("early"), .agent("a", loop: .each([5]), output: "${{ item }}"), .set("late", "${{ steps.early.output }}"),
            ]))
        try story.succeed("early", "kept")
        // A frame that knows nothing asks for the item, and in the next step for what `early` gave.
        try story.settle("a[0]", .succeeded, output: 1)
        try story.store.fold(sources: [.asked])
        #expect(story.output == "kept")
        #expect(story.step("a[0]")?.output?.value == 5)
    }

    @Test("a frame does not grow with the iterations that are over")
    func bounded() throws {
        let items = JSONValue.array((0..<600).map { .int($0) })
        var story = try Story.started(
            .steps([.block("r", .steps([.agent("a", with: "${{ item }}"), .set("b", "${{ steps.a.output }}")]), loop: .each(items, at: 3))])
        )
        var largest = 0
        while let path = story.store.claimable.first {
            guard let lease = story.store.claim(path) else { break }
            story.store.settle(lease, .succeeded, output: JSONText("x"))
            try story.store.fold(sources: [.kept])
            largest = max(largest, story.store.keptFrame?.steps.count ?? 0)
        }
        #expect(story.ending?.status == .succeeded)
        #expect(largest <= 8)
    }
}
