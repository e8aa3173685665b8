// Planted faults of the functions of the database. A check that never fails proves nothing, so each of these has to be found by one.

import Foundation
import Postgres
import Schema

/// A protocol with something missing.
enum Mutant: String, CaseIterable, Sendable {
    /// A worker's result counts for whatever attempt its session holds.
    case noFence = "no-fence"
    /// A result counts for whoever sends it, as long as the task is leased to somebody.
    case noFenceNoSession = "no-fence-no-session"
    /// Fences are numbers of the sequence, without the timeline.
    case fenceWithoutTimeline = "fence-without-timeline"
    /// So are the numbers of sessions.
    case sessionWithoutTimeline = "session-without-timeline"
    /// Tasks that are leased are handed out again.
    case claimLeased = "claim-leased"
    /// Tasks that are held are handed out.
    case claimHeld = "claim-held"
    /// Dead sessions may claim.
    case deadMayClaim = "dead-may-claim"
    /// A session can be marked dead while it is claiming.
    case noClaimLock = "no-claim-lock"
    /// A heartbeat brings a dead session back.
    case heartbeatRevives = "heartbeat-revives"
    /// A lease is counted from the beginning of the transaction that renews it.
    case nowInLease = "now-in-lease"
    /// Sessions are marked dead although their lease has not run out.
    case reaperKillsLiving = "reaper-kills-living"
    /// The tasks of dead workers are never given to others.
    case noReaper = "no-reaper"
    /// The reaper makes tasks ready itself, without their run's lock.
    case reaperFreesTasks = "reaper-frees-tasks"
    /// A promoted standby leaves the leases as they are.
    case epochIgnored = "epoch-ignored"
    /// A changed timeline voids sessions without waiting for the claims that are under way.
    case epochPassesClaims = "epoch-passes-claims"
    /// What a worker does not know that it holds stays leased.
    case straysKept = "strays-kept"
    /// What a worker is working on is taken for strays.
    case strayKnown = "known-taken-for-strays"
    /// The fold does not lock its runs.
    case foldWithoutRunLock = "fold-without-run-lock"
    /// Timers fire before they are due.
    case timersFireEarly = "timers-fire-early"
    /// A pause holds no tasks.
    case pauseHoldsNothing = "pause-holds-nothing"
    /// A resume leaves held what the pause has held.
    case resumeLeavesHeld = "resume-leaves-held"
    /// Durations go on while a run is paused.
    case pauseShiftsNothing = "pause-shifts-nothing"
    /// What was cancelled is not held.
    case cancelHoldsNothing = "cancel-holds-nothing"
    /// A submit with a key that was used before starts another run.
    case keyIgnored = "key-ignored"
    /// A key that was used for another request gets that one's run.
    case keyOfAnyRequest = "key-of-any-request"
    /// An event that is sent again counts again.
    case eventCountsTwice = "event-counts-twice"
    /// Two matchers look at the same name at the same time.
    case matcherWithoutKeyLock = "matcher-without-key-lock"
    /// The matcher hands events to runs that are being paused.
    case matcherWithoutRunLock = "matcher-without-run-lock"

    /// The promises that it breaks.
    var breaks: String {
        switch self {
        case .noFence: "I4, I5, I6"
        case .noFenceNoSession: "I4, I5, I6"
        case .fenceWithoutTimeline: "I5, I34"
        case .sessionWithoutTimeline: "I34"
        case .claimLeased: "I5, I24"
        case .claimHeld: "I10, I11"
        case .deadMayClaim: "I6, I36"
        case .noClaimLock: "I36, L1"
        case .heartbeatRevives: "I6, I36"
        case .nowInLease: "I36"
        case .reaperKillsLiving: "I15"
        case .noReaper: "I35, L1"
        case .reaperFreesTasks: "I10"
        case .epochIgnored: "I34"
        case .epochPassesClaims: "I34, I36"
        case .straysKept: "I35, L2"
        case .strayKnown: "I6, I15"
        case .foldWithoutRunLock: "I4, I7"
        case .timersFireEarly: "I18"
        case .pauseHoldsNothing: "I10"
        case .resumeLeavesHeld: "I35, L2"
        case .pauseShiftsNothing: "I18"
        case .cancelHoldsNothing: "I9, I11"
        case .keyIgnored: "I3"
        case .keyOfAnyRequest: "I3"
        case .eventCountsTwice: "I19, I20"
        case .matcherWithoutKeyLock: "I19"
        case .matcherWithoutRunLock: "I10"
        }
    }

    /// One text of one function and what it becomes. A rule that stands in several statements must be broken in all of them.
    struct Change {
        let file: String
        let function: String
        let old: String
        let new: String

        init(_ file: String, _ function: String, _ old: String, _ new: String) {
            (self.file, self.function, self.old, self.new) = (file, function, old, new)
        }
    }

    private var changes: [Change] {
        switch self {
        case .noFence:
            [
                Change("claim.sql", "settle_tasks_v1", " and t.fence = g.fence", ""),
                Change("claim.sql", "settle_tasks_v1", " and k.fence = g.fence", ""),
            ]
        case .noFenceNoSession:
            [
                Change("claim.sql", "settle_tasks_v1", " and t.fence = g.fence and t.session_id = p_session_id", ""),
                Change("claim.sql", "settle_tasks_v1", " and k.fence = g.fence and k.session_id = p_session_id", ""),
            ]
        case .fenceWithoutTimeline: [Change("claim.sql", "claim_tasks_v1", "skein.timeline()::bigint << 40", "0")]
        case .sessionWithoutTimeline: [Change("session.sql", "register_session_v1", "(skein.timeline()::bigint << 40) + ", "")]
        case .claimLeased:
            [Change("claim.sql", "claim_tasks_v1", "and t.state = 'ready' and not t.held", "and t.state in ('ready', 'leased') and not t.held")]
        case .claimHeld: [Change("claim.sql", "claim_tasks_v1", "and t.state = 'ready' and not t.held", "and t.state = 'ready'")]
        case .deadMayClaim:
            [
                Change(
                    "claim.sql", "claim_tasks_v1", "where s.session_id = p_session_id and s.dead_at is null for key share;",
                    "where s.session_id = p_session_id;")
            ]
        case .noClaimLock: [Change("claim.sql", "claim_tasks_v1", "and s.dead_at is null for key share;", "and s.dead_at is null;")]
        case .heartbeatRevives:
            [
                Change("session.sql", "heartbeat_v1", "where s.session_id = p_session_id and s.dead_at is null", "where s.session_id = p_session_id"),
                Change("session.sql", "heartbeat_v1", "set heartbeat_at =", "set dead_at = null, heartbeat_at ="),
            ]
        case .nowInLease: [Change("session.sql", "heartbeat_v1", "lease_until = clock_timestamp()", "lease_until = now()")]
        case .reaperKillsLiving: [Change("reap.sql", "mark_dead_sessions_v1", " and lease_until < clock_timestamp()", "")]
        case .noReaper: [Change("reap.sql", "reap_tasks_v1", "where state = 'leased' and session_id = any (v_dead)", "where false")]
        case .reaperFreesTasks:
            [Change("reap.sql", "reap_tasks_v1", "set state = 'settled', settled_at = clock_timestamp(), outcome = 'lost',", "set state = 'ready', session_id = null, fence = null,")]
        case .epochIgnored:
            [Change("reap.sql", "check_epoch_v1", "where s.session_id = alive.session_id;", "where false;")]
        case .epochPassesClaims:
            [Change("reap.sql", "check_epoch_v1", "order by session_id for update)", "order by session_id)")]
        case .straysKept:
            [
                Change(
                    "claim.sql", "release_strays_v1", "where t.session_id = p_session_id and t.state = 'leased' and t.fence <> all (p_known);", "where false;")
            ]
        case .strayKnown: [Change("claim.sql", "release_strays_v1", " and t.fence <> all (p_known)", "")]
        case .foldWithoutRunLock: [Change("fold.sql", "lock_due_runs_v1", " for update skip locked", "")]
        case .timersFireEarly:
            [
                Change("fold.sql", "lock_due_runs_v1", "d.due_at <= skein.now()", "true"),
                Change("fold.sql", "open_due_v1", "t.due_at <= skein.now()", "true"),
            ]
        case .pauseHoldsNothing: [Change("orders.sql", "pause", "update skein.task set held = true where run_id = any (v_new) and not held;", "")]
        case .resumeLeavesHeld: [Change("orders.sql", "resume", "update skein.task set held = false where run_id = any (v_runs) and held;", "")]
        case .pauseShiftsNothing: [Change("orders.sql", "resume", "else t.due_at + (skein.now() - r.paused_at) end", "else t.due_at end")]
        case .cancelHoldsNothing:
            [Change("orders.sql", "mark_cancelled_v1", "any (p_run_ids) and held <> (state = 'ready');", "any (p_run_ids) and false;")]
        case .keyIgnored: [Change("submit.sql", "submit", "if p_key is not null then", "if false then")]
        case .keyOfAnyRequest: [Change("submit.sql", "submit", "if v_existing.request_hash <> v_request_hash then", "if false then")]
        case .eventCountsTwice: [Change("events.sql", "publish_v1", "if p_source_id is not null then", "if false then")]
        case .matcherWithoutKeyLock: [Change("events.sql", "match_waits_v1", "perform pg_advisory_xact_lock(k.lock_key)", "perform k.lock_key")]
        case .matcherWithoutRunLock: [Change("events.sql", "match_waits_v1", "             for share) as locked;", "         ) as locked;")]
        }
    }

    /// The functions with the fault in them. Fails when there is no longer what the fault changes.
    var source: String {
        get throws {
            var functions: [String: String] = [:]
            for change in changes {
                let text = try functions[change.function] ?? Self.text(of: change.function, in: change.file)
                let mutated = text.replacing(change.old, with: change.new)
                guard mutated != text else {
                    throw HarnessError("\(change.function) in \(change.file) no longer has what the mutant \(rawValue) changes: \(change.old)")
                }
                functions[change.function] = mutated
            }
            return functions.sorted { $0.key < $1.key }.map(\.value).joined(separator: "\n")
        }
    }

    private static func text(of function: String, in file: String) throws -> String {
        guard let text = EmbeddedSQL.functions.first(where: { $0.name == file })?.text else { throw HarnessError("there is no \(file)") }
        guard let start = text.range(of: "create or replace function skein.\(function)("), let end = text[start.upperBound...].range(of: "\n$$;")
        else { throw HarnessError("\(file) no longer has the function \(function)") }
        return String(text[start.lowerBound..<end.upperBound])
    }

    /// Plants it in a migrated database.
    func plant(in connection: PostgresConnection) async throws {
        try await connection.script(try source)
    }
}
