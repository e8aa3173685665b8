// An agent for tests: an HTTP server in this process that writes down every call, and can be slow, fail, or hang.

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WorkflowModel

/// A call as the agent saw it.
struct AgentCall: Sendable {
    let path: String
    /// The value of `Idempotency-Key`.
    let key: String
    let fence: Int64
    let run: String
    let step: String
    let attempt: Int
    let body: String
    let begun: ContinuousClock.Instant
    /// When the answer went out. Nil: not yet, or never.
    var answered: ContinuousClock.Instant?
    /// When the connection was gone before the answer.
    var brokenOff: ContinuousClock.Instant?
}

/// What the agent does with a call.
enum AgentAnswer: Sendable {
    /// Answers with a body and a status, after a while.
    case reply(JSONValue, status: Int = 200, after: Duration = .zero)
    /// Never answers.
    case hang
}

/// The agent. What a script does with a call it decides from the call alone.
final class AgentServer: Sendable {
    typealias Script = @Sendable (AgentCall) -> AgentAnswer
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    let port: Int
    private let script: Script
    private let log: Log
    private let serving: Task<Void, Never>

    // Shared with the connections, which may outlive the server by a moment.
    private final class Log: Sendable {
        let calls = Mutex<[AgentCall]>([])

        func begin(_ call: AgentCall) -> Int {
            calls.withLock { calls in
                calls.append(call)
                return calls.count - 1
            }
        }
        func answer(_ number: Int) { calls.withLock { $0[number].answered = .now } }
        func breakOff(_ number: Int) {
            calls.withLock { calls in
                if calls[number].answered == nil { calls[number].brokenOff = .now }
            }
        }
    }

    private init(port: Int, script: @escaping Script, log: Log, serving: Task<Void, Never>) {
        self.port = port
        self.script = script
        self.log = log
        self.serving = serving
    }

    deinit { serving.cancel() }

    /// All calls so far, in the order of their arrival.
    var calls: [AgentCall] { log.calls.withLock { $0 } }

    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    static func start(_ script: @escaping Script) async throws -> AgentServer {
        let listening = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        let log = Log()
        let serving = Task {
            await withDiscardingTaskGroup { group in
                try? await listening.executeThenClose { connections in
                    for try await connection in connections {
                        group.addTask { await serve(connection, script, log) }
                    }
                }
                group.cancelAll()
            }
        }
        return AgentServer(port: listening.channel.localAddress?.port ?? 0, script: script, log: log, serving: serving)
    }

    private static func serve(_ connection: Connection, _ script: Script, _ log: Log) async {
        // A connection that breaks is a caller that was killed: that is what these tests are for.
        try? await connection.executeThenClose { requests, answers in
            var head: HTTPRequestHead?
            var body = ByteBuffer()
            for try await part in requests {
                switch part {
                case .head(let received):
                    head = received
                    body.clear()
                case .body(var bytes): body.writeBuffer(&bytes)
                case .end:
                    guard let head else { continue }
                    let call = call(head, body)
                    let number = log.begin(call)
                    connection.channel.closeFuture.whenComplete { _ in log.breakOff(number) }
                    switch script(call) {
                    case .hang: continue
                    case .reply(let value, let status, let delay):
                        if delay > .zero { try await Task.sleep(for: delay) }
                        guard connection.channel.isActive else { return }
                        log.answer(number)
                        let text = ByteBuffer(string: value.compactText)
                        let headers: HTTPHeaders = ["content-type": "application/json", "content-length": "\(text.readableBytes)"]
                        try await answers.write(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)))
                        try await answers.write(.body(.byteBuffer(text)))
                        try await answers.write(.end(nil))
                    }
                }
            }
        }
    }

    private static func call(_ head: HTTPRequestHead, _ body: ByteBuffer) -> AgentCall {
        func field(_ name: String) -> String { head.headers.first(name: name) ?? "" }
        return AgentCall(
            path: head.uri, key: field("idempotency-key"), fence: Int64(field("x-skein-fence")) ?? 0, run: field("x-skein-run-id"),
            step: field("x-skein-step"), attempt: Int(field("x-skein-attempt")) ?? 0, body: String(buffer: body), begun: .now)
    }
}
