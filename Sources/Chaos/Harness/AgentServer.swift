// An agent for tests: an HTTP server in this process that writes down every call, and can be slow, fail, lie, or hang.

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
package import WorkflowModel

/// A call as the agent saw it.
package struct AgentCall: Sendable {
    package let path: String
    /// The value of `Idempotency-Key`.
    package let key: String
    package let fence: Int64
    package let run: String
    package let step: String
    package let attempt: Int
    package let body: String
    package let begun: ContinuousClock.Instant
    /// When the answer went out. Nil: not yet, or never.
    package var answered: ContinuousClock.Instant?
    /// When the connection was gone before the answer.
    package var brokenOff: ContinuousClock.Instant?

    /// It may still be answered.
    var isOpen: Bool { answered == nil && brokenOff == nil }
}

/// What the agent does with a call.
package enum AgentAnswer: Sendable {
    /// Answers with a body and a status, after a while.
    case reply(JSONValue, status: Int = 200, after: Duration = .zero)
    /// Never answers.
    case hang
    /// Resets the connection without an answer.
    case reset(after: Duration = .zero)
    /// Promises a whole body and closes the connection in the middle of it.
    case cutOff(JSONValue, after: Duration = .zero)
    /// Sends the body a few bytes at a time.
    case drip(JSONValue, over: Duration)
    /// Sends a text that may be anything, and calls it JSON.
    case text(String, after: Duration = .zero)
}

/// The agent. What a script does with a call it decides from the call alone.
package final class AgentServer: Sendable {
    package typealias Script = @Sendable (AgentCall) -> AgentAnswer
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    package let port: Int
    private let log: AgentLog
    private let serving: Task<Void, Never>

    private init(port: Int, log: AgentLog, serving: Task<Void, Never>) {
        self.port = port
        self.log = log
        self.serving = serving
    }

    deinit { serving.cancel() }

    /// All calls so far, in the order of their arrival.
    package var calls: [AgentCall] { log.calls }

    package func url(_ path: String = "/", host: String = "127.0.0.1") -> String { "http://\(host):\(port)\(path)" }

    /// What the agent knows about itself, for whoever chooses a moment to do harm.
    var tally: AgentLog { log }

    /// - Parameters:
    ///   - host: the address to listen on.
    ///   - recorder: where every call and every answer is written down.
    package static func start(host: String = "127.0.0.1", recorder: Recorder? = nil, _ script: @escaping Script) async throws -> AgentServer {
        let listening = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        let log = AgentLog(recorder)
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
        return AgentServer(port: listening.channel.localAddress?.port ?? 0, log: log, serving: serving)
    }

    private static func serve(_ connection: Connection, _ script: Script, _ log: AgentLog) async {
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
                    guard try await answer(script(call), number, connection, answers, log) else { return }
                }
            }
        }
    }

    // Whether the connection can be used again.
    private static func answer(
        _ answer: AgentAnswer, _ number: Int, _ connection: Connection, _ answers: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>, _ log: AgentLog
    ) async throws -> Bool {
        func begin(_ kind: String, status: Int, _ body: String, length: Int? = nil, after delay: Duration) async throws -> Bool {
            if delay > .zero { try await Task.sleep(for: delay) }
            guard connection.channel.isActive else { return false }
            log.answer(number, kind, status: status, body: body)
            let headers: HTTPHeaders = ["content-type": "application/json", "content-length": "\(length ?? body.utf8.count)"]
            try await answers.write(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)))
            return true
        }
        func send(_ text: some StringProtocol) async throws { try await answers.write(.body(.byteBuffer(ByteBuffer(string: String(text))))) }

        switch answer {
        case .hang:
            log.hang(number)
            return true
        case .reply(let value, let status, let delay):
            if status >= 300 { log.excuse(number) }
            let text = value.compactText
            guard try await begin("reply", status: status, text, after: delay) else { return false }
            try await send(text)
        case .text(let text, let delay):
            log.excuse(number)
            guard try await begin("text", status: 200, text, after: delay) else { return false }
            try await send(text)
        case .drip(let value, let time):
            let text = value.compactText
            guard try await begin("drip", status: 200, text, after: .zero) else { return false }
            var rest = text[...]
            while !rest.isEmpty {
                try await Task.sleep(for: time / dripParts)
                try await send(rest.prefix(text.count / dripParts + 1))
                rest = rest.dropFirst(text.count / dripParts + 1)
            }
        case .cutOff(let value, let delay):
            log.excuse(number)
            let text = value.compactText
            guard try await begin("cut off", status: 200, text, length: text.utf8.count * 2, after: delay) else { return false }
            try await send(text)
            try await connection.channel.close()
            return false
        case .reset(let delay):
            log.excuse(number)
            if delay > .zero { try await Task.sleep(for: delay) }
            guard connection.channel.isActive else { return false }
            log.answer(number, "reset", status: 0, body: "")
            // Without lingering a close is a reset.
            try await (connection.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            try await connection.channel.close()
            return false
        }
        try await answers.write(.end(nil))
        return true
    }

    private static let dripParts = 8

    private static func call(_ head: HTTPRequestHead, _ body: ByteBuffer) -> AgentCall {
        func field(_ name: String) -> String { head.headers.first(name: name) ?? "" }
        return AgentCall(
            path: head.uri, key: field("idempotency-key"), fence: Int64(field("x-skein-fence")) ?? 0, run: field("x-skein-run-id"),
            step: field("x-skein-step"), attempt: Int(field("x-skein-attempt")) ?? 0, body: String(buffer: body), begun: .now)
    }
}
