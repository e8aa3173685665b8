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

    package var description: String { "\(turn): \(kind)" }

    /// A plan of faults.
    static func plan(_ random: inout SeededGenerator, count: Int, lease: Duration) -> [Fault] {
        var turn = 20
        return (0..<count).map { _ in
            turn += 1 + random.below(random.pick([5, 40, 120]))
            return Fault(turn: turn, kind: kind(&random, lease))
        }
    }

    private static func kind(_ random: inout SeededGenerator, _ lease: Duration) -> Kind {
        switch random.below(100) {
        case 0..<22: .kill(restart: .milliseconds(random.pick([0, 5, 100, 3000])))
        case 22..<44: .cutConnection
        case 44..<54: .terminate
        case 54..<78: .stop(lease * Double(random.pick([0.02, 0.5, 1.3, 2.5])))
        case 78..<86: .isolate(lease * Double(random.pick([0.1, 0.6, 1.5])))
        case 86..<91: .crash(lost: random.below(4), down: .milliseconds(random.pick([0, 300, 4000])))
        case 91..<94: .failOver(lost: random.pick([0, 1, 3, 10]), down: .milliseconds(random.pick([10, 500])))
        default: .mute(.seconds(random.pick([1, 20])))
        }
    }
}
