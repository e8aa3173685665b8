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
        case .noReaper: 7
        case .reaperTrustsLease: 1
        case .heartbeatRevives: 4
        case .pauseHoldsNothing: 24
        case .pauseSkipsLocked: 60
        case .resumeLeavesHeld: 5
        case .pauseLeavesTimers: 5
        case .cancelHoldsNothing: 69
        case .unwantedForgotten: 2015
        case .lateOutcomeStays: 2
        case .supersededTimerFires: nil
        case .foldInMemory: nil
        case .reportedOnce: nil
        case .reportsByItsOwnClock: nil
        case .markPassesWaiting: nil
        case .marksAreBelieved: nil
        case .markWaits: nil
        case .keyCheckedFirst: nil
        case .eventLooksForWait: nil
        case .matcherWithoutKeyLock: nil
        case .matcherWithoutRunLock: nil
        case .anyWaitDecides: nil
        case .waitLooksOnce: nil
        case .signalsLookedAtOnce: nil
        case .notifyOnly: nil
        case .straysKept: nil
        case .keyPerAttempt: nil
        case .timersFireEarly: nil
        }
    }
}
