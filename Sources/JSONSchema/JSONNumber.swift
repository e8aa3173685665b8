// Numbers as JSON Schema sees them: by mathematical value, whatever way they are written or stored.

import WorkflowModel

// Rounding calls the C library's mathematics in debug builds; the import sees to it that they are linked.
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A JSON number. Comparisons are exact between integers and doubles too.
enum JSONNumber: Sendable {
    case int(Int64)
    case double(Double)

    init?(_ value: JSONValue) {
        switch value {
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .null, .bool, .string, .array, .object: return nil
        }
    }

    static func < (left: JSONNumber, right: JSONNumber) -> Bool {
        switch (left, right) {
        case (.int(let a), .int(let b)): a < b
        case (.double(let a), .double(let b)): a < b
        case (.int(let a), .double(let b)): order(a, b) < 0
        case (.double(let a), .int(let b)): order(b, a) > 0
        }
    }

    static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        switch (left, right) {
        case (.int(let a), .int(let b)): a == b
        case (.double(let a), .double(let b)): a == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): order(a, b) == 0
        }
    }

    // Negative, zero or positive as `integer` is less than, equal to or greater than `number`.
    private static func order(_ integer: Int64, _ number: Double) -> Int {
        if number >= 0x1p63 { return -1 }
        if number < -0x1p63 { return 1 }
        let whole = number.rounded(.towardZero)
        let truncated = Int64(whole)
        if integer != truncated { return integer < truncated ? -1 : 1 }
        return whole < number ? -1 : (whole > number ? 1 : 0)
    }

    /// The number as text, whole numbers without a fraction.
    var text: String {
        switch self {
        case .int(let value): String(value)
        case .double(let value): Int64(exactly: value).map { String($0) } ?? "\(value)"
        }
    }
}

/// A number as `significand * 10^exponent`, from its shortest decimal text: `0.0075` is a multiple of `0.0001`, though no two doubles are.
struct DecimalMagnitude: Sendable {
    private let significand: UInt64
    private let exponent: Int

    /// The magnitude of `number`.
    init(_ number: JSONNumber) {
        switch number {
        case .int(let value):
            significand = value.magnitude
            exponent = 0
        case .double(let value):
            var digits: UInt64 = 0
            var fraction = 0
            var power = 0
            var seenPoint = false
            var seenExponent = false
            var negativePower = false
            // At most 17 significant digits and trailing zeros up to 2^54: both fit 64 bits.
            for byte in value.magnitude.description.utf8 {
                switch byte {
                case 0x30...0x39 where seenExponent: power = power * 10 + Int(byte - 0x30)
                case 0x30...0x39:
                    digits = digits &* 10 &+ UInt64(byte - 0x30)
                    if seenPoint { fraction += 1 }
                case 0x2E: seenPoint = true
                case 0x65: seenExponent = true
                case 0x2D: negativePower = true
                default: break
                }
            }
            significand = digits
            exponent = (negativePower ? -power : power) - fraction
        }
    }

    var isZero: Bool { significand == 0 }

    /// Whether this is a whole multiple of `divisor`. Exact for all magnitudes.
    func isMultiple(of divisor: DecimalMagnitude) -> Bool {
        if significand == 0 { return true }
        if divisor.significand == 0 { return false }
        let shift = exponent - divisor.exponent
        if shift >= 0 {
            return Self.product(significand, powerOfTen: shift, modulo: divisor.significand) == 0
        }
        // The divisor has to be scaled up; beyond 10^20 it exceeds any significand.
        guard -shift < 20 else { return false }
        var scaled = UInt128(divisor.significand)
        for _ in 0..<(-shift) { scaled *= 10 }
        return UInt128(significand) % scaled == 0
    }

    private static func product(_ factor: UInt64, powerOfTen power: Int, modulo: UInt64) -> UInt128 {
        let modulus = UInt128(modulo)
        var result = UInt128(factor) % modulus
        var base = 10 % modulus
        var remaining = power
        while remaining > 0 {
            if remaining & 1 == 1 { result = result * base % modulus }
            base = base * base % modulus
            remaining >>= 1
        }
        return result
    }
}
