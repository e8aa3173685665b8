// What Skein is meant to reach, all in one place.
//
// What the machine decides (how many a second, how much CPU) is held against the raw floor of the same minutes; what it should not decide
// (milliseconds to wait, bytes, transactions, slowing down) as it is.

/// A cell of `sql/bench/run`.
struct FloorCell: Hashable, Sendable, CustomStringConvertible {
    let name: String
    let batch: Int

    var description: String { "\(name), batch \(batch)" }

    static let claimSettle = FloorCell(name: "claim-settle", batch: 100)
    static let insertClaimSettle = FloorCell(name: "insert-claim-settle", batch: 100)
    static let inPlace = FloorCell(name: "in-place", batch: 100)
    static let singleStep = FloorCell(name: "single-step", batch: 100)
    static let sequential = FloorCell(name: "sequential", batch: 100)
    static let submitBatches = FloorCell(name: "submit", batch: 100)
    static let submitSingly = FloorCell(name: "submit-50-clients", batch: 1)
}

/// What is compared of a cell.
enum FloorMeasure: Sendable {
    /// Units a second.
    case rate
    /// The server's CPU for a unit, in microseconds.
    case serverCPU
    /// Milliseconds for so many units.
    case time(units: Int)

    var unit: String {
        switch self {
        case .rate: "/s"
        case .serverCPU: " us"
        case .time: " ms"
        }
    }
}

/// What one figure is meant to be.
struct Target: Sendable {
    enum Rule: Sendable {
        case atMost(Double)
        case atLeast(Double)
        /// At least this share of what the floor does in the same time.
        case share(Double, of: FloorCell)
        /// At most so many times what the floor takes.
        case times(Double, FloorCell, FloorMeasure)
    }

    let workload: String
    /// The name of the figure.
    let figure: String
    let rule: Rule
    /// What that comes to on two cores of a small virtual machine. Shown, never checked.
    var here = ""
    /// What would be better still. Shown, never checked.
    var stretch = ""

    var floor: (cell: FloorCell, measure: FloorMeasure)? {
        switch rule {
        case .atMost, .atLeast: nil
        case .share(_, let cell): (cell, .rate)
        case .times(_, let cell, let measure): (cell, measure)
        }
    }
}

extension Target {
    /// The sizes of W3 that have a target, with the time that each takes where this was written.
    private static let fanOuts = [(1000, "60 ms"), (10_000, "500 ms"), (100_000, "5 s")]

    static let all: [Target] =
        [
            Target(
                workload: "W1", figure: Name.runRate, rule: .share(0.2, of: .claimSettle), here: "20,000 runs/s",
                stretch: "40 %, 40,000 runs/s"),
            Target(workload: "W1", figure: Name.runRate, rule: .share(0.6, of: .singleStep), here: "20,000 runs/s"),
            Target(
                workload: "W2", figure: Name.stepRate, rule: .share(0.6, of: .sequential), here: "18,000 steps/s", stretch: "40,000 steps/s"
            ),
        ]
        + fanOuts.flatMap { size, here in
            [
                Target(workload: "W3", figure: Name.fanOut(size), rule: .times(3, .insertClaimSettle, .time(units: size)), here: here),
                Target(workload: "W3", figure: Name.fanOutMemory(size), rule: .atMost(64)),
            ]
        }
        + [
            Target(workload: "W4", figure: Name.firstStepMedian, rule: .atMost(2.5)),
            Target(workload: "W4", figure: Name.firstStepTail, rule: .atMost(10)),
            Target(workload: "W4", figure: Name.endMedian, rule: .atMost(6)),
            Target(workload: "W4", figure: Name.endTail, rule: .atMost(20)),

            // 65 and 35 us where the floor takes 16.
            Target(workload: "W5", figure: Name.stepServerCPU, rule: .times(4.1, .inPlace, .serverCPU), here: "65 us", stretch: "30 us"),
            Target(workload: "W5", figure: Name.stepOwnCPU, rule: .times(2.2, .inPlace, .serverCPU), here: "35 us", stretch: "20 us"),
            Target(workload: "W5", figure: Name.stepWAL, rule: .atMost(1000), stretch: "430 bytes"),
            Target(workload: "W5", figure: Name.idleWorkerCPU, rule: .atMost(0.03)),
            Target(workload: "W5", figure: Name.idleCoordinatorCPU, rule: .atMost(0.06)),
            Target(workload: "W5", figure: Name.idleTransactions, rule: .atMost(30)),
            Target(workload: "W5", figure: Name.idleWorkerMemory, rule: .atMost(25)),
            Target(workload: "W5", figure: Name.idleCoordinatorMemory, rule: .atMost(25)),

            Target(workload: "W6", figure: Name.readyBehind, rule: .atMost(1.1)),
            Target(workload: "W6", figure: Name.finishedInFront, rule: .atMost(1.25)),
            Target(workload: "W6", figure: Name.longInFlight, rule: .atMost(1.1)),
            Target(workload: "W6", figure: Name.halfHeld, rule: .atMost(1.1)),
            Target(workload: "W6", figure: Name.heldSnapshot, rule: .atLeast(70)),

            Target(workload: "W7", figure: Name.submitBatches, rule: .share(0.1, of: .submitBatches), here: "10,000 runs/s"),
            Target(workload: "W7", figure: Name.submitSingly, rule: .share(0.2, of: .submitSingly), here: "2,000 runs/s"),
        ]

    /// The floor's cells that a workload is compared with.
    static func cells(of workload: String) -> [FloorCell] {
        var cells: [FloorCell] = []
        for case let (cell, _)? in all.filter({ $0.workload == workload }).map(\.floor) where !cells.contains(cell) { cells.append(cell) }
        return cells
    }
}

/// The names of the figures that have a target.
enum Name {
    static let runRate = "runs a second"
    static let stepRate = "steps a second"
    static func fanOut(_ size: Int) -> String { "\(size) parallel steps and a join" }
    static func fanOutMemory(_ size: Int) -> String { "\(size) parallel steps: coordinator's memory grows by" }
    static let firstStepMedian = "submit to first step, p50"
    static let firstStepTail = "submit to first step, p99"
    static let endMedian = "submit to the end of 3 steps, p50"
    static let endTail = "submit to the end of 3 steps, p99"
    static let stepServerCPU = "PostgreSQL's CPU for a step, at W2's load"
    static let stepOwnCPU = "our CPU for a step, at W2's load"
    static let stepWAL = "WAL of a step, at W2's load"
    static let idleWorkerCPU = "idle: CPU of a worker in 30 s"
    static let idleCoordinatorCPU = "idle: CPU of a coordinator in 30 s"
    static let idleTransactions = "idle: transactions of a process in 30 s"
    static let idleWorkerMemory = "idle: memory of a worker"
    static let idleCoordinatorMemory = "idle: memory of a coordinator"
    static let readyBehind = "CPU for a step, many ready behind"
    static let finishedInFront = "CPU for a step, many just finished in front"
    static let longInFlight = "CPU for a step, long tasks in flight"
    static let halfHeld = "CPU for a step, half of the tasks held"
    static let heldSnapshot = "throughput left while a snapshot is held"
    static let submitBatches = "durable submits a second, by batches"
    static let submitSingly = "durable submits a second, one by one"
}
