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
        var asked: [Key: Task<FoundCall, any Error>] = [:]
    }

    private let state = Mutex(State())
    private let pool: PostgresPool
    private static let capacity = 50_000

    init(pool: PostgresPool) { self.pool = pool }

    /// The step's call; throws when the database cannot be asked.
    func call(for task: ClaimedTask) async throws -> FoundCall {
        let key = Key(version: task.version, stepIndex: task.stepIndex)
        let (known, asked) = state.withLock { state -> (StepCall?, Task<FoundCall, any Error>?) in
            if let known = state.known[key] { return (known, nil) }
            let asked = state.asked[key] ?? Task { try await self.ask(key) }
            state.asked[key] = asked
            return (nil, asked)
        }
        if let known { return .success(known) }
        return try await asked?.value ?? Self.notUnderstood
    }

    private func ask(_ key: Key) async throws -> FoundCall {
        defer { state.withLock { _ = $0.asked.removeValue(forKey: key) } }
        let text = try await pool.withConnection { connection in
            try await TaskQueue.stepCall(version: key.version, stepIndex: key.stepIndex, on: connection)
        }
        guard let document = text?.value, let agent = document["agent"].flatMap({ DefinitionDecoder.decode(agent: $0) }),
            let milliseconds = document["timeoutMilliseconds"]?.intValue
        else { return Self.notUnderstood }
        let call = StepCall(agent: agent, timeout: .milliseconds(milliseconds))
        state.withLock { state in
            if state.known.count >= Self.capacity { state.known.removeAll() }
            state.known[key] = call
        }
        return .success(call)
    }

    private static let notUnderstood = FoundCall.failure(
        Failure(type: .custom, code: "E_AGENT_UNKNOWN", message: "this release of the worker does not understand the step's agent"))
}
