// The figures, as a table for people and as one JSON document for machines.

import WorkflowModel

struct Figure {
    let workload: String
    let name: String
    let value: Double
    let unit: String
}

struct Report {
    var figures: [Figure] = []
    var floor: JSONValue?

    // What a workload is compared with: the floor's cell that writes the same rows, or the bare one.
    private static let comparisons: [(workload: String, name: String, cells: [String])] = [
        ("W1", "throughput", ["claim-settle", "single-step"]),
        ("W2", "throughput", ["row-a-step", "in-place", "sequential"]),
    ]

    /// The floor's cells that something is compared with.
    static var comparedCells: Set<String> { Set(comparisons.flatMap(\.cells)) }

    var text: String {
        var lines: [String] = []
        for figure in figures {
            lines.append("\(pad(figure.workload, 4)) \(pad(figure.name, 44)) \(number(figure.value)) \(figure.unit)")
        }
        if let cells = floor?["cells"]?.arrayValue {
            lines.append("")
            lines.append("floor: bare SQL on this machine")
            for cell in cells {
                let name = cell["name"]?.stringValue ?? "?"
                let batch = cell["batch"]?.intValue ?? 0
                let workers = cell["workers"]?.intValue ?? 0
                let folders = cell["folders"]?.intValue ?? 0
                let label = pad(name, 28) + pad("batch \(batch)", 11) + pad(folders > 0 ? "\(workers)+\(folders)" : "\(workers)", 6)
                let cpu = cell["server_cpu_microseconds"]?.doubleValue.map { number($0) + " us" } ?? ""
                lines.append("     \(label) \(number(cell["units_per_second"]?.doubleValue ?? 0)) units/s \(cpu)")
            }
        }
        let ratios = self.ratios
        if !ratios.isEmpty {
            lines.append("")
            lines.append("ratios, measured in the same run")
            for (name, ratio) in ratios { lines.append("     \(pad(name, 62)) \(number(ratio * 100)) %") }
        }
        return lines.joined(separator: "\n")
    }

    private var ratios: [(String, Double)] {
        guard let cells = floor?["cells"]?.arrayValue else { return [] }
        var found: [(String, Double)] = []
        for (workload, name, designs) in Self.comparisons {
            guard let figure = figures.first(where: { $0.workload == workload && $0.name.hasPrefix(name) }) else { continue }
            for design in designs {
                let best = cells.filter { $0["name"]?.stringValue == design && $0["batch"]?.intValue == 100 }
                    .compactMap { $0["units_per_second"]?.doubleValue }.max()
                if let best, best > 0 { found.append(("\(workload) of the floor's \(design), batch 100", figure.value / best)) }
            }
        }
        return found
    }

    var json: String {
        let document: JSONValue = [
            "figures": .array(
                figures.map {
                    ["workload": .string($0.workload), "name": .string($0.name), "value": .double($0.value), "unit": .string($0.unit)]
                }),
            "floor": floor ?? .null,
            "ratios": .array(ratios.map { ["name": .string($0.0), "ratio": .double($0.1)] }),
        ]
        return document.compactText
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func number(_ value: Double) -> String {
        let text: String
        if value >= 100 {
            text = String(Int(value.rounded()))
        } else {
            let scaled = Int((value * 1000).rounded())
            text = "\(scaled / 1000)." + String(String(1000 + scaled % 1000).dropFirst())
        }
        return String(repeating: " ", count: max(0, 10 - text.count)) + text
    }
}
