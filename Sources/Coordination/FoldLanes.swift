// The lanes on which a coordinator folds: as many as there is work for, one when there is little.

import Postgres
import RunStore
import Synchronization

/// Which lanes are folding, and how the others are woken.
///
/// One lane does everything as long as it keeps up. A notification that finds it at work wakes the next one, and so does a large fold; lanes
/// that work at the same time share the runs out among themselves. A second lane that looked at every notification would only find locked
/// what the first one is folding, and cost as much as the fold of a step.
final class FoldLanes: Sendable {
    /// A fold of so many inputs is large: there is more to do than one lane does.
    static let largeFold = 64

    let wakeups: [Wakeup]
    private let busy: Mutex<[Bool]>

    init(count: Int) {
        wakeups = (0..<count).map { _ in Wakeup() }
        busy = Mutex([Bool](repeating: false, count: count))
    }

    /// There may be something to fold: the first lane that sleeps is woken; when none does, all look again.
    func wake() {
        if let idle = busy.withLock({ $0.firstIndex(of: false) }) {
            wakeups[idle].signal()
        } else {
            for wakeup in wakeups { wakeup.signal() }
        }
    }

    /// A lane begins a fold.
    ///
    /// - Returns: the runs that it looks at first: all of them, or its share when others fold, too.
    func begin(_ lane: Int) -> FoldShare {
        busy.withLock { busy in
            busy[lane] = true
            return busy.indices.contains { $0 != lane && busy[$0] } ? FoldShare(index: lane, of: busy.count) : .all
        }
    }

    /// A lane has ended a fold of so many inputs.
    func end(_ lane: Int, inputs: Int) {
        let idle = busy.withLock { busy in
            busy[lane] = false
            return inputs >= Self.largeFold ? busy.indices.first { $0 != lane && !busy[$0] } : nil
        }
        if let idle { wakeups[idle].signal() }
    }
}
