// The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

extension Mutant {
    /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
    package var witness: UInt64? {
        switch self {
        case .settleWithoutFence: 2963
        case .settleWithoutFenceAndSession: 66
        case .claimLeased: 0
        case .claimHeld: 24
        case .deadSessionClaims: 10
        case .claimInMemory: 68
        case .fenceWithoutTimeline: 16
        case .sessionWithoutTimeline: 16
        case .epochIgnored: 0
        case .epochCheckedOnce: 4
        case .epochPassesClaims: 25
        case .foldWithoutRunLock: 1
        case .foldFromStaleRead: 10
        case .frameOfAnyRevision: 1
        case .framesOutliveConnection: 604
        case .foldInTwoTransactions: 1
        case .endingToldLater: 2
        case .reaperFreesWithoutLock: 4
        case .noReaper: 11
        case .reaperTrustsLease: 1
        case .heartbeatRevives: 4
        case .pauseHoldsNothing: 24
        case .pauseSkipsLocked: 131
        case .resumeLeavesHeld: 5
        case .pauseLeavesTimers: 5
        case .foldWaitsWithTasks: 2259
        case .strayedInAnyOrder: 14693
        case .cancelHoldsNothing: 38
        case .unwantedForgotten: 0
        case .lateOutcomeStays: 2
        case .supersededTimerFires: 27
        case .foldInMemory: 1
        case .reportedOnce: 60
        case .reportedTwice: 441
        case .reportsByItsOwnClock: 440
        case .markPassesWaiting: 17
        case .marksAreBelieved: 1
        case .keyCheckedFirst: 1
        case .eventLooksForWait: 17
        case .matcherWithoutKeyLock: 42
        case .matcherWithoutRunLock: 42
        case .anyWaitDecides: 200
        case .waitLooksOnce: 8
        case .signalsLookedAtOnce: 38
        case .notifyOnly: 19
        case .straysKept: 111
        case .keyPerAttempt: 5
        case .timersFireEarly: 5
        }
    }
}
