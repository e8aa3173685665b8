// Planted faults. A check that never fails proves nothing, so each of these has to be found by one.

import Postgres
import Schema

/// A protocol with something missing.
enum Mutant: String, CaseIterable, Sendable {
    /// A worker's result counts for whatever attempt its session holds.
    case noFence = "no-fence"
    /// A result counts for whoever sends it, as long as the task is leased to somebody.
    case noFenceNoSession = "no-fence-no-session"
    /// The tasks of dead workers are never given to others.
    case noReaper = "no-reaper"
    /// Dead sessions may claim.
    case deadMayClaim = "dead-may-claim"
    /// A session can be marked dead while it is claiming.
    case noClaimLock = "no-claim-lock"
    /// Tasks that are leased are handed out again.
    case claimLeased = "claim-leased"
    /// What was cancelled is not held.
    case cancelHoldsNothing = "cancel-holds-nothing"

    // Every text of `changes` is there and is replaced: a rule that stands in two statements must be broken in both.
    private var fault: (file: String, changes: [(old: String, new: String)]) {
        switch self {
        case .noFence: ("claim.sql", [(" and t.fence = g.fence", ""), (" and k.fence = g.fence", "")])
        case .noFenceNoSession:
            (
                "claim.sql",
                [
                    (" and t.fence = g.fence and t.session_id = p_session_id", ""),
                    (" and k.fence = g.fence and k.session_id = p_session_id", ""),
                ]
            )
        case .noReaper: ("reap.sql", [("where state = 'leased' and session_id = any (v_dead)", "where false")])
        case .deadMayClaim:
            (
                "claim.sql",
                [("where s.session_id = p_session_id and s.dead_at is null for key share;", "where s.session_id = p_session_id;")]
            )
        case .noClaimLock: ("claim.sql", [("and s.dead_at is null for key share;", "and s.dead_at is null;")])
        case .claimLeased: ("claim.sql", [("and t.state = 'ready' and not t.held", "and t.state in ('ready', 'leased') and not t.held")])
        case .cancelHoldsNothing: ("orders.sql", [("any (p_run_ids) and held <> (state = 'ready');", "any (p_run_ids) and false;")])
        }
    }

    /// The functions' file with the fault in it.
    var source: String {
        get throws {
            let (file, changes) = fault
            guard var text = EmbeddedSQL.functions.first(where: { $0.name == file })?.text else {
                throw HarnessError("there is no \(file)")
            }
            for (old, new) in changes {
                let mutated = text.replacing(old, with: new)
                guard mutated != text else { throw HarnessError("\(file) no longer has what the mutant \(rawValue) changes: \(old)") }
                text = mutated
            }
            return text
        }
    }

    /// Plants it in a migrated database.
    func plant(in connection: PostgresConnection) async throws {
        try await connection.script(try source)
    }
}
