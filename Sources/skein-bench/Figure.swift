// What was measured.

/// One figure of a workload.
struct Figure: Sendable {
    let workload: String
    let name: String
    /// The median of the samples, where there are several.
    let value: Double
    let unit: String
    /// What was measured each time, in the order of the repetitions; the floor is measured between them.
    let samples: [Double]

    init(workload: String, name: String, value: Double, unit: String) {
        self.workload = workload
        self.name = name
        self.value = value
        self.unit = unit
        samples = [value]
    }

    init(workload: String, name: String, medianOf samples: [Double], unit: String) {
        self.workload = workload
        self.name = name
        value = Statistics.median(samples)
        self.unit = unit
        self.samples = samples
    }
}

enum Statistics {
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard let last = sorted.last else { return 0 }
        let middle = sorted.count / 2
        return sorted.count == 1 ? last : sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    static func percentile(_ values: [Double], _ share: Double) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.down)))]
    }
}
