// Looking at runs, and cancelling them.

import Hummingbird
import NIOCore
import RunStore
import WorkflowModel

extension AdminAPI {
    private static let statusList = RunStatus.allCases.map(\.rawValue)

    static let runRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/runs", name: "listRuns", about: "Runs, the newest first.", access: .scope(.read),
            parameters: Schemas.paging + [
                .init(name: "workflow", about: "Only runs of this workflow.", schema: ["type": "string"]),
                .init(
                    name: "status", about: "Only runs with one of these statuses, separated by commas.",
                    schema: ["type": "string", "examples": ["failed,timed_out"]]),
                .init(
                    name: "since", about: "Only runs submitted since this moment, or within this time.",
                    schema: ["type": "string", "examples": ["24h", "2026-11-23T00:00:00Z"]]),
            ], answers: [.init(status: 200, about: "A page of runs.", schema: Schemas.page("Run"))], problems: [.invalidCursor]
        ) { api, call in
            let filter = RunFilter(workflow: call.query["workflow"], statuses: try statuses(of: call), since: try call.moment("since"))
            return call.response(
                try await api.reader.runs(in: call.namespace, matching: filter, limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}", name: "getRun", about: "One run with its input, output and error.", access: .scope(.read),
            parameters: [
                .init(
                    name: "wait", about: "Answer when the run has ended, at the latest after this time.",
                    schema: ["type": "string", "examples": ["30s"]])
            ], answers: [.init(status: 200, about: "The run.", schema: Schemas.reference("Run"))], problems: [.runNotFound]
        ) { api, call in
            let id = try call.runID()
            if let patience = try call.duration("wait", upTo: api.configuration.longestWait) {
                try await api.waitForEnding(of: id, in: call.namespace, upTo: patience)
            }
            guard let run = try await api.reader.run(id, in: call.namespace) else { throw unknownRun(id) }
            return .json(run)
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}/steps", name: "listSteps", about: "The steps of a run that have started or settled, by path.",
            access: .scope(.read),
            parameters: Schemas.paging + [
                .init(
                    name: "brief", about: "Leave out inputs, outputs and details, which may be large.", schema: ["type": "boolean", "default": false])
            ],
            answers: [.init(status: 200, about: "A page of steps; it ends early where they are large.", schema: Schemas.page("Step"))], problems: [.runNotFound, .invalidCursor]
        ) { api, call in
            let id = try await api.existingRun(call)
            return call.response(try await api.reader.steps(of: id, isBrief: call.flag("brief", default: false), limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}/steps/{path}/attempts", name: "listAttemptsOfStep", about: "The attempts of one step.",
            access: .scope(.read), parameters: Schemas.paging,
            answers: [.init(status: 200, about: "A page of attempts.", schema: Schemas.page("Attempt"))],
            problems: [.runNotFound, .stepNotFound, .invalidCursor]
        ) { api, call in
            let id = try await api.existingRun(call)
            let step = StepPath(call.capture("path"))
            let page = try await api.reader.attempts(of: id, step: step, limit: call.limit(), after: call.cursor())
            if page.items.isEmpty, try await !api.reader.hasStep(step, of: id) {
                throw Problem(.stepNotFound, "The run has no step \"\(step)\" that has started.")
            }
            return call.response(page)
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}/attempts", name: "listAttempts", about: "All attempts of a run, by step.", access: .scope(.read),
            parameters: Schemas.paging, answers: [.init(status: 200, about: "A page of attempts.", schema: Schemas.page("Attempt"))],
            problems: [.runNotFound, .invalidCursor]
        ) { api, call in
            let id = try await api.existingRun(call)
            return call.response(try await api.reader.attempts(of: id, step: nil, limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .get, path: "/api/v1/runs/{id}/history", name: "listHistory", about: "What happened to a run, in order.", access: .scope(.read),
            parameters: Schemas.paging, answers: [.init(status: 200, about: "A page of the history.", schema: Schemas.page("Event"))],
            problems: [.runNotFound, .invalidCursor]
        ) { api, call in
            let id = try await api.existingRun(call)
            return call.response(try await api.reader.history(of: id, limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .post, path: "/api/v1/runs/{id}:cancel", name: "cancelRun",
            about: "Cancels a run with everything below it. When the answer comes, nothing of it starts any more; what is under way is told to stop.",
            access: .scope(.write),
            body: .init(
                contentTypes: ["application/json"], about: "Why; may be left out.",
                schema: ["type": "object", "additionalProperties": false, "properties": ["reason": ["type": "string"]]]),
            answers: [
                .init(
                    status: 202, about: "The run is being cancelled.",
                    schema: ["type": "object", "properties": ["run_id": ["type": "string"], "status": ["const": "cancelling"]]])
            ], problems: [.malformedJSON, .invalidRequest, .bodyTooLarge, .runNotFound, .runEnded]
        ) { api, call in try await api.cancelRun(call) },
    ]

    static func unknownRun(_ id: RunID) -> Problem { Problem(.runNotFound, "There is no run \(id).") }

    private static func statuses(of call: Call) throws -> [RunStatus]? {
        guard let text = call.query["status"] else { return nil }
        return try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let status = RunStatus(rawValue: String(name)) else {
                throw Problem(
                    .invalidParameter, "\"\(name)\" is no status; a run is \(statusList.joined(separator: ", ")).", [("parameter", "status")])
            }
            return status
        }
    }

    /// The run that a request is about, if there is one.
    func existingRun(_ call: Call) async throws -> RunID {
        let id = try call.runID()
        guard try await reader.hasEnded(id, in: call.namespace) != nil else { throw Self.unknownRun(id) }
        return id
    }

    private func waitForEnding(of id: RunID, in namespace: String, upTo patience: Duration) async throws {
        let deadline = ContinuousClock.now + patience
        guard let hasEnded = try await reader.hasEnded(id, in: namespace) else { throw Self.unknownRun(id) }
        if hasEnded { return }
        switch await watcher.ending(of: id, until: deadline) {
        case .changed, .nothing, .stopping: return
        case .overloaded: throw Problem(.overloaded, "Too many requests wait for runs.")
        }
    }

    private func cancelRun(_ call: Call) async throws -> Response {
        let id = try call.runID()
        let reason = try await reason(in: call)
        guard let status = try await reader.cancel(id, reason: reason, in: call.namespace) else { throw Self.unknownRun(id) }
        guard status == "cancelling" else {
            throw Problem(
                .runEnded, "The run \(id) has ended: \(status).", [("run_id", .string(id.description)), ("run_status", .string(status))])
        }
        wakeFold()
        return .json(["run_id": .string(id.description), "status": "cancelling"], status: .accepted)
    }

    /// The reason in a body that may be missing.
    func reason(in call: Call) async throws -> String? {
        let body = try await call.body(upTo: configuration.bodyLimit)
        guard body.readableBytes > 0 else { return nil }
        let document: JSONText
        do throws(JSONError) {
            document = try JSONText(checking: body.readableBytesView)
        } catch {
            throw Problem(.malformedJSON, "The body is not valid: \(error).", [("offset", .int(Int64(error.offset)))])
        }
        return try Self.reason(document.value)
    }

    private static func reason(_ body: JSONValue) throws -> String? {
        guard let object = body.objectValue, object.keys.allSatisfy({ $0 == "reason" }) else {
            throw Problem(
                .invalidRequest, "The body must be an object with the one member \"reason\".",
                [("errors", BodyError.list([.init(pointer: "", message: "may have only the member reason")]))])
        }
        switch object["reason"] {
        case nil, .null?: return nil
        case .string(let reason)? where reason.utf8.count <= AdminConfiguration.longestReason: return reason
        case .some:
            throw Problem(
                .invalidRequest, "reason must be a string of at most \(AdminConfiguration.longestReason) bytes.",
                [("errors", BodyError.list([.init(pointer: "/reason", message: "must be a string of at most \(AdminConfiguration.longestReason) bytes")]))])
        }
    }
}
