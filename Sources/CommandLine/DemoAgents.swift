// The demo's agent: a small HTTP service that analyses texts, as a user's own agent would be.

import EmbeddedPostgres
package import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import WorkflowModel

/// `POST /analyze` with `{"text": …}` or `{"path": …}` answers what `TextAnalysis` says.
package struct DemoAgents: Sendable {
    /// The largest text that is analysed, in bytes.
    package static let largestText = 4 << 20
    private let documents: [URL]
    private let answers = RememberedAnswers()

    /// - Parameter documents: the directories whose files a caller may name by `path`. None means that texts must be sent.
    package init(documents: [URL]) { self.documents = documents.map { $0.resolvingSymlinksInPath() } }

    /// Serves until the task is cancelled.
    ///
    /// - Parameters:
    ///   - port: the port on the loopback interface; 0 takes a free one.
    ///   - onReady: gets the address.
    package func serve(port: Int, onReady: @escaping @Sendable (String) -> Void) async throws {
        let router = Router()
        router.get("/livez") { _, _ in "alive\n" }
        router.post("/analyze") { request, _ in try await analyze(request) }
        var logger = Logger(label: "skein.demo-agents")
        // The library reports its own shutdown as an error.
        logger.logLevel = .critical
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in onReady("http://127.0.0.1:\(channel.localAddress?.port ?? port)") }, logger: logger)
        try await application.run()
    }

    private func analyze(_ request: Request) async throws -> Response {
        // The engine sends the same key with every attempt of a step: what was answered once is answered again without the work.
        let key = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
        if let key, let known = answers[key] { return Self.response(.ok, known, isReplay: true) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.largestText * 2)
        } catch is NIOTooManyBytesError {
            return Self.refusal(.contentTooLarge, "the request has more than \(Self.largestText * 2) bytes")
        }
        guard let call = try? JSONValue(parsing: String(buffer: body), limits: JSONLimits(bytes: Self.largestText * 2, depth: 50)) else {
            return Self.refusal(.badRequest, "the body must be JSON: {\"text\": …} or {\"path\": …}")
        }
        let text: String
        switch (call["text"], call["path"]) {
        case (.string(let given)?, nil): text = given
        case (nil, .string(let path)?):
            switch read(path) {
            case .success(let read): text = read
            case .failure(let refusal): return Self.refusal(refusal.status, refusal.message)
            }
        default: return Self.refusal(.badRequest, "the body must have either the member text or the member path, a string")
        }
        let answer = TextAnalysis(of: text).json.compactText
        if let key { answers.remember(answer, for: key) }
        return Self.response(.ok, answer, isReplay: false)
    }

    private struct Refusal: Error {
        let status: HTTPResponse.Status
        let message: String
    }

    private func read(_ path: String) -> Result<String, Refusal> {
        let file = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        let isAllowed = documents.contains { file.plainPath.hasPrefix($0.plainPath + "/") }
        guard path.hasPrefix("/"), isAllowed else {
            return .failure(
                Refusal(status: .forbidden, message: "the path is not in a directory that this agent was started for (--documents)"))
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: file.plainPath))?[.size] as? Int
        guard let size, let data = FileManager.default.contents(atPath: file.plainPath) else {
            return .failure(Refusal(status: .notFound, message: "there is no such file, or it cannot be read"))
        }
        guard size <= Self.largestText else {
            return .failure(Refusal(status: .contentTooLarge, message: "the file has more than \(Self.largestText) bytes"))
        }
        guard let text = String(validating: data, as: UTF8.self) ?? String(data: data, encoding: .isoLatin1) else {
            return .failure(Refusal(status: .unprocessableContent, message: "the file is not text"))
        }
        return .success(text)
    }

    private static func response(_ status: HTTPResponse.Status, _ json: String, isReplay: Bool) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if isReplay, let name = HTTPField.Name("Idempotency-Replayed") { headers[name] = "true" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: json)))
    }

    private static func refusal(_ status: HTTPResponse.Status, _ message: String) -> Response {
        response(status, (["error": .string(message)] as JSONValue).compactText, isReplay: false)
    }
}

/// The newest answers by their idempotency key; the oldest are forgotten first.
final class RememberedAnswers: Sendable {
    private static let capacity = 10_000
    private struct State {
        var answers: [String: String] = [:]
        var order: [String] = []
        var oldest = 0
    }
    private let state = Mutex(State())

    subscript(key: String) -> String? { state.withLock { $0.answers[key] } }

    func remember(_ answer: String, for key: String) {
        state.withLock { state in
            guard state.answers.updateValue(answer, forKey: key) == nil else { return }
            if state.order.count < Self.capacity {
                state.order.append(key)
            } else {
                state.answers[state.order[state.oldest]] = nil
                state.order[state.oldest] = key
                state.oldest = (state.oldest + 1) % Self.capacity
            }
        }
    }
}
