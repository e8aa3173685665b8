// What went wrong, as data: it is stored, shown and decided upon, and never thrown.

/// The closed list of what can go wrong with a step.
public enum FailureType: String, Sendable, Hashable, CaseIterable {
    /// The attempt, the step or the run took longer than it may.
    case timeout
    /// No connection to the agent could be made.
    case connect
    /// The agent's certificate or TLS parameters were refused.
    case tls
    /// The agent says that the request is wrong (HTTP 400 to 499 but 408, 425 and 429).
    case clientError = "4xx"
    /// The agent says that it is in trouble (HTTP 500 to 599, 408, 425).
    case serverError = "5xx"
    /// The agent asks for fewer calls (HTTP 429).
    case rateLimited
    /// The agent's answer breaks the protocol: it is cut off, or is not what it claims to be.
    case protocolError = "protocol"
    /// A value is larger than it may be.
    case tooLarge
    /// A value does not match its schema.
    case schema
    /// A process ended with an exit code other than zero.
    case exit
    /// A process was ended by a signal.
    case signal
    /// The worker was lost.
    case lost
    /// An expression could not be evaluated.
    case expression
    /// The answer cannot be stored (NUL in text, a number nobody can hold, lone surrogates).
    case unstorable
    /// The step or the run was cancelled.
    case cancelled
    /// A limit refused it.
    case limit
    /// Too many workers were lost with this step.
    case poison
    /// A `fail` step, or an agent's own error code.
    case custom
}

/// A failure of a step or a run.
public struct Failure: Sendable, Hashable {
    /// The kind of failure, from the closed list.
    public var type: FailureType
    /// What the agent or the engine calls it (an HTTP status, an exit code, `E_RESULT_UNSTORABLE`); may be absent.
    public var code: String?
    /// A sentence for people. It may be shown to anybody who may see the run.
    public var message: String
    /// The step that failed first, where it is another one than the step that carries this failure.
    public var path: StepPath?
    /// The attempt that failed, counted from 1; 0 where no attempt was made.
    public var attempt: Int
    /// How long the agent asks to wait before the next call.
    public var retryAfter: Duration?

    /// A failure.
    public init(
        type: FailureType, code: String? = nil, message: String, path: StepPath? = nil, attempt: Int = 0, retryAfter: Duration? = nil
    ) {
        self.type = type
        self.code = code
        self.message = message
        self.path = path
        self.attempt = attempt
        self.retryAfter = retryAfter
    }

    /// The failure as expressions (`error`, `steps.x.error`), the API and the tables show it.
    public var json: JSONValue {
        var object = JSONObject()
        object["type"] = .string(type.rawValue)
        if let code { object["code"] = .string(code) }
        object["message"] = .string(message)
        if let path { object["path"] = .string(path.text) }
        if attempt > 0 { object["attempt"] = .int(Int64(attempt)) }
        if let retryAfter { object["retryAfterSeconds"] = .double(retryAfter.seconds) }
        return .object(object)
    }

    /// Reads what `json` wrote. A type that this release does not know reads as `custom`, with the type as its code.
    public init(json: JSONValue) {
        let object = json.objectValue ?? JSONObject()
        let typeText = object["type"]?.stringValue ?? FailureType.custom.rawValue
        let known = FailureType(rawValue: typeText)
        self.init(
            type: known ?? .custom,
            code: object["code"]?.stringValue ?? (known == nil ? typeText : nil),
            message: object["message"]?.stringValue ?? "",
            path: object["path"]?.stringValue.map { StepPath($0) },
            attempt: object["attempt"]?.intValue.map { Int(clamping: $0) } ?? 0,
            retryAfter: object["retryAfterSeconds"]?.doubleValue.map { Duration(seconds: $0) })
    }
}
