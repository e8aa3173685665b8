// What a client of a coordinator does.

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import WorkflowModel

struct BenchAPI: Sendable {
    let url: String
    let client: HTTPClient

    private static let largestAnswer = 64 << 20

    func request(_ method: String, _ path: String, body: String? = nil) async throws -> String {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await client.execute(request, timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: Self.largestAnswer))
        guard (200..<300).contains(Int(response.status.code)) else {
            throw BenchError(description: "\(method) \(path): \(response.status.code) \(text.prefix(500))")
        }
        return text
    }

    /// An answer, whatever it is.
    func answer(_ method: String, _ path: String, body: String) async throws -> (status: Int, retryAfter: String?, text: String) {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await client.execute(request, timeout: .seconds(60))
        let text = String(buffer: try await response.body.collect(upTo: Self.largestAnswer))
        return (Int(response.status.code), response.headers.first(name: "retry-after"), text)
    }

    /// Starts one run; its id.
    func start(_ workflow: String, input: JSONValue) async throws -> String {
        let answer = try await request(
            "POST", "/api/v1/runs", body: (["workflow": .string(workflow), "input": input] as JSONValue).compactText)
        guard let id = try JSONValue(parsing: answer, limits: JSONLimits(bytes: 1 << 26, depth: 100))["run_id"]?.stringValue else {
            throw BenchError(description: String(answer.prefix(500)))
        }
        return id
    }

    /// Starts runs by one request; they are durable when it returns.
    func submit(_ workflow: String, count: Int) async throws {
        let run: JSONValue = ["workflow": .string(workflow), "input": [:]]
        let body: JSONValue = ["runs": .array(Array(repeating: run, count: count))]
        _ = try await request("POST", "/api/v1/runs:batch", body: body.compactText)
    }
}
