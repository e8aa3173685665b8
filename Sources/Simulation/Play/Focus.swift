// What a story can be about, where the moment that is looked for comes too seldom in stories about everything.

import WorkflowModel

/// What a story is about. A story without a focus has some of everything.
package enum Focus: String, CaseIterable, Sendable {
    /// Many steps wait, many events are sent, folds and matchers are slow, and runs are paused meanwhile.
    case events
    /// Every look at the queue leaves a mark; runs with sub-workflows are paused, resumed and cancelled.
    case marks
    /// Loops with pauses whose iterations overlap, time limits that agents exceed, and coordinators that stand still: timers become due together
    /// with what sets them anew.
    case timers
    /// Connections break after reports that are not on the disk yet, and the server crashes just after.
    case reports
    /// The server fails over, so that all leases are lost, while workers are slow to settle what they have done and folds are slow to write.
    case failovers

    /// What agents, people and definitions are like in such a story.
    func adjust(_ settings: inout Settings, _ random: inout SeededGenerator) {
        settings.stickiness = 0
        settings.lease = .seconds(random.pick([2, 4]))
        settings.faultCount = 30
        settings.foldLimit = 200
        switch self {
        case .events:
            settings.flavour = .any
            settings.stepLimit = random.pick([6, 12])
            settings.pauseInStatement = random.pick([10, 50])
            settings.temper.pause = random.pick([0, 20])
            settings.temper.signal = 75
            settings.temper.cancel = 0
            settings.haste = random.pick([20, 60, 200])
            settings.slowLooks = 0
        case .marks:
            settings.flavour = .any
            settings.stepLimit = 12
            settings.pauseInStatement = 50
            settings.temper.pause = 30
            settings.temper.cancel = 20
            settings.temper.signal = 20
            settings.haste = random.pick([60, 200])
            settings.slowLooks = random.pick([60, 100])
        case .timers:
            settings.flavour = .any
            settings.stepLimit = 12
            settings.losesNotifications = true
            settings.temper.slow = 40
            settings.temper.cancel = 0
            settings.temper.release = 0
            settings.slowLooks = 0
        case .reports:
            settings.stepLimit = random.pick([6, 12])
            settings.temper.slow = 0
            settings.temper.cancel = 0
            settings.slowLooks = 0
        case .failovers:
            settings.flavour = .any
            settings.stepLimit = 12
            settings.reapInterval = .milliseconds(200)
            settings.pauseInStatement = 80
            settings.temper.pause = 0
            settings.temper.cancel = 0
            settings.slowLooks = 0
        }
    }

    /// A fault of such a story, and where it strikes.
    func fault(_ random: inout SeededGenerator, _ lease: Duration, turn: Int) -> Fault {
        func linger(_ places: [String?]) -> Fault {
            Fault(turn: turn, kind: .linger(lease * Double(random.pick([0.01, 0.1, 0.4]))), place: random.pick(places))
        }
        switch self {
        case .events: return linger(["match", "match", "signal", "publish", "pause", "resume", "fold: write", "fold: write"])
        case .marks: return linger(["exchange", "exchange", "exchange", "cancel", "fold: ask", "fold: ask"])
        case .timers: return Fault(turn: turn, kind: .stop(lease * Double(random.pick([0.5, 0.9]))), place: "fold")
        case .reports:
            switch random.below(10) {
            case 0..<4: return Fault(turn: turn, kind: .cutConnection, place: "exchange")
            case 4..<7:
                return Fault(turn: turn, kind: .crash(lost: 1 + random.below(3), down: .milliseconds(random.pick([0, 300]))), place: "exchange")
            default: return Fault(turn: turn, kind: .stop(lease * 0.4), place: "fold")
            }
        case .failovers:
            if random.chance(15) { return Fault(turn: turn, kind: .failOver(lost: 0, down: .milliseconds(random.pick([10, 300])))) }
            return linger(["exchange", "exchange", "reap", "fold: write", "fold: write"])
        }
    }
}
