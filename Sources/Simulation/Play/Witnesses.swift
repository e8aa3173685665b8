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
        case .epochIgnored: nil
        case .epochCheckedOnce: nil
        case .epochPassesClaims: nil
        case .foldWithoutRunLock: nil
        case .foldFromStaleRead: nil
        case .frameOfAnyRevision: nil
        case .framesOutliveConnection: nil
        case .foldInTwoTransactions: nil
        case .endingToldLater: nil
        case .reaperFreesWithoutLock: nil
        case .noReaper: nil
        case .reaperTrustsLease: nil
        case .heartbeatRevives: nil
        case .pauseHoldsNothing: nil
        case .pauseSkipsLocked: nil
        case .resumeLeavesHeld: nil
        case .pauseLeavesTimers: nil
        case .cancelHoldsNothing: nil
        case .unwantedForgotten: nil
        case .refusedOutcomeStays: nil
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
