// The drawings of a workflow: text for terminals, Mermaid for documents, SVG for everything else.

public import WorkflowModel

/// Draws workflows. The same workflow always gives the same drawing.
public enum GraphRenderer {
    /// The forms of a drawing.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// Boxes and lines of characters.
        case text
        /// A Mermaid flow chart.
        case mermaid
        /// An SVG document.
        case svg
    }

    /// The drawing of a workflow.
    public static func draw(_ definition: WorkflowDefinition, as format: Format) -> String {
        let graph = WorkflowGraph(definition)
        switch format {
        case .text: return GraphDrawing(graph).text.joined(separator: "\n") + "\n"
        case .svg: return GraphDrawing(graph).svg(title: definition.name)
        case .mermaid:
            var writer = MermaidWriter()
            writer.write(graph, indent: "  ")
            return "flowchart TD\n" + writer.text
        }
    }
}

private struct MermaidWriter {
    private(set) var text = ""
    private var count = 0

    mutating func write(_ graph: WorkflowGraph, indent: String) {
        var names: [String] = []
        for item in graph.items {
            count += 1
            let name = "n\(count)"
            names.append(name)
            let label = item.lines.map(Self.escaped).joined(separator: "<br/>")
            guard item.inner.isEmpty else {
                text += "\(indent)subgraph \(name)[\"\(label)\"]\n"
                for inner in item.inner {
                    guard let title = inner.title else {
                        write(inner, indent: indent + "  ")
                        continue
                    }
                    count += 1
                    text += "\(indent)  subgraph n\(count)[\"\(Self.escaped(title))\"]\n"
                    write(inner, indent: indent + "    ")
                    text += "\(indent)  end\n"
                }
                text += "\(indent)end\n"
                continue
            }
            let (open, close) = Self.brackets(item.kind)
            text += "\(indent)\(name)\(open)\"\(label)\"\(close)\n"
        }
        for arrow in graph.arrows {
            let line = arrow.isOnFailure ? "-.->" : "-->"
            let label = arrow.label.map { "|\"\(Self.escaped($0))\"|" } ?? ""
            text += "\(indent)\(names[arrow.from]) \(line)\(label) \(names[arrow.to])\n"
        }
    }

    private static func brackets(_ kind: WorkflowGraph.Kind) -> (String, String) {
        switch kind {
        case .agent, .container: ("[", "]")
        case .workflow: ("[[", "]]")
        case .value: ("(", ")")
        case .wait: ("{{", "}}")
        case .final: ("([", "])")
        case .initial: ("([", "])")
        }
    }

    // Mermaid reads its own entities inside of quotes.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "#quot;"
            case "#": result += "#35;"
            case "<": result += "#lt;"
            case ">": result += "#gt;"
            case "&": result += "#amp;"
            case "\u{0}"..."\u{1F}": result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
