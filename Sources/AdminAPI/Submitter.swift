// Group commit: submits that come at the same time share a transaction.

#if DEBUG
import Faults
#endif
import Logging
import Postgres
import RunStore
import Synchronization
import Telemetry
import WorkflowModel

/// Why a submit got no answer.
enum SubmitFailure: Error {
    /// The queue is full; nothing was done.
    case overloaded
    /// The database could not be asked in time, or refused.
    case database(PostgresError)
    /// The service is stopping.
    case stopping
}

/// Collects submits and sends them together on a connection of its own: at once when it is idle, otherwise everything that came meanwhile.
final class Submitter: Sendable {
    /// The most requests of one transaction.
    static let batchLimit = 500

    private struct Waiting {
        let requests: [SubmitRequest]
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Result<[SubmitAnswer], SubmitFailure>, Never>
    }

    private struct State {
        var queue: [Waiting] = []
        var count = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wakeup = Wakeup()
    private let store: RunStore
    private let database: PostgresConfiguration
    private let timeout: Duration
    // The most requests that may wait.
    private let waitingLimit: Int
    private let note: @Sendable (FoldReport) -> Void
    private let log: Logger
    private let metrics: MetricsRegistry

    init(
        store: RunStore, database: PostgresConfiguration, timeout: Duration, waitingLimit: Int, log: Logger, metrics: MetricsRegistry,
        note: @escaping @Sendable (FoldReport) -> Void
    ) {
        self.store = store
        self.database = database
        self.timeout = timeout
        self.waitingLimit = waitingLimit
        self.log = log
        self.metrics = metrics
        self.note = note
    }

    /// Whether as many requests wait as may, so that none more is taken.
    var isFull: Bool { state.withLock { $0.count >= waitingLimit } }

    /// Submits requests, at most `batchLimit` of them, in one transaction. When this returns, what was accepted is durable.
    func submit(_ requests: [SubmitRequest]) async throws(SubmitFailure) -> [SubmitAnswer] {
        precondition(requests.count <= Self.batchLimit, "More requests at once than fit into one transaction.")
        let deadline = ContinuousClock.now + timeout
        // A request without a key is sent again, too, when nobody knows what became of it.
        var repeatable = requests
        for index in repeatable.indices where repeatable[index].key == nil { repeatable[index].ticket = SubmitTicket() }
        #if DEBUG
        if PlantedFault.submitWithoutTicket.isPlanted { repeatable = requests }
        #endif
        let complete = repeatable
        return try await withCheckedContinuation { continuation in
            let refusal = state.withLock { state -> SubmitFailure? in
                if state.isStopped { return .stopping }
                if state.count + complete.count > waitingLimit { return .overloaded }
                state.queue.append(Waiting(requests: complete, deadline: deadline, continuation: continuation))
                state.count += complete.count
                return nil
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) } else { wakeup.signal() }
        }.get()
    }

    /// Works until the task is cancelled, on its connection's thread.
    func run() async {
        let thread = PostgresThread(label: "submit")
        await withTaskExecutorPreference(thread) { await sendUntilCancelled(on: thread) }
    }

    private func sendUntilCancelled(on thread: PostgresThread) async {
        var connection: PostgresConnection?
        var failures = 0
        while !Task.isCancelled {
            let batch = take()
            guard !batch.isEmpty else {
                await wakeup.wait()
                continue
            }
            do throws(PostgresError) {
                let open: PostgresConnection
                if let connection, connection.isUsable {
                    open = connection
                } else {
                    open = try await PostgresConnection.connect(database, on: thread)
                    connection = open
                }
                try await send(batch, on: open)
                failures = 0
            } catch {
                failures += 1
                if error.wantsReconnect { connection = nil }
                metrics.count(.postgresErrors, error.code.rawValue)
                if failures == 1 || failures % 20 == 0 {
                    log.warning("Runs could not be submitted; trying again", metadata: [.error: "\(error)", .count: "\(failures)"])
                }
                putBack(batch, after: error)
                try? await Task.sleep(for: .milliseconds(min(1000, 25 << min(failures, 6))))
            }
        }
        await connection?.close()
        stop()
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            var taken: [Waiting] = []
            var count = 0
            for waiting in state.queue {
                guard taken.isEmpty || count + waiting.requests.count <= Self.batchLimit else { break }
                taken.append(waiting)
                count += waiting.requests.count
            }
            state.queue.removeFirst(taken.count)
            state.count -= count
            return taken
        }
    }

    // A batch that the database refuses for a reason of its contents is halved until the one that is to blame stands alone.
    private func send(_ batch: [Waiting], on connection: PostgresConnection) async throws(PostgresError) {
        do throws(PostgresError) {
            let answers = try await store.submit(batch.flatMap(\.requests), on: connection, note: note)
            var place = 0
            var accepted = 0
            for waiting in batch {
                let own = Array(answers[place..<place + waiting.requests.count])
                place += waiting.requests.count
                waiting.continuation.resume(returning: .success(own))
                for case .accepted(_, _, isReplay: false) in own { accepted += 1 }
            }
            if accepted > 0 { metrics.count(.runsSubmitted, by: accepted) }
        } catch {
            guard !error.isTransient, !Self.isCrossed(batch, error) else { throw error }
            if batch.count == 1 {
                log.error("A submit was refused by the database", metadata: [.error: "\(error.debugDescription)"])
                batch[0].continuation.resume(returning: .failure(.database(error)))
                return
            }
            let middle = batch.count / 2
            try await sendOrPutBack(Array(batch[..<middle]), on: connection)
            try await sendOrPutBack(Array(batch[middle...]), on: connection)
        }
    }

    // The server is still at an earlier attempt, or has just committed it.
    private static func isCrossed(_ batch: [Waiting], _ error: PostgresError) -> Bool {
        error.sqlState == .uniqueViolation && batch.contains { $0.requests.contains { $0.ticket?.runID != nil } }
    }

    // Half of a batch: its failure must not be mistaken for one of the whole, whose other half may have its answers already.
    private func sendOrPutBack(_ batch: [Waiting], on connection: PostgresConnection) async throws(PostgresError) {
        do throws(PostgresError) {
            try await send(batch, on: connection)
        } catch {
            putBack(batch, after: error)
        }
    }

    private func putBack(_ batch: [Waiting], after error: PostgresError) {
        let now = ContinuousClock.now
        let (late, patient) = (batch.filter { $0.deadline <= now }, batch.filter { $0.deadline > now })
        for waiting in late { waiting.continuation.resume(returning: .failure(.database(error))) }
        let expired = state.withLock { state -> [Waiting] in
            let expired = state.queue.filter { $0.deadline <= now }
            state.queue = patient + state.queue.filter { $0.deadline > now }
            state.count = state.queue.reduce(0) { $0 + $1.requests.count }
            return expired
        }
        for waiting in expired { waiting.continuation.resume(returning: .failure(.database(error))) }
        if !patient.isEmpty { wakeup.signal() }
    }

    private func stop() {
        let left = state.withLock { state in
            defer { state.queue = [] }
            state.isStopped = true
            return state.queue
        }
        for waiting in left { waiting.continuation.resume(returning: .failure(.stopping)) }
    }
}
