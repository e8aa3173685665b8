// The fold: outcomes, orders and due timers become steps, tasks and endings, under the runs' locks.

import Engine
public import Postgres
public import WorkflowModel

extension RunStore {
    /// Folds what is due of up to `limit` runs, in one transaction. When the batch cannot be written, it is halved until the run that
    /// cannot be folded stands alone; that one is set aside (quarantined), and the others go on.
    ///
    /// - Parameters:
    ///   - limit: how many outcomes, orders and timers are folded at most, of each.
    ///   - share: which runs come first: those of one lane of several, so that lanes do not stand in each other's way.
    ///   - passed: runs of which another lane has just locked much: their outcomes are not looked at.
    ///   - connection: the lane's own.
    ///   - noteLarge: told the runs of which this fold has locked much, before it decides; on the connection's thread.
    public func fold(
        upTo limit: Int, share: FoldShare = .all, passing passed: [RunID] = [], on connection: PostgresConnection,
        noteLarge: @escaping @Sendable ([RunID]) -> Void = { _ in }
    ) async throws(PostgresError) -> FoldReport {
        let attempt = FoldAttempt()
        do throws(PostgresError) {
            return try await connection.transaction { @Sendable db throws(PostgresError) in
                try self.foldLocked(
                    try db.query(
                        Self.lockDueRuns,
                        [.int32(Int32(clamping: limit)), .int32(share.index), .int32(share.count), .uuidArray(passed.map(\.pair))]),
                    attempt, noteLarge: noteLarge, on: db)
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
            let reason = error.sqlState == .unreadableRow ? error.message : error.description
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
                            try db.query(Self.lockGivenRuns, [.uuidArray(half.map(\.pair)), .int32(Self.outcomesOfGivenRun)]),
                            FoldAttempt(), on: db)
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
        if error.sqlState == .unreadableRow { return true }
        return switch error.sqlState?.stateClass {
        case .dataException, .integrityConstraintViolation, .programLimitExceeded: true
        default: false
        }
    }

    static let lockDueRuns: SQL =
        "select runs, outcomes, orders, timers, at, has_more from skein.lock_due_runs_v1($1, $2, $3, $4)"
    private static let lockGivenRuns: SQL =
        "select runs, outcomes, orders, timers, at, false from skein.lock_given_runs_v1($1, $2)"

    // So many outcomes of one run are worth passing over.
    private static let largeRun = 64
    // What a run that is folded by itself takes at a time.
    private static let outcomesOfGivenRun: Int32 = 2000

    // `locked` says how much is due; the cursors that lead to it are open.
    private func foldLocked(
        _ locked: Rows, _ attempt: FoldAttempt, noteLarge: ([RunID]) -> Void = { _ in }, on db: isolated PostgresConnection
    ) throws(PostgresError) -> FoldResult {
        let counts = locked[0]
        guard counts.int32(0) > 0 else {
            var nothing = FoldResult(generation: frames.generation)
            nothing.report.hasMore = counts.bool(5)
            return nothing
        }
        let now = Timestamp(microseconds: counts.timestamp(4))
        let hasOutcomes = counts.int32(1) > 0
        let hasOrders = counts.int32(2) > 0
        let hasTimers = counts.int32(3) > 0
        var batch: [(SQL, [Parameter])] = [("fetch all from due_runs", [])]
        if hasOutcomes { batch.append(("fetch all from due_outcomes", [])) }
        if hasOrders { batch.append(("fetch all from due_orders", [])) }
        if hasTimers { batch.append(("fetch all from due_timers", [])) }
        var answers = try db.pipeline(batch)[...]
        let locked = answers.removeFirst()
        attempt.runIDs = locked.map { RunID($0.uuid(0)) }
        let versions = try programs.load(
            locked.map { VersionID($0.int64(2)) } + locked.flatMap { Self.calleeIDs($0.textOrNull(19)).map(\.1) }, on: db)

        var result = FoldResult(generation: frames.generation)
        var changes = ChangeSet()
        var folds: [RunFold] = []
        folds.reserveCapacity(locked.count)
        var positions: [RunID: Int] = [:]
        positions.reserveCapacity(locked.count)
        for row in locked {
            let id = RunID(row.uuid(0))
            switch versions[VersionID(row.int64(2))] {
            case .success(let version):
                positions[id] = folds.count
                let frame = try frame(id, row, version, callees: callees(row.textOrNull(19), among: versions))
                folds.append(RunFold(id: id, revision: row.int64(3), version: version, frame: frame, root: row.uuidOrNull(16).map { RunID($0) }))
            case .failure(let unusable): result.report.quarantined.append((id, unusable.description))
            case nil: result.report.quarantined.append((id, "the version does not exist"))
            }
        }
        var strayed: [(RunID, StepPath)] = []
        if hasOutcomes {
            for row in answers.removeFirst() {
                guard let position = positions[RunID(row.uuid(0))] else { continue }
                let outcome = try Self.outcome(row)
                folds[position].inputs.append(.outcome(outcome))
                if outcome.hasStrayed { strayed.append((folds[position].change.id, outcome.path)) }
            }
            let large = folds.filter { $0.inputs.count >= Self.largeRun }.map(\.change.id)
            if !large.isEmpty { noteLarge(large) }
        }
        if hasOrders {
            for row in answers.removeFirst() {
                guard let position = positions[RunID(row.uuid(0))] else { continue }
                changes.inboxIDs.append(row.int64(1))
                // Where nobody had marked the run as cancelled, the look has, and has its tasks' locks.
                if row.text(2) == "cancel" { changes.holdsTasks = true }
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
        try lockStrayed(strayed, &changes, on: db)
        // A cancel that was acknowledged comes before everything that would start something.
        for index in folds.indices { folds[index].putCancelFirst() }

        try decideTree(&folds, &changes, &result.report, now: now, on: db)
        for (id, reason) in result.report.quarantined {
            _ = try db.query(
                "update skein.run set quarantined_at = clock_timestamp(), quarantine_reason = $2 where run_id = $1",
                [.uuid(id.pair), .text(reason)])
        }
        let runs = folds.map(\.change)
        result.count(runs, changes)
        _ = try db.pipelineAndCommit(
            changes.statements(for: runs, now: now), notifying: result.report.tasksReady > 0 ? tasksNotice : nil)
        result.report.runs = folds.count
        result.report.hasMore = counts.bool(5)
        result.folds = folds
        return result
    }

    // What this coordinator remembers of the run, or a frame that knows nothing yet.
    private func frame(
        _ id: RunID, _ row: Row, _ version: LoadedVersion, callees: [String: CalleeFacts]
    ) throws(PostgresError) -> (Frame, isKnown: Bool) {
        if var frame = frames.take(id, revision: row.int64(3)) {
            frame.refresh(cancelRequested: !row.isNull(9), cancelReason: row.textOrNull(10))
            return (frame, true)
        }
        let isStarted = row.bool(20)
        let ending = row.textOrNull(7).flatMap { try? JSONValue(parsing: $0) }.flatMap { BlockEnding(json: $0) }
        guard row.isNull(7) == (ending == nil) else {
            throw .unreadable("The run's row cannot be read: block_ending \((row.textOrNull(7) ?? "").prefix(200)).")
        }
        guard row.int32(4) > 0, row.int32(4) < .max - 1_000_000, row.int32(5) >= 0, row.int32(6) >= 0, row.int32(17) >= 0 else {
            throw .unreadable(
                "The run's row cannot be true: history_length \(row.int32(4)), unsettled \(row.int32(5)), live \(row.int32(6)), depth \(row.int32(17)).")
        }
        let facts = RunFacts(
            id: id, version: version.number, historyLength: Int(row.int32(4)),
            submittedAt: Timestamp(microseconds: row.timestamp(11)),
            startedAt: row.timestampOrNull(8).map { Timestamp(microseconds: $0) }, trigger: row.text(13),
            labels: row.textOrNull(14).map { JSONText(trusted: $0) }, input: nil,
            root: isStarted
                ? BlockFacts(
                    unsettled: Int(row.int32(5)), live: Int(row.int32(6)),
                    ending: ending) : nil,
            cancelRequested: !row.isNull(9), cancelReason: row.textOrNull(10), callees: callees, depth: Int(row.int32(17)),
            lineage: Self.lineage(row.textOrNull(18)), parentID: row.uuidOrNull(15).map { RunID($0) })
        return (Frame(program: version.program, run: facts, isComplete: !isStarted), !isStarted)
    }

    private static func lineage(_ text: String?) -> [String] {
        guard let text, let list = (try? JSONValue(parsing: text))?.arrayValue else { return [] }
        return list.compactMap(\.stringValue)
    }

    private static func outcome(_ row: Row) throws(PostgresError) -> TaskOutcome {
        var task = TaskFacts(
            attempt: Int(row.int32(9)), losses: Int(row.int32(10)),
            startedAt: row.timestampOrNull(12).map { Timestamp(microseconds: $0) }, phase: .settled, isUnwanted: row.bool(13))
        task.readRetryState(row.textOrNull(11))
        var output: JSONText?
        if let text = row.textOrNull(5) { output = try checked(text, "The result of step \(row.text(1))") }
        return TaskOutcome(
            path: StepPath(row.text(1)), fence: Fence(row.int64(2)), session: SessionID(row.int64(3)),
            status: AttemptStatus(rawValue: row.text(4)) ?? .failed, output: output,
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
