// The lanes on which a coordinator folds: as many as there is work for, one when there is little.

import Postgres
import RunStore
import Synchronization
import WorkflowModel

/// Which lanes are folding, and how the others are woken.
///
/// One lane does everything as long as it keeps up. A notification that finds it at work wakes the next one, and so does a large fold; lanes
/// that work at the same time share the runs out among themselves. A second lane that looked at every notification would only find locked
/// what the first one is folding, and cost as much as the fold of a step.
final class FoldLanes: Sendable {
    /// A fold of so many inputs is large: there is more to do than one lane does.
    static let largeFold = 64

    private struct Lane {
        var isBusy = false
        // It looks again by itself in a moment.
        var isResting = false
        // The runs that it is folding, and of which much is due.
        var largeRuns: [RunID] = []
    }

    let wakeups: [Wakeup]
    private let lanes: Mutex<[Lane]>

    init(count: Int) {
        wakeups = (0..<count).map { _ in Wakeup() }
        lanes = Mutex([Lane](repeating: Lane(), count: count))
    }

    /// There may be something to fold: the first lane that sleeps is woken; when none does, all look again.
    func wake() {
        if let sleeping = lanes.withLock({ $0.firstIndex { !$0.isBusy && !$0.isResting } }) {
            wakeups[sleeping].signal()
        } else {
            for wakeup in wakeups { wakeup.signal() }
        }
    }

    /// A lane begins a fold.
    ///
    /// - Returns: the runs that it looks at first: all of them, or its share when others fold, too; and those that it need not look at, because
    ///   others are folding them and will come back for the rest.
    func begin(_ lane: Int) -> (share: FoldShare, passed: [RunID]) {
        lanes.withLock { lanes in
            lanes[lane] = Lane(isBusy: true)
            let others = lanes.indices.filter { $0 != lane && lanes[$0].isBusy }
            let passed = others.flatMap { lanes[$0].largeRuns }
            // Two looks, one at its share and one at everything, would both read what the others' large runs have brought.
            return (others.isEmpty || !passed.isEmpty ? .all : FoldShare(index: lane, of: lanes.count), passed)
        }
    }

    /// A lane has locked these runs, and much is due of them.
    func note(_ lane: Int, large runs: [RunID]) { lanes.withLock { $0[lane].largeRuns = runs } }

    /// A lane does not look for a while, because what is due is with others: whoever has something new wakes another one, if one sleeps.
    func rest(_ lane: Int) { lanes.withLock { $0[lane].isResting = true } }

    /// A lane has rested.
    func rested(_ lane: Int) { lanes.withLock { $0[lane].isResting = false } }

    /// A lane has ended a fold of so many inputs.
    func end(_ lane: Int, inputs: Int) {
        let idle = lanes.withLock { lanes in
            lanes[lane] = Lane()
            return inputs >= Self.largeFold ? lanes.indices.first { $0 != lane && !lanes[$0].isBusy } : nil
        }
        if let idle { wakeups[idle].signal() }
    }
}
