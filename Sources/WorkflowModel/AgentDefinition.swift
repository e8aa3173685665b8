// What does work outside: an HTTP endpoint, a local process, or nothing at all (benchmarks).

/// An agent: how it is called, and what a step that says nothing itself inherits.
public struct AgentDefinition: Sendable, Hashable {
    /// The protocol and its settings.
    public var kind: AgentKind
    /// The time-out of one attempt.
    public var timeout: Duration?
    /// The retry policy.
    public var retry: RetryPolicy?

    /// An agent.
    public init(kind: AgentKind, timeout: Duration? = nil, retry: RetryPolicy? = nil) {
        self.kind = kind
        self.timeout = timeout
        self.retry = retry
    }
}

/// The protocols by which agents are called.
public enum AgentKind: Sendable, Hashable {
    /// Plain HTTP.
    case http(HTTPAgent)
    /// A local process.
    case exec(ExecAgent)
    /// Answers at once with what it was given. For tests and benchmarks only.
    case noop

    /// The word by which the file calls it.
    public var name: String {
        switch self {
        case .http: "http"
        case .exec: "exec"
        case .noop: "noop"
        }
    }
}

/// An agent behind an HTTP endpoint. Strings may be templates with `with` in scope, and `secrets.NAME` in `headers`.
public struct HTTPAgent: Sendable, Hashable {
    /// The address, `http` or `https`.
    public var url: String
    /// The method; default POST.
    public var method: String
    /// Header fields, in file order; later ones of the same name win.
    public var headers: [NamedTemplate]
    /// The template of the body; nil sends `with` as JSON. A string is sent as `text/plain`, anything else as JSON.
    public var body: JSONValue?
    /// When the connection must stand; nil is the worker's default.
    public var connectTimeout: Duration?
    /// The largest answer that is read, in bytes; nil is the worker's default.
    public var maxResponseBytes: Int?
    /// An expression over `status`, `headers` and `result` that says whether the call succeeded; nil is "any 2xx".
    public var success: String?

    /// An HTTP agent.
    public init(
        url: String, method: String = "POST", headers: [NamedTemplate] = [], body: JSONValue? = nil, connectTimeout: Duration? = nil,
        maxResponseBytes: Int? = nil, success: String? = nil
    ) {
        self.url = url
        self.method = method
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.maxResponseBytes = maxResponseBytes
        self.success = success
    }
}

/// A name and the template of its value: a header field, an environment variable.
public struct NamedTemplate: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The template of its value.
    public var value: String

    /// A named template.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// An agent that is a local process.
public struct ExecAgent: Sendable, Hashable {
    /// How the process's standard output becomes the answer.
    public enum Output: String, Sendable, Hashable, CaseIterable {
        /// One JSON document.
        case json
        /// The text, without its last line break.
        case text
        /// A list of the lines.
        case lines
    }

    /// The executable and its arguments, never a shell line. Each argument may be a template with `with` in scope.
    public var command: [String]
    /// The template of what the process reads; nil is `with` as JSON. A string is written as it is, anything else as JSON.
    public var stdin: JSONValue?
    /// How the answer is read.
    public var output: Output
    /// Environment variables beside PATH, LANG and TRACEPARENT, in file order; the worker's own are not passed on.
    public var environment: [NamedTemplate]
    /// The largest answer that is read, in bytes; nil is the worker's default.
    public var maxOutputBytes: Int?

    /// A process agent.
    public init(
        command: [String], stdin: JSONValue? = nil, output: Output = .json, environment: [NamedTemplate] = [], maxOutputBytes: Int? = nil
    ) {
        self.command = command
        self.stdin = stdin
        self.output = output
        self.environment = environment
        self.maxOutputBytes = maxOutputBytes
    }
}
