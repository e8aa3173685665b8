// Retries: which failures are tried again, how often, and after which delay.

import Engine
import Testing
import WorkflowModel

@Suite struct RetryTests {
    private static func entry(
        _ backoff: RetryEntry.Backoff, attempts: Int = 10, delay: Duration = .seconds(2), factor: Double = 2,
        maxDelay: Duration = .seconds(1000), jitter: RetryEntry.Jitter = .none
    ) -> RetryEntry {
        RetryEntry(maxAttempts: attempts, backoff: backoff, delay: delay, factor: factor, maxDelay: maxDelay, jitter: jitter)
    }

    // The delays after so many failures in a row.
    private static func delays(_ entry: RetryEntry, failures: Int, run: UInt64 = 1, path: String = "a") -> [Duration?] {
        let schedule = RetrySchedule(
            policy: RetryPolicy(entries: [entry]), runID: RunID(UUIDBytes(high: run, low: 7)), path: StepPath(path))
        var task = TaskFacts()
        return (0..<failures).map { _ in
            let delay = schedule.next(after: Failure(type: .serverError, message: "no"), task: &task, now: Timestamp(microseconds: 0))
            task.attempt += 1
            task.lastDelay = delay ?? .zero
            return delay
        }
    }

    @Test("without a policy there is one attempt")
    func noPolicy() throws {
        var story = try Story.started(.steps([.agent("a")]))
        try story.fail("a", .serverError)
        #expect(story.ending?.status == .failed)
        #expect(story.step("a")?.attempts == 1)
    }

    @Test(
        "each kind of back-off grows as it says",
        arguments: [
            (RetryEntry.Backoff.none, [0, 0, 0, 0, 0, 0]), (.fixed, [2, 2, 2, 2, 2, 2]), (.linear, [2, 4, 6, 8, 10, 12]),
            (.exponential, [2, 4, 8, 16, 32, 64]), (.fibonacci, [2, 2, 4, 6, 10, 16]),
        ])
    func growth(backoff: RetryEntry.Backoff, seconds: [Int]) {
        #expect(Self.delays(Self.entry(backoff), failures: 6) == seconds.map { .seconds($0) })
    }

    @Test("no delay is longer than `maxDelay`, however long the policy goes on", arguments: RetryEntry.Backoff.allCases)
    func cap(backoff: RetryEntry.Backoff) throws {
        let delays = Self.delays(Self.entry(backoff, attempts: 100_000, factor: 10, maxDelay: .seconds(5)), failures: 3000)
        #expect(delays.allSatisfy { $0.map { $0 <= .seconds(5) } ?? false })
        if backoff != .none, backoff != .fixed { #expect(delays.last == .seconds(5)) }
    }

    @Test("an exponential back-off takes its factor", arguments: [(1.0, [2, 2, 2]), (3.0, [2, 6, 18])])
    func factor(factor: Double, seconds: [Int]) {
        #expect(Self.delays(Self.entry(.exponential, factor: factor), failures: 3) == seconds.map { .seconds($0) })
    }

    @Test("jitter stays within its bounds, differs from run to run, and is the same when asked again")
    func jitter() throws {
        for jitter in RetryEntry.Jitter.allCases where jitter != .none {
            let entry = Self.entry(.exponential, jitter: jitter)
            var seen: Set<Duration> = []
            for run in 0..<300 as Range<UInt64> {
                let delays = Self.delays(entry, failures: 5, run: run).compactMap { $0 }
                #expect(delays == Self.delays(entry, failures: 5, run: run).compactMap { $0 })
                var previous = Duration.seconds(2)
                for (count, delay) in delays.enumerated() {
                    let plain = Duration.seconds(2 << count)
                    switch jitter {
                    case .none: break
                    case .full: #expect(delay >= .zero && delay <= plain)
                    case .equal: #expect(delay >= plain / 2 && delay <= plain)
                    case .decorrelated: #expect(delay >= .seconds(2) && delay <= previous * 3)
                    }
                    previous = max(delay, .seconds(2))
                }
                seen.formUnion(delays.prefix(1))
            }
            #expect(seen.count > 290)
        }
    }

    @Test("jitter is spread evenly: the mean of the full kind is half the delay")
    func spread() {
        let entry = Self.entry(.fixed, jitter: .full)
        let total = (0..<2000 as Range<UInt64>).reduce(0.0) { $0 + (Self.delays(entry, failures: 1, run: $1)[0]?.seconds ?? 0) }
        #expect(abs(total / 2000 - 1) < 0.05)
    }

    @Test("a failure is followed by a back-off, a timer, and the next attempt on the same input")
    func backOff() throws {
        var story = try Story.started(.steps([.agent("a", with: ["n": "${{ input.n }}"], retry: Self.entry(.fixed, attempts: 3))]))
        try story.fail("a")
        #expect(story.said == ["attempt a failed", "back off a"])
        #expect(story.delay(of: "a") == .seconds(2))
        #expect(story.ready == [])
        try story.wait(.seconds(1))
        #expect(story.said == [])
        try story.wait(.seconds(1))
        #expect(story.said == ["wake a"])
        #expect(story.ready == ["a"])
        #expect(story.input(of: "a") == ["n": 1])
        try story.succeed("a", 7)
        #expect(story.output == 7)
        #expect(story.step("a")?.attempts == 2)
        #expect(story.attempts("a") == [.failed])
        #expect(story.step("a")?.startedAt == story.store.attempts.first?.outcome.claimedAt)
    }

    @Test("`maxAttempts` includes the first attempt, and the last failure is the step's")
    func maxAttempts() throws {
        var story = try Story.started(.steps([.agent("a", retry: Self.entry(.none, attempts: 3))]))
        try story.fail("a", .serverError, code: "1")
        #expect(story.said == ["attempt a failed", "requeue a"])
        try story.fail("a", .serverError, code: "2")
        try story.fail("a", .serverError, code: "3")
        #expect(story.said == ["dequeue a", "failed a", "end failed"])
        #expect(story.ending?.failure?.code == "3")
        #expect(story.ending?.failure?.attempt == 3)
        #expect(story.store.attempts.map(\.outcome.failure?.attempt) == [1, 2])
    }

    @Test(
        "without `on`, trouble that may pass is tried again, and what the request is to blame for is not", arguments: FailureType.allCases)
    func defaults(type: FailureType) {
        let passing: Set<FailureType> = [.timeout, .connect, .tls, .serverError, .rateLimited, .protocolError, .exit, .signal, .custom]
        let entry = RetryEntry(maxAttempts: 2)
        #expect(RetrySchedule.matches(entry, Failure(type: type, message: "")) == passing.contains(type))
        // A star is the same, written out.
        #expect(RetrySchedule.matches(RetryEntry(on: ["*"], maxAttempts: 2), Failure(type: type, message: "")) == passing.contains(type))
        // Named, anything is tried again.
        #expect(RetrySchedule.matches(RetryEntry(on: [type.rawValue], maxAttempts: 2), Failure(type: type, message: "")))
        #expect(!RetrySchedule.matches(RetryEntry(on: ["other"], maxAttempts: 2), Failure(type: type, message: "")))
    }

    @Test("`on` names types and codes")
    func onList() throws {
        let entry = RetryEntry(on: ["timeout", "409", "E_BUSY"], maxAttempts: 9, backoff: .none)
        var story = try Story.started(.steps([.agent("a", retry: entry)]))
        try story.fail("a", .timeout)
        try story.fail("a", .clientError, code: "409")
        try story.fail("a", .custom, code: "E_BUSY")
        #expect(story.ready == ["a"])
        try story.fail("a", .clientError, code: "404")
        #expect(story.ending?.failure?.code == "404")
        #expect(story.attempts("a") == [.timedOut, .failed, .failed])
    }

    @Test("the first entry that names a failure decides, and each entry counts its own")
    func severalEntries() throws {
        var story = try Story.started(
            .steps([
                .agent(
                    "a", retry: RetryEntry(on: ["timeout"], maxAttempts: 2, backoff: .none),
                    RetryEntry(on: ["5xx", "timeout"], maxAttempts: 3, backoff: .none))
            ]))
        try story.fail("a", .timeout)
        try story.fail("a", .serverError)
        try story.fail("a", .serverError)
        #expect(story.ready == ["a"])
        try story.fail("a", .timeout)
        #expect(story.ending?.failure?.type == .timeout)
        #expect(story.step("a")?.attempts == 4)
    }

    @Test("no attempt starts later than `maxElapsed` after the first one")
    func maxElapsed() throws {
        var entry = Self.entry(.fixed, delay: .seconds(4))
        entry.maxElapsed = .seconds(10)
        var story = try Story.started(.steps([.agent("a", retry: entry)]))
        try story.fail("a")
        try story.wait(.seconds(4))
        try story.fail("a")
        try story.wait(.seconds(4))
        #expect(story.ready == ["a"])
        try story.fail("a")
        #expect(story.ending?.status == .failed)
        #expect(story.step("a")?.attempts == 3)
    }

    @Test("what the agent asks for with Retry-After wins over the computed delay, up to a day")
    func retryAfter() throws {
        var story = try Story.started(.steps([.agent("a", retry: Self.entry(.none))]))
        try story.fail("a", .rateLimited, retryAfter: .seconds(17))
        #expect(story.delay(of: "a") == .seconds(17))
        try story.wait(.seconds(17))
        try story.fail("a", .rateLimited, retryAfter: .seconds(1_000_000))
        #expect(story.delay(of: "a") == .seconds(86_400))
        try story.wait(.seconds(86_400))
        try story.fail("a", .rateLimited, retryAfter: .seconds(-5))
        #expect(story.ready == ["a"])
    }

    @Test("Retry-After grants no attempt that the policy does not")
    func retryAfterAtTheEnd() throws {
        var story = try Story.started(.steps([.agent("a", retry: Self.entry(.none, attempts: 1))]))
        try story.fail("a", .rateLimited, retryAfter: .seconds(1))
        #expect(story.ending?.status == .failed)
    }

    @Test("a step's policy wins over the agent's, and the agent's over the file's")
    func precedence() throws {
        let policy = { (attempts: Int) in RetryPolicy(entries: [RetryEntry(maxAttempts: attempts, backoff: .none)]) }
        let agent = AgentDefinition(kind: .noop, retry: policy(3))
        let definition = WorkflowDefinition(
            name: "story", defaults: StepDefaults(retry: policy(2)), agents: [NamedAgent(name: "shared", agent: agent)],
            body: .steps([
                Step(id: "own", verb: .agent(.named("shared")), retry: policy(4), onError: .continue),
                Step(id: "agents", verb: .agent(.named("shared")), onError: .continue),
                Step(id: "files", verb: .agent(.inline(AgentDefinition(kind: .noop))), onError: .continue),
            ]))
        var story = try Story(definition)
        try story.fold()
        for (path, attempts) in [("own", 4), ("agents", 3), ("files", 2)] {
            while story.ready == [path] { try story.fail(path) }
            #expect(story.step(path)?.attempts == attempts)
        }
    }

    @Test("the policy is asked about the attempt's failure, never about that of the block which catches it")
    func caughtFailure() throws {
        let entry = RetryEntry(on: ["custom"], maxAttempts: 3, backoff: .none)
        let handler = Block.steps([.verb("no", .fail(Failing(message: "no", code: "E_NO")))])
        var story = try Story.started(.steps([.agent("a", retry: entry, onError: .catch(handler))]))
        try story.fail("a", .custom)
        #expect(story.ready == ["a"])
        #expect(story.status("a/catch.no") == nil)
        try story.fail("a", .clientError)
        #expect(story.attempts("a") == [.failed, .failed])
        #expect(story.step("a")?.failure?.type == .custom)
        #expect(story.ending?.failure?.code == "E_NO")
    }
}

@Suite struct LossTests {
    @Test("a lost worker uses up no attempt, and the step is ready again")
    func lost() throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(maxAttempts: 2, backoff: .none))]))
        try story.lose("a")
        #expect(story.said == ["attempt a lost", "requeue a"])
        try story.lose("a")
        try story.fail("a")
        try story.succeed("a", 1)
        #expect(story.step("a")?.attempts == 2)
        #expect(story.store.steps[StepPath("a")]?.losses == 2)
        #expect(story.attempts("a") == [.lost, .lost, .failed])
    }

    @Test("when too many workers were lost with a step, it is dead as poison")
    func poison() throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(on: ["lost", "poison"], maxAttempts: 50, backoff: .none))]))
        for _ in 0..<EngineDefaults.lossLimit { try story.lose("a") }
        #expect(story.ready == ["a"])
        try story.lose("a")
        #expect(story.ending?.failure?.type == .poison)
        #expect(story.ending?.failure?.path == StepPath("a"))
        #expect(story.step("a")?.attempts == 1)
        #expect(story.store.steps[StepPath("a")]?.losses == EngineDefaults.lossLimit + 1)
    }

    @Test("poison can be caught with `onError: continue`")
    func poisonCaught() throws {
        var story = try Story.started(.steps([.agent("a", onError: .continue), .set("b", "${{ steps.a.error.type }}")]))
        for _ in 0...EngineDefaults.lossLimit { try story.lose("a") }
        #expect(story.output == "poison")
    }

    @Test("what a draining worker gives back uses up nothing", arguments: [AttemptStatus.released, .cancelled])
    func released(status: AttemptStatus) throws {
        var story = try Story.started(.steps([.agent("a")]))
        for _ in 0..<20 {
            try story.settle("a", status)
            try story.fold()
            #expect(story.said == ["attempt a \(status)", "requeue a"])
        }
        try story.succeed("a")
        #expect(story.step("a")?.attempts == 1)
        #expect(story.store.steps[StepPath("a")]?.losses == 0)
    }

    @Test("an attempt that timed out counts like one that failed")
    func timedOut() throws {
        var story = try Story.started(.steps([.agent("a", retry: RetryEntry(maxAttempts: 2, backoff: .none))]))
        try story.fail("a", .timeout)
        #expect(story.said == ["attempt a timed_out", "requeue a"])
        try story.fail("a", .timeout)
        #expect(story.ending?.failure?.type == .timeout)
        #expect(story.ending?.status == .failed)
    }

    @Test("an outcome without a failure is a failure of its own")
    func noFailure() throws {
        var story = try Story.started(.steps([.agent("a")]))
        try story.settle("a", .failed)
        try story.fold()
        #expect(story.ending?.failure?.type == .custom)
    }
}
