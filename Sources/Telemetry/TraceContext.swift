// W3C trace context: who called, as one header field.

/// The place of a call within a distributed trace, as the `traceparent` header field carries it.
///
/// The trace id of a run is the run's own id without the hyphens: all attempts of a run share it, whichever worker makes them, and
/// whoever knows one of the two ids knows the other.
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
    /// The first eight bytes of the trace id.
    public let traceHigh: UInt64
    /// The last eight bytes of the trace id.
    public let traceLow: UInt64
    /// The id of the caller's span; never 0.
    public let spanID: UInt64
    /// Whether the caller records this trace.
    public let isSampled: Bool

    /// A context from its parts; nil where an id is all zeros, which the standard forbids.
    public init?(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool = true) {
        guard traceHigh != 0 || traceLow != 0, spanID != 0 else { return nil }
        self.init(high: traceHigh, low: traceLow, span: spanID, isSampled: isSampled)
    }

    /// The context of a run without a caller of its own, from the two halves of the run's id.
    public init(runHigh: UInt64, runLow: UInt64) {
        let low = runHigh == 0 && runLow == 0 ? 1 : runLow
        self.init(high: runHigh, low: low, span: Self.span(mixing: [runHigh, low]), isSampled: true)
    }

    /// Parses a `traceparent` header field. Nil for what the standard calls invalid; fields of later versions are read as far as this
    /// version knows them.
    public init?(traceparent: some StringProtocol) {
        let bytes = Array(traceparent.utf8)
        guard bytes.count >= 55, bytes[2] == 0x2D, bytes[35] == 0x2D, bytes[52] == 0x2D,
            let version = Self.hexadecimal(bytes[0..<2]), version != 0xFF,
            let high = Self.hexadecimal(bytes[3..<19]), let low = Self.hexadecimal(bytes[19..<35]),
            let span = Self.hexadecimal(bytes[36..<52]), let flags = Self.hexadecimal(bytes[53..<55]),
            version == 0 ? bytes.count == 55 : bytes.count == 55 || bytes[55] == 0x2D
        else { return nil }
        self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1)
    }

    /// The context that an attempt hands to its agent: the same trace, and a span id that depends on the step and the attempt alone,
    /// so that it can be worked out again after a crash.
    public func child(step: String, attempt: Int) -> TraceContext {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
        for byte in step.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return TraceContext(
            high: traceHigh, low: traceLow,
            span: Self.span(mixing: [traceHigh, traceLow, spanID, hash, UInt64(bitPattern: Int64(attempt))]),
            isSampled: isSampled)
    }

    /// The same trace with a random span id.
    public func makeChild() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return makeChild(using: &generator)
    }

    /// The same trace with a span id from `generator`.
    public func makeChild(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(high: traceHigh, low: traceLow, span: UInt64.random(in: 1...UInt64.max, using: &generator), isSampled: isSampled)
    }

    /// The 32 digits of the trace id.
    public var traceID: String { Self.digits(traceHigh) + Self.digits(traceLow) }

    /// The header field's value.
    public var traceparent: String { "00-\(traceID)-\(Self.digits(spanID))-\(isSampled ? "01" : "00")" }

    /// The header field's value.
    public var description: String { traceparent }

    private init(high: UInt64, low: UInt64, span: UInt64, isSampled: Bool) {
        traceHigh = high
        traceLow = low
        spanID = span
        self.isSampled = isSampled
    }

    // SplitMix64's finalizer over the words, one after the other.
    private static func span(mixing words: [UInt64]) -> UInt64 {
        var state: UInt64 = 0
        for word in words {
            state = (state ^ word) &+ 0x9E37_79B9_7F4A_7C15
            state = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            state = (state ^ (state >> 27)) &* 0x94D0_49BB_1331_11EB
            state ^= state >> 31
        }
        return state == 0 ? 1 : state
    }

    // Lower case only: the standard forbids upper case in the field.
    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in bytes {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return value
    }

    private static func digits(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
