// Tables for people: aligned columns, no lines, nothing cut off but prose at the end of a terminal's line.

/// A table of text.
package struct TextTable: Sendable {
    /// A column.
    package struct Column: Sendable {
        let title: String
        let isNumber: Bool
        var isProse = false

        /// A column of text.
        package static func text(_ title: String) -> Column { Column(title: title, isNumber: false) }
        /// A column of sentences, the last one of a table: on a terminal they end where the line does.
        package static func prose(_ title: String) -> Column { Column(title: title, isNumber: false, isProse: true) }
        /// A column of numbers, aligned to the right.
        package static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row, with one cell for each column. Cells may hold styles.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "A row has as many cells as the table has columns.")
        rows.append(cells)
    }

    /// Whether there are no rows.
    package var isEmpty: Bool { rows.isEmpty }

    private static let shortestProse = 20

    /// The lines, the titles first.
    ///
    /// - Parameter limit: how wide they may be; 0 is as wide as they are. Nil is the terminal's width.
    package func lines(on console: Console, width limit: Int? = nil) -> [String] {
        let limit = limit ?? console.width
        let widths = columns.indices.map { index in
            ([columns[index].title] + rows.map { $0[index] }).map(Self.width).max() ?? 0
        }
        let before = widths.dropLast().reduce(0) { $0 + $1 + 2 }
        func line(_ cells: [String], _ dress: (String) -> String) -> String {
            var text = ""
            for (index, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - Self.width(cell))
                if index > 0 { text += "  " }
                if columns[index].isNumber {
                    text += padding + dress(cell)
                } else {
                    text += dress(cell) + (index == cells.count - 1 ? "" : padding)
                }
            }
            while text.last == " " { text.removeLast() }
            return columns.last?.isProse == true && limit > 0 ? Self.fitted(text, to: max(limit, before + Self.shortestProse)) : text
        }
        return [line(columns.map(\.title)) { console.styled($0, .dim) }] + rows.map { row in line(row) { $0 } }
    }

    /// How many columns of a terminal a text takes; styles take none.
    package static func width(_ text: String) -> Int {
        var width = 0
        var isInStyle = false
        for character in text {
            if isInStyle {
                if character == "m" { isInStyle = false }
            } else if character == "\u{1B}" {
                isInStyle = true
            } else {
                width += columns(of: character)
            }
        }
        return width
    }

    private static func columns(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default:
            return 1
        }
    }

    /// The text, cut to a width, with an ellipsis where something is missing.
    package static func fitted(_ text: String, to limit: Int) -> String {
        guard limit > 0, width(text) > limit else { return text }
        var fitted = ""
        var used = 0
        var isInStyle = false
        for character in text {
            if isInStyle || character == "\u{1B}" {
                isInStyle = character == "\u{1B}" || character != "m"
                fitted.append(character)
                continue
            }
            let columns = columns(of: character)
            guard used + columns < limit else { break }
            fitted.append(character)
            used += columns
        }
        return fitted + "…" + (text.contains("\u{1B}") ? "\u{1B}[0m" : "")
    }
}
