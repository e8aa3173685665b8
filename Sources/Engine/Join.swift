// When a join is satisfied, and when it can no longer be.

import WorkflowModel

/// What the parts of a join that have settled mean to it.
struct Join {
    enum Verdict {
        /// More parts have to settle.
        case open
        /// It has what it needs.
        case satisfied
        /// It can no longer have what it needs, or everything has settled without it.
        case failed
    }

    let policy: JoinPolicy
    /// The parts; nil while nobody knows how many there will be.
    let total: Int?
    let succeeded: Int
    let failed: Int

    var verdict: Verdict {
        let isOver = total.map { succeeded + failed >= $0 } ?? false
        if hasEnough { return .satisfied }
        switch policy.onError {
        case .failFast: if isLost { return .failed }
        case .drain: if isOver { return .failed }
        case .continue: if isOver { return .satisfied }
        }
        // Everything has settled: what was not lost is satisfied.
        guard isOver else { return .open }
        return isLost ? .failed : .satisfied
    }

    // Whether the rule holds, whatever becomes of the others.
    private var hasEnough: Bool {
        switch policy.rule {
        case .all: total.map { succeeded >= $0 } ?? false
        case .any, .first: succeeded > 0
        case .quorum(let count): succeeded >= count && succeeded > 0
        case .ratio(let share): total.map { succeeded > 0 && succeeded >= share.roundedUp(of: $0) } ?? false
        case .tolerate(let count): total.map { succeeded + failed >= $0 && failed <= count } ?? false
        case .tolerateShare(let share): total.map { succeeded + failed >= $0 && failed <= share.roundedDown(of: $0) } ?? false
        }
    }

    // Whether the rule can no longer hold.
    private var isLost: Bool {
        switch policy.rule {
        case .all: failed > 0
        case .first: failed > 0
        case .any: total.map { failed >= $0 } ?? false
        case .quorum(let count): total.map { $0 - failed < max(count, 1) } ?? false
        case .ratio(let share): total.map { $0 - failed < max(share.roundedUp(of: $0), 1) } ?? false
        case .tolerate(let count): failed > count
        case .tolerateShare(let share): total.map { failed > share.roundedDown(of: $0) } ?? (failed > 0)
        }
    }

    // What is missing, in figures.
    var shortage: String {
        let needed: Int? =
            switch policy.rule {
            case .all: total
            case .any, .first: 1
            case .quorum(let count): count
            case .ratio(let share): total.map { share.roundedUp(of: $0) }
            case .tolerate(let count): total.map { $0 - count }
            case .tolerateShare(let share): total.map { $0 - share.roundedDown(of: $0) }
            }
        guard let needed, let total else { return "the join can no longer be satisfied" }
        return "\(needed) parts have to succeed; of \(total), \(failed) failed and \(succeeded) succeeded"
    }
}
