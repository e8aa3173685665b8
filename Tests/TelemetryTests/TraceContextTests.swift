// The traceparent header field, by the W3C recommendation's own examples and rules.

import Telemetry
import Testing

@Suite("Trace context")
struct TraceContextTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("a header field is read and written unchanged")
    func roundTrip() throws {
        let context = try #require(TraceContext(traceparent: Self.example))
        #expect(context.traceparent == Self.example)
        #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.spanID == 0x00F0_67AA_0BA9_02B7)
        #expect(context.isSampled)
        let unsampled = try #require(TraceContext(traceparent: Self.example.dropLast(2) + "00"))
        #expect(!unsampled.isSampled)
        #expect(unsampled.traceparent.hasSuffix("-00"))
    }

    @Test(
        "what the recommendation calls invalid is no context",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        ])
    func invalid(field: String) {
        #expect(TraceContext(traceparent: field) == nil)
    }

    @Test("a later version is read as far as this one knows it")
    func laterVersion() throws {
        let context = try #require(
            TraceContext(traceparent: "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like"))
        #expect(context.traceparent == Self.example)
    }

    @Test("an id of zeros cannot be made, and a run's trace id is its own id")
    func identities() {
        #expect(TraceContext(traceHigh: 0, traceLow: 0, spanID: 1) == nil)
        #expect(TraceContext(traceHigh: 0, traceLow: 1, spanID: 0) == nil)
        let run = TraceContext(runHigh: 0x0190_0000_0000_7000, runLow: 0x8000_0000_0000_0001)
        #expect(run.traceID == "01900000000070008000000000000001")
        #expect(TraceContext(runHigh: 0, runLow: 0).traceLow != 0)
    }

    @Test("the span of an attempt can be worked out again, and differs by step and by attempt")
    func children() {
        let run = TraceContext(runHigh: 1, runLow: 2)
        let child = run.child(step: "a", attempt: 1)
        #expect(child == run.child(step: "a", attempt: 1))
        #expect(child.traceID == run.traceID)
        let spans = ["a", "b", "a.b"].flatMap { step in (1...3).map { run.child(step: step, attempt: $0).spanID } } + [run.spanID]
        #expect(Set(spans).count == spans.count)
        #expect(!spans.contains(0))
    }

    @Test("random children keep the trace and are never without an id", arguments: UInt64(0)..<20)
    func randomChildren(seed: UInt64) throws {
        struct Constant: RandomNumberGenerator {
            var state: UInt64
            mutating func next() -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state
            }
        }
        var generator = Constant(state: seed)
        let parent = try #require(TraceContext(traceparent: Self.example))
        let child = parent.makeChild(using: &generator)
        #expect(child.traceID == parent.traceID)
        #expect(child.spanID != 0)
        #expect(TraceContext(traceparent: child.traceparent) == child)
    }
}
