// The fold: outcomes, orders and due timers become steps, tasks and endings, under the runs' locks.

import Engine
public import Postgres
public import WorkflowModel

extension RunStore {
    /// Folds what is due of up to `limit` runs, in one transaction. When the batch cannot be written, it is halved until the run that
    /// cannot be folded stands alone; that one is set aside (quarantined), and the others go on.
    public func fold(upTo limit: Int, on connection: PostgresConnection) async throws(PostgresError) -> FoldReport {
        let attempt = FoldAttempt()
        do throws(PostgresError) {
            return try await connection.transaction { @Sendable db throws(PostgresError) in
                try self.foldLocked(try db.query(Self.lockDueRuns, [.int32(Int32(clamping: limit))]), limit: limit, attempt, on: db)
            }.finished(by: self)
        } catch {
            guard Self.isPoison(error), !attempt.runIDs.isEmpty else { throw error }
            return try await bisect(attempt.runIDs[...], error, on: connection)
        }
    }

    /// Forgets what earlier folds have left behind. To be called whenever the connection to the database is a new one: it may lead to a
    /// standby that was promoted without the last commits, and counts the revisions of its runs again.
    public func forgetFrames() { frames.forgetAll() }

    private func bisect(
        _ ids: ArraySlice<RunID>, _ error: PostgresError, on connection: PostgresConnection
    ) async throws(PostgresError) -> FoldReport {
        if ids.count == 1, let id = ids.first {
            let reason = error.description
            try await quarantine(id, reason: reason, on: connection)
            var report = FoldReport()
            report.quarantined = [(id, reason)]
            return report
        }
        var report = FoldReport()
        let middle = ids.startIndex + ids.count / 2
        for half in [ids[..<middle], ids[middle...]] {
            do throws(PostgresError) {
                report.add(
                    try await connection.transaction { @Sendable db throws(PostgresError) in
                        try self.foldLocked(
                            try db.query(Self.lockGivenRuns, [.uuidArray(half.map(\.pair))]), limit: .max, FoldAttempt(), on: db)
                    }.finished(by: self))
            } catch {
                guard Self.isPoison(error) else { throw error }
                report.add(try await bisect(half, error, on: connection))
            }
        }
        return report
    }

    /// Sets a run aside: nothing folds it until an operator has looked.
    public func quarantine(_ id: RunID, reason: String, on connection: PostgresConnection) async throws(PostgresError) {
        _ = try await connection.query(
            "update skein.run set quarantined_at = clock_timestamp(), quarantine_reason = $2 where run_id = $1",
            [.uuid(id.pair), .text(reason)])
    }

    // An error that the same data gives again: of the data, of a constraint, of a limit. Everything else passes, or is not the run's fault.
    private static func isPoison(_ error: PostgresError) -> Bool {
        switch error.sqlState?.stateClass {
        case .dataException, .integrityConstraintViolation, .programLimitExceeded: true
        default: false
        }
    }

    static let lockDueRuns: SQL = "select * from skein.lock_due_runs_v1($1)"

    private static let lockGivenRuns: SQL = """
        select r.run_id, r.namespace_id, r.version_id, r.revision, r.history_length, r.unsettled, r.live, r.block_ending, r.started_at,
               r.cancel_requested_at, r.cancel_reason, r.submitted_at, r.deadline_at, r.trigger, r.labels,
               array(select t.path from skein.task t where t.run_id = r.run_id and t.state = 'settled' limit 2000),
               array(select i.inbox_id from skein.inbox i where i.run_id = r.run_id),
               array(select d.path from skein.timer d where d.run_id = r.run_id and d.due_at <= skein.now() order by d.path, d.kind),
               array(select d.kind from skein.timer d where d.run_id = r.run_id and d.due_at <= skein.now() order by d.path, d.kind),
               r.parent_run_id, r.root_run_id, r.depth, r.lineage, r.callees, r.is_begun
          from skein.run r
         where r.run_id = any ($1) and r.quarantined_at is null and r.paused_at is null
           for update of r skip locked
        """

    private static let readSettled: SQL = """
        select t.run_id, t.path, t.fence, t.session_id, t.outcome::text, t.output, t.failure, t.claimed_at, t.settled_at, t.attempt,
               t.losses, t.retry_state, t.step_started_at, t.is_unwanted
          from unnest($1, $2) as g (run_id, path)
               cross join lateral (
                 select * from skein.task k where k.run_id = g.run_id and k.path = g.path and k.state = 'settled' offset 0) as t
         order by t.fence
        """

    private static let readOrders: SQL = """
        select i.run_id, i.inbox_id, i.kind, i.path, i.body, i.child_run_id, e.status::text, e.output, e.failure, e.parent_attempt,
               i.event_id, v.name, v.key, v.data, v.actor, v.at
          from skein.inbox i
          left join lateral (select * from skein.ended_run k where k.run_id = i.child_run_id offset 0) as e on i.kind = 'child'
          left join lateral (select * from skein.event k where k.event_id = i.event_id offset 0) as v on i.kind = 'event'
         where i.inbox_id = any ($1) order by i.inbox_id
        """

    private static let readTimers: SQL = """
        select t.run_id, t.path, t.kind
          from unnest($1, $2, $3) as g (run_id, path, kind)
               cross join lateral (
                 select * from skein.timer k
                  where k.run_id = g.run_id and k.path = g.path and k.kind = g.kind and k.due_at <= skein.now() offset 0) as t
         order by t.due_at
        """

    // What there is to fold, read by its keys after the locks were taken.
    private struct DueKeys {
        var settledRuns: [UUIDPair?] = []
        var settledPaths: [String?] = []
        var inboxIDs: [Int64?] = []
        var timerRuns: [UUIDPair?] = []
        var timerPaths: [String?] = []
        var timerKinds: [String?] = []

        init(_ locked: Rows) {
            for row in locked {
                let paths = row.isNull(15) ? [] : row.textArray(15)
                settledPaths += paths
                settledRuns += repeatElement(Optional(row.uuid(0)), count: paths.count)
                inboxIDs += row.isNull(16) ? [] : row.int64Array(16)
                let timers = row.isNull(17) ? [] : row.textArray(17)
                timerPaths += timers
                timerKinds += row.isNull(18) ? [] : row.textArray(18)
                timerRuns += repeatElement(Optional(row.uuid(0)), count: timers.count)
            }
        }
    }

    private func foldLocked(
        _ locked: Rows, limit: Int, _ attempt: FoldAttempt, on db: isolated PostgresConnection
    ) throws(PostgresError) -> FoldResult {
        guard !locked.isEmpty else { return FoldResult(generation: frames.generation) }
        attempt.runIDs = locked.map { RunID($0.uuid(0)) }
        let versions = try programs.load(
            locked.map { VersionID($0.int64(2)) } + locked.flatMap { Self.calleeIDs($0.textOrNull(23)).map(\.1) }, on: db)

        let due = DueKeys(locked)
        var batch: [(SQL, [Parameter])] = [("select skein.now()", [])]
        let hasSettled = !due.settledPaths.isEmpty
        let hasOrders = !due.inboxIDs.isEmpty
        let hasTimers = !due.timerPaths.isEmpty
        if hasSettled { batch.append((Self.readSettled, [.uuidArray(due.settledRuns), .textArray(due.settledPaths)])) }
        if hasOrders { batch.append((Self.readOrders, [.int64Array(due.inboxIDs)])) }
        if hasTimers {
            batch.append((Self.readTimers, [.uuidArray(due.timerRuns), .textArray(due.timerPaths), .textArray(due.timerKinds)]))
        }
        var answers = try db.pipeline(batch)[...]
        let now = Timestamp(microseconds: answers.removeFirst()[0].timestamp(0))

        var result = FoldResult(generation: frames.generation)
        var changes = ChangeSet()
        var folds: [RunFold] = []
        var positions: [RunID: Int] = [:]
        for row in locked {
            let id = RunID(row.uuid(0))
            switch versions[VersionID(row.int64(2))] {
            case .success(let version):
                positions[id] = folds.count
                let frame = frame(id, row, version, callees: callees(row.textOrNull(23), among: versions))
                folds.append(RunFold(id: id, revision: row.int64(3), version: version, frame: frame, root: row.uuidOrNull(20).map { RunID($0) }))
            case .failure(let unusable): result.report.quarantined.append((id, unusable.description))
            case nil: result.report.quarantined.append((id, "the version does not exist"))
            }
        }
        if hasSettled {
            for row in answers.removeFirst() {
                guard let position = positions[RunID(row.uuid(0))] else { continue }
                folds[position].inputs.append(.outcome(Self.outcome(row)))
            }
        }
        if hasOrders {
            for row in answers.removeFirst() {
                guard let position = positions[RunID(row.uuid(0))] else { continue }
                changes.inboxIDs.append(row.int64(1))
                folds[position].takeOrder(row)
            }
        }
        if hasTimers {
            for row in answers.removeFirst() {
                guard let position = positions[RunID(row.uuid(0))] else { continue }
                guard let kind = TimerKind(rawValue: row.text(2)) else { continue }
                folds[position].takeTimer(TimerKey(path: row.text(1), kind: kind))
            }
        }
        // A cancel that was acknowledged comes before everything that would start something.
        for index in folds.indices { folds[index].putCancelFirst() }

        try decideTree(&folds, &changes, &result.report, now: now, on: db)
        for (id, reason) in result.report.quarantined {
            _ = try db.query(
                "update skein.run set quarantined_at = clock_timestamp(), quarantine_reason = $2 where run_id = $1",
                [.uuid(id.pair), .text(reason)])
        }
        let runs = folds.map(\.change)
        _ = try db.pipelineAndCommit(changes.statements(for: runs, now: now))
        result.report.runs = folds.count
        result.report.wasFull = due.settledPaths.count >= limit || due.inboxIDs.count >= limit || due.timerPaths.count >= limit
        result.count(runs, changes)
        result.folds = folds
        return result
    }

    // What this coordinator remembers of the run, or a frame that knows nothing yet.
    private func frame(
        _ id: RunID, _ row: Row, _ version: LoadedVersion, callees: [String: CalleeFacts]
    ) -> (Frame, isKnown: Bool) {
        if var frame = frames.take(id, revision: row.int64(3)) {
            frame.refresh(cancelRequested: !row.isNull(9), cancelReason: row.textOrNull(10))
            return (frame, true)
        }
        let isStarted = row.bool(24)
        let facts = RunFacts(
            id: id, version: version.number, historyLength: Int(row.int32(4)),
            submittedAt: Timestamp(microseconds: row.timestamp(11)),
            startedAt: row.timestampOrNull(8).map { Timestamp(microseconds: $0) }, trigger: row.text(13),
            labels: row.textOrNull(14).map { JSONText(trusted: $0) }, input: nil,
            root: isStarted
                ? BlockFacts(
                    unsettled: Int(row.int32(5)), live: Int(row.int32(6)),
                    ending: row.textOrNull(7).flatMap { try? JSONValue(parsing: $0) }.flatMap { BlockEnding(json: $0) }) : nil,
            cancelRequested: !row.isNull(9), cancelReason: row.textOrNull(10), callees: callees, depth: Int(row.int32(21)),
            lineage: Self.lineage(row.textOrNull(22)), parentID: row.uuidOrNull(19).map { RunID($0) })
        return (Frame(program: version.program, run: facts, isComplete: !isStarted), !isStarted)
    }

    private static func lineage(_ text: String?) -> [String] {
        guard let text, let list = (try? JSONValue(parsing: text))?.arrayValue else { return [] }
        return list.compactMap(\.stringValue)
    }

    private static func outcome(_ row: Row) -> TaskOutcome {
        var task = TaskFacts(
            attempt: Int(row.int32(9)), losses: Int(row.int32(10)),
            startedAt: row.timestampOrNull(12).map { Timestamp(microseconds: $0) }, phase: .settled, isUnwanted: row.bool(13))
        task.readRetryState(row.textOrNull(11))
        return TaskOutcome(
            path: StepPath(row.text(1)), fence: Fence(row.int64(2)), session: SessionID(row.int64(3)),
            status: AttemptStatus(rawValue: row.text(4)) ?? .failed, output: row.textOrNull(5).map { JSONText(trusted: $0) },
            failure: row.textOrNull(6).flatMap { try? JSONValue(parsing: $0) }.map { Failure(json: $0) },
            claimedAt: Timestamp(microseconds: row.timestamp(7)), settledAt: Timestamp(microseconds: row.timestamp(8)), task: task)
    }
}

/// The runs that a fold has locked, for whoever has to look into its failure. Used on the connection's thread only.
final class FoldAttempt: Sendable {
    private let ids = Guarded<[RunID]>([])
    var runIDs: [RunID] {
        get { ids.value }
        set { ids.value = newValue }
    }
}
