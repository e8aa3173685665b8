// The OpenAPI 3.1 document, made of the route table: what is not a route is not described, and every route is.

import Hummingbird
import RunStore
import WorkflowModel

enum OpenAPI {
    /// Problems that every route with access control may answer with.
    static let common: [ProblemCode] = [
        .invalidParameter, .unauthenticated, .forbidden, .foreignOrigin, .tooManyRequests, .overloaded, .databaseUnavailable, .schemaNotReady, .internalError,
    ]

    static func document(_ routes: [Route], version: String) -> JSONValue {
        var paths = JSONObject()
        for route in routes {
            var item = paths[route.path]?.objectValue ?? JSONObject()
            item[route.method.rawValue.lowercased()] = operation(route)
            paths[route.path] = .object(item)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Skein", "version": .string(version),
                "description":
                    "Durable workflows for agents, on nothing but PostgreSQL. Refusals are problem documents (RFC 9457) with a stable code; lists are paged by cursor; moments are RFC 3339 in UTC.",
            ],
            "servers": [["url": "/"]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": ["key": ["type": "http", "scheme": "bearer", "description": "An API key, sk_…."]],
                "schemas": .object(Schemas.components),
            ],
        ]
    }

    private static func operation(_ route: Route) -> JSONValue {
        var operation = JSONObject()
        operation["operationId"] = .string(route.name)
        operation["summary"] = .string(route.about)
        switch route.access {
        case .open: operation["security"] = .array([])
        case .scope(let scope):
            operation["security"] = [["key": .array([])], .object(JSONObject())]
            operation["x-scope"] = .string(scope.rawValue)
        }
        let parameters = captures(of: route.path).map { name -> JSONValue in
            ["name": .string(name), "in": "path", "required": true, "schema": ["type": "string"]]
        } + route.parameters.map { parameter -> JSONValue in
            [
                "name": .string(parameter.name), "in": .string(parameter.place.rawValue), "description": .string(parameter.about),
                "schema": parameter.schema,
            ]
        }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = route.body {
            var content = JSONObject()
            for type in body.contentTypes { content[type] = ["schema": body.schema] }
            operation["requestBody"] = ["description": .string(body.about), "content": .object(content)]
        }
        var responses = JSONObject()
        for answer in route.answers {
            var response = JSONObject()
            response["description"] = .string(answer.about)
            if let type = answer.contentType {
                var content = JSONObject()
                content[type] = ["schema": answer.schema]
                response["content"] = .object(content)
            }
            responses[String(answer.status)] = .object(response)
        }
        for (status, codes) in problems(of: route) {
            responses[String(status)] = [
                "description": .string("Refused: " + codes.map(\.rawValue).joined(separator: ", ") + "."),
                "content": ["application/problem+json": ["schema": Schemas.reference("Problem")]],
            ]
        }
        operation["responses"] = .object(responses)
        return .object(operation)
    }

    /// The problems that a route may answer with, by status.
    static func problems(of route: Route) -> [(status: Int, codes: [ProblemCode])] {
        let codes = route.problems + (route.access == .open ? [.invalidParameter, .internalError] : common)
        var byStatus: [Int: [ProblemCode]] = [:]
        for code in ProblemCode.allCases where codes.contains(code) { byStatus[code.status.code, default: []].append(code) }
        return byStatus.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    static func captures(of path: String) -> [String] {
        path.split(separator: "/").compactMap { segment in
            guard segment.first == "{", let end = segment.firstIndex(of: "}") else { return nil }
            return String(segment[segment.index(after: segment.startIndex)..<end])
        }
    }
}
