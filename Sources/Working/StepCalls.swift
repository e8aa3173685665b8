// What a step of a version asks for. Versions are immutable, so it is asked for once and kept.

import Definitions
import Postgres
import Synchronization
import TaskQueue
import WorkflowModel

/// An agent and its limit, as the version has it.
struct StepCall: Sendable {
    let agent: AgentDefinition
    let timeout: Duration
}

/// What a look for a step's call found.
enum FoundCall: Sendable {
    case success(StepCall)
    /// This release does not understand the step; a failure is data here, not an error of the program.
    case failure(Failure)
}

final class StepCalls: Sendable {
    private struct Key: Hashable {
        let version: VersionID
        let stepIndex: Int
    }

    private struct State {
        var known: [Key: StepCall] = [:]
        // Asked for at this moment: whoever needs the same waits for the same answer.
        var asked: [Key: Task<[Key: StepCall], any Error>] = [:]
    }

    private let state = Mutex(State())
    private let pool: PostgresPool
    private static let capacity = 50_000

    init(pool: PostgresPool) { self.pool = pool }

    /// Asks for what is not known of these tasks' steps, in one query.
    func expect(_ tasks: [ClaimedTask]) {
        state.withLock { state in
            let keys = tasks.map { Key(version: $0.version, stepIndex: $0.stepIndex) }
            Self.ask(Set(keys.filter { state.known[$0] == nil && state.asked[$0] == nil }), of: self, &state)
        }
    }

    /// The step's call; throws when the database cannot be asked.
    func call(for task: ClaimedTask) async throws -> FoundCall {
        let key = Key(version: task.version, stepIndex: task.stepIndex)
        let (known, asked) = state.withLock { state -> (StepCall?, Task<[Key: StepCall], any Error>?) in
            if let known = state.known[key] { return (known, nil) }
            if state.asked[key] == nil { Self.ask([key], of: self, &state) }
            return (nil, state.asked[key])
        }
        if let known { return .success(known) }
        return try await asked?.value[key].map { .success($0) } ?? Self.notUnderstood
    }

    private static func ask(_ keys: Set<Key>, of calls: StepCalls, _ state: inout State) {
        guard !keys.isEmpty else { return }
        let asked = Task { try await calls.ask(keys) }
        for key in keys { state.asked[key] = asked }
    }

    private func ask(_ keys: Set<Key>) async throws -> [Key: StepCall] {
        defer { state.withLock { state in for key in keys { state.asked[key] = nil } } }
        let rows = try await pool.withConnection { connection in
            try await TaskQueue.stepCalls(of: keys.map { ($0.version, $0.stepIndex) }, on: connection)
        }
        var found: [Key: StepCall] = [:]
        for (version, stepIndex, call) in rows {
            let document = call.value
            guard let agent = document["agent"].flatMap({ DefinitionDecoder.decode(agent: $0) }),
                let milliseconds = document["timeoutMilliseconds"]?.intValue
            else { continue }
            found[Key(version: version, stepIndex: stepIndex)] = StepCall(agent: agent, timeout: .milliseconds(milliseconds))
        }
        state.withLock { state in
            if state.known.count + found.count > Self.capacity { state.known.removeAll() }
            state.known.merge(found) { $1 }
        }
        return found
    }

    private static let notUnderstood = FoundCall.failure(
        Failure(type: .custom, code: "E_AGENT_UNKNOWN", message: "this release of the worker does not understand the step's agent"))
}
