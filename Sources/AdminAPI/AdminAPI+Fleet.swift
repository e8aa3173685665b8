// Agents, workers and queues.

import Hummingbird
import RunStore
import WorkflowModel

extension AdminAPI {
    private static let workerStatuses = ["alive", "draining", "expired", "dead"]

    static let fleetRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/agents", name: "listAgents", about: "The agents that live versions name.", access: .scope(.read),
            answers: [.init(status: 200, about: "All agents.", schema: Schemas.page("Agent"))]
        ) { api, call in call.response(try await api.reader.agents(in: call.namespace)) },
        Route(
            method: .get, path: "/api/v1/workers", name: "listWorkers",
            about: "Worker sessions, the newest first. Without a status, those that are not dead.", access: .scope(.read),
            parameters: Schemas.paging + [
                .init(
                    name: "status", about: "Only sessions with one of these statuses, separated by commas.",
                    schema: ["type": "string", "examples": ["alive,draining"]])
            ], answers: [.init(status: 200, about: "A page of sessions.", schema: Schemas.page("Worker"))], problems: [.invalidCursor]
        ) { api, call in
            let statuses = try call.query["status"]?.split(separator: ",").map(String.init).map { status in
                guard workerStatuses.contains(status) else {
                    throw Problem(
                        .invalidParameter, "\"\(status)\" is no status; a worker session is \(workerStatuses.joined(separator: ", ")).",
                        [("parameter", "status")])
                }
                return status
            }
            return call.response(
                try await api.reader.workers(in: call.namespace, statuses: statuses, limit: call.limit(), after: call.cursor()))
        },
        Route(
            method: .get, path: "/api/v1/queues", name: "listQueues", about: "The queues, what is in them, and who serves them.",
            access: .scope(.read), answers: [.init(status: 200, about: "All queues.", schema: Schemas.page("Queue"))]
        ) { api, call in call.response(try await api.reader.queues(in: call.namespace)) },
    ]
}
