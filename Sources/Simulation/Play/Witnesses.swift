// The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

extension Mutant {
    /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
    package var witness: UInt64? {
        switch self {
        case .settleWithoutFence: 17
        case .settleWithoutFenceAndSession: 17
        case .claimLeased: 0
        case .claimHeld: 24
        case .deadSessionClaims: 17
        case .claimInMemory: 68
        case .fenceWithoutTimeline: 16
        case .sessionWithoutTimeline: 16
        case .epochIgnored: 0
        case .epochCheckedOnce: 9
        case .epochPassesClaims: 329
        case .foldWithoutRunLock: 1
        case .foldFromStaleRead: 23
        case .frameOfAnyRevision: 1
        case .framesOutliveConnection: 74
        case .foldInTwoTransactions: 1
        case .endingToldLater: 2
        case .reaperFreesWithoutLock: 7
        case .noReaper: 9
        case .reaperTrustsLease: 1
        case .heartbeatRevives: 4
        case .pauseHoldsNothing: 24
        case .pauseSkipsLocked: 60
        case .resumeLeavesHeld: 5
        case .pauseLeavesTimers: 5
        case .cancelHoldsNothing: 69
        case .unwantedForgotten: 2015
        case .lateOutcomeStays: 2
        case .supersededTimerFires: 19
        case .foldInMemory: 1
        case .reportedOnce: 1
        case .reportedTwice: 241
        case .reportsByItsOwnClock: 41
        case .markPassesWaiting: 27
        case .marksAreBelieved: 1
        case .markWaits: 19
        case .keyCheckedFirst: 1
        case .eventLooksForWait: 17
        case .matcherWithoutKeyLock: 3
        case .matcherWithoutRunLock: 42
        case .anyWaitDecides: 200
        case .waitLooksOnce: 8
        case .signalsLookedAtOnce: 69
        case .notifyOnly: 11
        case .straysKept: 7
        case .keyPerAttempt: 4
        case .timersFireEarly: 5
        }
    }
}
