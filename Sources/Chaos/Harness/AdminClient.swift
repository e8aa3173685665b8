// What a user's program does with the admin API.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
package import WorkflowModel

/// An answer of the admin API.
package struct AdminAnswer: Sendable, CustomStringConvertible {
    package let status: Int
    package let text: String
    package var json: JSONValue { (try? JSONValue(parsing: text, limits: JSONLimits(bytes: 64 << 20, depth: 200))) ?? .null }
    /// The stable code of a problem document.
    package var problem: String? { json["code"]?.stringValue }
    package var description: String { "\(status) \(text.prefix(2000))" }
}

/// A client of one coordinator.
package struct AdminClient: Sendable {
    /// Says in which namespace something is asked for, where nobody needs a key.
    package static let namespaceHeader = "skein-namespace"

    package let port: Int

    package init(port: Int) { self.port = port }

    package func request(
        _ method: String, _ path: String, body: String? = nil, type: String = "application/json", headers: [String: String] = [:],
        timeout: Duration = .seconds(30)
    ) async throws -> AdminAnswer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: type)
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .nanoseconds(timeout.components.seconds * 1_000_000_000))
        return AdminAnswer(status: Int(response.status.code), text: String(buffer: try await response.body.collect(upTo: 64 << 20)))
    }

    package func get(_ path: String) async throws -> AdminAnswer { try await request("GET", path) }

    /// Registers a workflow file.
    @discardableResult
    package func apply(_ name: String, _ source: String, in namespace: String = "default") async throws -> AdminAnswer {
        let answer = try await request(
            "PUT", "/api/v1/workflows/\(name)", body: source, type: "application/yaml", headers: [Self.namespaceHeader: namespace])
        guard answer.status == 200 || answer.status == 201 else { throw HarnessError("\(name) was refused: \(answer)") }
        return answer
    }

    /// Starts a run, and gives its id.
    package func start(_ workflow: String, input: JSONValue = [:], key: String? = nil) async throws -> String {
        let answer = try await tryStart(workflow, input: input, key: key)
        guard let run = answer.json["run_id"]?.stringValue else { throw HarnessError("no run was started: \(answer)") }
        return run
    }

    package func tryStart(_ workflow: String, input: JSONValue = [:], key: String? = nil) async throws -> AdminAnswer {
        var body: JSONValue = ["workflow": .string(workflow), "input": input]
        if let key { body = ["workflow": .string(workflow), "input": input, "key": .string(key)] }
        return try await request("POST", "/api/v1/runs", body: body.compactText)
    }

    /// Sends a run an event.
    package func signal(_ run: String, _ event: String, data: JSONValue = [:], id: String? = nil) async throws -> AdminAnswer {
        var body = JSONObject()
        body["name"] = .string(event)
        body["data"] = data
        if let id { body["id"] = .string(id) }
        return try await order(run, "signal", .object(body))
    }

    /// Asks for something to be done with a run: `pause`, `resume`, `cancel`.
    package func order(_ run: String, _ verb: String, _ body: JSONValue = [:]) async throws -> AdminAnswer {
        try await request("POST", "/api/v1/runs/\(run):\(verb)", body: body.compactText)
    }

    package func run(_ id: String) async throws -> JSONValue { try await get("/api/v1/runs/\(id)").json }

    /// The run once it has ended.
    package func ended(_ id: String, within deadline: Duration = .seconds(30)) async throws -> JSONValue {
        var last = JSONValue.null
        try await waitUntil("the run \(id) has ended", deadline: deadline) {
            last = try await run(id)
            return last["ended_at"]?.stringValue != nil
        }
        return last
    }

    package func isReady() async -> Bool { (try? await get("/readyz"))?.status == 200 }
}
