// The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

extension Mutant {
    /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
    package var witness: UInt64? {
        switch self {
        case .settleWithoutFence: 153
        case .settleWithoutFenceAndSession: 11
        case .claimLeased: 0
        case .claimHeld: 7
        case .deadSessionClaims: 9
        case .claimInMemory: 18
        case .fenceWithoutTimeline: 0
        case .sessionWithoutTimeline: nil
        case .epochIgnored: 9
        case .epochCheckedOnce: 4
        case .epochPassesClaims: 398
        case .foldWithoutRunLock: 4
        case .foldFromStaleRead: 35
        case .frameOfAnyRevision: 4
        case .framesOutliveConnection: nil
        case .foldInTwoTransactions: 0
        case .endingToldLater: 2
        case .reaperFreesWithoutLock: 9
        case .noReaper: 9
        case .reaperTrustsLease: 0
        case .heartbeatRevives: 0
        case .pauseHoldsNothing: 7
        case .pauseSkipsLocked: nil
        case .resumeLeavesHeld: 2
        case .pauseLeavesTimers: 5
        case .cancelHoldsNothing: 95
        case .unwantedForgotten: 153
        case .refusedOutcomeStays: nil
        case .keyCheckedFirst: 1
        case .eventLooksForWait: nil
        case .matcherWithoutKeyLock: 215
        case .matcherWithoutRunLock: nil
        case .anyWaitDecides: 256
        case .waitLooksOnce: nil
        case .signalsLookedAtOnce: 40
        case .notifyOnly: 7
        case .straysKept: 86
        case .keyPerAttempt: 4
        case .timersFireEarly: 4
        }
    }
}
