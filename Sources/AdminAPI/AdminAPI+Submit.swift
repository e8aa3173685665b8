// Starting runs, one or many at a time.

import HTTPTypes
import Hummingbird
import Postgres
import RunStore
import WorkflowModel

extension AdminAPI {
    private static let keyField = HTTPField.Name("Idempotency-Key")
    private static let keyParameter = Route.Parameter(
        name: "Idempotency-Key", place: .header, about: "Makes the request repeatable: the same key gets the same run. An alternative to `key`.",
        schema: ["type": "string", "maxLength": .int(Int64(AdminConfiguration.longestKey))])

    static let submitRoutes: [Route] = [
        Route(
            method: .post, path: "/api/v1/runs", name: "startRun", about: "Starts a run. When the answer comes, the run is durable.",
            access: .scope(.write), parameters: [keyParameter],
            body: .init(contentTypes: ["application/json"], about: "What to run.", schema: Schemas.reference("StartRun")),
            answers: [
                .init(status: 201, about: "The run was accepted.", schema: Schemas.reference("StartedRun")),
                .init(status: 200, about: "An earlier request with the same key started the run.", schema: Schemas.reference("StartedRun")),
            ],
            problems: [
                .malformedJSON, .invalidRequest, .bodyTooLarge, .inputTooLarge, .workflowNotFound, .versionNotFound, .invalidInput,
                .keyConflict, .workflowNotRunnable,
            ]
        ) { api, call in try await api.startRun(call) },
        Route(
            method: .post, path: "/api/v1/runs:batch", name: "startRuns",
            about: "Starts up to 1000 runs. Each has a result of its own, in the order of the request.", access: .scope(.write),
            body: .init(
                contentTypes: ["application/json"], about: "What to run.",
                schema: [
                    "type": "object", "required": ["runs"], "additionalProperties": false,
                    "properties": [
                        "runs": [
                            "type": "array", "maxItems": .int(Int64(AdminConfiguration.largestBatch)), "items": Schemas.reference("StartRun"),
                        ]
                    ],
                ]),
            answers: [
                .init(
                    status: 200, about: "A result for each run: a status, and the run or the problem.",
                    schema: [
                        "type": "object", "required": ["results"],
                        "properties": [
                            "results": [
                                "type": "array",
                                "items": [
                                    "type": "object", "required": ["status"],
                                    "properties": [
                                        "status": ["type": "integer"], "run": Schemas.reference("StartedRun"),
                                        "problem": Schemas.reference("Problem"),
                                    ],
                                ],
                            ]
                        ],
                    ])
            ], problems: [.malformedJSON, .invalidRequest, .bodyTooLarge]
        ) { api, call in try await api.startRuns(call) },
    ]

    // Whoever is refused under load costs next to nothing: no body is looked at, nothing is asked of the database.
    private func refuseWhenFull() throws {
        if admission.isFull { throw backlogFull }
        if submitter.isFull { throw waitingFull }
    }

    private var backlogFull: Problem {
        .tooMuch("There are as many runs under way as this coordinator lets in (\(configuration.backlogLimit)).", .backlog)
    }

    private var waitingFull: Problem { .tooMuch("Too many runs are waiting to be accepted (\(configuration.waitingLimit)).", .waiting) }

    private func startRun(_ call: Call) async throws -> Response {
        try refuseWhenFull()
        let body = try await call.json(upTo: configuration.bodyLimit)
        var request = try submitRequest(body, namespace: call.namespace)
        if let key = try Self.headerKey(of: call) {
            if let other = request.key, other != key {
                throw Problem(.invalidRequest, "The Idempotency-Key header field and the body's key differ.")
            }
            request.key = key
        }
        let answer = try await answers(to: [request])[0].get()
        switch try await outcome(of: answer, for: request) {
        case .success(let started):
            return .json(
                started.json, status: started.isReplay ? .ok : .created, headers: [.location: "/api/v1/runs/\(started.run)"])
        case .failure(let problem): throw problem
        }
    }

    private func startRuns(_ call: Call) async throws -> Response {
        try refuseWhenFull()
        let body = try await call.json(upTo: configuration.batchLimit)
        guard let members = JSONSlices.members(of: body), members.count == 1, members[0].key == "runs",
            let items = JSONSlices.elements(of: members[0].value)
        else {
            throw Problem(.invalidRequest, "The body must be an object with the one member \"runs\", an array.")
        }
        guard items.count <= AdminConfiguration.largestBatch else {
            throw Problem(
                .invalidRequest, "A batch has at most \(AdminConfiguration.largestBatch) runs; this one has \(items.count).",
                [("limit", .int(Int64(AdminConfiguration.largestBatch)))])
        }
        var results: [Result<StartedRun, Problem>?] = []
        var requests: [(place: Int, request: SubmitRequest)] = []
        for (place, item) in items.enumerated() {
            do {
                requests.append((place, try submitRequest(item, namespace: call.namespace)))
                results.append(nil)
            } catch let problem as Problem {
                results.append(.failure(problem))
            }
        }
        let answers = try await answers(to: requests.map(\.request))
        for ((place, request), answer) in zip(requests, answers) {
            switch answer {
            case .success(let answer): results[place] = try await outcome(of: answer, for: request)
            case .failure(let problem): results[place] = .failure(problem)
            }
        }
        var list: [JSONValue] = []
        for result in results {
            switch result {
            case .success(let started): list.append(["status": started.isReplay ? 200 : 201, "run": started.json])
            case .failure(let problem):
                list.append(["status": .int(Int64(problem.code.status.code)), "problem": problem.json(requestID: call.requestID)])
            case nil: continue
            }
        }
        return .json(["results": .array(list)])
    }

    // One answer for each request, in their order. When some were accepted already, those that were not have a problem each: whoever is
    // told that everything failed would send it all again.
    private func answers(to requests: [SubmitRequest]) async throws -> [Result<SubmitAnswer, Problem>] {
        guard admission.admit(runs: requests.count) else { throw backlogFull }
        var answers: [Result<SubmitAnswer, Problem>] = []
        var rest = requests[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Submitter.batchLimit))
            let problem: Problem
            do throws(SubmitFailure) {
                answers += try await submitter.submit(part).map { .success($0) }
                admission.confirm(runs: part.count)
                rest = rest.dropFirst(part.count)
                continue
            } catch {
                switch error {
                case .overloaded: problem = waitingFull
                case .stopping: problem = Problem(.overloaded, "This coordinator is stopping; another one will answer.")
                case .database(let error): problem = Problem(error)
                }
            }
            admission.withdraw(runs: rest.count)
            guard !answers.isEmpty else { throw problem }
            return answers + rest.map { _ in .failure(problem) }
        }
        return answers
    }

    private struct StartedRun {
        let run: RunID
        let workflow: String
        let version: Int
        let isReplay: Bool

        var json: JSONValue {
            [
                "run_id": .string(run.description), "workflow": .string(workflow), "version": .int(Int64(version)),
                "is_replay": .bool(isReplay),
            ]
        }
    }

    private func outcome(of answer: SubmitAnswer, for request: SubmitRequest) async throws -> Result<StartedRun, Problem> {
        switch answer {
        case .accepted(let run, let version, let isReplay):
            return .success(StartedRun(run: run, workflow: request.workflow, version: version, isReplay: isReplay))
        case .unknownWorkflow:
            return .failure(try await unknownWorkflow(request.workflow, in: request.namespace))
        case .unknownVersion:
            return .failure(
                Problem(.versionNotFound, "The workflow \"\(request.workflow)\" has no version \(request.version.map(String.init) ?? "that is live")."))
        case .invalidInput:
            let errors = answer.inputErrors ?? .array([])
            let count = errors.arrayValue?.count ?? 0
            return .failure(
                Problem(
                    .invalidInput,
                    "The input does not match the schema of \"\(request.workflow)\" in \(count == 1 ? "one place" : "\(count) places").",
                    [("errors", errors)]))
        case .keyConflict(let run):
            return .failure(
                Problem(.keyConflict, "The key was used before, for the run \(run), with another request.", [("run_id", .string(run.description))]))
        case .unusable(let reason):
            return .failure(Problem(.workflowNotRunnable, reason))
        }
    }

    // The draft says that the value is a structured string, in quotes; many clients leave them out.
    private static func headerKey(of call: Call) throws -> String? {
        guard let field = keyField.flatMap({ call.request.headers[$0] }) else { return nil }
        let key = field.count >= 2 && field.hasPrefix("\"") && field.hasSuffix("\"") ? String(field.dropFirst().dropLast()) : field
        guard isKey(key) else {
            throw Problem(
                .invalidParameter, "Idempotency-Key must have 1 to \(AdminConfiguration.longestKey) bytes.", [("parameter", "Idempotency-Key")])
        }
        return key
    }

    private static func isKey(_ key: String) -> Bool { !key.isEmpty && key.utf8.count <= AdminConfiguration.longestKey }

    // Everything that is wrong with one request, at once.
    private func submitRequest(_ body: JSONText, namespace: String) throws -> SubmitRequest {
        guard let members = JSONSlices.members(of: body) else {
            throw Problem(.invalidRequest, "A run is asked for with a JSON object.", [("errors", BodyError.list([.init(pointer: "", message: "must be an object")]))])
        }
        var errors: [BodyError] = []
        var request = SubmitRequest(namespace: namespace, workflow: "", input: JSONText(trusted: "{}"))
        var hasWorkflow = false
        for (name, document) in members {
            // Only small members are looked into; the input stays text.
            if name == "input" {
                let bytes = document.text.utf8.count
                guard bytes <= configuration.inputLimit else {
                    throw Problem(
                        .inputTooLarge, "The input has \(bytes) bytes; it may have at most \(configuration.inputLimit).",
                        [("limit_bytes", .int(Int64(configuration.inputLimit)))])
                }
                request.input = document
                continue
            }
            let value = document.value
            switch name {
            case "workflow":
                hasWorkflow = true
                if let workflow = value.stringValue {
                    request.workflow = workflow
                } else {
                    errors.append(.init(pointer: "/workflow", message: "must be a string"))
                }
            case "version":
                if let version = value.intValue, version >= 1, version <= Int64(Int32.max) {
                    request.version = Int(version)
                } else if value != .null {
                    errors.append(.init(pointer: "/version", message: "must be a whole number from 1"))
                }
            case "key":
                if let key = value.stringValue, Self.isKey(key) {
                    request.key = key
                } else if value != .null {
                    errors.append(.init(pointer: "/key", message: "must be a string of 1 to \(AdminConfiguration.longestKey) bytes"))
                }
            case "labels":
                if let message = Self.labelError(value) {
                    errors.append(.init(pointer: "/labels", message: message))
                } else if value != .null {
                    request.labels = document
                }
            default:
                errors.append(.init(pointer: "/\(name)", message: "is unknown; a run has workflow, version, input, key, labels"))
            }
        }
        if !hasWorkflow { errors.append(.init(pointer: "/workflow", message: "is missing")) }
        guard errors.isEmpty else {
            throw Problem(
                .invalidRequest, "The request is not valid: \(errors[0].pointer) \(errors[0].message).", [("errors", BodyError.list(errors))])
        }
        return request
    }

    private static func labelError(_ value: JSONValue) -> String? {
        if value == .null { return nil }
        guard let labels = value.objectValue else { return "must be an object of strings" }
        if labels.count > AdminConfiguration.mostLabels { return "may have at most \(AdminConfiguration.mostLabels) members" }
        for (name, value) in labels.members {
            guard let text = value.stringValue else { return "must be an object of strings" }
            guard name.utf8.count <= AdminConfiguration.longestLabel, text.utf8.count <= AdminConfiguration.longestLabel else {
                return "may have names and values of at most \(AdminConfiguration.longestLabel) bytes"
            }
        }
        return nil
    }
}
