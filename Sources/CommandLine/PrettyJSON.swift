// JSON for people: two spaces a level, short values on one line.

package import WorkflowModel

/// JSON with line breaks.
package enum PrettyJSON {
    private static let lineWidth = 100

    /// The value as text. Text in it cannot move the cursor.
    package static func text(_ value: JSONValue) -> String { text(value, indent: "") }

    private static func text(_ value: JSONValue, indent: String) -> String {
        let compact = compact(value)
        if compact.count + indent.count <= lineWidth { return compact }
        let inner = indent + "  "
        switch value {
        case .array(let values):
            return "[\n" + values.map { inner + text($0, indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let object):
            return "{\n" + object.members.map { "\(inner)\(quoted($0)): \(text($1, indent: inner))" }.joined(separator: ",\n")
                + "\n\(indent)}"
        case .null, .bool, .int, .double, .string:
            return compact
        }
    }

    private static func compact(_ value: JSONValue) -> String {
        switch value {
        case .array(let values): "[" + values.map(compact).joined(separator: ", ") + "]"
        case .object(let object): "{" + object.members.map { "\(quoted($0)): \(compact($1))" }.joined(separator: ", ") + "}"
        case .null, .bool, .int, .double: value.compactText
        case .string(let text): quoted(text)
        }
    }

    // The writer escapes control characters; what else could move the cursor or turn the direction of writing is escaped here.
    private static func quoted(_ text: String) -> String {
        var quoted = ""
        for scalar in JSONValue.string(text).compactText.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted
    }
}
