// Dates as HTTP writes them (RFC 9110, section 5.6.7), for Retry-After.
import WorkflowModel

enum HTTPDate {
    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

    /// Parses the three forms that a recipient must accept: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
    /// `Sun Nov  6 08:49:37 1994`.
    static func parse(_ text: String) -> Timestamp? {
        let words = text.lowercased().split { character in character == " " || character == "," || character == "-" }
        switch words.count {
        case 6 where words[5] == "gmt" || words[5] == "utc":
            return moment(day: words[1], month: words[2], year: words[3], time: words[4])
        case 5:
            return moment(day: words[2], month: words[1], year: words[4], time: words[3])
        default: return nil
        }
    }

    /// How long a `Retry-After` field asks to wait: seconds, or until a date. `now` is the sender's clock where it told the time.
    static func delay(retryAfter field: String, now: Timestamp) -> Duration? {
        let text = field.drop { character in character == " " }
        if let first = text.utf8.first, (0x30...0x39).contains(first),
            text.utf8.allSatisfy({ byte in (0x30...0x39).contains(byte) || byte == 0x2E })
        {
            guard let seconds = Double(text) else { return nil }
            return Duration(seconds: min(seconds, longestDelay))
        }
        guard let moment = parse(String(text)) else { return nil }
        return min(max(moment - now, .zero), Duration(seconds: longestDelay))
    }

    // What asks for more than a year is a mistake, not a wish.
    private static let longestDelay = 31_536_000.0

    private static func moment(day: Substring, month: Substring, year: Substring, time: Substring) -> Timestamp? {
        guard let monthIndex = months.firstIndex(of: String(month)), let dayNumber = Int(day), var yearNumber = Int(year) else {
            return nil
        }
        // Two digits: the past century where this one would lie more than fifty years ahead of 2000 + 70.
        if year.utf8.count == 2 { yearNumber += yearNumber < 70 ? 2000 : 1900 }
        func padded(_ number: Int, _ width: Int) -> String {
            String(repeating: "0", count: max(0, width - String(number).utf8.count)) + String(number)
        }
        return Timestamp("\(padded(yearNumber, 4))-\(padded(monthIndex + 1, 2))-\(padded(dayNumber, 2))T\(time)Z")
    }
}
