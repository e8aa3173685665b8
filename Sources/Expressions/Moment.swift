// Moments and lengths of time as expressions know them: to the nanosecond, from the year 1 to the year 9999.

public import WorkflowModel

/// A moment, to the nanosecond. The years 1 to 9999 can be held.
public struct Moment: Sendable, Hashable, Comparable {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded towards the past.
    public let seconds: Int64
    /// Nanoseconds after those, 0 to 999,999,999.
    public let nanoseconds: Int32

    static let firstSecond: Int64 = -62_135_596_800
    static let lastSecond: Int64 = 253_402_300_799

    /// A moment; nil outside the years 1 to 9999.
    public init?(seconds: Int64, nanoseconds: Int32 = 0) {
        guard (Self.firstSecond...Self.lastSecond).contains(seconds), (0..<1_000_000_000).contains(nanoseconds) else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// A moment of the workflow's clock, clamped to the years 1 to 9999.
    public init(_ timestamp: Timestamp) {
        var seconds = timestamp.microseconds / 1_000_000
        var rest = timestamp.microseconds % 1_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000
        }
        self.seconds = min(max(seconds, Self.firstSecond), Self.lastSecond)
        self.nanoseconds = Int32(rest * 1000)
    }

    /// This moment on the workflow's clock, which keeps microseconds.
    public var timestamp: Timestamp {
        Timestamp(microseconds: seconds * 1_000_000 + Int64(nanoseconds) / 1000)
    }

    /// Parses RFC 3339. Digits beyond nanoseconds are dropped.
    public init?(_ text: String) {
        var reader = DigitReader(text)
        guard let year = reader.number(4), reader.skip(0x2D), let month = reader.number(2), reader.skip(0x2D),
            let day = reader.number(2), reader.skip(0x54) || reader.skip(0x74), let hour = reader.number(2), reader.skip(0x3A),
            let minute = reader.number(2), reader.skip(0x3A), let second = reader.number(2),
            (1...12).contains(month), day >= 1, day <= CivilDate.days(inMonth: month, year: year), hour < 24, minute < 60, second < 60
        else { return nil }
        var nanoseconds: Int64 = 0
        if reader.skip(0x2E) {
            guard let fraction = reader.fraction() else { return nil }
            nanoseconds = fraction
        }
        var offset: Int64 = 0
        if !(reader.skip(0x5A) || reader.skip(0x7A)) {
            guard let parsed = reader.offset() else { return nil }
            offset = parsed
        }
        guard reader.isAtEnd else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        self.init(seconds: days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: Int32(nanoseconds))
    }

    /// RFC 3339 in UTC, with as many digits of the fraction as there are.
    public var text: String {
        let (day, second) = seconds.flooringDivision(by: 86_400)
        let date = CivilDate(daysSinceEpoch: day)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
            + DurationSeconds.fractionText(nanoseconds: Int64(nanoseconds)) + "Z"
    }

    /// The moment `duration` later; nil outside the range.
    func adding(nanoseconds amount: Int64) -> Moment? {
        let (carry, rest) = (Int64(nanoseconds) + amount % 1_000_000_000).flooringDivision(by: 1_000_000_000)
        return Moment(seconds: seconds + amount / 1_000_000_000 + carry, nanoseconds: Int32(rest))
    }

    /// Nanoseconds from `other` to this moment; nil when they do not fit.
    func nanoseconds(since other: Moment) -> Int64? {
        let (scaled, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(Int64(nanoseconds) - Int64(other.nanoseconds))
        return overflow || carried ? nil : sum
    }

    /// Chronological order.
    public static func < (left: Moment, right: Moment) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// A day of the proleptic Gregorian calendar.
struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    // By the era method: 400 years are 146,097 days, and a year begins in March.
    init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooringDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    }

    var daysSinceEpoch: Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.flooringDivision(by: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    func flooringDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Reads digits and signs from the front of a text.
struct DigitReader {
    private var bytes: ArraySlice<UInt8>

    init(_ text: String) { bytes = Array(text.utf8)[...] }

    var isAtEnd: Bool { bytes.isEmpty }
    var first: UInt8? { bytes.first }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard bytes.first == byte else { return false }
        bytes = bytes.dropFirst()
        return true
    }

    /// Exactly `count` digits.
    mutating func number(_ count: Int) -> Int64? {
        guard bytes.count >= count else { return nil }
        var value: Int64 = 0
        for byte in bytes.prefix(count) {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        bytes = bytes.dropFirst(count)
        return value
    }

    /// One digit or more after a point, as nanoseconds.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var scale: Int64 = 100_000_000
        var any = false
        while let digit = bytes.first, (0x30...0x39).contains(digit) {
            value += Int64(digit - 0x30) * scale
            scale /= 10
            any = true
            bytes = bytes.dropFirst()
        }
        return any ? value : nil
    }

    /// `+01:30`, in seconds.
    mutating func offset() -> Int64? {
        let isNegative = bytes.first == 0x2D
        guard skip(0x2D) || skip(0x2B), let hours = number(2), skip(0x3A), let minutes = number(2), hours < 24, minutes < 60 else {
            return nil
        }
        return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
    }
}
