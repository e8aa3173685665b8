// Looking at runs, waiting for them, cancelling them.

@testable import AdminAPI
import HTTPTypes
import Hummingbird
import NIOCore
import PostgresTestKit
import RunStore
import Synchronization
import Testing
import WorkflowModel

@Suite("Run routes")
struct RunRouteTests {
    private static let nowhere = "/api/v1/runs/01900000-0000-7000-8000-000000000000"

    @Test("runs are listed newest first, live and ended ones together, page by page")
    func pages() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            try await service.applyImmediate()
            var ids: [String] = []
            for index in 0..<25 { ids.append(try await service.start(index % 2 == 0 ? "waiting" : "immediate")) }
            var seen: [String] = []
            var path = "/api/v1/runs?limit=10"
            var pages = 0
            while true {
                let page = try await service.get(path)
                seen += page.items.compactMap { $0["run_id"]?.stringValue }
                pages += 1
                guard let cursor = page["next_cursor"]?.stringValue else { break }
                path = "/api/v1/runs?limit=10&cursor=\(cursor)"
            }
            #expect(pages == 3)
            #expect(seen == ids.sorted().reversed())
            #expect(Set(seen) == Set(ids))
        }
    }

    @Test("filters narrow the list")
    func filters() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            try await service.applyImmediate()
            for _ in 0..<3 { _ = try await service.start("waiting") }
            for _ in 0..<2 { _ = try await service.start("immediate") }
            let byWorkflow = try await service.get("/api/v1/runs?workflow=waiting")
            #expect(byWorkflow.items.count == 3)
            let byStatus = try await service.get("/api/v1/runs?status=succeeded,failed")
            #expect(byStatus.items.map { $0["workflow"] } == ["immediate", "immediate"])
            let live = try await service.get("/api/v1/runs?status=queued")
            #expect(live.items.count == 3)
            let recent = try await service.get("/api/v1/runs?since=1h&workflow=immediate")
            #expect(recent.items.count == 2)
            let future = try await service.get("/api/v1/runs?since=2100-01-01T00:00:00Z")
            #expect(future.items.isEmpty)
            let unknown = try await service.get("/api/v1/runs?workflow=nobody")
            #expect(unknown.items.isEmpty)
        }
    }

    @Test("a cursor continues only the list that it belongs to")
    func cursors() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            for _ in 0..<3 { _ = try await service.start("waiting") }
            let page = try await service.get("/api/v1/runs?limit=1")
            let cursor = try #require(page["next_cursor"]?.stringValue)
            let other = try await service.get("/api/v1/runs?limit=1&workflow=waiting&cursor=\(cursor)")
            #expect(other.status == 400)
            #expect(other.code == "invalid_cursor")
            let garbage = try await service.get("/api/v1/runs?cursor=%21%21")
            #expect(garbage.code == "invalid_cursor")
        }
    }

    @Test("parameters that are unknown or out of range are refused")
    func parameters() async throws {
        try await Service.run { service in
            for query in ["limit=0", "limit=501", "limit=x", "status=done", "since=yesterday", "statsu=failed", "limit=%zz"] {
                let answer = try await service.get("/api/v1/runs?\(query)")
                #expect(answer.status == 400, "\(query)")
                #expect(answer.code == "invalid_parameter", "\(query)")
            }
        }
    }

    @Test("a run shows its steps, attempts, history, output and error")
    func detail() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            try await service.work(output: #"{"score":1.50}"#)
            let run = try await service.get("/api/v1/runs/\(id)")
            #expect(run["status"] == "succeeded", "\(run.text)")
            #expect(run["ended_at"]?.stringValue != nil)
            let steps = try await service.get("/api/v1/runs/\(id)/steps")
            #expect(steps.items.map { $0["step"] } == ["only"])
            #expect(steps.items.first?["status"] == "succeeded")
            #expect(steps.items.first?["output"] == ["score": 1.5])
            #expect(steps.items.first?["worker"] == "hand")
            let attempts = try await service.get("/api/v1/runs/\(id)/attempts")
            #expect(attempts.items.count == 1)
            let ofStep = try await service.get("/api/v1/runs/\(id)/steps/only/attempts")
            #expect(ofStep.items == attempts.items)
            let history = try await service.get("/api/v1/runs/\(id)/history")
            #expect(history.items.map { $0["event"] } == ["run_submitted", "step_succeeded", "run_succeeded"])
            #expect(history.items.map { $0["seq"] } == [1, 2, 3])
            let paged = try await service.get("/api/v1/runs/\(id)/history?limit=1")
            #expect(paged["next_cursor"]?.stringValue != nil)
        }
    }

    @Test("a run that does not exist is not found, whatever is asked of it")
    func notFound() async throws {
        try await Service.run { service in
            for suffix in ["", "/steps", "/attempts", "/history", "/events", "/steps/a/attempts", "?wait=1s"] {
                let answer = try await service.get(Self.nowhere + suffix)
                #expect(answer.status == 404, "\(suffix)")
                #expect(answer.code == "run_not_found", "\(suffix)")
            }
            let cancel = try await service.post(Self.nowhere + ":cancel", [:])
            #expect(cancel.code == "run_not_found")
            let nonsense = try await service.get("/api/v1/runs/nonsense")
            #expect(nonsense.code == "run_not_found")
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            let step = try await service.get("/api/v1/runs/\(id)/steps/nope/attempts")
            #expect(step.code == "step_not_found")
        }
    }

    @Test("a run is cancelled once, and its ending is told afterwards")
    func cancel() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            let first = try await service.post("/api/v1/runs/\(id):cancel", ["reason": "not needed"])
            #expect(first.status == 202)
            let again = try await service.send(.post, "/api/v1/runs/\(id):cancel")
            #expect(again.status == 202)
            try await service.fold()
            let run = try await service.get("/api/v1/runs/\(id)")
            #expect(run["status"] == "cancelled", "\(run.text)")
            #expect(run["reason"] == "not needed")
            let late = try await service.post("/api/v1/runs/\(id):cancel", [:])
            #expect(late.status == 409)
            #expect(late.code == "run_ended")
            #expect(late["status"] == 409)
            #expect(late["run_status"] == "cancelled")
        }
    }

    @Test("waiting for a run ends with the run")
    func waits() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            let impatient = try await service.get("/api/v1/runs/\(id)?wait=50ms")
            #expect(impatient["status"] == "queued")
            async let waiting = service.get("/api/v1/runs/\(id)?wait=30s")
            try await service.work()
            let answer = try await waiting
            #expect(answer["status"] == "succeeded")
        }
    }

    @Test("the events of a run stream until it has ended, and can be continued")
    func events() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            async let stream = service.get("/api/v1/runs/\(id)/events")
            try await service.work()
            let answer = try await stream
            #expect(answer.fields[.contentType] == "text/event-stream")
            let names = answer.text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
            #expect(names == ["run_submitted", "step_succeeded", "run_succeeded"])
            let rest = try await service.get("/api/v1/runs/\(id)/events", fields: .with("Last-Event-ID", "2"))
            #expect(rest.text.contains("id: 3\nevent: run_succeeded\n"))
            #expect(!rest.text.contains("id: 2\n"))
            let nothing = try await service.get("/api/v1/runs/\(id)/events?after=3")
            #expect(nothing.status == 204)
        }
    }

    @Test("a stream without news says that it is alive, and ends when the service stops")
    func heartbeat() async throws {
        try await Service.run(.quick) { service in
            try await service.applyWaiting()
            let id = try await service.start("waiting")
            let route = try #require(AdminAPI.streamRoutes.first)
            let request = Request(
                head: HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/api/v1/runs/\(id)/events"), body: .init(buffer: .init()))
            let caller = Caller(namespace: "default", scopes: [.read])
            let call = Call(request: request, requestID: "r", caller: caller, captures: ["id": id], query: [:], room: BodyRoom(service.api.admission))
            let response = try await route.handler(service.api, call)
            let reader = StreamReader()
            async let stream: Void = response.body.write(reader)
            try await waitUntil("the stream says that it is alive") { reader.text.contains(": still here\n\n") }
            service.api.endStreams()
            try await stream
            #expect(reader.hasFinished)
        }
    }

    @Test("workers and queues are shown")
    func fleet() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            _ = try await service.start("waiting")
            let queues = try await service.get("/api/v1/queues")
            #expect(queues.items.first?["queue"] == "default")
            #expect(queues.items.first?["ready"] == 1)
            try await service.work()
            let workers = try await service.get("/api/v1/workers")
            #expect(workers.items.first?["worker"] == "hand")
            #expect(workers.items.first?["status"] == "alive")
            let dead = try await service.get("/api/v1/workers?status=dead")
            #expect(dead.items.isEmpty)
            let wrong = try await service.get("/api/v1/workers?status=tired")
            #expect(wrong.code == "invalid_parameter")
        }
    }
}

/// Takes what a stream writes, so that a test can look at it while it goes on.
private final class StreamReader: ResponseBodyWriter, Sendable {
    private let state = Mutex((text: "", hasFinished: false))

    var text: String { state.withLock { $0.text } }
    var hasFinished: Bool { state.withLock { $0.hasFinished } }

    func write(_ buffer: ByteBuffer) async throws { state.withLock { $0.text += String(buffer: buffer) } }
    func finish(_ trailingHeaders: HTTPFields?) async throws { state.withLock { $0.hasFinished = true } }
}
