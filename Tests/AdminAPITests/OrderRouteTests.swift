// Pause, resume, signal, adjust; events; why and trace.

@testable import AdminAPI
import Hummingbird
import PostgresTestKit
import RunStore
import Testing
import WorkflowModel

@Suite("Order routes")
struct OrderRouteTests {
    private static let nowhere = "/api/v1/runs/01900000-0000-7000-8000-000000000000"

    @Test("a run is paused and resumed; orders that do not fit are conflicts")
    func pause() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let run = try await service.start("waiting")
            let paused = try await service.post("/api/v1/runs/\(run):pause", ["reason": "deploying"])
            #expect(paused.status == 200, "\(paused.text)")
            #expect(paused["status"] == "paused")
            let shown = try await service.get("/api/v1/runs/\(run)")
            #expect(shown["status"] == "paused")
            #expect(shown["pause_reason"] == "deploying")
            #expect(shown["draining"] == 0)
            let resumed = try await service.send(.post, "/api/v1/runs/\(run):resume")
            #expect(resumed.status == 200, "\(resumed.text)")
            let again = try await service.send(.post, "/api/v1/runs/\(run):resume")
            #expect(again.status == 409)
            #expect(again.code == "run_conflict")
            try await service.work()
            let ended = try await service.post("/api/v1/runs/\(run):pause", [:])
            #expect(ended.code == "run_conflict")
            for order in ["pause", "resume", "signal"] {
                let body: JSONValue = order == "signal" ? ["name": "x"] : [:]
                let unknown = try await service.post("\(Self.nowhere):\(order)", body)
                #expect(unknown.status == 404)
                #expect(unknown.code == "run_not_found")
            }
        }
    }

    @Test("a signal is kept until a step takes it; the same id counts once; bad ones are refused with the member that is wrong")
    func signal() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let run = try await service.start("waiting")
            let first = try await service.post("/api/v1/runs/\(run):signal", ["name": "paid", "data": ["amount": 5], "id": "p-1"])
            #expect(first.status == 202, "\(first.text)")
            #expect(first["status"] == "buffered")
            #expect(first["data"]?["amount"] == 5)
            let second = try await service.post("/api/v1/runs/\(run):signal", ["name": "paid", "data": ["amount": 5], "id": "p-1"])
            #expect(second["event_id"] == first["event_id"])
            let number = first["event_id"]?.intValue ?? 0
            let shown = try await service.get("/api/v1/events/\(number)")
            #expect(shown["event"] == "paid")
            let missing = try await service.get("/api/v1/events/999999")
            #expect(missing.code == "event_not_found")
            for body: JSONValue in [[:], ["name": ""], ["name": 7], ["name": "two words"], ["name": "x", "when": "now"], 7] {
                let refused = try await service.post("/api/v1/runs/\(run):signal", body)
                #expect(refused.status == 400, "\(body.compactText): \(refused.text)")
                #expect(refused.code == "invalid_request")
            }
            let emitted = try await service.post("/api/v1/events", ["name": "shipped", "key": "4711", "lifetime": "1h"])
            #expect(emitted.status == 202, "\(emitted.text)")
            let wrong = try await service.post("/api/v1/events", ["name": "shipped", "lifetime": "soon"])
            #expect(wrong.code == "invalid_request")
        }
    }

    @Test("why and trace answer for runs that live and for runs that have ended")
    func why() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let run = try await service.start("waiting")
            let why = try await service.get("/api/v1/runs/\(run)/why")
            #expect(why.items.count == 1)
            #expect(why.items[0]["step"] == "only")
            #expect(why.items[0]["remedy"]?.stringValue?.contains("skein-worker") == true)
            try await service.work()
            let ended = try await service.get("/api/v1/runs/\(run)/why")
            #expect(ended.items.map { $0["reason"] } == ["ended"])
            let trace = try await service.get("/api/v1/runs/\(run)/trace")
            #expect(trace.items.map { $0["kind"] } == ["run", "step"])
            let short = try await service.get("/api/v1/runs/\(run)/trace?limit=1")
            #expect(short.items.count == 1)
            let wrong = try await service.get("/api/v1/runs/\(run)/trace?limit=0")
            #expect(wrong.code == "invalid_parameter")
            for question in ["why", "trace"] {
                let unknown = try await service.get("\(Self.nowhere)/\(question)")
                #expect(unknown.code == "run_not_found")
            }
        }
    }

    @Test("a loop that is not under way cannot be adjusted")
    func adjust() async throws {
        try await Service.run { service in
            try await service.applyWaiting()
            let run = try await service.start("waiting")
            let unknown = try await service.post("/api/v1/runs/\(run)/steps/only:adjust", ["max_parallel": 5])
            #expect(unknown.status == 404, "\(unknown.text)")
            #expect(unknown.code == "step_not_found")
            for body: JSONValue in [[:], ["max_parallel": -1], ["tolerate": "many"], ["max_parallel": "5"]] {
                let refused = try await service.post("/api/v1/runs/\(run)/steps/only:adjust", body)
                #expect(refused.code == "invalid_request", "\(body.compactText): \(refused.text)")
            }
        }
    }
}
