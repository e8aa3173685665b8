// What a busy cluster has lying about: rows of real shape in the real tables.

import Postgres
import WorkflowModel

/// What lies about while something else is measured.
enum Backlog: CaseIterable {
    /// Tasks that are ready in another queue: the next keys of the same index.
    case readyBehind
    /// Tasks of the same queue that have just been finished, and nobody has vacuumed.
    case finishedInFront
    /// Tasks of the same queue that another worker has had for long, and will have for long.
    case longInFlight
    /// As many tasks held in the same queue, before all others, as are ready behind.
    case halfHeld

    var figure: String {
        switch self {
        case .readyBehind: Name.readyBehind
        case .finishedInFront: Name.finishedInFront
        case .longInFlight: Name.longInFlight
        case .halfHeld: Name.halfHeld
        }
    }
}

extension BenchCluster {
    static let backlogWorkflow = "backlog"

    /// Starts the run of which all others are copies. No worker takes tasks from its queue.
    func prepareBacklog() async throws {
        let step: JSONValue = ["id": "s1", "agent": "noop", "queue": "elsewhere"]
        try await apply(["workflow": .string(Self.backlogWorkflow), "agents": Workloads.noop, "steps": [step]])
    }

    /// Makes the rows. The live tables were emptied before.
    func make(_ backlog: Backlog, rows: Int, long: Int) async throws {
        let template = try await api.start(Self.backlogWorkflow, input: [:])
        let front = ["queue_id": Self.servedQueue, "ready_at": "clock_timestamp() - interval '1 day'"]
        switch backlog {
        case .readyBehind: try await copy(template, rows)
        case .finishedInFront: try await finish(template, rows, front)
        case .longInFlight:
            let session = Int(
                try await number("skein.register_session_v1('default', 'bench-long', 'bench', 1, '0', '{default}', \(long), 86400000)"))
            let lease = [
                "state": "'leased'", "session_id": "\(session)", "claimed_at": "clock_timestamp() - interval '1 hour'",
                "fence": "(skein.timeline()::bigint << 40) + nextval('skein.fence_sequence')",
            ]
            try await copy(template, long, task: front.merging(lease) { $1 })
        case .halfHeld:
            try await copy(
                template, rows / 2,
                run: ["paused_at": "clock_timestamp()", "paused_by": "i.run_id", "history_length": "t.history_length + 1"],
                task: front.merging(["held": "true"]) { $1 },
                then: """
                    insert into skein.run_event (run_id, seq, namespace_id, kind, at, actor, body)
                    select run_id, history_length, namespace_id, 'paused', paused_at, session_user, '{}' from skein.run where paused_at is not null
                    """)
            try await copy(template, rows - rows / 2)
        }
        // So many new rows are vacuumed sooner or later; whether that falls into a measurement is not for chance to decide.
        try await execute(backlog == .finishedInFront ? "analyze skein.run, skein.task" : "vacuum (analyze) skein.run, skein.task, skein.run_event")
        try await settleDown()
    }

    /// Empties the live tables, and the record of what happened to runs in them: nobody needs anything of it any more.
    func clearLiveTables() async throws {
        try await emptyLiveTables()
        try await execute(
            "update skein.worker_session set dead_at = clock_timestamp(), reaped_at = clock_timestamp() where worker = 'bench-long' and dead_at is null"
        )
        for table in ["run", "task"] { try await execute("alter table skein.\(table) reset (autovacuum_enabled)") }
        try await settleDown()
    }

    // The cluster is looking at these tables all the time, in whatever order; nobody but this takes them away as a whole.
    private func emptyLiveTables() async throws {
        for attempt in 1... {
            do {
                return try await execute("truncate skein.run, skein.task, skein.live_step, skein.timer, skein.inbox, skein.run_event")
            } catch let error as PostgresError where error.sqlState == .deadlockDetected && attempt < 10 {
                continue
            }
        }
    }

    private static let servedQueue = "(select queue_id from skein.queue where name = 'default' limit 1)"

    private func copy(
        _ template: String, _ count: Int, run: [String: String] = [:], task: [String: String] = [:], then statement: String? = nil
    ) async throws {
        // Whoever looks at the invariants meanwhile sees no run without its task, and none that is paused without a record of it.
        try await execute("begin")
        try await copy(template, ids: "select skein.new_run_id() from generate_series(1, \(count))", into: [("run", run), ("task", task)])
        if let statement { try await execute(statement) }
        try await execute("commit")
    }

    // All at once, so that no worker sees them: ready, then settled, then gone, as the indexes remember it.
    private func finish(_ template: String, _ count: Int, _ front: [String: String]) async throws {
        for table in ["run", "task"] { try await execute("alter table skein.\(table) set (autovacuum_enabled = false)") }
        try await execute("begin")
        try await copy(template, ids: "select skein.new_run_id() from generate_series(1, \(count))", into: [("run", [:]), ("task", front)])
        for statement in [
            """
            update skein.task set state = 'settled', settled_at = clock_timestamp(), outcome = 'succeeded', output = '{}'
             where queue_id = \(Self.servedQueue)
            """,
            "delete from skein.task where queue_id = \(Self.servedQueue)", "delete from skein.run where run_id <> '\(template)'",
        ] {
            try await execute(statement)
        }
        try await execute("commit")
    }
}
