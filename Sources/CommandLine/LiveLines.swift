// The last lines of a terminal, painted again and again without touching what stands above them.

import Foundation

/// Lines that change in place. Make one only for a terminal.
package struct LiveLines {
    private let console: Console
    private var shown: [String] = []
    private var height = 0

    package init(console: Console) {
        self.console = console
        Console.write("\u{1B}[?25l", to: STDOUT_FILENO)
    }

    /// Paints the lines over those that were painted before. Each gets one line of the terminal, and there are never more of them than fit.
    package mutating func paint(_ lines: [String]) {
        let rows = max(4, (console.height > 0 ? console.height : 24) - 2)
        var lines = lines
        if lines.count > rows {
            // What comes last is what is going on.
            let hidden = lines.count - rows + 1
            lines = ["  … \(hidden) more above"] + lines.suffix(rows - 1)
        }
        let columns = console.width > 0 ? console.width : 80
        lines = lines.map { TextTable.fitted($0, to: columns) }
        guard lines != shown else { return }
        var text = height > 0 ? "\u{1B}[\(height)A\r" : "\r"
        for line in lines { text += "\u{1B}[2K\(line)\n" }
        // What is left of a longer painting.
        text += "\u{1B}[J"
        Console.write(text, to: STDOUT_FILENO)
        shown = lines
        height = lines.count
    }

    /// Paints for the last time, all of it, and gives the cursor back.
    package mutating func finish(_ lines: [String]) {
        var text = height > 0 ? "\u{1B}[\(height)A\r\u{1B}[J" : ""
        for line in lines { text += line + "\n" }
        Console.write(text + "\u{1B}[?25h", to: STDOUT_FILENO)
        height = 0
        shown = []
    }

    /// Gives the cursor back and leaves what is painted.
    package func leave() { Console.write("\u{1B}[?25h", to: STDOUT_FILENO) }
}
