// A drawing as an SVG document that stands by itself: no scripts, no fonts to fetch, readable on light and dark pages.

extension GraphDrawing {
    private static let cellWidth = 8
    private static let cellHeight = 18
    private static let margin = 12

    /// The drawing as an SVG document.
    func svg(title: String) -> String {
        let size = (width * Self.cellWidth + 2 * Self.margin, height * Self.cellHeight + 2 * Self.margin)
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size.0) \(size.1)" width="\(size.0)" height="\(size.1)" role="img">
            <title>\(Self.escaped(title))</title>
            <style>
            text { font: 13px ui-monospace, monospace; fill: #1f2933; white-space: pre }
            .box { fill: #ffffff; stroke: #52606d } .container { fill: #f5f7fa; stroke: #9aa5b1 }
            .agent { fill: #e3f2fd } .workflow { fill: #ede7f6 } .wait { fill: #fff8e1 } .final { fill: #e8f5e9 } .initial { fill: #e0f7fa }
            .line { fill: none; stroke: #52606d; stroke-width: 1.4 } .failure { stroke-dasharray: 5 3; stroke: #b3261e }
            .label { fill: #52606d; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
            </style>
            <defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
            <path d="M0 0 L8 4 L0 8 z" fill="#52606d"/></marker></defs>
            <rect width="100%" height="100%" fill="#ffffff"/>

            """
        for box in boxes where box.isContainer { svg += element(box) }
        for line in lines { svg += element(line) }
        for box in boxes where !box.isContainer { svg += element(box) }
        for caption in captions { svg += Self.text(caption.text, caption.x, caption.y, "label") }
        return svg + "</svg>\n"
    }

    private func element(_ box: Box) -> String {
        let (x, y) = Self.corner(box.x, box.y)
        let radius = box.kind == .final || box.kind == .initial ? 14 : 4
        var svg = "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(box.width * Self.cellWidth)\" height=\"\(box.height * Self.cellHeight)\" "
        svg += "rx=\"\(radius)\" class=\"box \(box.isContainer ? "container" : Self.name(box.kind))\"/>\n"
        for (index, line) in box.lines.enumerated() { svg += Self.text(line, box.x + 2, box.y + 1 + index, nil) }
        return svg
    }

    private func element(_ line: Line) -> String {
        guard let first = line.points.first, let last = line.points.last, line.points.count > 1 else { return "" }
        let isDown = line.points[line.points.count - 2].y <= last.y
        var places = line.points.map { (x: Self.corner($0.x, 0).x + Self.cellWidth / 2, y: Self.corner(0, $0.y).y + Self.cellHeight / 2) }
        // Lines begin and end at the edges of boxes, not in the middle of their borders.
        places[0].y = Self.corner(0, isDown ? first.y + 1 : first.y).y
        places[places.count - 1].y = Self.corner(0, isDown ? last.y : last.y + 1).y
        let path = places.map { "\($0.x) \($0.y)" }.joined(separator: " L")
        var svg = "<path d=\"M\(path)\" class=\"line\(line.isOnFailure ? " failure" : "")\" marker-end=\"url(#head)\"/>\n"
        if let label = line.label { svg += Self.text(label, line.labelPlace.x, line.labelPlace.y, "label") }
        return svg
    }

    private static func corner(_ x: Int, _ y: Int) -> (x: Int, y: Int) { (margin + x * cellWidth, margin + y * cellHeight) }

    private static func text(_ text: String, _ x: Int, _ y: Int, _ style: String?) -> String {
        let place = corner(x, y)
        let attribute = style.map { " class=\"\($0)\"" } ?? ""
        return "<text x=\"\(place.x)\" y=\"\(place.y + cellHeight - 5)\"\(attribute)>\(escaped(text))</text>\n"
    }

    private static func name(_ kind: WorkflowGraph.Kind) -> String {
        switch kind {
        case .agent: "agent"
        case .workflow: "workflow"
        case .value: "value"
        case .wait: "wait"
        case .container: "container"
        case .final: "final"
        case .initial: "initial"
        }
    }

    // What a workflow says is text here, never markup. Characters that XML cannot hold are left out.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
