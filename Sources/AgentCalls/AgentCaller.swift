// Carries out one agent call: prepares it, watches the time, and makes a result of whatever happens.
import AsyncHTTPClient
import Expressions
import Synchronization
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Calls agents. One for a process; calls run side by side and share connections and compiled templates.
///
/// Nothing that an agent does is thrown: it all becomes a `Failure` in the result. Cancelling the task that performs a call cancels the
/// call: connections are closed, process groups are ended, and only then does `perform` return.
public final class AgentCaller: Sendable {
    /// The most agents whose compiled templates are kept.
    static let mostCompiledAgents = 1024

    let settings: AgentCallSettings
    let clients: HTTPClients
    let guardKeeper: GuardKeeper
    private let clock: any Clock<Duration>
    private let compiled = Mutex<[AgentDefinition: Result<CompiledAgent, ExpressionError>]>([:])

    /// A caller. `clock` measures time-outs; nil is the continuous one.
    public init(settings: AgentCallSettings = AgentCallSettings(), clock: (any Clock<Duration>)? = nil) {
        self.settings = settings
        self.clock = clock ?? TimerClock()
        clients = HTTPClients(settings: settings)
        guardKeeper = GuardKeeper(arguments: settings.guardArguments)
        // A process that closes its standard input early must not end this one. Children get the default back when they are started.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Carries out one call. Returns when the agent has answered or failed, when the time is up, or when the task is cancelled.
    public func perform(_ call: AgentCall) async -> AgentResult {
        let startedAt = SystemClock.now()
        let began = ContinuousClock.now
        let attempt = await attempt(call)
        return AgentResult(
            outcome: attempt.outcome(attempt: call.attempt), log: attempt.log, details: attempt.details, startedAt: startedAt,
            duration: ContinuousClock.now - began)
    }

    /// Closes all connections. Calls that are still running fail. Must be called before the caller is given up.
    public func shutdown() async throws {
        try await clients.shutdown()
    }

    // MARK: The race with the time

    private enum Ending: Sendable {
        case carriedOut(Attempt)
        case timeOver
        case timerStopped
    }

    private func attempt(_ call: AgentCall) async -> Attempt {
        guard !Task.isCancelled else { return Attempt(.cancelled) }
        // What answers at once needs no clock beside it.
        if case .noop = call.agent.kind { return await carryOut(call) }
        return await withTaskGroup(of: Ending.self) { group in
            group.addTask { .carriedOut(await self.carryOut(call)) }
            group.addTask {
                do {
                    try await self.clock.sleep(for: max(call.timeout, .zero))
                    return .timeOver
                } catch {
                    return .timerStopped  // the call was faster, or everything was cancelled
                }
            }
            var attempt: Attempt?
            var isTimeOver = false
            for await ending in group {
                switch ending {
                case .carriedOut(let ended):
                    attempt = ended
                    group.cancelAll()
                case .timeOver:
                    isTimeOver = attempt == nil
                    group.cancelAll()
                case .timerStopped: break
                }
            }
            var ended = attempt ?? Attempt(.cancelled)
            if isTimeOver {
                let limit = DurationText.format(max(call.timeout, .milliseconds(1)))
                ended.ending = .timedOut(Failure(type: .timeout, message: "The agent did not answer within \(limit)."))
            } else if Task.isCancelled, !ended.isSuccess {
                ended.ending = .cancelled
            }
            return ended
        }
    }

    private func carryOut(_ call: AgentCall) async -> Attempt {
        do throws(CallFailure) {
            switch try compiledAgent(call.agent) {
            case .http(let agent):
                return await perform(try agent.request(for: call, settings: settings), agent)
            case .exec(let agent):
                return await perform(try agent.process(for: call, settings: settings), agent)
            case .noop:
                guard settings.allowNoop else {
                    throw CallFailure(.limit, .notAllowed, "This worker does not carry out agents of the kind noop.")
                }
                return Attempt(.succeeded(call.with))
            }
        } catch {
            return Attempt(.failed(error.failure))
        }
    }

    // The table is emptied when it is full: agents are few, and whoever brings thousands pays for compiling them again.
    private func compiledAgent(_ agent: AgentDefinition) throws(CallFailure) -> CompiledAgent {
        let known = compiled.withLock { compiled in compiled[agent] }
        let result: Result<CompiledAgent, ExpressionError>
        if let known {
            result = known
        } else {
            do {
                result = .success(try CompiledAgent(agent))
            } catch {
                result = .failure(error)
            }
            compiled.withLock { compiled in
                if compiled.count >= Self.mostCompiledAgents { compiled = [:] }
                compiled[agent] = result
            }
        }
        switch result {
        case .success(let agent): return agent
        case .failure(let error):
            throw CallFailure(.expression, nil, "A template of the agent is not valid: \(error)")
        }
    }
}

/// One carried-out call before it becomes a result.
struct Attempt: Sendable {
    enum Ending: Sendable {
        case succeeded(JSONText)
        case failed(Failure)
        case timedOut(Failure)
        case cancelled
    }

    var ending: Ending
    var log: String?
    var details: JSONText?

    init(_ ending: Ending, log: String? = nil, details: JSONText? = nil) {
        self.ending = ending
        self.log = log
        self.details = details
    }

    var isSuccess: Bool {
        switch ending {
        case .succeeded: true
        case .failed, .timedOut, .cancelled: false
        }
    }

    func outcome(attempt: Int) -> AgentResult.Outcome {
        func numbered(_ failure: Failure) -> Failure {
            var failure = failure
            failure.attempt = attempt
            return failure
        }
        switch ending {
        case .succeeded(let result): return .succeeded(result)
        case .failed(let failure): return .failed(numbered(failure))
        case .timedOut(let failure): return .timedOut(numbered(failure))
        case .cancelled: return .cancelled
        }
    }
}
