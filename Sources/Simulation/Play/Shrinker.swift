// Makes a failing seed small: without the faults, the runs and the steps that it fails without, too.

/// A failing simulation with everything left out that it does not need in order to fail.
package struct Shrinker {
    /// The settings found so far; they fail.
    package private(set) var settings: Settings
    /// What they fail with.
    package private(set) var report: SimulationReport
    private var triesLeft: Int

    /// - Parameter tries: how often it plays at most.
    package init(_ settings: Settings, tries: Int = 400) {
        self.settings = settings
        report = Simulator.play(settings)
        triesLeft = tries
    }

    /// Shrinks as long as something can be left out.
    package mutating func shrink() {
        guard report.violation != nil else { return }
        var isSmaller = true
        while isSmaller, triesLeft > 0 {
            isSmaller = dropFaults()
            if dropRuns() { isSmaller = true }
            if dropSteps() { isSmaller = true }
        }
    }

    // Whether it fails with the same promise.
    private mutating func fails(_ candidate: Settings) -> Bool {
        guard triesLeft > 0 else { return false }
        triesLeft -= 1
        let result = Simulator.play(candidate)
        guard let promise = result.violation?.promise, promise == report.violation?.promise else { return false }
        settings = candidate
        report = result
        return true
    }

    // Large parts first, then smaller ones.
    private mutating func dropFaults() -> Bool {
        var hasDropped = false
        var size = settings.faultCount
        while size > 0 {
            let left = (0..<settings.faultCount).filter { !settings.withoutFaults.contains($0) }
            for start in stride(from: 0, to: left.count, by: size) {
                var candidate = settings
                candidate.withoutFaults.formUnion(left[start..<min(start + size, left.count)])
                if candidate.withoutFaults != settings.withoutFaults, fails(candidate) { hasDropped = true }
            }
            size /= 2
        }
        return hasDropped
    }

    private mutating func dropRuns() -> Bool {
        var hasDropped = false
        for place in 0..<Simulator.runCount where !settings.withoutRuns.contains(place) {
            guard settings.withoutRuns.count + 1 < Simulator.runCount else { break }
            var candidate = settings
            candidate.withoutRuns.insert(place)
            if fails(candidate) { hasDropped = true }
        }
        return hasDropped
    }

    private mutating func dropSteps() -> Bool {
        for limit in [1, 2, 3, 5, 8, 12, 16, 30] where limit < settings.stepLimit {
            var candidate = settings
            candidate.stepLimit = limit
            if fails(candidate) { return true }
        }
        return false
    }

    /// What is left, in words.
    package var summary: String {
        let faults = settings.faultCount - settings.withoutFaults.count
        let runs = Simulator.runCount - settings.withoutRuns.count
        return "\(faults) faults, \(runs) runs, definitions of at most \(settings.stepLimit) steps"
    }
}
