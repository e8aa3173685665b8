// What a worker allows its agents, and how it calls them.
#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The settings of an `AgentCaller`.
public struct AgentCallSettings: Sendable {
    /// When a connection must stand, where the agent does not say.
    public var connectTimeout: Duration
    /// The largest answer in bytes. An agent may ask for less, never for more: what is larger could not be stored.
    public var maxResponseBytes: Int
    /// How much of a process's standard error is kept, in bytes.
    public var logBytes: Int
    /// The executables that `exec` agents may start: bare names (found through this process's PATH), absolute paths, or `*` for all.
    /// Nil refuses `exec` agents altogether.
    public var allowedExecutables: [String]?
    /// The arguments with which this program becomes the guard that ends the processes of agents when this process was killed
    /// (`ProcessGuard.watch`). Nil starts them without a guard.
    public var guardArguments: [String]?
    /// The PATH in which executables are looked up and that processes get.
    public var searchPath: String
    /// The LANG that processes get.
    public var language: String
    /// The value of a secret by its name, nil where there is none. Asked at each call, in the worker alone.
    public var secret: @Sendable (String) -> String?
    /// Whether `noop` agents are carried out. For tests and benchmarks only.
    public var allowNoop: Bool
    /// How long a process has between SIGTERM and SIGKILL.
    public var killGrace: Duration
    /// How many connections to one origin may be open at the same time.
    public var connectionsPerOrigin: Int
    /// The `user-agent` header field.
    public var userAgent: String

    /// Settings; the defaults are the product's.
    public init(
        connectTimeout: Duration = .seconds(5), maxResponseBytes: Int = 1 << 20, logBytes: Int = 64 << 10,
        allowedExecutables: [String]? = nil, guardArguments: [String]? = nil, searchPath: String? = nil, language: String? = nil,
        secret: (@Sendable (String) -> String?)? = nil, allowNoop: Bool = false, killGrace: Duration = .seconds(2),
        connectionsPerOrigin: Int = 256, userAgent: String = "skein"
    ) {
        self.connectTimeout = connectTimeout
        self.maxResponseBytes = maxResponseBytes
        self.logBytes = logBytes
        self.allowedExecutables = allowedExecutables
        self.guardArguments = guardArguments
        self.searchPath = searchPath ?? Self.environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        self.language = language ?? Self.environment("LANG") ?? "C.UTF-8"
        self.secret = secret ?? { name in Self.environment("SKEIN_SECRET_" + name) }
        self.allowNoop = allowNoop
        self.killGrace = killGrace
        self.connectionsPerOrigin = connectionsPerOrigin
        self.userAgent = userAgent
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }
}
