// Counts what happens in this process, and writes it down as Prometheus reads it.
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The metrics of one process.
///
/// Each metric has a lock of its own that is held for a dictionary access and an addition, so that callers on many threads do not
/// wait for one another. Values are never lost; a metric that has been shown once is shown until the process ends, unless it is a
/// gauge that was set with `replace`.
///
/// ```swift
/// metrics.count(.tasksSettled, "succeeded", by: 12)
/// metrics.observe(.foldDuration, elapsed)
/// metrics.replace(.queueReady, with: [(["default"], 3)])
/// ```
public final class MetricsRegistry: Sendable {
    /// The content type of `render()`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    /// The most combinations of label values that one metric keeps. What comes later counts under `overflowLabel`.
    public static let mostSeries = 200
    /// The label value of everything beyond `mostSeries`.
    public static let overflowLabel = "(other)"

    private let families: [Family]

    /// A registry. The metrics in `shown` appear with zero before anything has happened, so that their rates are right from the
    /// first event on; metrics with labels appear when their first value is known.
    public init(showing shown: [MetricName] = []) {
        families = MetricName.allCases.map { name in Family(name) }
        for name in shown where name.labels.isEmpty { families[name.position].withSeries([]) { _ in } }
    }

    /// Adds to a counter. The label values are given in the order in which `MetricName.labels` names them.
    public func count(_ name: MetricName, _ labels: String..., by amount: Int = 1) {
        precondition(name.kind == .counter, "\(name.rawValue) is not a counter")
        precondition(amount >= 0, "a counter only grows")
        families[name.position].withSeries(labels) { series in series.value += Double(amount) }
    }

    /// Sets a gauge.
    public func set(_ name: MetricName, _ labels: String..., to value: Double) {
        precondition(name.kind == .gauge, "\(name.rawValue) is not a gauge")
        families[name.position].withSeries(labels) { series in series.value = value }
    }

    /// Adds to a gauge; negative amounts take away.
    public func adjust(_ name: MetricName, _ labels: String..., by amount: Double) {
        precondition(name.kind == .gauge, "\(name.rawValue) is not a gauge")
        families[name.position].withSeries(labels) { series in series.value += amount }
    }

    /// Sets all values of a gauge at once: label values that are not among `values` disappear.
    public func replace(_ name: MetricName, with values: [(labels: [String], value: Double)]) {
        precondition(name.kind == .gauge, "\(name.rawValue) is not a gauge")
        families[name.position].replace(with: values)
    }

    /// Adds an observation to a histogram of durations.
    public func observe(_ name: MetricName, _ labels: String..., duration: Duration) {
        let (seconds, attoseconds) = duration.components
        families[name.position].observe(Double(seconds) + Double(attoseconds) / 1e18, labels)
    }

    /// Adds an observation to a histogram of sizes.
    public func observe(_ name: MetricName, _ labels: String..., size: Int) {
        families[name.position].observe(Double(size), labels)
    }

    /// The value of a counter or a gauge, or the number of a histogram's observations; nil where nothing is known.
    public func value(of name: MetricName, _ labels: String...) -> Double? { families[name.position].value(labels) }

    /// Everything in the Prometheus text format, version 0.0.4.
    public func render() -> String {
        var out = ""
        for family in families { family.render(into: &out) }
        return out
    }

    /// Takes down what the operating system knows about this process: its memory, and once when it started.
    public func noteProcess(component: String, version: String) {
        set(.buildInfo, component, version, to: 1)
        if value(of: .processStartTime) == nil {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            set(.processStartTime, to: Double(time.tv_sec))
        }
        if let bytes = Self.residentBytes() { set(.residentMemory, to: Double(bytes)) }
    }

    private static func residentBytes() -> Int? {
        // The second number of statm is the resident set in pages. Other systems have no such file; there the metric is missing.
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 128)
        let length = fread(&buffer, 1, buffer.count, file)
        let fields = buffer.prefix(length).split(separator: 0x20)
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

extension MetricName {
    // The position in `allCases`.
    fileprivate var position: Int { Self.positions[self] ?? 0 }
    private static let positions = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { index, name in (name, index) })
}

/// One value, or one histogram, for one combination of label values.
private struct Series {
    var value = 0.0
    var sum = 0.0
    var buckets: [UInt64] = []
}

/// All series of one metric.
private final class Family: Sendable {
    private let name: MetricName
    private let facts: MetricDescription
    private let series = Mutex<[[String]: Series]>([:])

    init(_ name: MetricName) {
        self.name = name
        facts = name.facts
    }

    func withSeries(_ labels: [String], _ change: (inout Series) -> Void) {
        precondition(labels.count == facts.labels.count, "\(name.rawValue) has \(facts.labels.count) labels, not \(labels.count)")
        series.withLock { all in
            var key = labels
            if all.count >= MetricsRegistry.mostSeries, all[key] == nil {
                key = key.map { _ in MetricsRegistry.overflowLabel }
            }
            change(&all[key, default: Series(buckets: [UInt64](repeating: 0, count: facts.buckets.count + 1))])
        }
    }

    func observe(_ value: Double, _ labels: [String]) {
        precondition(facts.kind == .histogram, "\(name.rawValue) is not a histogram")
        let bucket = facts.buckets.firstIndex { bound in value <= bound } ?? facts.buckets.count
        withSeries(labels) { series in
            series.value += 1
            series.sum += value
            series.buckets[bucket] += 1
        }
    }

    func replace(with values: [(labels: [String], value: Double)]) {
        var all: [[String]: Series] = [:]
        for (labels, value) in values.prefix(MetricsRegistry.mostSeries) {
            precondition(labels.count == facts.labels.count, "\(name.rawValue) has \(facts.labels.count) labels, not \(labels.count)")
            all[labels] = Series(value: value)
        }
        series.withLock { current in current = all }
    }

    func value(_ labels: [String]) -> Double? { series.withLock { all in all[labels]?.value } }

    func render(into out: inout String) {
        let all = series.withLock { $0 }
        guard !all.isEmpty else { return }
        out += "# HELP \(name.rawValue) \(facts.help)\n# TYPE \(name.rawValue) \(facts.kind.rawValue)\n"
        for (values, series) in all.sorted(by: { left, right in left.key.lexicographicallyPrecedes(right.key) }) {
            let pairs = zip(facts.labels, values).map { label, value in "\(label.rawValue)=\"\(Self.escaped(value))\"" }
            switch facts.kind {
            case .counter, .gauge:
                out += "\(name.rawValue)\(Self.braced(pairs)) \(Self.number(series.value))\n"
            case .histogram:
                var sum: UInt64 = 0
                for (index, count) in series.buckets.enumerated() {
                    sum += count
                    let bound = index < facts.buckets.count ? Self.number(facts.buckets[index]) : "+Inf"
                    out += "\(name.rawValue)_bucket\(Self.braced(pairs + ["le=\"\(bound)\""])) \(sum)\n"
                }
                out += "\(name.rawValue)_sum\(Self.braced(pairs)) \(Self.number(series.sum))\n"
                out += "\(name.rawValue)_count\(Self.braced(pairs)) \(sum)\n"
            }
        }
    }

    private static func braced(_ pairs: [String]) -> String { pairs.isEmpty ? "" : "{" + pairs.joined(separator: ",") + "}" }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return value.description
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
