// Scripts of the protocol's own functions: in the model and in sql/functions they must do the same, with the same waits.

/// What a session does in one step. Runs are 1 and 2; each has the tasks `a` and `b`.
package enum ProtocolMove: Sendable {
    case begin, commit, rollback
    /// Takes so many tasks.
    case claim(Int)
    /// Reports what it has claimed last as succeeded.
    case settle
    /// Renews its lease.
    case heartbeat
    /// The lease of a session is over.
    case expire(String)
    /// Declares dead whose lease is over.
    case markDead
    /// Takes from the dead what they hold.
    case reap
    case pause(Int), resume(Int), cancel(Int)
    /// Locks the runs that have something due.
    case lockDue
    /// Leaves a mark for claims, as after a look that took long.
    case leaveMark
    /// Begins another session; the earlier one is forgotten.
    case register
    /// Nobody has seen the database's timeline yet.
    case forgetTimeline
    /// Voids all sessions if nobody has seen the timeline.
    case checkEpoch
    /// Makes run 1 one that run 2 has started: a run need not be older than those below it.
    case adopt
    /// A step of a run waits for signals.
    case wait(Int)
    case signal(Int)
    /// Brings events and waits together.
    case match
}

/// A story of two or three sessions, all of them registered.
package struct ProtocolScript: Sendable, CustomStringConvertible {
    /// What it shows.
    package let name: String
    /// What happens.
    package let steps: [(session: String, move: ProtocolMove)]
    /// What somebody says in it, where that is not all the same.
    package let shows: String?

    init(_ name: String, shows: String? = nil, _ steps: [(String, ProtocolMove)]) {
        self.name = name
        self.shows = shows
        self.steps = steps.map { (session: $0.0, move: $0.1) }
    }

    package var description: String { name }

    /// The sessions, in order.
    package var sessions: [String] { Set(steps.map(\.session)).sorted() }

    /// All of them.
    package static let all: [ProtocolScript] = [
        ProtocolScript("two claims do not meet", [("A", .begin), ("A", .claim(1)), ("B", .claim(9)), ("A", .commit)]),
        ProtocolScript("what a claim gives back is there again", [("A", .begin), ("A", .claim(9)), ("B", .claim(9)), ("A", .rollback), ("B", .claim(9))]),
        ProtocolScript("a claimed task settles once", [("A", .claim(2)), ("A", .settle), ("A", .settle)]),
        ProtocolScript(
            "a pause waits for the claim that is under way, and holds the rest",
            [("A", .begin), ("A", .claim(1)), ("B", .pause(1)), ("A", .commit), ("C", .claim(9))]),
        ProtocolScript(
            "a pause holds what a claim gives back",
            [("A", .begin), ("A", .claim(1)), ("B", .pause(1)), ("A", .rollback), ("C", .claim(9))]),
        ProtocolScript(
            "a claim passes over what a pause is about to hold", [("A", .begin), ("A", .pause(1)), ("B", .claim(9)), ("A", .commit), ("B", .claim(9))]),
        ProtocolScript(
            "a settle waits for a pause, and is kept", [("A", .claim(9)), ("B", .begin), ("B", .pause(1)), ("A", .settle), ("B", .commit)]),
        ProtocolScript("a resume sets free what was held", [("A", .pause(1)), ("A", .pause(2)), ("B", .claim(9)), ("A", .resume(1)), ("B", .claim(9))]),
        ProtocolScript("who is not paused is not resumed", [("A", .resume(1)), ("A", .pause(1)), ("A", .resume(1)), ("A", .resume(1))]),
        ProtocolScript("a cancel holds what is queued, and ends a pause", [("A", .pause(1)), ("A", .cancel(1)), ("B", .claim(9)), ("A", .pause(1))]),
        ProtocolScript(
            "a cancel waits for a claim, and holds the rest", [("A", .begin), ("A", .claim(1)), ("B", .cancel(1)), ("A", .commit), ("C", .claim(9))]),
        ProtocolScript("a dead session claims nothing, and its heartbeat says so", [("A", .expire("A")), ("B", .markDead), ("A", .claim(1)), ("A", .heartbeat)]),
        ProtocolScript("a heartbeat comes before the end of the lease is noticed", [("A", .expire("A")), ("A", .heartbeat), ("B", .markDead), ("A", .claim(1))]),
        ProtocolScript(
            "a session that is claiming is not declared dead", [("A", .expire("A")), ("A", .begin), ("A", .claim(1)), ("B", .markDead), ("A", .commit), ("B", .markDead), ("B", .reap)]),
        ProtocolScript("a heartbeat does not wait for a claim", [("A", .begin), ("A", .claim(1)), ("B", .heartbeat), ("A", .heartbeat), ("A", .commit)]),
        ProtocolScript(
            "what the dead held is lost, and nobody settles it any more",
            [("A", .claim(2)), ("A", .expire("A")), ("B", .markDead), ("B", .reap), ("A", .settle), ("B", .reap)]),
        ProtocolScript(
            "a result that comes before the reaper counts, also of the dead", [("A", .claim(2)), ("A", .expire("A")), ("B", .markDead), ("A", .settle), ("B", .reap)]),
        ProtocolScript(
            "the reaper passes over what is being settled",
            [("A", .claim(2)), ("A", .expire("A")), ("B", .markDead), ("A", .begin), ("A", .settle), ("B", .reap), ("A", .rollback), ("B", .reap)]),
        ProtocolScript(
            "a settle waits for the reaper, and is refused",
            [("A", .claim(2)), ("A", .expire("A")), ("B", .markDead), ("B", .begin), ("B", .reap), ("A", .settle), ("B", .commit)]),
        ProtocolScript(
            "one coordinator has a run, and another passes over it",
            [("A", .claim(9)), ("A", .settle), ("B", .begin), ("B", .lockDue), ("C", .lockDue), ("B", .commit), ("C", .lockDue)]),
        ProtocolScript(
            "a pause waits for the fold of its run", [("A", .claim(1)), ("A", .settle), ("B", .begin), ("B", .lockDue), ("C", .pause(1)), ("B", .commit), ("B", .lockDue)]),
        ProtocolScript(
            "a paused run is not folded, and a resumed one is",
            [("A", .claim(9)), ("A", .settle), ("B", .pause(1)), ("C", .lockDue), ("B", .resume(1)), ("C", .lockDue)]),
        ProtocolScript("the fold passes over a run that is being paused", [("A", .claim(9)), ("A", .settle), ("B", .begin), ("B", .pause(1)), ("C", .lockDue), ("B", .commit)]),
        ProtocolScript("a cancel is due at once, also of a paused run", [("A", .pause(2)), ("A", .cancel(2)), ("B", .lockDue), ("A", .cancel(1)), ("B", .lockDue)]),
        ProtocolScript(
            "two pauses of one run: the second waits, and finds it paused",
            [("A", .begin), ("A", .pause(1)), ("B", .pause(1)), ("A", .commit), ("B", .resume(1)), ("A", .claim(9))]),
        ProtocolScript(
            "a claim that leaves a mark does not wait for a cancel that has forgotten it",
            [
                ("C", .claim(2)), ("C", .leaveMark), ("A", .begin), ("A", .claim(1)), ("B", .begin), ("B", .cancel(1)), ("A", .leaveMark),
                ("B", .commit), ("A", .commit), ("C", .claim(9)),
            ]),
        ProtocolScript(
            "who registers while a changed timeline voids the others is not voided, and keeps what he claims", shows: "C: alive",
            [
                ("A", .begin), ("A", .claim(1)), ("B", .forgetTimeline), ("B", .checkEpoch), ("C", .register), ("C", .begin), ("C", .claim(1)),
                ("A", .commit), ("B", .reap), ("C", .commit), ("B", .reap), ("C", .heartbeat), ("C", .settle), ("A", .settle), ("A", .heartbeat),
            ]),
        ProtocolScript(
            "a timeline is new once", [("A", .forgetTimeline), ("A", .checkEpoch), ("B", .register), ("B", .checkEpoch), ("B", .heartbeat)]),
        ProtocolScript(
            "a cancel of a run that is younger than the one below it, and a worker that settles tasks of both, do not wait in a circle",
            [
                ("A", .adopt), ("D", .begin), ("D", .claim(1)), ("A", .claim(9)), ("B", .cancel(2)), ("A", .settle), ("D", .commit), ("D", .settle),
            ]),
        ProtocolScript(
            "a cancel of a run that is younger than the one below it, and a matcher that looks at both, do not wait in a circle",
            [
                ("A", .adopt), ("A", .claim(2)), ("D", .claim(2)), ("D", .settle), ("A", .wait(1)), ("A", .wait(2)), ("A", .signal(1)),
                ("A", .signal(2)), ("D", .begin), ("D", .lockDue), ("B", .cancel(2)), ("C", .match), ("D", .commit),
            ]),
        ProtocolScript(
            "a pause that is taken back holds nothing", [("A", .begin), ("A", .pause(1)), ("B", .resume(1)), ("A", .rollback), ("B", .claim(9))]),
    ]
}
