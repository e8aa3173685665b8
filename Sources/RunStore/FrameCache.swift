// What this coordinator knew of a run after its last fold. It is used only when the run's revision is still the same.

package import Engine
import Synchronization
package import WorkflowModel

package final class FrameCache: Sendable {
    private struct Entry {
        let revision: Int64
        let frame: Frame
        let weight: Int
        var age: UInt64
    }

    private struct State {
        var entries: [RunID: Entry] = [:]
        var weight = 0
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    // In facts: a step's fact is some hundred bytes.
    private let weightLimit: Int

    package init(weightLimit: Int = 200_000) { self.weightLimit = weightLimit }

    /// Takes a run's frame out, if it is the one of that revision. Whoever takes it puts the next one back after the commit.
    package func take(_ id: RunID, revision: Int64) -> Frame? {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: id) else { return nil }
            state.weight -= entry.weight
            return entry.revision == revision ? entry.frame : nil
        }
    }

    /// Keeps a frame as of a revision. When there is no room, the half that was used longest ago goes.
    package func put(_ id: RunID, revision: Int64, _ frame: Frame) {
        let weight = frame.weight
        guard weight <= weightLimit / 4 else { return }
        state.withLock { state in
            state.clock += 1
            if let old = state.entries.updateValue(Entry(revision: revision, frame: frame, weight: weight, age: state.clock), forKey: id) {
                state.weight -= old.weight
            }
            state.weight += weight
            guard state.weight > weightLimit else { return }
            let ages = state.entries.values.map(\.age).sorted()
            let threshold = ages[ages.count / 2]
            for (id, entry) in state.entries where entry.age <= threshold {
                state.entries.removeValue(forKey: id)
                state.weight -= entry.weight
            }
        }
    }
}
