// What example tests are written with: steps with good defaults, and a run that is led through its life.

import Engine
import Testing
import WorkflowModel

extension Step {
    static func agent(
        _ id: String, needs: [String] = [], if condition: String? = nil, with: JSONValue? = nil, result: JSONValue? = nil,
        output: JSONValue? = nil, retry: RetryEntry..., onError: ErrorHandling = .fail
    ) -> Step {
        Step(
            id: id, verb: .agent(.inline(AgentDefinition(kind: .noop))), condition: condition, needs: needs, with: with,
            resultSchema: result, output: output, retry: retry.isEmpty ? nil : RetryPolicy(entries: retry), onError: onError)
    }

    static func set(
        _ id: String, _ value: JSONValue, needs: [String] = [], if condition: String? = nil, output: JSONValue? = nil,
        onError: ErrorHandling = .fail
    ) -> Step {
        Step(id: id, verb: .set(value), condition: condition, needs: needs, output: output, onError: onError)
    }

    static func block(
        _ id: String, _ block: Block, needs: [String] = [], if condition: String? = nil, output: JSONValue? = nil,
        onError: ErrorHandling = .fail
    ) -> Step {
        Step(id: id, verb: .block(block), condition: condition, needs: needs, output: output, onError: onError)
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
        said = Array(store.journal[before...])
    }

    // MARK: Workers

    /// A worker takes the step's task.
    @discardableResult
    mutating func claim(_ path: String) throws -> ModelStore.Lease {
        let node = try #require(store.outline.index(of: StepPath(path)))
        let lease = store.claim(node)
        return try #require(lease, "\(path) cannot be claimed")
    }

    /// The attempt under way, or a new one, ends; the fold is for the caller.
    mutating func settle(_ path: String, _ status: AttemptStatus, output: JSONValue? = nil, failure: Failure? = nil) throws {
        let node = try #require(store.outline.index(of: StepPath(path)))
        let lease: ModelStore.Lease
        if store.tasks[node]?.state == .leased, let held = store.tasks[node]?.lease { lease = held } else { lease = try claim(path) }
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
        guard let node = store.outline.index(of: StepPath(path)), let dueAt = store.backoffs[node] else { return nil }
        return dueAt - store.now
    }

    // MARK: What became of it

    func step(_ path: String) -> SettledFacts? {
        store.outline.index(of: StepPath(path)).flatMap { store.steps[$0]?.settled }
    }

    func status(_ path: String) -> StepStatus? { step(path)?.status }

    func input(of path: String) -> JSONValue? {
        store.outline.index(of: StepPath(path)).flatMap { store.tasks[$0]?.input.value }
    }

    /// The steps that a worker may claim now.
    var ready: [String] { store.claimable.map { store.outline.entries[$0].path.text } }

    var ending: RunEnding? { store.ending }
    var output: JSONValue? { store.ending?.output?.value }

    /// The statuses of the attempts that did not settle the step.
    func attempts(_ path: String) -> [AttemptStatus] {
        store.attempts.filter { $0.path.text == path }.map(\.outcome.status)
    }
}
