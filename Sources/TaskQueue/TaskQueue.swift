// What a worker may do with the queue: register, renew its lease, claim, settle, say good-bye. It knows nothing of runs.

public import Postgres
public import WorkflowModel

/// Why the queue refused, or could not be asked.
public enum TaskQueueError: Error, Sendable, Hashable {
    /// The session's lease ran out and its tasks belong to others by now. Register a new session.
    case sessionDead
    /// The namespace that the worker is for does not exist.
    case unknownNamespace(String)
    /// The database could not be asked, or refused. Retrying is safe: a settle that went through is simply not there any more.
    case unavailable(PostgresError)
}

/// What a worker says of itself when it registers.
public struct WorkerDescription: Sendable {
    /// The namespace whose tasks it takes.
    public var namespace: String
    /// A name for people; it identifies nothing.
    public var worker: String
    /// The host's name.
    public var host: String
    /// The process's number.
    public var processID: Int32
    /// The release.
    public var version: String
    /// The queues it serves, the first one first.
    public var queues: [String]
    /// How many tasks it works on at once.
    public var slots: Int
    /// How long its lease lasts when it cannot renew it.
    public var lease: Duration

    /// What a worker says of itself.
    public init(
        namespace: String, worker: String, host: String, processID: Int32, version: String, queues: [String], slots: Int, lease: Duration
    ) {
        self.namespace = namespace
        self.worker = worker
        self.host = host
        self.processID = processID
        self.version = version
        self.queues = queues
        self.slots = slots
        self.lease = lease
    }
}

/// The identity of a task: there is at most one for a step of a run.
public struct TaskKey: Sendable, Hashable {
    /// The run.
    public let runID: RunID
    /// The step.
    public let path: StepPath

    /// The task of a step.
    public init(runID: RunID, path: StepPath) {
        self.runID = runID
        self.path = path
    }
}

/// A task under this session's lease.
public struct ClaimedTask: Sendable {
    /// Which task.
    public let key: TaskKey
    /// The proof of the lease.
    public let fence: Fence
    /// The number of the attempt, from 1.
    public let attempt: Int
    /// The version that the run keeps.
    public let version: VersionID
    /// The step's number within the version.
    public let stepIndex: Int
    /// What the agent is given.
    public let input: JSONText
    /// When it was claimed, by the database's clock.
    public let claimedAt: Timestamp
}

/// The outcome of a claimed task.
public struct SettledTask: Sendable {
    /// Which task.
    public let key: TaskKey
    /// The proof of the lease.
    public let fence: Fence
    /// How the attempt ended.
    public let status: AttemptStatus
    /// The answer.
    public let output: JSONText?
    /// What went wrong.
    public let failure: Failure?
    /// What is kept with the attempt: status, timing, exit code, log.
    public let details: JSONText?

    /// An outcome.
    public init(
        key: TaskKey, fence: Fence, status: AttemptStatus, output: JSONText? = nil, failure: Failure? = nil, details: JSONText? = nil
    ) {
        self.key = key
        self.fence = fence
        self.status = status
        self.output = output
        self.failure = failure
        self.details = details
    }
}

/// What a heartbeat brings back.
public struct Orders: Sendable {
    /// Attempts that are no longer wanted. Cancel them, and settle them as cancelled.
    public let cancels: [(key: TaskKey, fence: Fence)]
}

/// The queue as one worker sees it through one connection.
public enum TaskQueue {
    private static let deadSession = SQLState(rawValue: "SK001")
    private static let unknownName = SQLState(rawValue: "SK004")

    /// Registers a session; its lease begins now.
    public static func register(
        _ worker: WorkerDescription, on connection: PostgresConnection
    ) async throws(TaskQueueError) -> SessionID {
        do throws(PostgresError) {
            let rows = try await connection.query(
                "select skein.register_session_v1($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    .text(worker.namespace), .text(worker.worker), .text(worker.host), .int32(worker.processID), .text(worker.version),
                    .textArray(worker.queues), .int32(Int32(clamping: worker.slots)),
                    .int32(Int32(clamping: worker.lease.wholeMicroseconds / 1000)),
                ])
            return SessionID(rows[0].int64(0))
        } catch {
            throw error.sqlState == unknownName ? .unknownNamespace(worker.namespace) : .unavailable(error)
        }
    }

    /// Renews the session's lease, and with it every task that the session holds.
    ///
    /// Call it every third of the lease, on a connection kept for it. When no renewal has been confirmed for 80 % of the lease, counted
    /// from when the last good one was sent, claim nothing more.
    public static func heartbeat(
        _ session: SessionID, draining: Bool, on connection: PostgresConnection
    ) async throws(TaskQueueError) -> Orders {
        let rows: Rows
        do throws(PostgresError) {
            rows = try await connection.query("select * from skein.heartbeat_v1($1, $2)", [.int64(session.rawValue), .bool(draining)])
        } catch {
            throw .unavailable(error)
        }
        guard let row = rows.first else { throw .sessionDead }
        let cancels = row.textOrNull(1).flatMap { try? JSONValue(parsing: $0) }?.arrayValue ?? []
        return Orders(
            cancels: cancels.compactMap { cancel in
                guard let run = cancel["run"]?.stringValue.flatMap({ RunID($0) }), let path = cancel["path"]?.stringValue,
                    let fence = cancel["fence"]?.stringValue.flatMap({ Int64($0) })
                else { return nil }
                return (TaskKey(runID: run, path: StepPath(path)), Fence(fence))
            })
    }

    /// Settles outcomes and claims new tasks, in one round trip and one durable commit.
    ///
    /// - Parameters:
    ///   - outcomes: what is reported; may be empty.
    ///   - limit: how many tasks may be claimed; 0 only settles.
    ///   - notice: who is to be woken when outcomes are committed.
    /// - Returns: for each outcome whether its lease still held (false: the task has passed on to somebody else and the result is no
    ///   longer this worker's to report), and the tasks that are now under this session's lease.
    public static func exchange(
        _ session: SessionID, settling outcomes: [SettledTask], claimingUpTo limit: Int, notifying notice: CommitNotice? = nil,
        on connection: PostgresConnection
    ) async throws(TaskQueueError) -> (kept: [Bool], claimed: [ClaimedTask]) {
        var batch: [(SQL, [Parameter])] = []
        if !outcomes.isEmpty { batch.append((settleStatement, settleParameters(session, outcomes))) }
        if limit > 0 { batch.append((claimStatement, [.int64(session.rawValue), .int32(Int32(clamping: limit))])) }
        guard !batch.isEmpty else { return ([], []) }
        var answers: [Rows]
        do throws(PostgresError) {
            answers = try await connection.pipeline(batch, notifying: outcomes.isEmpty ? nil : notice)
        } catch {
            // The claim of a dead session undoes the settle that came with it. Whatever the session still holds may be settled alone.
            guard error.sqlState == deadSession else { throw .unavailable(error) }
            throw .sessionDead
        }
        var kept = [Bool](repeating: false, count: outcomes.count)
        if !outcomes.isEmpty {
            for row in answers.removeFirst() { kept[Int(row.int32(0)) - 1] = true }
        }
        return (kept, (answers.first ?? nil).map { rows in rows.map(claimedTask) } ?? [])
    }

    /// Gives back what the session holds without knowing it: tasks of a claim whose answer was lost.
    ///
    /// Call it after an exchange that failed, before the next one, and again from time to time: the server may still be at the claim. Without
    /// it such tasks would stay leased for as long as the session lives.
    ///
    /// - Parameter known: the fences of everything that this worker is working on or has to report.
    /// - Returns: how many tasks were given back.
    public static func releaseStrays(
        _ session: SessionID, known: [Fence], on connection: PostgresConnection
    ) async throws(TaskQueueError) -> Int {
        do throws(PostgresError) {
            let rows = try await connection.query(
                "select skein.release_strays_v1($1, $2)", [.int64(session.rawValue), .int64Array(known.map(\.rawValue))])
            return Int(rows[0].int32(0))
        } catch {
            throw .unavailable(error)
        }
    }

    /// Ends a session that holds nothing any more.
    public static func close(_ session: SessionID, on connection: PostgresConnection) async throws(TaskQueueError) {
        do throws(PostgresError) {
            _ = try await connection.query("select skein.close_session_v1($1)", [.int64(session.rawValue)])
        } catch {
            throw .unavailable(error)
        }
    }

    /// What a worker must know to carry out steps: `{"agent": …, "timeoutMilliseconds": …}` of each. The same for every run of a version.
    ///
    /// - Returns: the steps that are known, in any order.
    public static func stepCalls(
        of steps: [(version: VersionID, stepIndex: Int)], on connection: PostgresConnection
    ) async throws(TaskQueueError) -> [(version: VersionID, stepIndex: Int, call: JSONText)] {
        do throws(PostgresError) {
            return try await connection.query(
                "select version_id, step_index, call from skein.step_calls_v1($1, $2)",
                [.int64Array(steps.map(\.version.rawValue)), .int32Array(steps.map { Int32(clamping: $0.stepIndex) })]
            ).map { (VersionID($0.int64(0)), Int($0.int32(1)), JSONText(trusted: $0.text(2))) }
        } catch {
            throw .unavailable(error)
        }
    }

    private static let settleStatement: SQL = "select skein.settle_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8)"
    private static let claimStatement: SQL = "select * from skein.claim_tasks_v1($1, $2)"

    private static func settleParameters(_ session: SessionID, _ outcomes: [SettledTask]) -> [Parameter] {
        [
            .int64(session.rawValue),
            .uuidArray(outcomes.map { UUIDPair(high: $0.key.runID.uuid.high, low: $0.key.runID.uuid.low) }),
            .textArray(outcomes.map(\.key.path.text)),
            .int64Array(outcomes.map(\.fence.rawValue)),
            .textArray(outcomes.map(\.status.rawValue)),
            .textArray(outcomes.map { $0.output?.text }),
            .textArray(outcomes.map { $0.failure?.json.compactText }),
            .textArray(outcomes.map { $0.details?.text }),
        ]
    }

    private static func claimedTask(_ row: Row) -> ClaimedTask {
        let run = row.uuid(0)
        return ClaimedTask(
            key: TaskKey(runID: RunID(UUIDBytes(high: run.high, low: run.low)), path: StepPath(row.text(1))), fence: Fence(row.int64(2)),
            attempt: Int(row.int32(3)), version: VersionID(row.int64(4)), stepIndex: Int(row.int32(5)),
            input: JSONText(trusted: row.text(6)), claimedAt: Timestamp(microseconds: row.timestamp(7)))
    }
}
