// The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

extension Mutant {
    /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
    package var witness: UInt64? {
        switch self {
        case .settleWithoutFence: 127
        case .settleWithoutFenceAndSession: 127
        case .claimLeased: 0
        case .claimHeld: 10
        case .deadSessionClaims: 10
        case .claimInMemory: 68
        case .fenceWithoutTimeline: 16
        case .sessionWithoutTimeline: 16
        case .epochIgnored: 0
        case .epochCheckedOnce: 9
        case .epochPassesClaims: 2651
        case .foldWithoutRunLock: 1
        case .foldFromStaleRead: 23
        case .frameOfAnyRevision: 1
        case .framesOutliveConnection: 604
        case .foldInTwoTransactions: 1
        case .endingToldLater: 2
        case .reaperFreesWithoutLock: 4
        case .noReaper: 3
        case .reaperTrustsLease: 1
        case .heartbeatRevives: 3
        case .pauseHoldsNothing: 10
        case .pauseSkipsLocked: 131
        case .resumeLeavesHeld: 5
        case .pauseLeavesTimers: 5
        case .foldWaitsWithTasks: 2259
        case .strayedInAnyOrder: 7251
        case .cancelHoldsNothing: 25
        case .unwantedForgotten: 0
        case .lateOutcomeStays: 2
        case .supersededTimerFires: 27
        case .foldInMemory: 1
        case .reportedOnce: 60
        case .reportedTwice: 241
        case .reportsByItsOwnClock: 501
        case .markPassesWaiting: 17
        case .marksAreBelieved: 1
        case .markWaits: 2259
        case .keyCheckedFirst: 1
        case .eventLooksForWait: 17
        case .matcherWithoutKeyLock: 42
        case .matcherWithoutRunLock: 42
        case .anyWaitDecides: 200
        case .waitLooksOnce: 8
        case .signalsLookedAtOnce: 220
        case .notifyOnly: 11
        case .straysKept: 89
        case .keyPerAttempt: 5
        case .timersFireEarly: 5
        }
    }
}
