// Calls with good defaults, and ways to wait for what will happen.
import AgentCalls
import Telemetry
import Testing
import WorkflowModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A call of `kind` for run 1, step `review.score`, attempt 2.
func call(_ kind: AgentKind, with value: JSONValue = ["n": 1], timeout: Duration = .seconds(120), traceparent: String? = nil) -> AgentCall {
    AgentCall(
        agent: AgentDefinition(kind: kind), with: JSONText(value), runID: runID, path: StepPath("review.score"), attempt: 2,
        fence: Fence(77),
        idempotencyKey: "run-1/review.score", timeout: timeout, trace: traceparent.flatMap { TraceContext(traceparent: $0) })
}

let runID = RunID("0193d5e8-0000-7000-8000-000000000001") ?? RunID(UUIDBytes(high: 0, low: 1))

/// Runs `body` with a caller, and shuts it down afterwards.
func withCaller<Result>(
    _ settings: AgentCallSettings = AgentCallSettings(allowedExecutables: ["*"], killGrace: .milliseconds(300)),
    _ body: (AgentCaller) async throws -> Result
) async throws -> Result {
    let caller = AgentCaller(settings: settings)
    do {
        let result = try await body(caller)
        try await caller.shutdown()
        return result
    } catch {
        try? await caller.shutdown()
        throw error
    }
}

/// One call of an HTTP agent to a server that answers every request with `actions`.
func ask(
    _ actions: ServerAction..., timeout: Duration = .seconds(120),
    configure: @Sendable (inout HTTPAgent) -> Void = { _ in }
) async throws -> AgentResult {
    try await MisbehavingServer.run({ _ in actions }) { server in
        var agent = HTTPAgent(url: server.url())
        configure(&agent)
        return try await withCaller { [agent] caller in await caller.perform(call(.http(agent), timeout: timeout)) }
    }
}

extension AgentResult {
    /// The answer, where there is one.
    var answer: String? { if case .succeeded(let text) = outcome { text.text } else { nil } }
    /// The failure, where there is one.
    var failure: Failure? {
        switch outcome {
        case .failed(let failure), .timedOut(let failure): failure
        case .succeeded, .cancelled: nil
        }
    }
    var isTimedOut: Bool { if case .timedOut = outcome { true } else { false } }
    var detail: JSONValue { details?.value ?? .null }
}

/// Waits until `condition` holds, at most for a minute.
func eventually(_ what: Comment, _ condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Whether a process runs. A zombie does not.
func isRunning(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 512)
    let length = fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer.prefix(length), as: UTF8.self)
    return text.split(separator: ")").last?.split(separator: " ").first != "Z"
}

/// A directory of its own for a test's scripts.
final class Scripts {
    let directory: String

    init() {
        var template = Array("/tmp/agent-calls-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/tmp" }
            return String(cString: made)
        }
    }

    /// Writes an executable file and returns its path.
    func write(_ name: String, _ text: String, mode: mode_t = 0o755) -> String {
        let path = "\(directory)/\(name)"
        if let file = fopen(path, "w") {
            fputs(text, file)
            fclose(file)
            chmod(path, mode)
        }
        return path
    }

    /// Whether a script has made a file.
    func exists(_ name: String) -> Bool { access("\(directory)/\(name)", F_OK) == 0 }

    /// The number that a script has written into a file, once it is there.
    func number(in name: String) -> pid_t? {
        guard let file = fopen("\(directory)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let length = fread(&buffer, 1, buffer.count, file)
        guard length > 0, buffer[length - 1] == 0x0A else { return nil }
        return pid_t(String(decoding: buffer.prefix(length - 1), as: UTF8.self))
    }

    deinit {
        for name in ["run", "pid", "tool", "plain"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }
}

extension JSONText {
    /// Text that a test reads back.
    init?(trustedForTest text: String) { try? self.init(checking: text) }
}
