// How messages quote what a file says.

enum Wording {
    /// The longest piece of a file that a message repeats.
    private static let quotedLimit = 60

    /// A piece of the file in double quotes: cut where it is long, and without anything that a terminal would obey.
    static func quoted(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(quotedLimit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: result.append("\u{FFFD}")
            default: result.unicodeScalars.append(scalar)
            }
        }
        return "\"\(result)\(text.unicodeScalars.count > quotedLimit ? "…" : "")\""
    }

    /// `a`, `a or b`, `a, b or c`.
    static func either(_ words: [String]) -> String {
        guard let last = words.last else { return "nothing" }
        return words.count == 1 ? last : words.dropLast().joined(separator: ", ") + " or " + last
    }

    /// At most `limit` of the words, and how many are left out.
    static func some(_ words: [String], limit: Int = 8) -> String {
        words.count <= limit
            ? words.joined(separator: ", ") : words.prefix(limit).joined(separator: ", ") + " and \(words.count - limit) more"
    }
}
