// A drawing for terminals.

extension GraphDrawing {
    /// The drawing as lines of text, without spaces at their ends.
    var text: [String] {
        var canvas = Canvas(width: width + 1, height: height)
        for box in boxes where box.isContainer { canvas.draw(box) }
        for line in lines { canvas.draw(line) }
        for box in boxes where !box.isContainer { canvas.draw(box) }
        // Heads and labels come last: they stand where the lines end.
        for line in lines { canvas.finish(line) }
        for caption in captions { canvas.write(caption.text, x: caption.x, y: caption.y) }
        return canvas.lines
    }
}

private struct Canvas {
    private var cells: [[Character]]
    // The directions that lines leave a cell in: 1 up, 2 right, 4 down, 8 left.
    private var ways: [[UInt8]]

    init(width: Int, height: Int) {
        cells = Array(repeating: Array(repeating: " ", count: max(0, width)), count: max(0, height))
        ways = Array(repeating: Array(repeating: 0, count: max(0, width)), count: max(0, height))
    }

    // By the directions of a cell.
    private static let corners: [Character] = [
        " ", "│", "─", "└", "│", "│", "┌", "├", "─", "┘", "─", "┴", "┐", "┤", "┬", "┼",
    ]

    private mutating func put(_ character: Character, _ x: Int, _ y: Int) {
        guard cells.indices.contains(y), cells[y].indices.contains(x) else { return }
        cells[y][x] = character
    }

    private mutating func way(_ direction: UInt8, _ x: Int, _ y: Int) {
        guard cells.indices.contains(y), cells[y].indices.contains(x) else { return }
        ways[y][x] |= direction
        cells[y][x] = Self.corners[Int(ways[y][x])]
    }

    mutating func write(_ text: String, x: Int, y: Int) {
        for (offset, character) in text.enumerated() { put(character, x + offset, y) }
    }

    mutating func draw(_ line: GraphDrawing.Line) {
        for (from, to) in zip(line.points, line.points.dropFirst()) {
            if from.x == to.x {
                let (top, bottom) = (min(from.y, to.y), max(from.y, to.y))
                for y in top..<bottom {
                    way(4, from.x, y)
                    way(1, from.x, y + 1)
                }
            } else {
                let (left, right) = (min(from.x, to.x), max(from.x, to.x))
                for x in left..<right {
                    way(2, x, from.y)
                    way(8, x + 1, from.y)
                }
            }
        }
    }

    mutating func draw(_ box: GraphDrawing.Box) {
        let (right, bottom) = (box.x + box.width - 1, box.y + box.height - 1)
        let isRound = box.kind == .final || box.kind == .initial
        for y in box.y...bottom { for x in box.x...right { put(" ", x, y) } }
        for x in box.x...right {
            put("─", x, box.y)
            put("─", x, bottom)
        }
        for y in box.y...bottom {
            put("│", box.x, y)
            put("│", right, y)
        }
        put(isRound ? "╭" : "┌", box.x, box.y)
        put(isRound ? "╮" : "┐", right, box.y)
        put(isRound ? "╰" : "└", box.x, bottom)
        put(isRound ? "╯" : "┘", right, bottom)
        for (index, line) in box.lines.enumerated() { write(line, x: box.x + 2, y: box.y + 1 + index) }
    }

    mutating func finish(_ line: GraphDrawing.Line) {
        guard let start = line.points.first, let end = line.points.last, line.points.count > 1 else { return }
        let before = line.points[line.points.count - 2]
        put(before.y <= end.y ? "▼" : "▲", end.x, end.y)
        put(before.y <= end.y ? "┬" : "┴", start.x, start.y)
        if let label = line.label { write(label, x: line.labelPlace.x, y: line.labelPlace.y) }
    }

    var lines: [String] {
        cells.map { row in
            var end = row.count
            while end > 0, row[end - 1] == " " { end -= 1 }
            return String(row[..<end])
        }
    }
}
