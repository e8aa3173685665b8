// The stories that show the planted faults. Written by `skein-bench simulate --witnesses`; not to be edited.

extension Mutant {
    /// The seed of a story that shows it, if one is known. When the model changes, so do the stories, and other ones have to be looked for.
    package var witness: UInt64? {
        switch self {
        case .settleWithoutFence: 1514
        case .settleWithoutFenceAndSession: 2
        case .claimLeased: 0
        case .claimHeld: 13
        case .deadSessionClaims: 2
        case .claimInMemory: 43
        case .fenceWithoutTimeline: 3
        case .sessionWithoutTimeline: 2242
        case .epochIgnored: nil
        case .epochPassesClaims: nil
        case .foldWithoutRunLock: 0
        case .foldFromStaleRead: 36
        case .frameOfAnyRevision: 0
        case .framesOutliveConnection: 1882
        case .foldInTwoTransactions: 0
        case .endingToldLater: 1
        case .reaperFreesWithoutLock: 2
        case .noReaper: 2
        case .reaperTrustsLease: 4
        case .heartbeatRevives: 1
        case .pauseHoldsNothing: 2
        case .resumeLeavesHeld: 2
        case .pauseLeavesTimers: 3
        case .cancelHoldsNothing: 13
        case .keyCheckedFirst: 1
        case .eventLooksForWait: nil
        case .matcherWithoutKeyLock: 385
        case .matcherWithoutRunLock: nil
        case .notifyOnly: 160
        case .straysKept: 137
        case .keyPerAttempt: 11
        case .timersFireEarly: 11
        }
    }
}
