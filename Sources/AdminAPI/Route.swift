// A route: what it is called, what it takes and gives, and what carries it out. The OpenAPI document is made of these.

import HTTPTypes
import Hummingbird
import RunStore
import WorkflowModel

/// One request on its way to a handler.
struct Call: Sendable {
    let request: Request
    let requestID: String
    let caller: Caller
    /// The captured segments of the path, decoded.
    let captures: [String: String]
    /// The query's parameters, decoded. Only those that the route declares are here.
    let query: [String: String]
    /// The room that the request has for its body.
    let room: BodyRoom
}

/// One route of the API.
struct Route: Sendable {
    /// Who may use it.
    enum Access: Sendable, Hashable {
        /// Everybody, also without a key: health, and what explains the API.
        case open
        /// Whoever has the scope.
        case scope(ApiScope)
    }

    /// A parameter of the query or a header field.
    struct Parameter: Sendable {
        enum Place: String, Sendable { case query, header }

        let name: String
        var place = Place.query
        let about: String
        let schema: JSONValue
    }

    /// What the body is.
    struct Body: Sendable {
        let contentTypes: [String]
        let about: String
        let schema: JSONValue
    }

    /// A good answer.
    struct Answer: Sendable {
        let status: Int
        let about: String
        var contentType: String? = "application/json"
        var schema: JSONValue = ["type": "object"]
    }

    typealias Handler = @Sendable (AdminAPI, Call) async throws -> Response

    let method: HTTPRequest.Method
    /// The path, captures in braces: `/api/v1/runs/{id}:cancel`.
    let path: String
    /// The `operationId`.
    let name: String
    let about: String
    let access: Access
    var parameters: [Parameter] = []
    var body: Body?
    let answers: [Answer]
    var problems: [ProblemCode] = []
    let handler: Handler
}

/// Finds the route of a request.
struct RouteTable: Sendable {
    enum Match {
        case found(Route, captures: [String: String])
        case wrongMethod(allowed: [HTTPRequest.Method])
        case none
    }

    private enum Segment: Sendable {
        case literal(String)
        /// A captured segment, and what must follow the capture within the segment.
        case capture(String, suffix: String)

        init(_ text: Substring) {
            guard text.first == "{", let end = text.firstIndex(of: "}") else {
                self = .literal(String(text))
                return
            }
            self = .capture(String(text[text.index(after: text.startIndex)..<end]), suffix: String(text[text.index(after: end)...]))
        }

        // The more a segment says, the earlier it is tried.
        var rank: Int {
            switch self {
            case .literal: 0
            case .capture(_, let suffix): suffix.isEmpty ? 2 : 1
            }
        }
    }

    let routes: [Route]
    private let compiled: [(segments: [Segment], route: Route)]

    init(_ routes: [Route]) {
        self.routes = routes
        compiled = routes.map { route in (route.path.split(separator: "/").map { Segment($0) }, route) }
            .sorted { left, right in left.0.map(\.rank).lexicographicallyPrecedes(right.0.map(\.rank)) }
    }

    func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let wanted: HTTPRequest.Method = method == .head ? .get : method
        var allowed: [HTTPRequest.Method] = []
        // The first pattern that fits says what the path means; others of the same shape are the same path with other methods.
        var shape: String?
        for (segments, route) in compiled where segments.count == parts.count {
            if let shape, shape != route.path { continue }
            guard let captures = Self.captures(segments, parts) else { continue }
            if route.method == wanted { return .found(route, captures: captures) }
            shape = route.path
            allowed.append(route.method)
            if route.method == .get { allowed.append(.head) }
        }
        return allowed.isEmpty ? .none : .wrongMethod(allowed: allowed)
    }

    private static func captures(_ segments: [Segment], _ parts: [Substring]) -> [String: String]? {
        var captures: [String: String] = [:]
        for (segment, part) in zip(segments, parts) {
            switch segment {
            case .literal(let text):
                guard part == text else { return nil }
            case .capture(let name, let suffix):
                guard part.hasSuffix(suffix), part.utf8.count > suffix.utf8.count,
                    let value = PercentEncoding.decode(part.dropLast(suffix.count)),
                    // What follows the colon of an id is a verb: one that does not exist is no path.
                    name != "id" || !part.dropLast(suffix.count).contains(":")
                else { return nil }
                captures[name] = value
            }
        }
        return captures
    }
}

/// Percent-encoding in paths and queries.
enum PercentEncoding {
    /// The decoded text; nil when a percent sign is not followed by two digits, or when the bytes are no UTF-8.
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25 {
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte == 0x2B && plusIsSpace ? 0x20 : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
