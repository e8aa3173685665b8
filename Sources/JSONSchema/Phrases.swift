// How messages name types and values. Only what stands in the schema is quoted.

import WorkflowModel

extension JSONTypes {
    /// `a string`, `an integer or null`.
    var phrase: String {
        let phrases = Self.named.filter { contains($0.type) }.map(\.phrase)
        guard let last = phrases.last, phrases.count > 1 else { return phrases.first ?? "nothing" }
        return "\(phrases.dropLast().joined(separator: ", ")) or \(last)"
    }
}

extension Enumeration {
    private static let longest = 10

    /// `"red"`, `one of "red", "green"`.
    var phrase: String {
        if values.isEmpty { return "one of no values at all" }
        if values.count == 1 { return values[0].excerpt }
        let shown = values.prefix(Self.longest).map(\.excerpt).joined(separator: ", ")
        return values.count > Self.longest ? "one of \(shown) and \(values.count - Self.longest) more" : "one of \(shown)"
    }
}

extension JSONValue {
    private static let longestExcerpt = 80

    /// The compact text, cut where it is long.
    var excerpt: String {
        let text = compactText
        return text.count > Self.longestExcerpt ? "\(text.prefix(Self.longestExcerpt))…" : text
    }
}
