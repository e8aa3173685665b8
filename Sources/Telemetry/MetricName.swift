// The catalogue of metrics: names, help texts, labels and buckets in one place. Changing it is changing the product's interface.

/// How a metric behaves.
public enum MetricKind: String, Sendable, Hashable {
    /// Only grows, and begins at zero with the process.
    case counter
    /// Goes up and down.
    case gauge
    /// Counts observations in buckets.
    case histogram
}

/// A label of a metric. Labels have few values: never an id, never anything that a caller makes up.
public enum MetricLabel: String, Sendable, Hashable {
    case agent, component, invariant, kind, method, outcome, queue, reason, state, status, version
}

/// Every metric of the product.
public enum MetricName: String, Sendable, Hashable, CaseIterable {
    // The process
    case buildInfo = "skein_build_info"
    case processStartTime = "skein_process_start_time_seconds"
    case residentMemory = "skein_process_resident_memory_bytes"
    case postgresReconnects = "skein_postgres_reconnects_total"
    case postgresErrors = "skein_postgres_errors_total"
    case notificationsSent = "skein_notifications_sent_total"
    case notificationsReceived = "skein_notifications_received_total"

    // The worker
    case tasksClaimed = "skein_tasks_claimed_total"
    case tasksSettled = "skein_tasks_settled_total"
    case tasksReleased = "skein_tasks_released_total"
    case resultsDropped = "skein_results_dropped_total"
    case leasesLost = "skein_leases_lost_total"
    case heartbeats = "skein_heartbeats_total"
    case claimDuration = "skein_claim_duration_seconds"
    case settleDuration = "skein_settle_duration_seconds"
    case claimBatchSize = "skein_claim_batch_size"
    case agentCallDuration = "skein_agent_call_duration_seconds"
    case workerSlots = "skein_worker_slots"
    case workerSlotsUsed = "skein_worker_slots_used"

    // The coordinator
    case runsSubmitted = "skein_runs_submitted_total"
    case runsEnded = "skein_runs_ended_total"
    case stepDuration = "skein_step_duration_seconds"
    case runDuration = "skein_run_duration_seconds"
    case foldBatchSize = "skein_fold_batch_size"
    case foldDuration = "skein_fold_duration_seconds"
    case foldConflicts = "skein_fold_conflicts_total"
    case timersFired = "skein_timers_fired_total"
    case eventsReceived = "skein_events_received_total"
    case schedulesFired = "skein_schedules_fired_total"
    case sessionsExpired = "skein_sessions_expired_total"
    case tasksExpired = "skein_tasks_expired_total"
    case rowsRemoved = "skein_rows_removed_total"
    case historyWeeksDropped = "skein_history_weeks_dropped_total"
    case invariantViolations = "skein_invariant_violations"
    case invariantChecks = "skein_invariant_checks_total"
    case checkRoundDuration = "skein_check_round_duration_seconds"
    case httpRequests = "skein_http_requests_total"
    case requestsRefused = "skein_requests_refused_total"
    case httpRequestDuration = "skein_http_request_duration_seconds"

    // What the database holds, asked for by the coordinator
    case runs = "skein_runs"
    case queueReady = "skein_queue_ready"
    case queueLeased = "skein_queue_leased"
    case queueDelayed = "skein_queue_delayed"
    case queueOldestReady = "skein_queue_oldest_ready_seconds"
    case outcomesPending = "skein_outcomes_pending"
    case deadLetters = "skein_dead_letters"
    case workers = "skein_workers"
    case breakers = "skein_breakers"
}

/// What the catalogue says about one metric.
struct MetricDescription {
    let kind: MetricKind
    let help: String
    let labels: [MetricLabel]
    let buckets: [Double]

    static func counter(_ help: String, _ labels: MetricLabel...) -> Self { Self(kind: .counter, help: help, labels: labels, buckets: []) }
    static func gauge(_ help: String, _ labels: MetricLabel...) -> Self { Self(kind: .gauge, help: help, labels: labels, buckets: []) }
    static func seconds(_ help: String, _ labels: MetricLabel...) -> Self {
        Self(
            kind: .histogram, help: help, labels: labels,
            buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800])
    }
    static func sizes(_ help: String, _ labels: MetricLabel...) -> Self {
        Self(kind: .histogram, help: help, labels: labels, buckets: [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000])
    }
}

extension MetricName {
    /// How the metric behaves.
    public var kind: MetricKind { facts.kind }
    /// The sentence that the exposition carries.
    public var help: String { facts.help }
    /// The labels, in the order in which their values are given.
    public var labels: [MetricLabel] { facts.labels }
    /// The upper bounds of a histogram's buckets, without infinity.
    public var buckets: [Double] { facts.buckets }

    var facts: MetricDescription {
        switch self {
        case .buildInfo: .gauge("Always 1; the labels say what runs here.", .component, .version)
        case .processStartTime: .gauge("When the process started, in seconds since 1970.")
        case .residentMemory: .gauge("Memory that the process has in RAM, in bytes.")
        case .postgresReconnects: .counter("Connections to PostgreSQL that were made anew after a loss.")
        case .postgresErrors: .counter("Statements that failed, by what happened to them.", .reason)
        case .notificationsSent: .counter("Wake-up notifications sent through PostgreSQL.")
        case .notificationsReceived: .counter("Wake-up notifications received from PostgreSQL.")
        case .tasksClaimed: .counter("Tasks that this worker claimed.", .queue)
        case .tasksSettled: .counter("Tasks whose result was accepted, by how the attempt ended.", .outcome)
        case .tasksReleased: .counter("Tasks handed back unfinished, by why.", .reason)
        case .resultsDropped: .counter("Results that were refused because the fence had passed on.")
        case .leasesLost: .counter("Sessions that this worker lost.")
        case .heartbeats: .counter("Heartbeats sent, by how they ended.", .outcome)
        case .claimDuration: .seconds("How long a claim took.")
        case .settleDuration: .seconds("How long it took to report a batch of results.")
        case .claimBatchSize: .sizes("How many tasks a claim brought.")
        case .agentCallDuration: .seconds("How long an agent took to answer, by its kind and how the attempt ended.", .kind, .outcome)
        case .workerSlots: .gauge("Tasks that this worker can carry out at the same time.")
        case .workerSlotsUsed: .gauge("Tasks that this worker is carrying out.")
        case .runsSubmitted: .counter("Runs that were accepted.")
        case .runsEnded: .counter("Runs that ended, by how.", .status)
        case .stepDuration: .seconds("How long steps took from ready to done, retries included.", .outcome)
        case .runDuration: .seconds("How long runs took from submission to their end.", .status)
        case .foldBatchSize: .sizes("How many inputs one fold took in.")
        case .foldDuration: .seconds("How long one fold took, its transaction included.")
        case .foldConflicts: .counter("Folds that were rolled back and done again.", .reason)
        case .timersFired: .counter("Timers that fired.")
        case .eventsReceived: .counter("Events that came from outside, by what became of them.", .outcome)
        case .schedulesFired: .counter("Times that a schedule came due, by what became of it.", .outcome)
        case .sessionsExpired: .counter("Worker sessions that were declared dead.")
        case .tasksExpired: .counter("Tasks that were taken back from dead sessions.")
        case .rowsRemoved: .counter("Rows that retention removed, by what they were.", .kind)
        case .historyWeeksDropped: .counter("Weeks of history that retention dropped.")
        case .invariantViolations: .gauge("Rows that break an invariant, as the last probe of this coordinator found them; 0 is good.", .invariant)
        case .invariantChecks: .counter("Probes of invariants, by how they ended: good, violated, unfinished, failed.", .invariant, .outcome)
        case .checkRoundDuration: .seconds("How long it took to probe all invariants.")
        case .httpRequests: .counter("HTTP requests that were answered.", .method, .status)
        case .requestsRefused: .counter("Requests that were refused because a bound was reached, by which.", .reason)
        case .httpRequestDuration: .seconds("How long HTTP requests took.", .method)
        case .runs: .gauge("Runs that have not been removed, by status.", .status)
        case .queueReady: .gauge("Tasks that wait for a worker.", .queue)
        case .queueLeased: .gauge("Tasks that a worker holds.", .queue)
        case .queueDelayed: .gauge("Tasks whose time has not come yet.", .queue)
        case .queueOldestReady: .gauge("How long the oldest ready task has been waiting, in seconds.", .queue)
        case .outcomesPending: .gauge("Results that have not been folded yet.")
        case .deadLetters: .gauge("Dead letters that wait for a decision.")
        case .workers: .gauge("Worker sessions, by state.", .state)
        case .breakers: .gauge("Circuit breakers, by state.", .state)
        }
    }

    /// What a worker shows from its first second on, at zero.
    public static let ofWorker: [MetricName] = [
        .postgresReconnects, .notificationsSent, .notificationsReceived, .resultsDropped, .leasesLost, .claimDuration, .settleDuration,
        .claimBatchSize,
    ]

    /// What a coordinator shows from its first second on, at zero.
    public static let ofCoordinator: [MetricName] = [
        .postgresReconnects, .notificationsSent, .notificationsReceived, .runsSubmitted, .foldBatchSize, .foldDuration, .timersFired,
        .sessionsExpired, .tasksExpired, .historyWeeksDropped,
    ]
}
