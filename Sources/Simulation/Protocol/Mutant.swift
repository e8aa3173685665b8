// Planted faults of the protocol. A simulation with one of them must find a violation; one that does not is a simulation that proves
// too little.

/// A fault of the protocol.
package enum Mutant: String, CaseIterable, Sendable {
    /// A settle looks at the session and not at the fence.
    case settleWithoutFence
    /// A settle looks at neither.
    case settleWithoutFenceAndSession
    /// A claim takes what another has, too.
    case claimLeased
    /// A claim takes what is held.
    case claimHeld
    /// A session that was declared dead goes on claiming.
    case deadSessionClaims
    /// A claim is not on the disk when it is acknowledged.
    case claimInMemory
    /// A fence is a number of the sequence, without the timeline.
    case fenceWithoutTimeline
    /// A session's number is one of the sequence, without the timeline.
    case sessionWithoutTimeline
    /// A promoted standby leaves the leases as they are.
    case epochIgnored
    /// A coordinator looks at the timeline once, and again after an error: a pool that replaces its connections without a word hides it.
    case epochCheckedOnce
    /// A changed timeline voids sessions without waiting for the claims that are under way.
    case epochPassesClaims
    /// The fold does not lock its runs.
    case foldWithoutRunLock
    /// The fold takes the keys that it saw before it had its locks, and does not look again.
    case foldFromStaleRead
    /// The fold goes on from what it remembers of a run, whatever its revision.
    case frameOfAnyRevision
    /// The fold goes on from what it remembers, though the database may be another one, whose history is shorter.
    case framesOutliveConnection
    /// The fold writes what was decided in one transaction, and takes the outcomes away in another.
    case foldInTwoTransactions
    /// A run that ends leaves telling its parent to a transaction after it.
    case endingToldLater
    /// The reaper makes tasks ready itself, by what it read of the run without its lock.
    case reaperFreesWithoutLock
    /// Nobody gives back what dead workers held.
    case noReaper
    /// The reaper takes tasks of sessions that it believes dead by its own clock.
    case reaperTrustsLease
    /// A heartbeat brings a dead session back.
    case heartbeatRevives
    /// A pause holds no tasks.
    case pauseHoldsNothing
    /// A pause passes over what is locked at the moment.
    case pauseSkipsLocked
    /// A resume leaves held what the pause has held.
    case resumeLeavesHeld
    /// A pause leaves running timers and orders as they are.
    case pauseLeavesTimers
    /// A fold that holds tasks waits for others.
    case foldWaitsWithTasks
    /// A fold writes to tasks whose leases were lost in whatever order it comes to them.
    case strayedInAnyOrder
    /// A cancel does not hold what is queued.
    case cancelHoldsNothing
    /// A result that comes after the cancel of its step counts.
    case unwantedForgotten
    /// An outcome that is no longer wanted is kept with the attempt, and stays where it is.
    case lateOutcomeStays
    /// A timer that was due is taken, though something before it in the same fold has set it anew.
    case supersededTimerFires
    /// What a fold or a submit decides is not on the disk when it is acknowledged.
    case foldInMemory
    /// A worker whose connection is gone does not report again what a crash may have taken.
    case reportedOnce
    /// What a worker has reported again, and what was refused because the first report was there, it does not report a third time.
    case reportedTwice
    /// A worker that stood still does not report again what it believes to be old.
    case reportsByItsOwnClock
    /// A mark is left behind the clock, whatever waits below it.
    case markPassesWaiting
    /// Marks are believed for ever, and nobody looks below them.
    case marksAreBelieved
    /// A submit looks for its key, and then writes it.
    case keyCheckedFirst
    /// An event looks for waits, and a wait looks for events; neither leaves anything for a matcher.
    case eventLooksForWait
    /// The matcher does not lock the names that it looks at.
    case matcherWithoutKeyLock
    /// The matcher does not lock the runs that wait.
    case matcherWithoutRunLock
    /// An event that was offered to one wait is decided by whichever wait was told of it.
    case anyWaitDecides
    /// A wait that did not take an event is given only what comes after it.
    case waitLooksOnce
    /// A wait that another one of its run was before is given only what comes after it.
    case signalsLookedAtOnce
    /// Workers and coordinators sleep until they are notified.
    case notifyOnly
    /// A worker does not give back what it was given without knowing it.
    case straysKept
    /// An agent is called under another key with every attempt.
    case keyPerAttempt
    /// Timers fire when the fold looks at them, due or not.
    case timersFireEarly

    /// What stories have to be about to show it soon; nil when any story may.
    package var focus: Focus? {
        switch self {
        case .eventLooksForWait, .matcherWithoutKeyLock, .matcherWithoutRunLock, .waitLooksOnce: .events
        case .foldWaitsWithTasks: .marks
        case .strayedInAnyOrder: .failovers
        case .supersededTimerFires, .unwantedForgotten: .timers
        case .reportedTwice: .reports
        default: nil
        }
    }

    /// Within how many seeds it must be found: most are found within a hundred; for two of them many locks have to meet.
    package var seedBudget: Int {
        switch self {
        case .foldWaitsWithTasks, .strayedInAnyOrder: 20000
        default: 8000
        }
    }
}
