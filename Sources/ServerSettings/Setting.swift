// One key of the configuration: what it is called on the command line, in the environment and in a file, and what it may be.

package import ArgumentParser
import Foundation
import Postgres
import WorkflowModel

/// A key of the configuration, the same for every binary.
package struct Setting: Sendable {
    /// What a value is, and its range.
    package enum Kind: Sendable {
        case text
        /// A connection string; its password is never shown.
        case database
        case integer(ClosedRange<Int>)
        case duration(ClosedRange<Duration>)
        case boolean
        case choice([String])
        /// Texts separated by commas, so many at least.
        case list(atLeast: Int)
    }

    /// The key as a file has it: `database.url`.
    package let key: String
    package let kind: Kind
    /// The value when nobody says anything; nil where that depends on other settings.
    package let fallback: String?
    /// A sentence.
    package let about: String
    package var isHidden = false

    /// The long option without its dashes: `database-url`.
    package var option: String { key.replacing(".", with: "-") }
    /// The environment variable: `SKEIN_DATABASE_URL`.
    package var variable: String { "SKEIN_" + key.replacing(".", with: "_").uppercased() }

    /// What may stand there, in words.
    package var range: String {
        switch kind {
        case .text, .database: "text"
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .duration(let range): "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
        case .boolean: "true or false"
        case .choice(let words): words.joined(separator: ", ")
        case .list: "a list separated by commas"
        }
    }

    package var help: ArgumentHelp {
        var text = about
        if let fallback { text += " Default: \(fallback.isEmpty ? "none" : fallback)." }
        switch kind {
        case .text, .database, .boolean: break
        case .integer, .duration, .choice, .list: text += " Values: \(range)."
        }
        return ArgumentHelp(
            "\(text) [\(variable)]", valueName: valueName, visibility: isHidden ? .hidden : .default)
    }

    private var valueName: String {
        switch kind {
        case .text, .choice: "text"
        case .database: "url"
        case .integer: "number"
        case .duration: "time"
        case .boolean: "true|false"
        case .list: "list"
        }
    }

    /// Why `text` cannot be the value; nil when it can.
    package func refusal(of text: String) -> String? {
        switch kind {
        case .text: return nil
        case .list(let least):
            return Self.list(text).count >= least ? nil : "must name at least \(least == 1 ? "one" : String(least))"
        case .database:
            // libpq takes what it does not understand for the name of a database.
            if let end = text.range(of: "://"), !text[..<end.lowerBound].contains("="), !["postgresql", "postgres"].contains(text[..<end.lowerBound]) {
                return "must be a postgresql:// address or key=value pairs"
            }
            let isUnderstood = (try? PostgresConfiguration(text).database(named: "postgres")) != nil
            return isUnderstood ? nil : "must be a postgresql:// address or key=value pairs"
        case .integer(let bounds):
            return Int(text).map { bounds.contains($0) } ?? false ? nil : "must be a whole number, \(range)"
        case .duration(let bounds):
            return DurationText.parse(text).map { bounds.contains($0) } ?? false ? nil : "must be a duration such as 5s, \(range)"
        case .boolean: return Self.boolean(text) == nil ? "must be true or false" : nil
        case .choice(let words): return words.contains(text) ? nil : "must be one of \(range)"
        }
    }

    /// Why a value of a file cannot be the value, by its type; nil when it can.
    func refusal(of value: JSONValue) -> String? {
        let fits: Bool
        switch (kind, value) {
        case (_, .string), (.integer, .int), (.integer, .double), (.duration, .int), (.duration, .double), (.boolean, .bool): fits = true
        case (.list, .array(let items)): fits = items.allSatisfy { $0.stringValue != nil }
        default: fits = false
        }
        guard !fits else { return nil }
        return switch kind {
        case .integer: "must be a whole number, \(range)"
        case .duration: "must be a duration such as \"5s\", \(range)"
        case .boolean: "must be true or false"
        case .list: "must be a list of texts"
        case .text, .database, .choice: "must be a text"
        }
    }

    package static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    package static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: nil
        }
    }
}

extension Option where Value == String? {
    /// The option of a setting.
    ///
    /// Whatever comes behind it is its value: `--slots -3` is a wrong number and not a missing one.
    package init(_ setting: Setting) { self.init(name: .customLong(setting.option), parsing: .unconditional, help: setting.help) }
}

extension Flag where Value == Bool? {
    /// The flag of a setting that is true or false.
    package init(_ setting: Setting) { self.init(name: .customLong(setting.option), inversion: .prefixedNo, help: setting.help) }
}
