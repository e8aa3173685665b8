// The events of a run as they happen: server-sent events, numbered like the run's history.

import HTTPTypes
import Hummingbird
import NIOCore
import RunStore
import WorkflowModel

extension AdminAPI {
    private static let lastEventField = HTTPField.Name("Last-Event-ID")
    private static let eventsAtOnce = 200

    static let streamRoutes: [Route] = [
        Route(
            method: .get, path: "/api/v1/runs/{id}/events", name: "streamRun",
            about: "What happens to a run, as server-sent events. The id of an event is its number in the history; the stream ends with the run.",
            access: .scope(.read),
            parameters: [
                .init(name: "after", about: "Begin after the event with this number.", schema: ["type": "integer", "minimum": 0]),
                .init(name: "Last-Event-ID", place: .header, about: "The same, as browsers send it.", schema: ["type": "string"]),
            ],
            answers: [
                .init(status: 200, about: "The stream.", contentType: "text/event-stream", schema: ["type": "string"]),
                .init(status: 204, about: "The run has ended, and everything was seen: do not connect again.", contentType: nil),
            ], problems: [.runNotFound]
        ) { api, call in try await api.streamRun(call) }
    ]

    private func streamRun(_ call: Call) async throws -> Response {
        let id = try call.runID()
        guard let hasEnded = try await reader.hasEnded(id, in: call.namespace) else { throw Self.unknownRun(id) }
        let given = call.query["after"] ?? Self.lastEventField.flatMap { call.request.headers[$0] } ?? "0"
        guard let after = Int32(given), after >= 0 else {
            throw Problem(.invalidParameter, "after must be the number of an event.", [("parameter", "after")])
        }
        if hasEnded, try await reader.events(of: id, after: after, limit: 1).isEmpty { return Response(status: .noContent) }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                try await self.write(id, after: after, to: &writer)
                try await writer.finish(nil)
            })
    }

    @concurrent
    private func write(_ id: RunID, after: Int32, to writer: inout any ResponseBodyWriter) async throws {
        var last = after
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        while true {
            // The mark is older than what is read after it, so nothing that happens in between is missed.
            guard let mark = try await reader.marks(of: [id]).first else { return }
            let events = try await reader.events(of: id, after: last, limit: Self.eventsAtOnce)
            for event in events {
                try await writer.write(
                    ByteBuffer(string: "id: \(event.sequence)\nevent: \(event.name)\ndata: \(event.body.text)\n\n"))
                last = event.sequence
                if event.isEnding { return }
            }
            if events.count == Self.eventsAtOnce { continue }
            if mark == .gone { return }
            switch await watcher.change(of: id, since: mark, until: .now + configuration.heartbeat) {
            case .changed: continue
            case .nothing: try await writer.write(ByteBuffer(string: ": still here\n\n"))
            case .stopping, .overloaded: return
            }
        }
    }
}
