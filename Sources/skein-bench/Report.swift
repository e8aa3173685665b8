// The figures, as tables for people and as one JSON document for machines.

import WorkflowModel

struct Report {
    /// The workloads that were asked for.
    var workloads: [String] = []
    var figures: [Figure] = []
    var floor: [FloorSample] = []

    /// What was asked for beside what is wanted. Sizes that were not measured are no part of it.
    var verdicts: [Verdict] {
        Target.all.filter { workloads.contains($0.workload) }
            .map { Verdict($0, figures: figures, floor: floor) }
            .filter { $0.figure != nil || !$0.target.isOfOneSize }
    }

    /// Whether every target of the workloads was met.
    var isMet: Bool { verdicts.allSatisfy { $0.isMet == true } }

    var text: String {
        var lines = figures.map {
            Self.row([Column($0.workload, 3), Column($0.name, 56), Column(Self.number($0.value), 10), Column($0.unit)])
        }
        if !floor.isEmpty { lines += ["", "The floor: bare SQL on this machine, medians"] + floorLines }
        let verdicts = self.verdicts
        guard !verdicts.isEmpty else { return lines.joined(separator: "\n") }
        lines += ["", "Targets"]
        for verdict in verdicts {
            let mark = verdict.isMet.map { $0 ? "met" : "MISSED" } ?? "unknown"
            let value = verdict.figure.map { "\(Self.number($0.value)) \($0.unit)" } ?? "-"
            var limit = verdict.limit
            if !verdict.target.here.isEmpty { limit += "; elsewhere \(verdict.target.here)" }
            if !verdict.target.stretch.isEmpty { limit += "; better still \(verdict.target.stretch)" }
            lines.append(
                Self.row([
                    Column(mark, 7), Column(verdict.target.workload, 3), Column(verdict.target.figure, 56), Column(value, 18),
                    Column(verdict.comparison, 46), Column(limit),
                ]))
        }
        let met = verdicts.filter { $0.isMet == true }.count
        lines.append("\(met) of \(verdicts.count) targets met")
        return lines.joined(separator: "\n")
    }

    private var floorLines: [String] {
        var order: [(workload: String, cell: FloorCell)] = []
        for sample in floor where !order.contains(where: { $0 == (sample.workload, sample.cell) }) {
            order.append((sample.workload, sample.cell))
        }
        return order.map { workload, cell in
            let samples = floor.filter { $0.workload == workload && $0.cell == cell }
            let rates = samples.map(\.unitsPerSecond)
            let cpu = samples.compactMap(\.serverMicroseconds)
            let wal = samples.compactMap(\.walBytes)
            let crew = samples.first.map { $0.folders > 0 ? "\($0.workers)+\($0.folders)" : "\($0.workers)" } ?? ""
            return Self.row([
                Column(workload == "floor" ? "" : workload, 3), Column(cell.name, 26), Column("batch \(cell.batch)", 11), Column(crew, 5),
                Column("\(Self.number(Statistics.median(rates))) units/s", 20),
                Column("(\(Self.plain(rates.min() ?? 0))-\(Self.plain(rates.max() ?? 0)))", 20),
                Column(cpu.isEmpty ? "" : "\(Self.number(Statistics.median(cpu))) us"),
                Column(wal.isEmpty ? "" : "\(Self.number(Statistics.median(wal))) bytes of WAL"),
            ])
        }
    }

    var json: String {
        let document: JSONValue = [
            "targets": .array(verdicts.map(\.json)),
            "met": .bool(isMet),
            "figures": .array(
                figures.map {
                    [
                        "workload": .string($0.workload), "name": .string($0.name), "value": .double($0.value), "unit": .string($0.unit),
                        "samples": .array($0.samples.map { .double($0) }),
                    ]
                }),
            "floor": .array(floor.map(\.json)),
        ]
        return document.compactText
    }

    // MARK: Text

    struct Column {
        let text: String
        let width: Int

        init(_ text: String, _ width: Int = 0) {
            self.text = text
            self.width = width
        }
    }

    static func row(_ columns: [Column]) -> String {
        let padded = columns.map { $0.text + String(repeating: " ", count: max(0, $0.width - $0.text.count)) }.joined(separator: " ")
        return String(padded.reversed().drop { $0 == " " }.reversed())
    }

    /// A number, right-aligned.
    static func number(_ value: Double) -> String {
        let text = plain(value)
        return String(repeating: " ", count: max(0, 10 - text.count)) + text
    }

    /// A number with as many places as it needs.
    static func plain(_ value: Double) -> String {
        if value.magnitude >= 100 || value == value.rounded() { return grouped(Int(value.rounded())) }
        let scaled = Int((value.magnitude * 1000).rounded())
        let places = String(String(1000 + scaled % 1000).dropFirst()).reversed().drop { $0 == "0" }.reversed()
        return "\(value < 0 ? "-" : "")\(scaled / 1000)" + (places.isEmpty ? "" : "." + String(places))
    }

    private static func grouped(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }
}

extension Target {
    /// Whether it is about one of the sizes of W3, of which some may not have been asked for.
    var isOfOneSize: Bool { workload == "W3" }
}
