// What this coordinator knew of a run after its last fold. It is used only when the run's revision is still the same, and the database: one
// that was promoted while it lagged behind counts its revisions again.

package import Engine
#if DEBUG
import Faults
#endif
import Synchronization
package import WorkflowModel

package final class FrameCache: Sendable {
    // A class: a frame is large, and the table of entries is to move references only.
    private final class Entry {
        let revision: Int64
        let frame: Frame
        let weight: Int
        let age: UInt64

        init(revision: Int64, frame: Frame, weight: Int, age: UInt64) {
            self.revision = revision
            self.frame = frame
            self.weight = weight
            self.age = age
        }
    }

    private struct State {
        var entries: [RunID: Entry] = [:]
        var weight = 0
        var clock: UInt64 = 0
        var generation = 0
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
            #if DEBUG
            if PlantedFault.frameOfAnyRevision.isPlanted { return entry.frame }
            #endif
            return entry.revision == revision ? entry.frame : nil
        }
    }

    /// Counts how often everything was forgotten: to be looked at before a transaction begins, and handed to `put` after it.
    package var generation: Int { state.withLock { $0.generation } }

    /// Forgets everything: the database may be another one from now on, in which these revisions are still to come.
    package func forgetAll() {
        state.withLock { state in
            state.entries.removeAll()
            state.weight = 0
            state.generation += 1
        }
    }

    /// Keeps a frame as of a revision. When there is no room, the half that was used longest ago goes.
    ///
    /// - Parameter generation: what it was before the transaction began. When everything was forgotten since, the frame is, too.
    package func put(_ id: RunID, revision: Int64, _ frame: Frame, generation: Int) {
        let weight = frame.weight
        guard weight <= weightLimit / 4 else { return }
        state.withLock { state in
            guard state.generation == generation else { return }
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
