// The wall clock of this machine, for what is shown to people and for Retry-After dates.
import WorkflowModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum SystemClock {
    static func now() -> Timestamp {
        Timestamp(microseconds: Int64((Date().timeIntervalSince1970 * 1_000_000).rounded()))
    }
}
