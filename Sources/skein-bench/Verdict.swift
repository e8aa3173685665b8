// A target beside what was measured.

import WorkflowModel

struct Verdict: Sendable {
    let target: Target
    let figure: Figure?
    /// What the floor showed, the median; nil for targets that are no ratios.
    let floor: Double?
    /// The figure in relation to the floor; nil for targets that are no ratios, and when there is no floor.
    let ratio: Double?
    /// Nil: a figure or its floor is missing.
    let isMet: Bool?

    init(_ target: Target, figures: [Figure], floor samples: [FloorSample]) {
        self.target = target
        let figure = figures.first { $0.workload == target.workload && $0.name == target.figure }
        self.figure = figure
        let floors = target.floor.map { cell, measure in
            samples.filter { $0.workload == target.workload && $0.cell == cell }.compactMap { $0.value(measure) }.filter { $0 > 0 }
        }
        floor = floors.flatMap { $0.isEmpty ? nil : Statistics.median($0) }
        ratio = figure.flatMap { figure in floors.flatMap { Self.ratio(figure, $0) } }
        guard let figure else {
            isMet = nil
            return
        }
        switch target.rule {
        case .atMost(let most): isMet = figure.value <= most
        case .atLeast(let least): isMet = figure.value >= least
        case .share(let least, _): isMet = ratio.map { $0 >= least }
        case .times(let most, _, _): isMet = ratio.map { $0 <= most }
        }
    }

    // Each repetition beside the floors before and after it, where the floor was measured in between.
    private static func ratio(_ figure: Figure, _ floors: [Double]) -> Double? {
        guard !floors.isEmpty else { return nil }
        guard floors.count == figure.samples.count + 1 else { return figure.value / Statistics.median(floors) }
        return Statistics.median(zip(figure.samples, zip(floors, floors.dropFirst())).map { $0 / (($1.0 + $1.1) / 2) })
    }

    /// The limit, in words.
    var limit: String {
        switch target.rule {
        case .atMost(let most): "at most \(Report.plain(most))"
        case .atLeast(let least): "at least \(Report.plain(least))"
        case .share(let share, _): "at least \(Report.plain(share * 100)) %"
        case .times(let times, _, _): "at most \(Report.plain(times))x"
        }
    }

    /// What was measured, in the words of the limit.
    var comparison: String {
        guard let floor = target.floor else { return "" }
        guard let ratio, let value = self.floor else { return "no \(floor.cell)" }
        let shown: String
        switch target.rule {
        case .atMost, .atLeast: return ""
        case .share: shown = "\(Report.plain(ratio * 100)) %"
        case .times: shown = "\(Report.plain(ratio))x"
        }
        return "\(shown) of \(floor.cell) (\(Report.plain(value))\(floor.measure.unit))"
    }

    var json: JSONValue {
        var object = JSONObject()
        object["workload"] = .string(target.workload)
        object["name"] = .string(target.figure)
        object["value"] = figure.map { .double($0.value) } ?? .null
        object["unit"] = figure.map { .string($0.unit) } ?? .null
        object["limit"] = .string(limit)
        if let cell = target.floor?.cell {
            object["floor_cell"] = .string(cell.name)
            object["floor_batch"] = .int(Int64(cell.batch))
            object["floor"] = floor.map { .double($0) } ?? .null
            object["ratio"] = ratio.map { .double($0) } ?? .null
        }
        if !target.here.isEmpty { object["elsewhere"] = .string(target.here) }
        if !target.stretch.isEmpty { object["stretch"] = .string(target.stretch) }
        object["met"] = isMet.map { .bool($0) } ?? .null
        return .object(object)
    }
}
