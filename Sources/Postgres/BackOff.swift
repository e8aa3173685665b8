// How long to wait before the next try.

/// Doubling delays with jitter, so that those who failed together do not come back together.
struct BackOff: Sendable {
    var shortest: Duration
    var longest: Duration

    /// For connecting again.
    static let reconnect = BackOff(shortest: .milliseconds(50), longest: .seconds(2))
    /// For a transaction that lost a race.
    static let transaction = BackOff(shortest: .milliseconds(4), longest: .milliseconds(200))

    /// The delay after `failures` failures in a row, counted from 1: between half and all of the doubled delay.
    func delay(after failures: Int) -> Duration {
        let doubled = shortest * (1 << min(max(failures - 1, 0), 20))
        return min(doubled, longest) * Double.random(in: 0.5...1)
    }
}
