// What operators tell runs: pause, resume, signal, adjust; events for whoever waits; and why a run waits.

import Hummingbird
import RunStore
import WorkflowModel

extension AdminAPI {
    private static let reasonBody = Route.Body(
        contentTypes: ["application/json"], about: "Why; may be left out.",
        schema: ["type": "object", "additionalProperties": false, "properties": ["reason": ["type": "string"]]])

    static let orderRoutes: [Route] = [
        Route(
            method: .post, path: "/api/v1/runs/{id}:pause", name: "pauseRun",
            about: """
                Pauses a run with everything below it. When the answer comes, no step of it starts; attempts under way finish and their results are \
                kept. Durations stand still, signals are kept for later.
                """,
            access: .scope(.write), body: reasonBody, answers: [runStatus(200, "The run is paused.", "paused")],
            problems: [.malformedJSON, .invalidRequest, .bodyTooLarge, .runNotFound, .runConflict]
        ) { api, call in
            let id = try call.runID()
            let reason = try await api.reason(in: call)
            try await api.ordered { try await $0.pause(id, reason: reason, in: call.namespace) }
            return .json(["run_id": .string(id.description), "status": "paused"])
        },
        Route(
            method: .post, path: "/api/v1/runs/{id}:resume", name: "resumeRun",
            about: "Resumes a paused run, and what was paused with it. Durations go on where they stood still.", access: .scope(.write),
            answers: [runStatus(200, "The run goes on.", "resumed")], problems: [.runNotFound, .runConflict]
        ) { api, call in
            let id = try call.runID()
            try await api.ordered { try await $0.resume(id, in: call.namespace) }
            api.wakeFold()
            api.wakeWorkers()
            return .json(["run_id": .string(id.description), "status": "resumed"])
        },
        Route(
            method: .post, path: "/api/v1/runs/{id}:signal", name: "signalRun",
            about: """
                Sends an event to one run. It is kept until a step of the run takes it. A state machine that refuses what it does not expect \
                answers with a conflict.
                """,
            access: .scope(.write),
            body: .init(
                contentTypes: ["application/json"], about: "The event. The same id twice counts once.",
                schema: [
                    "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": ["name": ["type": "string"], "data": .object(JSONObject()), "id": ["type": "string"]],
                ]), answers: [acceptedEvent],
            problems: [.malformedJSON, .invalidRequest, .bodyTooLarge, .runNotFound, .runConflict, .eventRefused]
        ) { api, call in try await api.signalRun(call) },
        Route(
            method: .post, path: "/api/v1/runs/{id}/steps/{path}:adjust", name: "adjustLoop",
            about: "Changes a running loop: how many iterations run at once (0 is all of them), and how many may fail.", access: .scope(.write),
            body: .init(
                contentTypes: ["application/json"], about: "What changes.",
                schema: [
                    "type": "object", "additionalProperties": false, "minProperties": 1,
                    "properties": [
                        "max_parallel": ["type": "integer", "minimum": 0],
                        "tolerate": ["type": "string", "pattern": "^[0-9]{1,9}%?$", "examples": ["3", "10%"]],
                    ],
                ]), answers: [runStatus(202, "A coordinator will change it.", "adjusting")],
            problems: [.malformedJSON, .invalidRequest, .bodyTooLarge, .runNotFound, .stepNotFound, .runConflict]
        ) { api, call in try await api.adjustLoop(call) },
        Route(
            method: .get, path: "/api/v1/runs/{id}/why", name: "explainRun",
            about: "Why a run waits: one item for each thing that it waits for, with the remedy.", access: .scope(.read),
            answers: [.init(status: 200, about: "What it waits for.", schema: items("Waiting"))], problems: [.runNotFound]
        ) { api, call in
            let id = try call.runID()
            return AdminAPI.list(try await api.asked { try await $0.why(id, in: call.namespace) })
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}/trace", name: "traceRun",
            about: "A run with everything below it, in the order of a tree: its steps, the sub-workflows that they started, the runs that followed.",
            access: .scope(.read),
            parameters: [
                .init(
                    name: "limit", about: "The most rows.",
                    schema: ["type": "integer", "minimum": 1, "maximum": .int(Int64(longestTrace)), "default": 1000])
            ], answers: [.init(status: 200, about: "The tree.", schema: items("TraceItem"))], problems: [.runNotFound]
        ) { api, call in
            let id = try call.runID()
            guard let limit = Int(call.query["limit"] ?? "1000"), limit >= 1, limit <= longestTrace else {
                throw Problem(.invalidParameter, "limit must be a whole number from 1 to \(longestTrace).", [("parameter", "limit")])
            }
            return AdminAPI.list(try await api.asked { try await $0.trace(id, limit: limit, in: call.namespace) })
        },
        Route(
            method: .post, path: "/api/v1/events", name: "emitEvent",
            about: "Publishes an event to whichever runs wait for its name and key, now or within its lifetime.", access: .scope(.write),
            body: .init(
                contentTypes: ["application/json"], about: "The event. The same source and id twice count once.",
                schema: [
                    "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": [
                        "name": ["type": "string"], "data": .object(JSONObject()), "key": ["type": "string"], "source": ["type": "string"],
                        "id": ["type": "string"], "lifetime": ["type": "string", "examples": ["7d"], "default": "7d"],
                    ],
                ]), answers: [acceptedEvent], problems: [.malformedJSON, .invalidRequest, .bodyTooLarge, .namespaceNotFound]
        ) { api, call in try await api.emitEvent(call) },
        Route(
            method: .get, path: "/api/v1/events/{number}", name: "getEvent", about: "An event, and what became of it.", access: .scope(.read),
            answers: [.init(status: 200, about: "The event.", schema: Schemas.reference("AcceptedEvent"))], problems: [.eventNotFound]
        ) { api, call in
            let unknown = Problem(.eventNotFound, "There is no event \(call.capture("number")).")
            guard let number = Int64(call.capture("number")), let event = try await api.reader.event(number, in: call.namespace) else {
                throw unknown
            }
            return .json(event)
        },
    ]

    private static let longestTrace = 20_000

    private static let acceptedEvent = Route.Answer(
        status: 202, about: "The event is kept. Its status says whether somebody has taken it already.", schema: Schemas.reference("AcceptedEvent"))

    private static func runStatus(_ status: Int, _ about: String, _ word: String) -> Route.Answer {
        .init(
            status: status, about: about,
            schema: ["type": "object", "properties": ["run_id": ["type": "string"], "status": ["const": .string(word)]]])
    }

    private static func items(_ name: String) -> JSONValue {
        ["type": "object", "required": ["items"], "properties": ["items": ["type": "array", "items": Schemas.reference(name)]]]
    }

    private static func list(_ items: [JSONText]) -> Response {
        .json("{\"items\":[" + items.map(\.text).joined(separator: ",") + "]}")
    }

    // MARK: Carrying them out

    private func ordered(_ order: (RunReader) async throws -> Void) async throws { try await asked(order) }

    // What the database refuses for a reason that the caller can mend.
    private func asked<Answer>(_ question: (RunReader) async throws -> Answer) async throws -> Answer {
        do {
            return try await question(reader)
        } catch let refusal as OrderRefusal {
            switch refusal {
            case .notFound(let sentence) where sentence.contains("loop"): throw Problem(.stepNotFound, Self.sentence(sentence))
            case .notFound(let sentence) where sentence.contains("namespace"): throw Problem(.namespaceNotFound, Self.sentence(sentence))
            case .notFound(let sentence): throw Problem(.runNotFound, Self.sentence(sentence))
            case .conflict(let sentence): throw Problem(.runConflict, Self.sentence(sentence))
            case .invalid(let sentence): throw Problem(.invalidRequest, Self.sentence(sentence))
            }
        }
    }

    private static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }

    private func signalRun(_ call: Call) async throws -> Response {
        let id = try call.runID()
        let body = try await BodyReader(call.json(upTo: configuration.inputLimit), members: ["name", "data", "id"])
        let name = try body.text("name", upTo: 200)
        let source = try body.optionalText("id", upTo: 1000)
        let event = try await asked {
            try await $0.signal(id, name: name, data: body.value("data"), sourceID: source, actor: call.caller.keyName ?? "api", in: call.namespace)
        }
        wakeFold()
        return try await accepted(event, call)
    }

    private func emitEvent(_ call: Call) async throws -> Response {
        let body = try await BodyReader(
            call.json(upTo: configuration.inputLimit), members: ["name", "data", "key", "source", "id", "lifetime"])
        let name = try body.text("name", upTo: 200)
        let (key, source, sourceID) = (
            try body.optionalText("key", upTo: 1000), try body.optionalText("source", upTo: 200), try body.optionalText("id", upTo: 1000)
        )
        let lifetime = try body.duration("lifetime") ?? .seconds(7 * 86400)
        let event = try await asked {
            try await $0.emit(
                name: name, data: body.value("data"), key: key, source: source, sourceID: sourceID, lifetime: lifetime,
                actor: call.caller.keyName ?? "api", in: call.namespace)
        }
        wakeFold()
        return try await accepted(event, call)
    }

    // How long a sender waits for a state machine that may refuse what it got.
    private static let longestDecision: Duration = .seconds(5)

    private func accepted(_ event: AcceptedEvent, _ call: Call) async throws -> Response {
        let deadline = ContinuousClock.now + (event.mayBeRefused ? Self.longestDecision : .zero)
        var pause: Duration = .milliseconds(5)
        while true {
            guard let row = try await reader.event(event.id, in: call.namespace) else {
                throw Problem(.internalError, "The event \(event.id) was accepted and cannot be found.")
            }
            let status = row.value["status"]?.stringValue
            if status == "refused" {
                throw Problem(
                    .eventRefused, Self.sentence(row.value["reason"]?.stringValue ?? "the run does not expect this event"),
                    [("event_id", .int(event.id))])
            }
            if (status != "buffered" && status != "offered") || ContinuousClock.now >= deadline { return .json(row, status: .accepted) }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(200))
        }
    }

    private func adjustLoop(_ call: Call) async throws -> Response {
        let id = try call.runID()
        let body = try await BodyReader(call.json(upTo: configuration.bodyLimit), members: ["max_parallel", "tolerate"])
        let maxParallel = try body.optionalWholeNumber("max_parallel")
        let tolerate = try body.optionalText("tolerate", upTo: 10)
        try await ordered {
            try await $0.adjust(
                id, loop: StepPath(call.capture("path")), maxParallel: maxParallel, tolerate: tolerate, in: call.namespace)
        }
        wakeFold()
        return .json(["run_id": .string(id.description), "status": "adjusting"], status: .accepted)
    }
}

/// The members of a small JSON body, each with a clear answer when it is not what it should be.
struct BodyReader {
    private let object: JSONObject

    init(_ document: JSONText, members: [String]) throws {
        let names = members.map { "\"\($0)\"" }.joined(separator: ", ")
        guard let object = document.value.objectValue else {
            throw Problem(
                .invalidRequest, "The body must be an object with the members \(names).",
                [("errors", BodyError.list([.init(pointer: "", message: "must be an object")]))])
        }
        let unknown = object.keys.filter { !members.contains($0) }
        guard unknown.isEmpty else {
            throw Problem(
                .invalidRequest, "The body may have only the members \(names).",
                [("errors", BodyError.list(unknown.map { .init(pointer: "/\($0)", message: "is no member that this route takes") }))])
        }
        self.object = object
    }

    func value(_ name: String) -> JSONText { object[name].map { JSONText($0) } ?? JSONText(trusted: "{}") }

    func text(_ name: String, upTo limit: Int) throws -> String {
        guard let text = try optionalText(name, upTo: limit), !text.isEmpty else { throw Self.wrong(name, "must be a text") }
        return text
    }

    func optionalText(_ name: String, upTo limit: Int) throws -> String? {
        switch object[name] {
        case nil, .null?: return nil
        case .string(let text)? where text.utf8.count <= limit: return text
        case .some: throw Self.wrong(name, "must be a text of at most \(limit) bytes")
        }
    }

    func optionalWholeNumber(_ name: String) throws -> Int? {
        switch object[name] {
        case nil, .null?: return nil
        case .some(let value):
            guard let number = value.intValue, number >= 0, number <= Int64(Int32.max) else { throw Self.wrong(name, "must be a whole number from 0 on") }
            return Int(number)
        }
    }

    func duration(_ name: String) throws -> Duration? {
        guard let text = try optionalText(name, upTo: 40) else { return nil }
        guard let duration = DurationText.parse(text), duration > .zero else { throw Self.wrong(name, "must be a duration such as 7d") }
        return duration
    }

    private static func wrong(_ name: String, _ message: String) -> Problem {
        Problem(.invalidRequest, "\(name) \(message).", [("errors", BodyError.list([.init(pointer: "/\(name)", message: message)]))])
    }
}
