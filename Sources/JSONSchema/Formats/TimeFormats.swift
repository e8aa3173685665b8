// Dates, times and durations as RFC 3339 writes them.

enum TimeFormats {
    static func isDate(_ text: String) -> Bool {
        var scanner = ByteScanner(text)
        return date(&scanner) && scanner.isAtEnd
    }

    static func isTime(_ text: String) -> Bool {
        var scanner = ByteScanner(text)
        return time(&scanner) && scanner.isAtEnd
    }

    static func isDateTime(_ text: String) -> Bool {
        var scanner = ByteScanner(text)
        return date(&scanner) && scanner.skip { $0 | 0x20 == 0x74 } && time(&scanner) && scanner.isAtEnd
    }

    private static func date(_ scanner: inout ByteScanner) -> Bool {
        guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2), scanner.skip("-"),
            let day = scanner.digits(2), (1...12).contains(month)
        else { return false }
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...lengths[month - 1]).contains(day)
    }

    private static func time(_ scanner: inout ByteScanner) -> Bool {
        guard let hour = scanner.digits(2), scanner.skip(":"), let minute = scanner.digits(2), scanner.skip(":"),
            let second = scanner.digits(2), hour < 24, minute < 60, second <= 60
        else { return false }
        if scanner.skip("."), scanner.skipAll(\.isASCIIDigit) == 0 { return false }
        var offset = 0
        if !scanner.skip(if: { $0 | 0x20 == 0x7A }) {
            let isEast = scanner.skip("+")
            guard isEast || scanner.skip("-"), let hours = scanner.digits(2), scanner.skip(":"), let minutes = scanner.digits(2),
                hours < 24, minutes < 60
            else { return false }
            offset = (isEast ? 1 : -1) * (hours * 60 + minutes)
        }
        // A leap second is the last one of a day in UTC.
        return second < 60 || (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439
    }

    // RFC 3339, appendix A: units in order and without gaps, weeks alone, no fractions.
    static func isDuration(_ text: String) -> Bool {
        var scanner = ByteScanner(text)
        guard scanner.skip("P") else { return false }
        var units = 0
        if let (count, isWeek) = dateUnits(&scanner) {
            units = count
            if isWeek { return scanner.isAtEnd }
        } else {
            return false
        }
        if scanner.skip("T") {
            guard let count = unitsInOrder(&scanner, "HMS"), count > 0 else { return false }
            units += count
        }
        return units > 0 && scanner.isAtEnd
    }

    private static func dateUnits(_ scanner: inout ByteScanner) -> (count: Int, isWeek: Bool)? {
        var ahead = scanner
        if ahead.skipAll(\.isASCIIDigit) > 0, ahead.skip("W") {
            scanner = ahead
            return (1, true)
        }
        return unitsInOrder(&scanner, "YMD").map { ($0, false) }
    }

    // How many units of `order` follow; nil where one is unknown, out of order, or leaves a gap.
    private static func unitsInOrder(_ scanner: inout ByteScanner, _ order: String) -> Int? {
        let units = Array(order.utf8)
        var count = 0
        var last: Int?
        while let byte = scanner.peek, byte.isASCIIDigit {
            _ = scanner.skipAll(\.isASCIIDigit)
            guard let letter = scanner.next(), let index = units.firstIndex(of: letter) else { return nil }
            if let last, index != last + 1 { return nil }
            last = index
            count += 1
        }
        return count
    }
}
