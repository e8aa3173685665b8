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

    private let known = Mutex<[Key: StepCall]>([:])
    private let pool: PostgresPool
    private static let capacity = 50_000

    init(pool: PostgresPool) { self.pool = pool }

    /// The step's call; throws when the database cannot be asked.
    func call(for task: ClaimedTask) async throws -> FoundCall {
        let key = Key(version: task.version, stepIndex: task.stepIndex)
        if let call = known.withLock({ $0[key] }) { return .success(call) }
        let text = try await pool.withConnection { connection in
            try await TaskQueue.stepCall(version: task.version, stepIndex: task.stepIndex, on: connection)
        }
        guard let document = text?.value, let agent = document["agent"].flatMap({ DefinitionDecoder.decode(agent: $0) }),
            let milliseconds = document["timeoutMilliseconds"]?.intValue
        else {
            return .failure(
                Failure(type: .custom, code: "E_AGENT_UNKNOWN", message: "this release of the worker does not understand the step's agent"))
        }
        let call = StepCall(agent: agent, timeout: .milliseconds(milliseconds))
        known.withLock { known in
            if known.count >= Self.capacity { known.removeAll() }
            known[key] = call
        }
        return .success(call)
    }
}
