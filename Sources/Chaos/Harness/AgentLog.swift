// What an agent knows of its calls: shared with its connections, which may outlive it by a moment.

import Foundation
import Synchronization
import WorkflowModel

/// The calls of an agent.
final class AgentLog: Sendable {
    private struct State {
        var calls: [AgentCall] = []
        // The places of calls that may still be answered.
        var open: Set<Int> = []
        // For each key: how often it was called, without the calls that came to nothing by the agent's own fault.
        var starts: [String: Int] = [:]
        // The places of calls that the agent lets hang.
        var hanging: Set<Int> = []
    }

    private let state = Mutex(State())
    private let recorder: Recorder?

    init(_ recorder: Recorder?) { self.recorder = recorder }

    var calls: [AgentCall] { state.withLock { $0.calls } }

    func begin(_ call: AgentCall) -> Int {
        recorder?.write(
            "call",
            [
                "key": .string(call.key), "fence": .int(call.fence), "run": .string(call.run), "step": .string(call.step),
                "attempt": .int(Int64(call.attempt)),
            ])
        return state.withLock { state in
            state.calls.append(call)
            state.starts[call.key, default: 0] += 1
            state.open.insert(state.calls.count - 1)
            return state.calls.count - 1
        }
    }

    /// The agent will not answer, or not well.
    func excuse(_ number: Int) { state.withLock { $0.starts[$0.calls[number].key, default: 1] -= 1 } }

    /// The agent will never answer. It is its own fault when the caller's patience ends, and not when something else ends the call.
    func hang(_ number: Int) { state.withLock { _ = $0.hanging.insert(number) } }

    private static let patience: ClosedRange<Duration> = .seconds(Trouble.patienceSeconds) - .milliseconds(200) ... .seconds(Trouble.patienceSeconds) + .milliseconds(500)

    func answer(_ number: Int, _ kind: String, status: Int, body: String) {
        let (key, fence) = state.withLock { state in
            state.calls[number].answered = .now
            state.open.remove(number)
            return (state.calls[number].key, state.calls[number].fence)
        }
        recorder?.write(
            "answer", ["key": .string(key), "fence": .int(fence), "kind": .string(kind), "status": .int(Int64(status)), "body": .string(body)])
    }

    func breakOff(_ number: Int) {
        let call: AgentCall? = state.withLock { state in
            guard state.calls[number].answered == nil else { return nil }
            state.calls[number].brokenOff = .now
            state.open.remove(number)
            let call = state.calls[number]
            if state.hanging.remove(number) != nil, Self.patience.contains(.now - call.begun) { state.starts[call.key, default: 1] -= 1 }
            return call
        }
        if let call { recorder?.write("broken", ["key": .string(call.key), "fence": .int(call.fence)]) }
    }

    // MARK: Moments

    /// The places of the calls that may still be answered.
    var openCalls: Set<Int> { state.withLock { $0.open } }

    /// Whether a call is under way whose callers were lost so often before.
    func isImperilled(after losses: Int) -> Bool {
        state.withLock { state in state.open.contains { (state.starts[state.calls[$0].key] ?? 0) > losses } }
    }

    /// Whether one of these calls was answered, and somebody else is at work on the same step all the same. Of a worker that was killed the
    /// connection is gone, so whoever was answered stands still.
    func isWithOthers(_ stopped: Set<Int>) -> Bool {
        state.withLock { state in
            var answered: [String: Int64] = [:]
            for number in stopped where state.calls[number].answered != nil { answered[state.calls[number].key] = state.calls[number].fence }
            return state.open.contains { number in answered[state.calls[number].key].map { $0 < state.calls[number].fence } ?? false }
        }
    }
}
