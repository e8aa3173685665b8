// Rules of the protocol that a process breaks because a test wants to see who notices.

#if DEBUG
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A fault that `SKEIN_PLANT` names. Those that are in the database's functions tests plant there.
package enum PlantedFault: String, CaseIterable, Sendable {
    /// A fold writes what has settled in one transaction, and what it means for the run in another.
    case foldInTwoTransactions = "fold-in-two-transactions"
    /// Each attempt calls the agent with a key of its own.
    case keyPerAttempt = "key-per-attempt"
    /// Coordinators look for outcomes only when they are notified.
    case notifyOnly = "notify-only"
    /// Workers never look for tasks that they hold without knowing it.
    case noLookForStrays = "no-look-for-strays"
    /// A submit whose answer was lost is sent again as if it were a new one.
    case submitWithoutTicket = "submit-without-ticket"
    /// A coordinator goes on from what it remembers of a run, whatever has become of it meanwhile.
    case frameOfAnyRevision = "frame-of-any-revision"

    private static let planted = getenv("SKEIN_PLANT").map { String(cString: $0) }

    /// Whether this process has the fault.
    package var isPlanted: Bool { Self.planted == rawValue }
}
#endif
