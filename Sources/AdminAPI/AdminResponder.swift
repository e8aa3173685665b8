// From a request to its response: the route, the caller, the handler, and a problem document where one of them says no.

import HTTPTypes
public import Hummingbird
import Logging
import NIOCore
import Postgres
import RunStore
import Telemetry
import WorkflowModel

/// Answers the requests of an `AdminAPI`.
public struct AdminResponder: HTTPResponder {
    /// What the server hands along with a request.
    public typealias Context = BasicRequestContext

    let api: AdminAPI
    private static let requestIDField = HTTPField.Name("X-Request-Id")
    private static let longestRequestID = 128

    /// Answers; never throws for anything that a client can cause.
    public func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let clock = ContinuousClock()
        let begun = clock.now
        let requestID = Self.requestID(of: request, context)
        var response: Response
        do {
            response = try await answer(request, requestID)
        } catch let problem as Problem {
            if problem.code == .tooManyRequests {
                api.metrics.count(.requestsRefused, problem.members.first { $0.name == "bound" }?.value.stringValue ?? "other")
            }
            response = problem.response(requestID: requestID)
        } catch let error as PostgresError {
            api.metrics.count(.postgresErrors, error.code.rawValue)
            let problem = Problem(error)
            if problem.code == .internalError {
                api.log.error("A statement failed", metadata: [.requestID: "\(requestID)", .error: "\(error.debugDescription)"])
            }
            response = problem.response(requestID: requestID)
        } catch {
            // Mostly a client that went away in the middle of its body; nobody reads this answer then.
            api.log.debug("A request could not be carried out", metadata: [.requestID: "\(requestID)", .error: "\(error)"])
            response = Problem(.internalError, "The request could not be carried out.").response(requestID: requestID)
        }
        if let field = Self.requestIDField { response.headers[field] = requestID }
        response.headers[.xContentTypeOptions] = "nosniff"
        if request.method == .head { response = response.createHeadResponse() }
        let took = clock.now - begun
        let (method, status) = (Self.label(of: request.method), String(response.status.code))
        api.metrics.count(.httpRequests, method, status)
        api.metrics.observe(.httpRequestDuration, method, duration: took)
        api.log.debug(
            "Request",
            metadata: [
                .requestID: "\(requestID)", .method: "\(method)", .path: "\(request.uri.path)", .status: "\(status)",
                .durationSeconds: "\(took.seconds)",
            ])
        return response
    }

    private func answer(_ request: Request, _ requestID: String) async throws -> Response {
        switch api.table.match(request.method, request.uri.path) {
        case .none:
            throw Problem(.routeNotFound, "There is nothing at \(request.uri.path).")
        case .wrongMethod(let allowed):
            var problem = Problem(.methodNotAllowed, "\(request.uri.path) does not take \(request.method.rawValue).")
            let names = allowed.map(\.rawValue).sorted()
            problem.headers[.allow] = names.joined(separator: ", ")
            problem.members = [("allowed", .array(names.map { .string($0) }))]
            throw problem
        case .found(let route, let captures):
            let caller: Caller
            switch route.access {
            case .open:
                try api.authenticator.checkOrigin(of: request)
                caller = Caller(namespace: "default", scopes: [])
            case .scope(let scope):
                switch api.readiness.state {
                case .schemaOlder(let reason), .schemaNewer(let reason), .unsafe(let reason): throw Problem(.schemaNotReady, reason)
                case .unknown, .unreachable, .ready: break
                }
                caller = try await api.authenticator.caller(of: request, needing: scope)
            }
            let query = try Self.query(of: request, for: route)
            let room = BodyRoom(api.admission)
            defer { room.giveBack() }
            return try await route.handler(
                api, Call(request: request, requestID: requestID, caller: caller, captures: captures, query: query, room: room))
        }
    }

    // Unknown parameters are refused: a filter that is misspelt must not show everything.
    private static func query(of request: Request, for route: Route) throws -> [String: String] {
        guard let text = request.uri.query, !text.isEmpty else { return [:] }
        let known = route.parameters.filter { $0.place == .query }.map(\.name)
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0], plusIsSpace: true),
                let value = PercentEncoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else {
                throw Problem(.invalidParameter, "The query is not percent-encoded UTF-8.", [("parameter", .string(String(parts[0])))])
            }
            guard known.contains(name) else {
                let list = known.isEmpty ? "this route takes none" : "this route takes \(known.joined(separator: ", "))"
                throw Problem(.invalidParameter, "There is no query parameter \"\(name)\"; \(list).", [("parameter", .string(name))])
            }
            query[name] = value
        }
        return query
    }

    private static func requestID(of request: Request, _ context: BasicRequestContext) -> String {
        if let given = requestIDField.flatMap({ request.headers[$0] }), !given.isEmpty, given.utf8.count <= longestRequestID,
            given.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == 0x2D || $0 == 0x5F || $0 == 0x2E })
        {
            return given
        }
        return context.id
    }

    // A method is a label only if it is one of ours: labels have few values, whatever clients send.
    private static func label(of method: HTTPRequest.Method) -> String {
        [.get, .head, .put, .post].contains(method) ? method.rawValue : "other"
    }
}

// MARK: - Making responses

extension Response {
    static func json(_ text: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ document: JSONText, status: HTTPResponse.Status = .ok) -> Response { .json(document.text, status: status) }

    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        .json(value.compactText, status: status, headers: headers)
    }

    static func text(_ text: String, contentType: String = "text/plain; charset=utf-8") -> Response {
        Response(status: .ok, headers: [.contentType: contentType], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
