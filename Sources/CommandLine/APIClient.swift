// Talks to a coordinator's admin API.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
package import WorkflowModel

/// A coordinator, asked over HTTP.
package struct APIClient: Sendable {
    /// Its address.
    package let server: String
    private let key: String?
    private let http = Self.http

    // Where nobody listens, that is the answer: whoever types a command does not want to wait until the library has tried for long.
    private static let http = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// A client; the key comes from `SKEIN_API_KEY`.
    package init(server: String, key: String? = ProcessInfo.processInfo.environment["SKEIN_API_KEY"]) {
        self.server = server
        self.key = key.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What the coordinator answered.
    package struct Answer: Sendable {
        /// The HTTP status.
        package let status: Int
        /// The body as it came.
        package let text: String
        /// The body as a value.
        package let json: JSONValue
    }

    package enum Method: Sendable { case get, put, post }

    private static let largestAnswer = 256 << 20
    private static let patience = TimeAmount.seconds(15)

    package func get(_ path: String, _ query: [(String, String?)] = [], patience: Duration? = nil) async throws -> Answer {
        try await send(.get, path, query, patience: patience)
    }

    package func post(_ path: String, _ body: JSONValue) async throws -> Answer {
        try await send(.post, path, [], body: body.compactText, contentType: "application/json")
    }

    /// Sends a request, and throws what a refusal means.
    ///
    /// - Parameters:
    ///   - query: parameters; those without a value are left out.
    ///   - patience: how long the answer may take beyond the ordinary.
    package func send(
        _ method: Method, _ path: String, _ query: [(String, String?)] = [], body: String? = nil, contentType: String? = nil,
        patience: Duration? = nil
    ) async throws -> Answer {
        var address = server + path
        let given = query.compactMap { name, value in value.map { "\(name)=\(Self.encoded($0))" } }
        if !given.isEmpty { address += "?" + given.joined(separator: "&") }
        var request = HTTPClientRequest(url: address)
        switch method {
        case .get: request.method = .GET
        case .put: request.method = .PUT
        case .post: request.method = .POST
        }
        request.headers.add(name: "accept", value: "application/json, application/problem+json")
        if let key { request.headers.add(name: "authorization", value: "Bearer \(key)") }
        if let contentType { request.headers.add(name: "content-type", value: contentType) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let timeout = Self.patience + (patience.map { TimeAmount.nanoseconds(Int64($0.seconds * 1e9)) } ?? .zero)
        let status: Int
        let text: String
        do {
            let response = try await http.execute(request, timeout: timeout)
            status = Int(response.status.code)
            text = String(buffer: try await response.body.collect(upTo: Self.largestAnswer))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw CommandFailure(
                .unreachable, "no coordinator answers at \(server) (\(Self.reason(error)))",
                fix: "start one with `skein dev`, or name another with --server or SKEIN_SERVER")
        }
        let json = try? JSONValue(parsing: text, limits: JSONLimits(bytes: Self.largestAnswer, depth: 1000))
        guard (200..<300).contains(status) else { throw refusal(status, json, of: path) }
        guard let json else {
            throw CommandFailure(
                .unexpected, "what answers at \(server) is no skein coordinator", fix: "name another server with --server or SKEIN_SERVER")
        }
        return Answer(status: status, text: text, json: json)
    }

    /// A name as a part of a path.
    package static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    private static let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    private static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError {
            return error == .connectTimeout || error == .deadlineExceeded ? "no answer in time" : error.shortDescription
        }
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        let text = String(describing: error)
        return text.contains("refused") ? "connection refused" : Console.printable(String(text.prefix(120)))
    }

    // MARK: Refusals

    private func refusal(_ status: Int, _ problem: JSONValue?, of path: String) -> CommandFailure {
        guard let problem, let code = problem["code"]?.stringValue, let detail = problem["detail"]?.stringValue else {
            return CommandFailure(
                CommandStatus(httpStatus: status), "\(server) answered with status \(status), not as a skein coordinator",
                fix: "name another server with --server or SKEIN_SERVER")
        }
        var fix: String?
        var details: [String] = []
        switch code {
        case "unauthenticated":
            fix = key == nil ? "set SKEIN_API_KEY" : "the key in SKEIN_API_KEY is not valid here; `skein key create` makes one"
        case "forbidden": fix = "use a key with the scope that this needs; `skein key create --scope write`"
        case "workflow_not_found": fix = "`skein workflow list` shows what there is; `skein workflow apply FILE` registers one"
        case "version_not_found": fix = "`skein workflow show NAME` shows the versions"
        case "run_not_found": fix = "`skein run list` shows the newest runs"
        case "key_conflict": fix = "repeat the first request as it was, or choose another --key"
        case "invalid_input": fix = "`skein workflow show NAME` shows the schema"
        case "run_conflict", "event_refused": fix = "`skein run why \(Self.run(in: path) ?? "RUN")` says what the run is doing"
        case "schema_not_ready": fix = "run `skein migrate`"
        case "too_many_requests":
            fix = "try again in \(problem["retry_after_seconds"]?.intValue ?? 1) s; `skein queue list` shows whether there are enough workers"
        case "overloaded", "database_unavailable": fix = "try again in a moment; `skein doctor` looks for the cause"
        default: break
        }
        for entry in problem["errors"]?.arrayValue ?? [] {
            let pointer = entry["pointer"]?.stringValue ?? entry["instanceLocation"]?.stringValue ?? ""
            let message = entry["message"]?.stringValue ?? entry["error"]?.stringValue ?? entry.compactText
            // Messages about an input name the place themselves.
            details.append(Console.printable(message.hasPrefix("/") ? message : "\(pointer.isEmpty ? "(whole)" : pointer): \(message)"))
        }
        for entry in problem["diagnostics"]?.arrayValue ?? [] {
            let place = "\(entry["line"]?.intValue ?? 0):\(entry["column"]?.intValue ?? 0)"
            details.append(Console.printable("\(place) \(entry["code"]?.stringValue ?? ""): \(entry["message"]?.stringValue ?? "")"))
        }
        return CommandFailure(CommandStatus(httpStatus: status), detail, fix: fix, details: details)
    }

    // The run that a path is about.
    private static func run(in path: String) -> String? {
        let parts = path.split(separator: "/")
        guard let place = parts.firstIndex(of: "runs"), place + 1 < parts.count else { return nil }
        return parts[place + 1].split(separator: ":").first.map(String.init)
    }

    // MARK: Pages

    /// The items of a list, page after page, until `limit` of them are there or `isEnough` says so.
    package func items(
        _ path: String, _ query: [(String, String?)] = [], limit: Int, until isEnough: (JSONValue) -> Bool = { _ in false }
    ) async throws -> [JSONValue] {
        var items: [JSONValue] = []
        var cursor: String?
        repeat {
            let page = try await get(path, query + [("limit", String(min(limit - items.count, 500))), ("cursor", cursor)])
            for item in page.json["items"]?.arrayValue ?? [] {
                items.append(item)
                if isEnough(item) { return items }
            }
            cursor = page.json["next_cursor"]?.stringValue
        } while cursor != nil && items.count < limit
        return items
    }
}
