// The catalogue of metrics, what a process counts, and how Prometheus reads it.

import Telemetry
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("names follow the rules: prefix, lower case, _total for counters only, the unit last", arguments: MetricName.allCases)
    func name(metric: MetricName) {
        #expect(metric.rawValue.wholeMatch(of: /skein(_[a-z]+)+/) != nil)
        #expect(metric.rawValue.hasSuffix("_total") == (metric.kind == .counter))
        #expect(metric.help.hasSuffix("."))
        #expect(!metric.help.contains("\n"))
        #expect((metric.kind == .histogram) == !metric.buckets.isEmpty)
        #expect(metric.buckets == metric.buckets.sorted() && Set(metric.buckets).count == metric.buckets.count)
        #expect(Set(metric.labels).count == metric.labels.count)
        if metric.kind == .histogram { #expect(metric.rawValue.hasSuffix("_seconds") || metric.rawValue.hasSuffix("_size")) }
    }

    @Test("counters add up, by label values")
    func counters() {
        let metrics = MetricsRegistry()
        metrics.count(.tasksClaimed, "default", by: 3)
        metrics.count(.tasksClaimed, "default")
        metrics.count(.tasksClaimed, "slow", by: 0)
        #expect(metrics.value(of: .tasksClaimed, "default") == 4)
        #expect(metrics.value(of: .tasksClaimed, "slow") == 0)
        #expect(metrics.value(of: .tasksClaimed, "other") == nil)
        let text = metrics.render()
        #expect(
            text == """
                # HELP skein_tasks_claimed_total Tasks that this worker claimed.
                # TYPE skein_tasks_claimed_total counter
                skein_tasks_claimed_total{queue="default"} 4
                skein_tasks_claimed_total{queue="slow"} 0

                """)
    }

    @Test("gauges are set and adjusted, and what is replaced disappears")
    func gauges() {
        let metrics = MetricsRegistry()
        metrics.set(.workerSlots, to: 16)
        metrics.adjust(.workerSlotsUsed, by: 3)
        metrics.adjust(.workerSlotsUsed, by: -1)
        #expect(metrics.value(of: .workerSlots) == 16)
        #expect(metrics.value(of: .workerSlotsUsed) == 2)
        metrics.replace(.queueReady, with: [(["a"], 1), (["b"], 2)])
        metrics.replace(.queueReady, with: [(["b"], 5)])
        #expect(metrics.value(of: .queueReady, "a") == nil)
        #expect(metrics.value(of: .queueReady, "b") == 5)
    }

    @Test("a histogram's buckets are cumulative, a bound belongs to its bucket, and sum and count agree")
    func histograms() {
        let metrics = MetricsRegistry()
        for size in [0, 1, 1, 3, 5000] { metrics.observe(.foldBatchSize, size: size) }
        let lines = metrics.render().split(separator: "\n")
        func value(_ start: String) -> Substring? { lines.first { $0.hasPrefix(start + " ") }?.split(separator: " ").last }
        #expect(value("skein_fold_batch_size_bucket{le=\"0\"}") == "1")
        #expect(value("skein_fold_batch_size_bucket{le=\"1\"}") == "3")
        #expect(value("skein_fold_batch_size_bucket{le=\"2\"}") == "3")
        #expect(value("skein_fold_batch_size_bucket{le=\"5\"}") == "4")
        #expect(value("skein_fold_batch_size_bucket{le=\"2000\"}") == "4")
        #expect(value("skein_fold_batch_size_bucket{le=\"+Inf\"}") == "5")
        #expect(value("skein_fold_batch_size_sum") == "5005")
        #expect(value("skein_fold_batch_size_count") == "5")
        metrics.observe(.claimDuration, duration: .milliseconds(1500))
        #expect(metrics.render().contains("skein_claim_duration_seconds_sum 1.5\n"))
        #expect(metrics.value(of: .claimDuration) == 1)
    }

    @Test("label values are escaped, so that none can pass for another line or label")
    func escaping() {
        let metrics = MetricsRegistry()
        metrics.count(.tasksClaimed, "a\"b\\c\nd")
        #expect(metrics.render().contains(#"skein_tasks_claimed_total{queue="a\"b\\c\nd"} 1"# + "\n"))
    }

    @Test("label values beyond the limit are counted together, and nothing is lost")
    func overflow() {
        let metrics = MetricsRegistry()
        let many = MetricsRegistry.mostSeries + 50
        for number in 0..<many { metrics.count(.tasksClaimed, "queue-\(number)") }
        #expect(metrics.value(of: .tasksClaimed, "queue-0") == 1)
        #expect(metrics.value(of: .tasksClaimed, MetricsRegistry.overflowLabel) == 50)
        metrics.count(.tasksClaimed, "queue-0")
        #expect(metrics.value(of: .tasksClaimed, "queue-0") == 2)
        let series = metrics.render().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(series.count == MetricsRegistry.mostSeries + 1)
    }

    @Test("what a process shows from its first second on is there with zero")
    func shownFromTheStart() {
        for shown in [MetricName.ofWorker, MetricName.ofCoordinator] {
            let text = MetricsRegistry(showing: shown).render()
            for name in shown where name.labels.isEmpty {
                let line = name.kind == .histogram ? "\(name.rawValue)_count 0\n" : "\(name.rawValue) 0\n"
                #expect(text.contains(line), "\(name.rawValue)")
            }
        }
        #expect(MetricsRegistry().render().isEmpty)
    }

    @Test("a process says what it is and how much memory it has")
    func process() throws {
        let metrics = MetricsRegistry()
        metrics.noteProcess(component: "worker", version: "1.2.3")
        #expect(metrics.value(of: .buildInfo, "worker", "1.2.3") == 1)
        let started = try #require(metrics.value(of: .processStartTime))
        metrics.noteProcess(component: "worker", version: "1.2.3")
        #expect(metrics.value(of: .processStartTime) == started)
        #if os(Linux)
        let bytes = try #require(metrics.value(of: .residentMemory))
        #expect(bytes > 1_048_576)
        #endif
    }

    @Test("nothing is lost when many count at once")
    func concurrency() async {
        let metrics = MetricsRegistry()
        await withDiscardingTaskGroup { group in
            for worker in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        metrics.count(.tasksClaimed, "q\(worker % 2)")
                        metrics.observe(.claimBatchSize, size: worker)
                    }
                }
            }
        }
        #expect(metrics.value(of: .tasksClaimed, "q0") == 4000)
        #expect(metrics.value(of: .tasksClaimed, "q1") == 4000)
        #expect(metrics.value(of: .claimBatchSize) == 8000)
    }
}
