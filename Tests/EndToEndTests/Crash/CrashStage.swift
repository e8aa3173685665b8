// Where crash points are played: a coordinator and a worker whose crash points a test sets, an agent, and one database for all of them.

#if DEBUG
import Faults
import Foundation
import Postgres
import PostgresTestKit
import Synchronization
import Testing
import WorkflowModel

/// A coordinator and a worker under test. Scenarios are played on them one after another.
final class CrashStage: Sendable {
    let cluster: Cluster
    let agent: AgentServer
    let coordinator: ArmedProcess
    let worker: ArmedProcess
    // Those who go on while one of the others is stopped.
    let secondCoordinator: ServerProcess
    let secondWorker: ServerProcess
    private let number = Mutex(0)
    private let respondent: Mutex<ServerProcess>
    /// How many late results were refused by the database so far.
    private let refusals = Mutex(0)

    var refusedCount: Int { refusals.withLock { $0 } }

    private static let settings = [
        "SKEIN_LEASE": "500ms", "SKEIN_POLL_INTERVAL": "500ms", "SKEIN_DRAIN_TIMEOUT": "5s", "SKEIN_HISTORY_RETENTION": "60d",
    ]

    /// How long a run may take to its end.
    private let patience: Duration

    /// - Parameter planted: a fault that all processes have.
    init(on cluster: Cluster, planted: PlantedFault? = nil, patience: Duration = .seconds(20)) async throws {
        self.cluster = cluster
        self.patience = patience
        let plant = planted.map { ["SKEIN_PLANT": $0.rawValue] } ?? [:]
        agent = try await AgentServer.start(Self.echo)
        coordinator = try ArmedProcess("coordinator-1", in: cluster.directory) { settings in
            try Self.coordinator("coordinator-1", cluster, settings.merging(plant) { $1 })
        }
        worker = try ArmedProcess("worker-1", in: cluster.directory) { settings in
            try Self.worker("worker-1", cluster, settings.merging(plant) { $1 })
        }
        secondCoordinator = try Self.coordinator("coordinator-2", cluster, plant)
        secondWorker = try Self.worker("worker-2", cluster, plant)
        respondent = Mutex(coordinator.process)
    }

    private static func coordinator(_ name: String, _ cluster: Cluster, _ own: [String: String]) throws -> ServerProcess {
        try cluster.process(
            name, binary: "skein-coordinator", arguments: ["--port", "0"], settings: settings.merging(own) { $1 })
    }

    private static func worker(_ name: String, _ cluster: Cluster, _ own: [String: String]) throws -> ServerProcess {
        try cluster.process(name, binary: "skein-worker", arguments: ["--name", name], settings: settings.merging(own) { $1 })
    }

    /// Starts everything, with the workflows that scenarios need.
    func begin() async throws {
        try await coordinator.startReady()
        try await worker.startReady()
        for (name, source) in Self.workflows(agent.url()) { _ = try await answered("PUT", "/api/v1/workflows/\(name)", source, type: "application/yaml") }
    }

    /// A number that no scenario before had.
    func nextNumber() -> Int {
        number.withLock { number in
            number += 1
            return number
        }
    }

    // MARK: Requests

    /// Sends a request once, whatever becomes of it.
    func attempt(_ method: String, _ path: String, _ body: String? = nil, type: String = "application/json") async -> AdminAnswer? {
        guard let port = respondent.withLock({ $0 }).knownPort else { return nil }
        return try? await AdminClient(port: port).request(method, path, body: body, type: type, timeout: .seconds(3))
    }

    /// Sends a request until it is answered, as a client does that was told nothing.
    @discardableResult
    func answered(_ method: String, _ path: String, _ body: String? = nil, type: String = "application/json") async throws -> AdminAnswer {
        var last: AdminAnswer?
        try await waitUntil("\(method) \(path) is answered", deadline: .seconds(20)) {
            last = await attempt(method, path, body, type: type)
            return last.map { $0.status < 500 } ?? false
        }
        guard let last else { throw HarnessError("no answer") }
        return last
    }

    /// Starts a run; the same key gives the same run, and is its input.
    func start(_ workflow: String, key: String) async throws -> String {
        let answer = try await answered("POST", "/api/v1/runs", Self.startBody(workflow, key))
        guard let run = answer.json["run_id"]?.stringValue else { throw HarnessError("no run was started: \(answer)") }
        return run
    }

    static func startBody(_ workflow: String, _ key: String) -> String {
        (["workflow": .string(workflow), "input": ["key": .string(key)], "key": .string(key)] as JSONValue).compactText
    }

    func order(_ run: String, _ verb: String, _ body: JSONValue = [:]) async throws {
        let answer = try await answered("POST", "/api/v1/runs/\(run):\(verb)", body.compactText)
        // What had its effect already is refused as a conflict.
        guard answer.status < 300 || answer.status == 409 else { throw HarnessError("\(verb) of \(run) was refused: \(answer)") }
    }

    // MARK: Expectations

    /// The run's ending and its output.
    @discardableResult
    func ended(_ run: String) async throws -> (status: String, output: JSONValue) {
        var found: Row?
        try await waitUntil("the run \(run) has ended", deadline: patience) {
            found = try await cluster.query("select status::text, output from skein.ended_run where run_id = '\(run)'").first
            return found != nil
        }
        guard let found else { throw HarnessError("the run \(run) is gone") }
        return (found.text(0), found.textOrNull(1).flatMap { try? JSONValue(parsing: $0) } ?? .null)
    }

    /// Each step of the run has the result of the attempt that was granted last, and the agent was called for it with one key.
    func expectLastFences(_ run: String, _ point: CrashPoint) async throws {
        let calls = Dictionary(grouping: agent.calls.filter { $0.run == run }, by: \.step)
        for row in try await cluster.query("select path, fence, output from skein.step where run_id = '\(run)' and fence is not null") {
            let made = calls[row.text(0)] ?? []
            let output = row.textOrNull(2).flatMap { try? JSONValue(parsing: $0) }
            #expect(made.map(\.fence).max() == row.int64(1), "\(point): the result of \(row.text(0)) is not the last attempt's")
            #expect(output?["fence"]?.intValue == row.int64(1), "\(point): the result of \(row.text(0)) is another attempt's")
            #expect(Set(made.map(\.key)).count == 1, "\(point): \(row.text(0)) was called with several keys")
        }
    }

    // MARK: Playing

    /// Plays one scenario: the process reaches the point, what is planned happens, and everything comes out as it must.
    func play(_ plan: CrashPlan) async throws {
        let (point, action) = (plan.point, plan.action)
        let act = try act(for: point)
        try await act.prepare()
        let victim = act.victim
        try victim.arm(plan)
        if act.isStart { try victim.process.start() }
        let work = act.trigger
        let trigger = Task { try await work() }
        try await victim.waitUntilReached(point)
        switch action {
        case .kill:
            let ending = try await victim.process.ending()
            #expect(ending == .signaled(SIGKILL), "\(point)")
            try victim.disarm()
            try await victim.startReady()
        case .lose:
            try victim.disarm()
            if act.isStart { try await victim.process.waitUntilReady() }
        case .pause:
            try await victim.waitUntilStopped()
            try victim.disarm()
            try await (act.victim === worker ? sleepThroughLease(act, point) : sleepThroughWork(act))
        }
        if act.endsWorker, action != .kill {
            let ending = try await worker.process.ending()
            #expect(ending == .exited(0), "\(point)")
            try await worker.startReady()
        }
        // Requests that were cut off are repeated by the act.
        _ = try await trigger.value
        try await act.finish()
        try await expectClean("\(point) \(action.rawValue)")
    }

    /// The server crashes while the process stands still at the point: what was not on the disk is gone, and the process knows nothing of it.
    func playServerCrash(at point: CrashPoint) async throws {
        guard let server = cluster.server else { throw HarnessError("the stage needs a server of its own") }
        let act = try act(for: point)
        try await act.prepare()
        try act.victim.arm(CrashPlan(point, .pause))
        let work = act.trigger
        let trigger = Task { try await work() }
        try await act.victim.waitUntilReached(point)
        try await act.victim.waitUntilStopped()
        try act.victim.disarm()
        server.crash()
        try server.start()
        act.victim.process.send(SIGCONT)
        _ = try await trigger.value
        try await act.finish()
        try await expectClean("\(point), the server crashed")
    }

    private func expectClean(_ comment: Comment) async throws {
        // What a killed worker held has to be noticed first.
        var found: [String] = []
        try? await waitUntil("all promises are kept", deadline: .seconds(5)) {
            found = try await cluster.violations()
            return found.isEmpty
        }
        #expect(found.isEmpty, comment)
    }

    // The worker is stopped. Its lease runs out and others do its work; then it goes on, and changes nothing.
    private func sleepThroughLease(_ act: CrashAct, _ point: CrashPoint) async throws {
        try await endIdleTransactions("skein-worker")
        try secondWorker.start()
        try await secondWorker.waitUntilReady()
        try await waitUntil("the stopped worker's session is dead") {
            try await cluster.count("select count(*) from skein.worker_session where worker = 'worker-1' and reaped_at is null") == 0
        }
        let runs = act.runs().map { "'\($0)'" }.joined(separator: ",")
        if !runs.isEmpty {
            try await waitUntil("the work has passed on to the other worker") {
                try await cluster.count(
                    """
                    select count(*) from skein.run r where r.run_id in (\(runs)) and not exists (
                      select from skein.task t join skein.worker_session s using (session_id)
                       where t.run_id = r.run_id and t.state = 'leased' and s.worker = 'worker-2')
                    """) == 0
            }
        }
        let before = worker.process.logged.utf8.count
        worker.process.send(SIGCONT)
        if let late = act.late {
            try await waitUntil("the late result of \(point) is dropped") {
                let dropped = droppedResults(after: before)
                return late == .refused ? dropped.refused > 0 : dropped.all > 0
            }
            refusals.withLock { $0 += droppedResults(after: before).refused }
        }
        for run in act.runs() { try await ended(run) }
        // The worker is of use again before the other one goes.
        if !act.endsWorker {
            try await waitUntil("the worker has a new session") {
                try await cluster.count(
                    "select count(*) from skein.worker_session where worker = 'worker-1' and dead_at is null and lease_until > clock_timestamp()") == 1
            }
        }
        await secondWorker.crash()
    }

    // What the worker says of results that count no more: those that the database refused, and those it did not even report.
    private func droppedResults(after length: Int) -> (refused: Int, all: Int) {
        let lines = String(decoding: worker.process.logged.utf8.dropFirst(length), as: UTF8.self).split(separator: "\n")
            .filter { $0.contains("Result dropped") }
        return (lines.count { $0.contains("the database refused it") }, lines.count)
    }

    // The coordinator is stopped in mid-work. Another one goes on; then it wakes, and finds that things have moved.
    private func sleepThroughWork(_ act: CrashAct) async throws {
        try await endIdleTransactions("skein-coordinator")
        try secondCoordinator.start()
        try await secondCoordinator.waitUntilReady()
        respondent.withLock { $0 = secondCoordinator }
        try await act.finish()
        coordinator.process.send(SIGCONT)
        respondent.withLock { $0 = coordinator.process }
        try await waitUntil("the coordinator is ready again") { await attempt("GET", "/readyz")?.status == 200 }
        await secondCoordinator.crash()
        // It works by itself again.
        let run = try await start("pair", key: "proof-\(nextNumber())")
        try await ended(run)
    }

    // As the server does by itself with a transaction that its client has forgotten, after `idle_in_transaction_session_timeout`.
    private func endIdleTransactions(_ program: String) async throws {
        _ = try await cluster.query(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = '\(program)' and state = 'idle in transaction'
            """)
    }
}
#endif
