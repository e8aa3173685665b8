// The places where a process can be killed or stopped on purpose: every boundary of the protocol, before it, within it, and after it.
//
// Everything of this target is for tests and exists in debug builds only: a release has no trace of it.

#if DEBUG
/// One step of the protocol that happens wholly or not at all: a transaction, or a call of an agent.
package enum Boundary: String, CaseIterable, Sendable {
    // The worker

    /// A session is registered.
    case register
    /// The lease is renewed.
    case heartbeat
    /// Tasks are claimed.
    case claim
    /// Outcomes are reported and tasks are claimed, in one transaction.
    case exchange
    /// Outcomes are reported by a worker that claims nothing more.
    case settle
    /// Tasks of a claim whose answer was lost are given back.
    case strays
    /// The session is closed.
    case close
    /// The agent is called.
    case agent
    /// The worker is told to stop.
    case drain

    // The coordinator

    /// Runs are accepted.
    case submit
    /// Outcomes, orders and timers are folded into runs.
    case fold
    /// A run that cannot be folded is set aside.
    case quarantine
    /// Sessions are marked dead, and their tasks settle as lost.
    case reap
    /// What waits below a low-water mark is looked for.
    case marks
    /// The database's timeline is recorded, and leases of another one are void.
    case epoch
    /// Events and waits are brought together.
    case match
    /// A run is cancelled.
    case cancel
    /// A run is paused.
    case pause
    /// A run is resumed.
    case resume
    /// A running loop is changed.
    case adjust
    /// An event is sent to one run.
    case signal
    /// An event is published.
    case emit
    /// A definition is registered.
    case apply
    /// Partitions are made for the weeks to come.
    case partitions
    /// Idempotency keys whose time is over are removed.
    case keys
    /// What ended runs have left behind is removed.
    case leftovers
    /// Events that nobody takes any more expire.
    case expiry
    /// A week of history is dropped.
    case week
    /// Old history that is filed in no week is removed.
    case unfiled
    /// Old sessions are removed.
    case sessions
    /// The schema is brought to this release's version.
    case migrate

    // Both

    /// Others are woken.
    case notify
    /// A listener begins to listen.
    case listen
}

/// Where in a boundary.
package enum CrashPhase: String, CaseIterable, Sendable {
    /// Nothing was sent yet.
    case before
    /// The first of several round trips was answered: locks are held.
    case begun
    /// Everything is decided; the last round trip was not sent.
    case decided
    /// Everything was carried out, and nothing is committed.
    case executed
    /// COMMIT was sent, and its answer not read.
    case sent
    /// The commit was answered, and nobody knows of it yet.
    case committed
}

/// A named point at which a process can be killed, stopped, or deceived about its commit.
package struct CrashPoint: Hashable, Sendable, CustomStringConvertible {
    package let boundary: Boundary
    package let phase: CrashPhase

    package init(_ boundary: Boundary, _ phase: CrashPhase) {
        self.boundary = boundary
        self.phase = phase
    }

    /// The point of a name such as `fold.executed`.
    package init?(_ name: String) {
        let parts = name.split(separator: ".")
        guard parts.count == 2, let boundary = Boundary(rawValue: String(parts[0])), let phase = CrashPhase(rawValue: String(parts[1])),
            boundary.phases.contains(phase)
        else { return nil }
        self.init(boundary, phase)
    }

    package var description: String { "\(boundary.rawValue).\(phase.rawValue)" }

    /// All of them.
    package static let all: [CrashPoint] = Boundary.allCases.flatMap { boundary in boundary.phases.map { CrashPoint(boundary, $0) } }
}

extension Boundary {
    /// The points that the boundary has.
    package var phases: [CrashPhase] {
        switch self {
        case .submit, .fold: CrashPhase.allCases
        case .apply, .migrate: [.before, .begun, .executed, .sent, .committed]
        case .register, .heartbeat, .claim, .exchange, .settle, .strays, .close, .quarantine, .reap, .marks, .epoch, .match, .cancel, .pause, .resume,
            .adjust, .signal, .emit, .partitions, .keys, .leftovers, .expiry, .week, .unfiled, .sessions:
            [.before, .executed, .sent, .committed]
        case .notify, .listen: [.before, .committed]
        case .agent: [.before, .committed]
        case .drain: [.before]
        }
    }

    // What the statements of the boundary have in them; nothing where it is no transaction, or one of two others together.
    private var marks: [String] {
        switch self {
        case .register: ["skein.register_session_v"]
        case .heartbeat: ["skein.heartbeat_v"]
        case .claim: ["skein.claim_tasks_v"]
        case .settle: ["skein.settle_tasks_v"]
        case .strays: ["skein.release_strays_v"]
        case .close: ["skein.close_session_v"]
        case .submit: ["as g (place, namespace, workflow, version)"]
        case .fold: ["skein.lock_due_runs_v", "skein.lock_given_runs_v"]
        case .quarantine: ["update skein.run set quarantined_at"]
        case .reap: ["skein.mark_dead_sessions_v", "skein.reap_tasks_v"]
        case .marks: ["skein.look_below_marks_v"]
        case .epoch: ["skein.check_epoch_v"]
        case .match: ["skein.match_waits_v"]
        case .cancel: ["skein.cancel("]
        case .pause: ["skein.pause("]
        case .resume: ["skein.resume("]
        case .adjust: ["skein.adjust("]
        case .signal: ["skein.signal("]
        case .emit: ["skein.emit("]
        case .apply: ["insert into skein.workflow (namespace_id, name)"]
        case .partitions: ["skein.prepare_weeks_v"]
        case .keys: ["delete from skein.run_key"]
        case .leftovers: ["skein.remove_leftovers_v"]
        case .expiry: ["skein.expire_events_v"]
        case .week: ["skein.drop_history_week_v"]
        case .unfiled: ["skein.remove_unfiled_history_v"]
        case .sessions: ["skein.remove_dead_sessions_v"]
        case .migrate: ["pg_try_advisory_xact_lock($1, 0)"]
        case .notify: ["pg_notify(c"]
        case .listen: ["listen \""]
        case .exchange, .agent, .drain: []
        }
    }

    /// The boundary that statements of one round trip belong to.
    package static func of(_ statements: [String]) -> Boundary? {
        let found = allCases.first { $0.has(statements) }
        // What is reported and claimed together is neither the one nor the other.
        return found == .claim && Boundary.settle.has(statements) ? .exchange : found
    }

    private func has(_ statements: [String]) -> Bool {
        marks.contains { mark in statements.contains { $0.contains(mark) } }
    }
}
#endif
