// The worker: one loop that reports and claims, one that renews the lease, and the calls under way between them.

import AgentCalls
import Crypto
public import Logging
import Postgres
public import ServiceLifecycle
import TaskQueue
public import Telemetry
import WorkflowModel

/// A stateless worker. Kill it whenever you like: what it was working on runs elsewhere once its lease is over.
public final class Worker: Service {
    let configuration: WorkerConfiguration
    let state: WorkerState
    let log: Logger
    let metrics: MetricsRegistry
    private let caller: AgentCaller
    let calls: StepCalls
    private let pool: PostgresPool
    private let notifier: PostgresNotifier
    /// Wakes the coordinators: there are outcomes.
    let outcomesNotice: CommitNotice
    private let listener: PostgresListener

    /// A worker; nothing happens before `run`.
    public init(_ configuration: WorkerConfiguration, log: Logger, metrics: MetricsRegistry = MetricsRegistry(showing: MetricName.ofWorker)) {
        self.configuration = configuration
        self.log = log
        self.metrics = metrics
        state = WorkerState(slots: configuration.slots)
        caller = AgentCaller(settings: configuration.calls)
        pool = PostgresPool(configuration.database, size: 2)
        calls = StepCalls(pool: pool)
        notifier = PostgresNotifier(configuration.database)
        outcomesNotice = CommitNotice(notifier, channel: WakeChannel.outcomes)
        listener = PostgresListener(configuration.database, channels: [WakeChannel.tasks]) { [state] _ in
            metrics.count(.notificationsReceived)
            state.noteTasksReady()
        }
        metrics.set(.workerSlots, to: Double(configuration.slots))
    }

    /// Works until the task is cancelled or a graceful shutdown begins; then it claims nothing more, lets calls finish for the drain
    /// time, gives back what is left, and ends its session.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.notifier.run() }
                group.addTask { await self.listener.run() }
                group.addTask { await self.keepLease() }
                group.addTask { await self.stopAfterDrainTime() }
                let thread = PostgresThread(label: "exchange")
                await withTaskExecutorPreference(thread) { await self.exchangeUntilDrained(on: thread) }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.log.info("Draining", metadata: [.count: "\(self.state.runningCount)"])
            self.state.drain()
        }
        await endSession()
        try await close()
    }

    /// Gives up its connections. `run` does so at its end; a worker that is never run needs it as well.
    public func close() async throws {
        pool.close()
        try await caller.shutdown()
    }

    /// Whether the worker has a session and claims tasks.
    public var isRegistered: Bool { if case .alive = state.phase { true } else { false } }

    // When the drain time is over, the calls that are left are ended and given back.
    private func stopAfterDrainTime() async {
        try? await gracefulShutdown()
        guard state.isDraining else { return }
        try? await Task.sleep(for: configuration.drainTimeout)
        if !Task.isCancelled { state.stopAll() }
    }

    private func endSession() async {
        guard let session = state.phase.session else { return }
        do {
            try await pool.withConnection { connection in try await TaskQueue.close(session, on: connection) }
            log.info("Session closed", metadata: [.sessionID: "\(session)"])
        } catch {
            log.warning("The session could not be closed; its lease will run out", metadata: [.sessionID: "\(session)", .error: "\(error)"])
        }
    }

    // MARK: Executions

    func execute(_ execution: Execution) async {
        let task = execution.task
        // When neither the agent nor the database could say anything the task is given back, and the step is tried elsewhere.
        let outcome = await outcome(of: execution) ?? SettledTask(key: task.key, fence: task.fence, status: .released)
        state.finish(execution, outcome)
    }

    private func outcome(of execution: Execution) async -> SettledTask? {
        let task = execution.task
        let call: StepCall
        do {
            switch try await calls.call(for: task) {
            case .success(let found): call = found
            case .failure(let failure): return SettledTask(key: task.key, fence: task.fence, status: .failed, failure: failure)
            }
        } catch {
            log.warning("The step's agent could not be read", metadata: [.runID: "\(task.key.runID)", .error: "\(error)"])
            return nil
        }
        let trace = TraceContext(runHigh: task.key.runID.uuid.high, runLow: task.key.runID.uuid.low)
            .child(step: task.key.path.text, attempt: task.attempt)
        let agentCall = AgentCall(
            agent: call.agent, with: task.input, runID: task.key.runID, path: task.key.path, attempt: task.attempt, fence: task.fence,
            idempotencyKey: Self.idempotencyKey(of: task), timeout: call.timeout, trace: trace)
        let result = await execution.result(of: Task { await self.caller.perform(agentCall) })
        metrics.observe(.agentCallDuration, call.agent.kind.name, result.outcome.name, duration: result.duration)
        return settled(task, result)
    }

    private func settled(_ task: ClaimedTask, _ result: AgentResult) -> SettledTask {
        let details = Self.details(of: result)
        switch result.outcome {
        case .succeeded(let output):
            return SettledTask(key: task.key, fence: task.fence, status: .succeeded, output: output, details: details)
        case .failed(let failure):
            return SettledTask(key: task.key, fence: task.fence, status: .failed, failure: failure, details: details)
        case .timedOut(let failure):
            return SettledTask(key: task.key, fence: task.fence, status: .timedOut, failure: failure, details: details)
        case .cancelled:
            // Ended by us: because the attempt is no longer wanted, or because the drain time was over.
            return SettledTask(key: task.key, fence: task.fence, status: state.isDraining ? .released : .cancelled, details: details)
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    // The same over all attempts of a step: an agent that has seen it answers as it did before.
    static func idempotencyKey(of task: ClaimedTask) -> String {
        let digest = SHA256.hash(data: Array("\(task.key.runID)\n\(task.key.path)\n0".utf8))
        return String(unsafeUninitializedCapacity: 32) { buffer in
            for (index, byte) in digest.prefix(16).enumerated() {
                buffer[2 * index] = Self.digits[Int(byte >> 4)]
                buffer[2 * index + 1] = Self.digits[Int(byte & 15)]
            }
            return 32
        }
    }

    private static func details(of result: AgentResult) -> JSONText? {
        guard let log = result.log, !log.isEmpty else { return result.details }
        var object = result.details?.value.objectValue ?? JSONObject()
        object["log"] = .string(log)
        return JSONText(.object(object))
    }
}
