// A finding as a terminal shows it: place, sentence, the line of the file with a caret, and the way out.

extension Diagnostic {
    /// The widest excerpt of a source line; longer lines are shown around the finding.
    private static let excerptWidth = 100
    /// A fix up to this length stands beside the caret, a longer one on a line of its own.
    private static let besideLimit = 48

    /// The finding as text of several lines, without a line break at the end.
    ///
    /// ```
    /// triage.yaml:31:13 error[E2104]: step "notify" needs "classify_ticket", which does not exist
    ///    31 |     needs: [classify_ticket]
    ///       |             ^^^^^^^^^^^^^^^ did you mean "classify"?
    ///       = at steps[2].needs[0]
    /// ```
    ///
    /// - Parameters:
    ///   - file: the name to show for the file.
    ///   - source: its text.
    public func rendered(file: String, source: String) -> String {
        rendered(file: file, source: SourceText(source))
    }

    func rendered(file: String, source: SourceText) -> String {
        let number = String(position.line)
        let gutter = String(repeating: " ", count: max(5, number.count + 1))
        let line = Array(source.line(position.line).unicodeScalars)
        let column = max(0, min(position.column - 1, line.count))
        let start = line.count <= Self.excerptWidth ? 0 : max(0, min(column - Self.excerptWidth / 3, line.count - Self.excerptWidth))
        let window = line[start..<min(line.count, start + Self.excerptWidth)]
        let excerpt = (start > 0 ? "…" : "") + String(window.map(Self.printable)) + (window.endIndex < line.count ? "…" : "")
        let indent = String(repeating: " ", count: column - start + (start > 0 ? 1 : 0))
        let carets = String(repeating: "^", count: max(1, min(length, window.endIndex - column)))

        var text = "\(file):\(position) \(severity.rawValue)[\(code.rawValue)]: \(message)\n"
        text += "\(gutter.dropLast(number.count))\(number) | \(excerpt)\n"
        text += "\(gutter) | \(indent)\(carets)"
        if let fix {
            text += fix.count <= Self.besideLimit ? " \(fix)" : "\n\(gutter) = fix: \(fix)"
        }
        if !path.isEmpty { text += "\n\(gutter) = at \(path)" }
        return text
    }

    // A file is somebody else's text: nothing in it may move the cursor or turn the direction of writing.
    private static func printable(_ scalar: Unicode.Scalar) -> Character {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: " "
        default: Character(scalar)
        }
    }
}
