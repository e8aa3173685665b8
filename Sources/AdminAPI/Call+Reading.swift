// What handlers read from a request: numbers, ids, cursors, bodies.

import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RunStore
import WorkflowModel

extension Call {
    var namespace: String { caller.namespace }

    /// A capture that the route's path has.
    func capture(_ name: String) -> String { captures[name] ?? "" }

    func runID() throws -> RunID {
        guard let id = RunID(capture("id")) else { throw Problem(.runNotFound, "\"\(capture("id"))\" is no run id.") }
        return id
    }

    func limit() throws -> Int {
        guard let text = query["limit"] else { return Self.defaultPage }
        guard let limit = Int(text), limit >= 1, limit <= RunReader.largestPage else {
            throw Problem(
                .invalidParameter, "limit must be a whole number from 1 to \(RunReader.largestPage).", [("parameter", "limit")])
        }
        return limit
    }

    static let defaultPage = 50

    func flag(_ name: String, default value: Bool) throws -> Bool {
        switch query[name] {
        case nil: return value
        case "true", "1", "": return true
        case "false", "0": return false
        case .some: throw Problem(.invalidParameter, "\(name) must be true or false.", [("parameter", .string(name))])
        }
    }

    func duration(_ name: String, upTo longest: Duration) throws -> Duration? {
        guard let text = query[name] else { return nil }
        guard let duration = DurationText.parse(text) ?? Double(text).flatMap({ $0 >= 0 ? Duration(seconds: $0) : nil }) else {
            throw Problem(.invalidParameter, "\(name) must be a duration such as 30s.", [("parameter", .string(name))])
        }
        return min(duration, longest)
    }

    /// A moment, or how long ago it was.
    func moment(_ name: String) throws -> Timestamp? {
        guard let text = query[name] else { return nil }
        if let moment = Timestamp(text) { return moment }
        guard let duration = DurationText.parse(text) else {
            throw Problem(
                .invalidParameter, "\(name) must be a moment such as 2026-11-23T00:00:00Z or a duration such as 24h.", [("parameter", .string(name))])
        }
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        return now + (.zero - duration)
    }
}

// MARK: - Cursors

extension Call {
    private static let separator: Character = "\u{1F}"

    // A cursor continues one list: everything of the query but itself and the page's size is part of its name.
    private var listName: String {
        let filters = query.filter { $0.key != "cursor" && $0.key != "limit" }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let name = ([namespace, request.uri.path] + filters).joined(separator: "\n")
        return SHA256.hash(data: Data(name.utf8)).prefix(6).map { String($0, radix: 16) }.joined()
    }

    /// Where the page begins; nil for the first one.
    func cursor() throws -> [String]? {
        guard let text = query["cursor"] else { return nil }
        var base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.count % 4) % 4)
        guard let data = Data(base64Encoded: base64), let decoded = String(validating: data, as: UTF8.self) else {
            throw Problem(.invalidCursor, "The cursor cannot be read.")
        }
        let parts = decoded.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1, parts[0] == listName else { throw Problem(.invalidCursor, "The cursor belongs to another list.") }
        return Array(parts.dropFirst())
    }

    /// A page as a response.
    func response(_ page: ReadPage) -> Response {
        var buffer = JSONBuffer()
        buffer.raw("{\"items\":[")
        for (index, item) in page.items.enumerated() {
            if index > 0 { buffer.raw(",") }
            buffer.raw(item.text)
        }
        buffer.raw("],\"next_cursor\":")
        if let next = page.next {
            let text = ([listName] + next).joined(separator: String(Self.separator))
            let base64 = Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            buffer.string(base64)
        } else {
            buffer.raw("null")
        }
        buffer.raw("}")
        return .json(buffer.finish())
    }
}

// MARK: - Bodies

extension Call {
    /// The body, if it has at most `limit` bytes. What is larger is not read to its end.
    func body(upTo limit: Int) async throws -> ByteBuffer {
        func tooLarge() -> Problem {
            Problem(.bodyTooLarge, "The body may have at most \(limit) bytes.", [("limit_bytes", .int(Int64(limit)))])
        }
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > limit { throw tooLarge() }
        // Of a body whose length nobody has announced, the most that it can be.
        try room.take(bytes: request.headers[.contentLength].flatMap({ Int($0) }) ?? limit)
        do {
            return try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw tooLarge()
        }
    }

    /// The body as checked JSON.
    func json(upTo limit: Int) async throws -> JSONText {
        let body = try await body(upTo: limit)
        do throws(JSONError) {
            return try JSONText(checking: body.readableBytesView, limits: JSONLimits(bytes: limit, depth: JSONLimits.standard.depth))
        } catch {
            throw Problem(.malformedJSON, "The body is not valid: \(error).", [("offset", .int(Int64(error.offset)))])
        }
    }
}
