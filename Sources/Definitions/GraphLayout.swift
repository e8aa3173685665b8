// Where the boxes of a drawing stand: layered from top to bottom, boxes of a block within the box of its step. Pure, and always the same
// for the same workflow. The unit is a character cell: the terminal draws it as it is, SVG scales it.

/// A drawing: boxes and lines on a grid of character cells.
struct GraphDrawing {
    struct Box {
        let x: Int
        let y: Int
        let width: Int
        let height: Int
        let lines: [String]
        let kind: WorkflowGraph.Kind
        let isContainer: Bool
    }

    /// A line with an arrowhead at its last point. Its parts run along the axes.
    struct Line {
        var points: [(x: Int, y: Int)]
        let label: String?
        /// Where the label begins.
        var labelPlace: (x: Int, y: Int)
        let isOnFailure: Bool
    }

    /// Text outside of boxes: the names of branches.
    struct Caption {
        let x: Int
        let y: Int
        let text: String
    }

    var width = 0
    var height = 0
    var boxes: [Box] = []
    var lines: [Line] = []
    var captions: [Caption] = []

    /// Puts another drawing at a place of this one.
    mutating func add(_ other: GraphDrawing, x: Int, y: Int) {
        for box in other.boxes {
            boxes.append(
                Box(
                    x: box.x + x, y: box.y + y, width: box.width, height: box.height, lines: box.lines, kind: box.kind,
                    isContainer: box.isContainer))
        }
        for line in other.lines {
            lines.append(
                Line(
                    points: line.points.map { ($0.x + x, $0.y + y) }, label: line.label,
                    labelPlace: (line.labelPlace.x + x, line.labelPlace.y + y), isOnFailure: line.isOnFailure))
        }
        for caption in other.captions { captions.append(Caption(x: caption.x + x, y: caption.y + y, text: caption.text)) }
        width = max(width, x + other.width)
        height = max(height, y + other.height)
    }

    /// Lays out a workflow.
    init(_ graph: WorkflowGraph) { self = GraphLayout(graph).drawing }

    init() {}
}

private struct GraphLayout {
    private static let gapBetweenBoxes = 3
    private static let padding = 2
    private static let sweeps = 4

    // A box, or a point at which a long arrow passes a layer.
    private struct Node {
        var layer = 0
        var position = 0
        var x = 0
        let width: Int
        let height: Int
        let item: Int?
        var center: Int { x + width / 2 }
    }

    // A part of an arrow from one layer to the next.
    private struct Part {
        let from: Int
        let to: Int
        let arrow: Int
    }

    private let graph: WorkflowGraph
    private var nodes: [Node] = []
    private var parts: [Part] = []
    private var layers: [[Int]] = []
    private var contents: [GraphDrawing] = []
    // Arrows that lead upwards are laid out as if they led downwards.
    private var isReversed: [Bool] = []
    private(set) var drawing = GraphDrawing()

    init(_ graph: WorkflowGraph) {
        self.graph = graph
        contents = graph.items.map { Self.inside($0) }
        for (index, item) in graph.items.enumerated() {
            let text = item.lines.map(\.count).max() ?? 0
            nodes.append(
                Node(
                    width: max(text, contents[index].width) + 2 * Self.padding,
                    height: item.lines.count + 2 + contents[index].height, item: index))
        }
        if nodes.isEmpty { return }
        assignLayers()
        splitLongArrows()
        order()
        place()
        draw()
    }

    // The blocks of a container, side by side.
    private static func inside(_ item: WorkflowGraph.Item) -> GraphDrawing {
        var all = GraphDrawing()
        var x = 0
        for inner in item.inner {
            let drawing = GraphDrawing(inner)
            var y = 0
            if let title = inner.title {
                all.captions.append(GraphDrawing.Caption(x: x, y: 0, text: title))
                all.width = max(all.width, x + title.count)
                y = 1
            }
            all.add(drawing, x: x, y: y)
            x = all.width + gapBetweenBoxes
        }
        return all
    }

    // MARK: Layers

    private mutating func assignLayers() {
        let count = nodes.count
        var outgoing = [[Int]](repeating: [], count: count)
        for (index, arrow) in graph.arrows.enumerated() { outgoing[arrow.from].append(index) }
        isReversed = [Bool](repeating: false, count: graph.arrows.count)
        var state = [UInt8](repeating: 0, count: count)
        var finished: [Int] = []
        for start in 0..<count where state[start] == 0 {
            var way: [(node: Int, next: Int)] = [(start, 0)]
            state[start] = 1
            while let (node, next) = way.last {
                guard next < outgoing[node].count else {
                    state[node] = 2
                    finished.append(node)
                    way.removeLast()
                    continue
                }
                way[way.count - 1].next += 1
                let arrow = outgoing[node][next]
                let target = graph.arrows[arrow].to
                if state[target] == 1 { isReversed[arrow] = true }
                if state[target] == 0 {
                    state[target] = 1
                    way.append((target, 0))
                }
            }
        }
        var incoming = [[Int]](repeating: [], count: count)
        for (index, arrow) in graph.arrows.enumerated() {
            incoming[isReversed[index] ? arrow.from : arrow.to].append(isReversed[index] ? arrow.to : arrow.from)
        }
        // Reverse order of finishing: every arrow leads forwards in it.
        for node in finished.reversed() { nodes[node].layer = (incoming[node].map { nodes[$0].layer + 1 }.max() ?? 0) }
    }

    private mutating func splitLongArrows() {
        layers = [[Int]](repeating: [], count: (nodes.map(\.layer).max() ?? 0) + 1)
        for index in nodes.indices { layers[nodes[index].layer].append(index) }
        for (index, arrow) in graph.arrows.enumerated() {
            let (from, to) = isReversed[index] ? (arrow.to, arrow.from) : (arrow.from, arrow.to)
            var previous = from
            for layer in (nodes[from].layer + 1)..<max(nodes[from].layer + 1, nodes[to].layer) {
                let point = nodes.count
                nodes.append(Node(layer: layer, width: 1, height: 1, item: nil))
                layers[layer].append(point)
                parts.append(Part(from: previous, to: point, arrow: index))
                previous = point
            }
            parts.append(Part(from: previous, to: to, arrow: index))
        }
    }

    // MARK: Order within the layers

    private mutating func order() {
        var above = [[Int]](repeating: [], count: nodes.count)
        var below = above
        for part in parts {
            above[part.to].append(part.from)
            below[part.from].append(part.to)
        }
        for layer in layers { for (position, node) in layer.enumerated() { nodes[node].position = position } }
        for sweep in 0..<Self.sweeps {
            let isDown = sweep % 2 == 0
            for layer in isDown ? Array(layers.indices) : layers.indices.reversed() {
                let neighbours = isDown ? above : below
                let wanted = layers[layer].map { node -> (Double, Int) in
                    let positions = neighbours[node].map { Double(nodes[$0].position) }
                    let mean = positions.isEmpty ? Double(nodes[node].position) : positions.reduce(0, +) / Double(positions.count)
                    return (mean, node)
                }
                let sorted = wanted.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element.1)
                layers[layer] = sorted
                for (position, node) in sorted.enumerated() { nodes[node].position = position }
            }
        }
    }

    // MARK: Coordinates

    private mutating func place() {
        let widths = layers.map { layer in layer.reduce(-Self.gapBetweenBoxes) { $0 + nodes[$1].width + Self.gapBetweenBoxes } }
        let widest = widths.max() ?? 0
        var above = [[Int]](repeating: [], count: nodes.count)
        for part in parts { above[part.to].append(part.from) }
        for (index, layer) in layers.enumerated() {
            // Each box wants to stand below what leads to it; it moves right where there is no room.
            var x = 0
            var room = (widest - widths[index])
            for node in layer {
                let centers = above[node].map { nodes[$0].center }
                let standard = x + (index == 0 ? room / 2 : 0)
                let wanted = centers.isEmpty ? standard : centers.reduce(0, +) / centers.count - nodes[node].width / 2
                let place = max(x, min(wanted, x + max(0, room)))
                room -= place - x
                nodes[node].x = place
                x = place + nodes[node].width + Self.gapBetweenBoxes
            }
        }
    }

    // MARK: Drawing

    private mutating func draw() {
        var y = 0
        var tops = [Int](repeating: 0, count: layers.count)
        var lanes: [[Int: Int]] = []
        for (index, layer) in layers.enumerated() {
            tops[index] = y
            let height = layer.map { nodes[$0].height }.max() ?? 1
            let (rows, lane) = self.lanes(below: index)
            lanes.append(lane)
            y += height + (index + 1 < layers.count ? rows + 1 : 0)
        }
        drawing.height = y
        drawing.width = nodes.map { $0.x + $0.width }.max() ?? 0
        for node in nodes {
            guard let item = node.item else { continue }
            let top = tops[node.layer]
            drawing.boxes.append(
                GraphDrawing.Box(
                    x: node.x, y: top, width: node.width, height: node.height, lines: graph.items[item].lines, kind: graph.items[item].kind,
                    isContainer: !graph.items[item].inner.isEmpty))
            if contents[item].height > 0 {
                drawing.add(contents[item], x: node.x + Self.padding, y: top + 1 + graph.items[item].lines.count)
            }
        }
        for index in graph.arrows.indices { draw(arrow: index, tops, lanes) }
    }

    private mutating func draw(arrow index: Int, _ tops: [Int], _ lanes: [[Int: Int]]) {
        var points: [(x: Int, y: Int)] = []
        var labelPlace = (x: 0, y: 0)
        for (number, part) in parts.enumerated() where part.arrow == index {
            let from = nodes[part.from]
            let to = nodes[part.to]
            let bottom = tops[from.layer] + (layers[from.layer].map { nodes[$0].height }.max() ?? 1)
            if points.isEmpty { points.append((from.center, tops[from.layer] + from.height - 1)) }
            let row = bottom + (lanes[from.layer][number] ?? 0)
            if let label = graph.arrows[index].label, from.item != nil { labelPlace = (labelStart(from.center, to.center, label), row) }
            points.append((from.center, row))
            points.append((to.center, row))
            if to.item != nil { points.append((to.center, tops[to.layer])) }
        }
        let arrow = graph.arrows[index]
        drawing.lines.append(
            GraphDrawing.Line(
                points: isReversed[index] ? points.reversed() : points, label: arrow.label, labelPlace: labelPlace,
                isOnFailure: arrow.isOnFailure))
        if let label = arrow.label { drawing.width = max(drawing.width, labelPlace.x + label.count) }
    }

    // Horizontal parts that would lie on each other get rows of their own, unless they begin or end at the same box.
    private func lanes(below layer: Int) -> (rows: Int, lane: [Int: Int]) {
        struct Taken {
            let part: Part
            let span: ClosedRange<Int>
            let isLabelled: Bool
        }
        var taken: [[Taken]] = []
        var lane: [Int: Int] = [:]
        for (number, part) in parts.enumerated() where nodes[part.from].layer == layer {
            let label = nodes[part.from].item == nil ? nil : graph.arrows[part.arrow].label
            let (from, to) = (nodes[part.from].center, nodes[part.to].center)
            var span = min(from, to)...max(from, to)
            if let label {
                let start = labelStart(from, to, label)
                span = min(span.lowerBound, start)...max(span.upperBound, start + label.count)
            }
            func collides(_ other: Taken) -> Bool {
                guard other.span.overlaps(span) else { return false }
                return label != nil || other.isLabelled || (other.part.from != part.from && other.part.to != part.to)
            }
            var row = 0
            while row < taken.count, taken[row].contains(where: collides) { row += 1 }
            if row == taken.count { taken.append([]) }
            taken[row].append(Taken(part: part, span: span, isLabelled: label != nil))
            lane[number] = row
        }
        return (max(1, taken.count), lane)
    }

    // On the line where it is long enough, else to its right.
    private func labelStart(_ from: Int, _ to: Int, _ label: String) -> Int {
        abs(from - to) >= label.count + 4 ? min(from, to) + (abs(from - to) - label.count) / 2 : max(from, to) + 2
    }
}
