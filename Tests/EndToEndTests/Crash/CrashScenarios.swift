// Which scenarios there are, and which of them the suite plays today.

#if DEBUG
import Faults
import Foundation

extension CrashPlan {
    /// All scenarios: every point with every action that makes a difference there.
    static let all: [CrashPlan] = CrashPoint.all.flatMap { point in actions(at: point).map { CrashPlan(point, $0) } } + laterFolds

    /// Every point once; what happens there changes with the day.
    static func selection(day: Int) -> [CrashPlan] {
        CrashPoint.all.enumerated().map { place, point in
            // Every day a late result is reported and refused.
            if point == CrashPoint(.exchange, .before) { return CrashPlan(point, .pause) }
            let actions = actions(at: point)
            return CrashPlan(point, actions[(day + place) % actions.count])
        }
    }

    /// The scenarios of this run: `SKEIN_CRASH` names some, separated by commas, or is `all`; otherwise today's.
    static func chosen() throws -> [CrashPlan] {
        switch ProcessInfo.processInfo.environment["SKEIN_CRASH"] {
        case nil, "": return selection(day: today)
        case "all": return all
        case let names?:
            return try names.split(separator: ",").map { name in
                guard let plan = CrashPlan(String(name)) else { throw HarnessError("SKEIN_CRASH: \(name) is no scenario such as fold.executed:1:kill") }
                return plan
            }
        }
    }

    private static func actions(at point: CrashPoint) -> [CrashAction] {
        var actions = [CrashAction.kill]
        if point.phase == .sent { actions.append(.lose) }
        if point.boundary.mayBeSleptThrough { actions.append(.pause) }
        return actions
    }

    // A run is folded many times before it ends; each fold decides something else.
    private static let laterFolds: [CrashPlan] = [CrashPhase.decided, .executed, .sent, .committed].flatMap { phase in
        (2...6).flatMap { hit in [.kill, .pause].map { CrashPlan(CrashPoint(.fold, phase), hit: hit, $0) } }
    }

    /// Where the server crashes under a process that stands still: at the ends of what it has to keep.
    static let serverCrashes: [CrashPoint] = [
        CrashPoint(.exchange, .sent), CrashPoint(.exchange, .committed), CrashPoint(.claim, .committed), CrashPoint(.submit, .committed),
        CrashPoint(.fold, .sent), CrashPoint(.fold, .committed), CrashPoint(.signal, .committed), CrashPoint(.match, .committed),
        CrashPoint(.pause, .committed), CrashPoint(.apply, .committed),
    ]

    /// Those of this run: today's, or all.
    static var chosenServerCrashes: [CrashPoint] {
        ProcessInfo.processInfo.environment["SKEIN_CRASH"] == "all" ? serverCrashes : [serverCrashes[today % serverCrashes.count]]
    }

    private static var today: Int { Int(Date().timeIntervalSince1970 / 86_400) }
}

extension Boundary {
    /// Whether others can go on while the process stands still, so that it finds a changed world: workers, whose lease runs out, and what
    /// coordinators do side by side.
    fileprivate var mayBeSleptThrough: Bool {
        switch self {
        case .register, .heartbeat, .claim, .exchange, .settle, .strays, .close, .agent, .drain, .listen, .notify: true
        case .submit, .fold, .reap, .match, .cancel, .pause, .resume, .adjust, .signal, .emit, .apply: true
        case .quarantine, .marks, .epoch, .partitions, .keys, .leftovers, .expiry, .week, .unfiled, .sessions, .migrate: false
        }
    }
}
#endif
