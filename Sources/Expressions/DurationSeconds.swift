// Lengths of time as expressions write them: `1.5s`, and sums such as `1h30m`.

enum DurationSeconds {
    /// Whole nanoseconds; nil when they do not fit.
    static func nanoseconds(_ duration: Duration) -> Int64? {
        let (seconds, attoseconds) = duration.components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carried ? nil : sum
    }

    /// Seconds with as many digits of the fraction as there are: `1.5s`, `-3600s`.
    static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let isNegative = seconds < 0 || attoseconds < 0
        return (isNegative ? "-" : "") + "\(seconds.magnitude)"
            + fractionText(nanoseconds: Int64((attoseconds / 1_000_000_000).magnitude)) + "s"
    }

    /// `.5` for half a second, nothing for none.
    static func fractionText(nanoseconds: Int64) -> String {
        guard nanoseconds != 0 else { return "" }
        var digits = Array(String(nanoseconds).utf8)
        digits.insert(contentsOf: repeatElement(0x30, count: max(0, 9 - digits.count)), at: 0)
        while digits.last == 0x30 { digits.removeLast() }
        return "." + String(decoding: digits, as: UTF8.self)
    }

    /// Parses an optional sign and a sum of numbers with units `h`, `m`, `s`, `ms`, `us`, `µs`, `ns`; or `0`. Nil for anything else, and
    /// beyond ±2^63 nanoseconds.
    static func parse(_ text: String) -> Duration? {
        var bytes = Array(text.utf8)[...]
        var isNegative = false
        if let sign = bytes.first, sign == 0x2D || sign == 0x2B {
            isNegative = sign == 0x2D
            bytes = bytes.dropFirst()
        }
        if bytes.elementsEqual([0x30]) { return .zero }
        guard !bytes.isEmpty else { return nil }
        var total: UInt64 = 0
        while !bytes.isEmpty {
            guard let part = component(&bytes) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow, sum <= UInt64(Int64.max) + 1 else { return nil }
            total = sum
        }
        if isNegative {
            return .nanoseconds(total == UInt64(Int64.max) + 1 ? Int64.min : -Int64(total))
        }
        return Int64(exactly: total).map { .nanoseconds($0) }
    }

    private static func component(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var whole: UInt64 = 0
        var digits = 0
        while let digit = bytes.first, (0x30...0x39).contains(digit) {
            let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, carried) = scaled.addingReportingOverflow(UInt64(digit - 0x30))
            guard !overflow, !carried else { return nil }
            whole = sum
            digits += 1
            bytes = bytes.dropFirst()
        }
        var fraction: UInt64 = 0
        var scale: UInt64 = 1
        if bytes.first == 0x2E {
            bytes = bytes.dropFirst()
            while let digit = bytes.first, (0x30...0x39).contains(digit) {
                if scale < 1_000_000_000_000 {
                    fraction = fraction * 10 + UInt64(digit - 0x30)
                    scale *= 10
                }
                digits += 1
                bytes = bytes.dropFirst()
            }
        }
        guard digits > 0, let unit = unit(&bytes) else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        // At most 10^12 - 1 of 3.6 * 10^12: the product needs more than 64 bits.
        let (high, low) = fraction.multipliedFullWidth(by: unit)
        let (sum, carried) = scaled.addingReportingOverflow(scale.dividingFullWidth((high, low)).quotient)
        return carried ? nil : sum
    }

    private static func unit(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        let units: [(text: String, nanoseconds: UInt64)] = [
            ("ns", 1), ("us", 1000), ("\u{B5}s", 1000), ("\u{3BC}s", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
            ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ]
        for unit in units where bytes.starts(with: unit.text.utf8) {
            bytes = bytes.dropFirst(unit.text.utf8.count)
            return unit.nanoseconds
        }
        return nil
    }
}
