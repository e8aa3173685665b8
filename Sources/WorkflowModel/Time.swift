// Moments and durations as the pure floors use them. Nobody here asks a clock.

/// A moment: microseconds since 1970-01-01T00:00:00Z, the resolution that PostgreSQL keeps.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Microseconds since the Unix epoch.
    public let microseconds: Int64

    /// A moment from microseconds since the Unix epoch.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// The moment `duration` later; clamped at the ends of the range.
    public static func + (left: Timestamp, right: Duration) -> Timestamp {
        let (sum, overflow) = left.microseconds.addingReportingOverflow(right.wholeMicroseconds)
        return Timestamp(microseconds: overflow ? (right < .zero ? .min : .max) : sum)
    }

    /// The time from `right` to `left`.
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .microseconds(left.microseconds.subtractingReportingOverflow(right.microseconds).partialValue)
    }

    /// Chronological order.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// RFC 3339 in UTC, with as many fraction digits (0, 3 or 6) as it takes.
    public var description: String {
        let (days, dayMicroseconds) = microseconds.flooringQuotientAndRemainder(dividingBy: 86_400_000_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let fraction = dayMicroseconds % 1_000_000
        let second = dayMicroseconds / 1_000_000
        var text = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))T"
        text += "\(Self.padded(second / 3600, 2)):\(Self.padded(second / 60 % 60, 2)):\(Self.padded(second % 60, 2))"
        if fraction % 1000 != 0 {
            text += "." + Self.padded(fraction, 6)
        } else if fraction != 0 {
            text += "." + Self.padded(fraction / 1000, 3)
        }
        return text + "Z"
    }

    /// Parses RFC 3339: date, `T`, time, an optional fraction (digits beyond microseconds are dropped), and `Z` or an offset.
    public init?(_ text: some StringProtocol) {
        var digits = Array(text.utf8)[...]
        func number(_ count: Int) -> Int64? {
            guard digits.count >= count else { return nil }
            var value: Int64 = 0
            for byte in digits.prefix(count) {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            digits = digits.dropFirst(count)
            return value
        }
        func skip(_ characters: UInt8...) -> Bool {
            guard let first = digits.first, characters.contains(first) else { return false }
            digits = digits.dropFirst()
            return true
        }
        guard let year = number(4), skip(0x2D), let month = number(2), skip(0x2D), let day = number(2), skip(0x54, 0x74, 0x20),
            let hour = number(2), skip(0x3A), let minute = number(2), skip(0x3A), let second = number(2),
            (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year), hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int64 = 0
        if skip(0x2E) {
            var scale: Int64 = 100_000
            var any = false
            while let digit = digits.first, digit >= 0x30, digit <= 0x39 {
                fraction += Int64(digit - 0x30) * scale
                scale /= 10
                any = true
                digits = digits.dropFirst()
            }
            guard any else { return nil }
        }
        var offsetSeconds: Int64 = 0
        if !skip(0x5A, 0x7A) {
            let negative = digits.first == 0x2D
            guard skip(0x2B, 0x2D), let offsetHour = number(2), skip(0x3A), let offsetMinute = number(2), offsetHour < 24, offsetMinute < 60
            else { return nil }
            offsetSeconds = (offsetHour * 3600 + offsetMinute * 60) * (negative ? -1 : 1)
        }
        guard digits.isEmpty else { return nil }
        let days = Self.days(fromCivilYear: year, month: month, day: day)
        self.init(microseconds: ((days * 86_400) + hour * 3600 + minute * 60 + second - offsetSeconds) * 1_000_000 + fraction)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Civil dates by the era method: 400 years are 146,097 days; a year begins in March.
    private static func days(fromCivilYear year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.flooringQuotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooringQuotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func flooringQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension Duration {
    /// Whole microseconds, rounded towards zero and clamped at the ends of the range.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in seconds, as a floating-point number.
    public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }

    /// A duration from seconds. What is not a number is zero; what is too large is a thousand years.
    public init(seconds: Double) {
        guard !seconds.isNaN else {
            self = .zero
            return
        }
        let bound = 31_557_600_000.0
        self = .microseconds(Int64((min(max(seconds, -bound), bound) * 1_000_000).rounded()))
    }
}

/// Durations as the workflow file writes them: `250ms`, `5s`, `2m`, `48h`, `7d`, sums of those (`1h30m`), or ISO 8601 (`PT5M`, `P1DT12H`).
public enum DurationText {
    /// The longest duration that a file may name: a hundred years.
    public static let longest: Duration = .seconds(100 * 365 * 86_400)

    /// Parses a duration. Nil for anything else, for negative ones, and beyond `longest`.
    public static func parse(_ text: some StringProtocol) -> Duration? {
        let bytes = Array(text.utf8)
        let duration = bytes.first == 0x50 ? parseISO8601(bytes) : parseUnits(bytes)
        guard let duration, duration <= longest else { return nil }
        return duration
    }

    /// The shortest text that parses to the same duration, in whole milliseconds at least: `90s`, `1500ms`, `2h`.
    public static func format(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMicroseconds / 1000
        let units: [(String, Int64)] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        for (unit, size) in units where milliseconds != 0 && milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }

    private static func parseUnits(_ bytes: [UInt8]) -> Duration? {
        var rest = bytes[...]
        var total = Duration.zero
        var smallest = Int64.max
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            guard let value = number(&rest) else { return nil }
            let unit: Int64
            switch rest.first {
            case 0x64: unit = 86_400_000
            case 0x68: unit = 3_600_000
            case 0x6D where rest.dropFirst().first == 0x73:
                unit = 1
                rest = rest.dropFirst()
            case 0x6D: unit = 60_000
            case 0x73: unit = 1000
            default: return nil
            }
            rest = rest.dropFirst()
            guard unit < smallest else { return nil }
            smallest = unit
            total += Duration(seconds: value * Double(unit) / 1000)
        }
        return total
    }

    private static func parseISO8601(_ bytes: [UInt8]) -> Duration? {
        var rest = bytes.dropFirst()
        var total = Duration.zero
        var inTime = false
        var any = false
        var smallest = Double.infinity
        while !rest.isEmpty {
            if rest.first == 0x54 {
                guard !inTime else { return nil }
                inTime = true
                rest = rest.dropFirst()
                any = false
                continue
            }
            guard let value = number(&rest), let letter = rest.first else { return nil }
            rest = rest.dropFirst()
            let unit: Double
            switch (letter, inTime) {
            case (0x57, false): unit = 604_800
            case (0x44, false): unit = 86_400
            case (0x48, true): unit = 3600
            case (0x4D, true): unit = 60
            case (0x53, true): unit = 1
            default: return nil
            }
            guard unit < smallest else { return nil }
            smallest = unit
            total += Duration(seconds: value * unit)
            any = true
        }
        return any ? total : nil
    }

    // Digits with an optional fraction; at most 12 whole digits, so that nothing overflows.
    private static func number(_ rest: inout ArraySlice<UInt8>) -> Double? {
        var value = 0.0
        var count = 0
        while let digit = rest.first, digit >= 0x30, digit <= 0x39 {
            value = value * 10 + Double(digit - 0x30)
            count += 1
            guard count <= 12 else { return nil }
            rest = rest.dropFirst()
        }
        guard count > 0 else { return nil }
        if rest.first == 0x2E {
            rest = rest.dropFirst()
            var scale = 0.1
            var fractionDigits = 0
            while let digit = rest.first, digit >= 0x30, digit <= 0x39 {
                value += Double(digit - 0x30) * scale
                scale /= 10
                fractionDigits += 1
                rest = rest.dropFirst()
            }
            guard fractionDigits > 0 else { return nil }
        }
        return value
    }
}
