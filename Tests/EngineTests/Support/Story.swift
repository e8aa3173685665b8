// What example tests are written with: steps with good defaults, and a run that is led through its life.

import Engine
import Testing
import WorkflowModel

extension Step {
    static func agent(
        _ id: String, needs: [String] = [], if condition: String? = nil, when: RunRule? = nil, loop: Loop? = nil, with: JSONValue? = nil,
        result: JSONValue? = nil, output: JSONValue? = nil, total: Duration? = nil, retry: RetryEntry..., onError: ErrorHandling = .fail
    ) -> Step {
        Step(
            id: id, verb: .agent(.inline(AgentDefinition(kind: .noop))), condition: condition, needs: needs, when: when, loop: loop,
            with: with, resultSchema: result, output: output, totalTimeout: total,
            retry: retry.isEmpty ? nil : RetryPolicy(entries: retry), onError: onError)
    }

    static func set(
        _ id: String, _ value: JSONValue, needs: [String] = [], if condition: String? = nil, when: RunRule? = nil, loop: Loop? = nil,
        output: JSONValue? = nil, onError: ErrorHandling = .fail
    ) -> Step {
        Step(
            id: id, verb: .set(value), condition: condition, needs: needs, when: when, loop: loop, output: output, onError: onError)
    }

    static func block(
        _ id: String, _ block: Block, needs: [String] = [], if condition: String? = nil, when: RunRule? = nil, loop: Loop? = nil,
        output: JSONValue? = nil, timeout: Duration? = nil, onError: ErrorHandling = .fail
    ) -> Step {
        Step(
            id: id, verb: .block(block), condition: condition, needs: needs, when: when, loop: loop, output: output, timeout: timeout,
            onError: onError)
    }

    /// Any other verb.
    static func verb(
        _ id: String, _ verb: Verb, needs: [String] = [], if condition: String? = nil, when: RunRule? = nil, loop: Loop? = nil,
        with: JSONValue? = nil, result: JSONValue? = nil, output: JSONValue? = nil, timeout: Duration? = nil, total: Duration? = nil,
        onTimeout: ErrorHandling = .fail, retry: RetryEntry..., onError: ErrorHandling = .fail
    ) -> Step {
        Step(
            id: id, verb: verb, condition: condition, needs: needs, when: when, loop: loop, with: with, resultSchema: result,
            output: output, timeout: timeout, totalTimeout: total, onTimeout: onTimeout,
            retry: retry.isEmpty ? nil : RetryPolicy(entries: retry), onError: onError)
    }

    static func parallel(
        _ id: String, _ branches: [(String, Block)], join: JoinPolicy = JoinPolicy(), output: JSONValue? = nil, needs: [String] = [],
        onError: ErrorHandling = .fail
    ) -> Step {
        .verb(
            id, .parallel(Parallel(branches: branches.map { Branch(name: $0.0, block: $0.1) }, join: join, output: output)), needs: needs,
            onError: onError)
    }

    static func await(
        _ id: String, _ events: String..., key: JSONValue? = nil, match: String? = nil, output: JSONValue? = nil, timeout: Duration? = nil,
        onTimeout: ErrorHandling = .fail, onError: ErrorHandling = .fail
    ) -> Step {
        .verb(
            id, .await(EventWait(patterns: events.map { EventPattern(event: $0, match: match) }, key: key)), output: output,
            timeout: timeout, onTimeout: onTimeout, onError: onError)
    }
}

extension Loop {
    static func each(
        _ items: JSONValue, as variable: String = "item", at once: Int? = 1, join: JoinPolicy = JoinPolicy(), batch: Int? = nil,
        every: Duration? = nil, collect: Collection = .list, breakIf: String? = nil
    ) -> Loop {
        Loop(
            source: .each(items), variable: variable, every: every, batch: batch, maxParallel: once, join: join, collect: collect,
            breakIf: breakIf)
    }
}

/// A run under way. Every fold is decided with all kinds of frames, and every promise is checked after it.
struct Story {
    var store: ModelStore
    /// The commands of the last fold.
    private(set) var said: [String] = []

    init(_ body: Block, output: JSONValue? = nil, input: JSONValue = ["n": 1], timeout: Duration? = nil) throws {
        try self.init(WorkflowDefinition(name: "story", output: output, timeout: timeout, body: body), input: input)
    }

    init(_ definition: WorkflowDefinition, input: JSONValue = ["n": 1]) throws {
        store = try ModelStore(definition, input: input)
    }

    /// A run that has started.
    static func started(
        _ body: Block, output: JSONValue? = nil, input: JSONValue = ["n": 1], timeout: Duration? = nil
    ) throws -> Story {
        var story = try Story(body, output: output, input: input, timeout: timeout)
        try story.fold()
        return story
    }

    mutating func fold() throws {
        let before = store.journal.count
        try store.fold()
        // What was decided upon what is in the events.
        said = store.journal[before...].filter { $0 != "event decision" }
    }

    // MARK: Workers

    /// A worker takes the step's task.
    @discardableResult
    mutating func claim(_ path: String) throws -> ModelStore.Lease {
        let lease = store.claim(StepPath(path))
        return try #require(lease, "\(path) cannot be claimed")
    }

    /// The attempt under way, or a new one, ends; the fold is for the caller.
    mutating func settle(_ path: String, _ status: AttemptStatus, output: JSONValue? = nil, failure: Failure? = nil) throws {
        let lease: ModelStore.Lease
        let row = store.tasks[StepPath(path)]
        if row?.state == .leased, let held = row?.lease { lease = held } else { lease = try claim(path) }
        let held = store.settle(lease, status, output: output.map { JSONText($0) }, failure: failure)
        #expect(held)
    }

    mutating func succeed(_ path: String, _ output: JSONValue = "done") throws {
        try settle(path, .succeeded, output: output)
        try fold()
    }

    mutating func fail(
        _ path: String, _ type: FailureType = .serverError, code: String? = nil, retryAfter: Duration? = nil
    ) throws {
        let failure = Failure(type: type, code: code, message: "\(path) broke", retryAfter: retryAfter)
        try settle(path, type == .timeout ? .timedOut : .failed, failure: failure)
        try fold()
    }

    mutating func lose(_ path: String) throws {
        try settle(path, .lost, failure: Failure(type: .lost, message: "the worker was lost in mid-call"))
        try fold()
    }

    mutating func release(_ path: String) throws {
        try settle(path, .released)
        try fold()
    }

    // MARK: Events and children

    mutating func signal(_ name: String, _ data: JSONValue = [:], key: String? = nil) throws {
        store.signal(name, data, key: key)
        try fold()
    }

    mutating func endChild(_ path: String, _ status: RunStatus = .succeeded, output: JSONValue? = nil, failure: Failure? = nil) throws {
        #expect(store.children[StepPath(path)] != nil, "\(path) has no child")
        store.endChild(StepPath(path), status, output: output, failure: failure)
        try fold()
    }

    mutating func adjust(_ path: String, _ change: LoopAdjustment) throws {
        store.orders.append(.adjust(StepPath(path), change))
        try fold()
    }

    /// The events of a kind that happened to the run.
    func events(_ kind: String) -> [JSONValue] { store.events.filter { $0.kind == kind }.map { $0.body ?? .null } }

    // MARK: Orders and time

    mutating func cancel(_ reason: String? = nil) throws {
        store.cancel(reason: reason)
        try fold()
    }

    /// Time passes, and what is due is folded.
    mutating func wait(_ duration: Duration) throws {
        store.now = store.now + duration
        try fold()
    }

    /// How long the step's back-off takes from now on; nil when it does not wait.
    func delay(of path: String) -> Duration? {
        due(path, .backoff)
    }

    /// How long a timer takes from now on.
    func due(_ path: String, _ kind: TimerKind) -> Duration? {
        store.timers[ModelStore.TimerKey(path: StepPath(path), kind: kind)].map { $0.dueAt - store.now }
    }

    // MARK: What became of it

    func step(_ path: String) -> SettledFacts? {
        store.steps[StepPath(path)]?.settled
    }

    func status(_ path: String) -> StepStatus? { step(path)?.status }

    func input(of path: String) -> JSONValue? {
        store.tasks[StepPath(path)]?.input.value
    }

    /// The steps that a worker may claim now.
    var ready: [String] { store.claimable.map(\.text) }

    var ending: RunEnding? { store.ending }
    var output: JSONValue? { store.ending == nil ? nil : store.output?.value }

    /// The statuses of the attempts that did not settle the step.
    func attempts(_ path: String) -> [AttemptStatus] {
        store.attempts.filter { $0.path.text == path }.map(\.outcome.status)
    }
}
