// One call of an agent, and what came of it, as data.
public import Telemetry
public import WorkflowModel

/// Everything that one attempt needs to be carried out.
public struct AgentCall: Sendable, Hashable {
    /// The agent.
    public var agent: AgentDefinition
    /// What the agent is given.
    public var with: JSONText
    /// The run that the attempt belongs to.
    public var runID: RunID
    /// The step.
    public var path: StepPath
    /// Which attempt it is, counted from 1.
    public var attempt: Int
    /// The proof of the lease under which the attempt runs. Agents that write somewhere can use it to refuse late writers.
    public var fence: Fence
    /// The same for all attempts of the step, so that an agent can recognise a repetition.
    public var idempotencyKey: String
    /// How long the attempt may take, from here to the checked answer.
    public var timeout: Duration
    /// The trace context, sent as the header field `traceparent`; nil sends none.
    public var trace: TraceContext?

    /// A call.
    public init(
        agent: AgentDefinition, with: JSONText, runID: RunID, path: StepPath, attempt: Int, fence: Fence, idempotencyKey: String,
        timeout: Duration, trace: TraceContext? = nil
    ) {
        self.agent = agent
        self.with = with
        self.runID = runID
        self.path = path
        self.attempt = attempt
        self.fence = fence
        self.idempotencyKey = idempotencyKey
        self.timeout = timeout
        self.trace = trace
    }
}

/// What came of a call.
public struct AgentResult: Sendable, Hashable {
    /// How the call ended.
    public enum Outcome: Sendable, Hashable {
        /// The agent answered; the answer can be stored.
        case succeeded(JSONText)
        /// The agent failed, or its answer is of no use.
        case failed(Failure)
        /// The time was up before the answer was there.
        case timedOut(Failure)
        /// The caller's task was cancelled.
        case cancelled

        /// The word that metrics and logs use.
        public var name: String {
            switch self {
            case .succeeded: "succeeded"
            case .failed: "failed"
            case .timedOut: "timedOut"
            case .cancelled: "cancelled"
            }
        }
    }

    /// How the call ended.
    public var outcome: Outcome
    /// What a process wrote to its standard error; where it was too much, the beginning and the end. Nil where there was nothing.
    public var log: String?
    /// What is known of the protocol, to be kept with the attempt: the HTTP status, chosen header fields and timing, or the exit code.
    public var details: JSONText?
    /// When the call began, by this machine's clock.
    public var startedAt: Timestamp
    /// How long it took.
    public var duration: Duration

    /// A result.
    public init(outcome: Outcome, log: String? = nil, details: JSONText? = nil, startedAt: Timestamp, duration: Duration) {
        self.outcome = outcome
        self.log = log
        self.details = details
        self.startedAt = startedAt
        self.duration = duration
    }
}

/// The codes that failures of calls carry where the agent has none of its own. Each is stable: retry policies name them.
public enum AgentFailureCode: String, Sendable, Hashable, CaseIterable {
    /// The answer is valid but cannot be stored: U+0000, half a surrogate pair, a key twice, a number out of range, nested too deep.
    case resultUnstorable = "E_RESULT_UNSTORABLE"
    /// The answer claims to be JSON, or has to be, and is not.
    case resultNotJSON = "E_RESULT_NOT_JSON"
    /// The answer is text that is not UTF-8.
    case resultNotText = "E_RESULT_NOT_TEXT"
    /// The answer is longer than it may be.
    case resultTooLarge = "E_RESULT_TOO_LARGE"
    /// The agent's `success` expression says no, although the status says yes.
    case notSuccessful = "E_NOT_SUCCESSFUL"
    /// The connection ended before the answer was complete. The agent may have done its work.
    case connectionClosed = "E_CONNECTION_CLOSED"
    /// The answer is no HTTP.
    case notHTTP = "E_NOT_HTTP"
    /// Redirected too often, to another origin, or with a status that would lose the request.
    case redirect = "E_REDIRECT"
    /// The agent's address, as it came out of its template, is not one that may be called.
    case urlInvalid = "E_URL_INVALID"
    /// A header field, as it came out of its template, cannot be sent.
    case headerInvalid = "E_HEADER_INVALID"
    /// A secret that the agent names is not known to this worker.
    case secretMissing = "E_SECRET_MISSING"
    /// The worker does not allow this executable, environment variable or kind of agent.
    case notAllowed = "E_NOT_ALLOWED"
    /// The executable does not exist on this worker, or is none.
    case executableNotFound = "E_EXECUTABLE_NOT_FOUND"
    /// The process could not be started.
    case spawnFailed = "E_SPAWN_FAILED"
    /// A template of the agent gave a value of the wrong kind.
    case templateKind = "E_TEMPLATE_KIND"
}

/// A failure on its way to `AgentResult`. Inside this target only; callers never see it thrown.
struct CallFailure: Error {
    let failure: Failure

    init(_ failure: Failure) { self.failure = failure }

    init(_ type: FailureType, _ code: AgentFailureCode?, _ message: String) {
        failure = Failure(type: type, code: code?.rawValue, message: message)
    }
}
