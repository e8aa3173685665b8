// What can go wrong, and when.

/// Something bad that happens at a boundary of the protocol, to whoever stands at it.
package struct Fault: Sendable, CustomStringConvertible {
    /// What happens.
    package enum Kind: Sendable {
        /// The process dies, and is there again later.
        case kill(restart: Duration)
        /// The connection breaks; what was sent may have been done.
        case cutConnection
        /// The server ends some transaction.
        case terminate
        /// The server stands still for a while in the middle of what it does next for the process.
        case linger(Duration)
        /// The process stands still, and goes on later as if nothing had happened.
        case stop(Duration)
        /// The process does not reach the database for a while; what it had begun there stays open for some time.
        case isolate(Duration)
        /// The server dies; of the commits that nobody waited for, the last ones are lost.
        case crash(lost: Int, down: Duration)
        /// A standby that lags behind takes over.
        case failOver(lost: Int, down: Duration)
        /// Notifications are lost for a while.
        case mute(Duration)
    }

    /// From which turn on.
    package let turn: Int
    /// What.
    package let kind: Kind
    /// At which round trip, by the beginning of its name; nil for the next one.
    var place: String?

    // How long it waits for such a round trip, in turns.
    private static let patience = 400

    /// Whether it strikes here.
    func strikes(_ label: String, _ phase: Boundary, turn now: Int) -> Bool {
        guard now >= turn else { return false }
        guard let place else { return true }
        return phase == .before && label.hasPrefix(place) || now > turn + Self.patience
    }

    package var description: String { "\(turn): \(kind)" }

    /// What most of a story's faults are.
    enum Climate: CaseIterable, Sendable {
        /// Nothing in particular.
        case mixed
        /// Standbys take over, again and again.
        case failovers
        /// The server is slow, and ends what takes long.
        case slow
        /// Processes stand still past their lease.
        case frozen
    }

    /// A plan of faults.
    static func plan(_ random: inout SeededGenerator, for settings: Settings) -> [Fault] {
        let (lease, climate) = (settings.lease, settings.climate)
        var turn = 20
        return (0..<settings.faultCount).map { _ in
            turn += 1 + random.below(random.pick([5, 40, 120]))
            if let focus = settings.focus, random.chance(80) { return focus.fault(&random, lease, turn: turn) }
            let kind = random.chance(60) ? kind(&random, lease, in: climate) : anyKind(&random, lease)
            var fault = Fault(turn: turn, kind: kind)
            if climate == .slow, case .linger = kind { fault.place = random.pick(slowPlaces) }
            return fault
        }
    }

    // Where two transactions meet most.
    private static let slowPlaces: [String?] = [nil, nil, "exchange", "match", "pause", "fold: write", "cancel"]

    private static func kind(_ random: inout SeededGenerator, _ lease: Duration, in climate: Climate) -> Kind {
        switch climate {
        case .mixed: anyKind(&random, lease)
        case .failovers: random.chance(40) ? failOver(&random) : linger(&random, lease)
        case .slow: random.chance(30) ? .terminate : linger(&random, lease)
        case .frozen: random.chance(70) ? stop(&random, lease) : .isolate(lease * Double(random.pick([0.6, 1.5])))
        }
    }

    private static func anyKind(_ random: inout SeededGenerator, _ lease: Duration) -> Kind {
        switch random.below(100) {
        case 0..<18: .kill(restart: .milliseconds(random.pick([0, 5, 100, 3000])))
        case 18..<36: .cutConnection
        case 36..<44: .terminate
        case 44..<58: linger(&random, lease)
        case 58..<78: stop(&random, lease)
        case 78..<86: .isolate(lease * Double(random.pick([0.1, 0.6, 1.5])))
        case 86..<91: .crash(lost: random.below(4), down: .milliseconds(random.pick([0, 300, 4000])))
        case 91..<94: failOver(&random)
        default: .mute(.seconds(random.pick([1, 20])))
        }
    }

    private static func stop(_ random: inout SeededGenerator, _ lease: Duration) -> Kind {
        .stop(lease * Double(random.pick([0.02, 0.5, 1.3, 2.5])))
    }

    private static func linger(_ random: inout SeededGenerator, _ lease: Duration) -> Kind {
        .linger(lease * Double(random.pick([0.01, 0.1, 0.4, 1.3])))
    }

    private static func failOver(_ random: inout SeededGenerator) -> Kind {
        .failOver(lost: random.pick([0, 1, 3, 10]), down: .milliseconds(random.pick([10, 500])))
    }
}
