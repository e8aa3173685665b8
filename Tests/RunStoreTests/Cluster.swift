// A cluster in miniature: a database of its own, a store, and a worker session that the test plays by hand.

import Definitions
import Engine
import Postgres
import PostgresTestKit
import RunStore
import Schema
import TaskQueue
import Testing
import WorkflowModel

final class Cluster: Sendable {
    let database: TestDatabase
    let store = RunStore()
    let connection: PostgresConnection

    private init(database: TestDatabase, connection: PostgresConnection) {
        self.database = database
        self.connection = connection
    }

    static func start() async throws -> Cluster {
        let database = try await TestDatabase.create()
        return Cluster(database: database, connection: try await database.connect())
    }

    func apply(_ source: String) async throws -> AppliedWorkflow {
        try await WorkflowRegistry.apply(
            source, fileName: "test.yaml", options: DecodingOptions(allowNoop: true), on: connection)
    }

    func submit(_ workflow: String, input: JSONValue = [:], key: String? = nil) async throws -> RunID {
        let answers = try await store.submit(
            [SubmitRequest(workflow: workflow, input: JSONText(input), key: key)], on: connection)
        guard case .accepted(let id, _, _) = answers[0] else { throw Unexpected("\(answers[0])") }
        return id
    }

    func register(queues: [String] = ["default"], lease: Duration = .seconds(10)) async throws -> SessionID {
        try await TaskQueue.register(
            WorkerDescription(
                namespace: "default", worker: "test", host: "localhost", processID: 1, version: "test", queues: queues, slots: 100,
                lease: lease), on: connection)
    }

    func claim(_ session: SessionID, upTo limit: Int = 100, on other: PostgresConnection? = nil) async throws -> [ClaimedTask] {
        try await TaskQueue.exchange(session, settling: [], claimingUpTo: limit, on: other ?? connection).claimed
    }

    @discardableResult
    func settle(
        _ session: SessionID, _ tasks: [ClaimedTask], status: AttemptStatus = .succeeded, output: JSONValue? = nil, failure: Failure? = nil
    ) async throws -> [Bool] {
        try await TaskQueue.exchange(
            session,
            settling: tasks.map {
                SettledTask(
                    key: $0.key, fence: $0.fence, status: status, output: status == .succeeded ? output.map { JSONText($0) } ?? $0.input : nil,
                    failure: failure)
            }, claimingUpTo: 0, on: connection
        ).kept
    }

    @discardableResult
    func fold(by store: RunStore? = nil) async throws -> FoldReport {
        try await (store ?? self.store).fold(upTo: 200, on: connection)
    }

    /// Works until nothing moves any more: claims, lets every attempt succeed with its input, folds.
    func work(_ session: SessionID) async throws {
        for _ in 0..<10_000 {
            let tasks = try await claim(session)
            if !tasks.isEmpty { try await settle(session, tasks) }
            let report = try await fold()
            let handed = try await match()
            if tasks.isEmpty, report.runs == 0, handed == 0 { return }
        }
        throw Unexpected("the runs do not end")
    }

    /// Brings events and waits together; answers with how many events were handed out.
    @discardableResult
    func match() async throws -> Int {
        let row = try await connection.query("select handed, looked_at from skein.match_waits_v1(100)")[0]
        return Int(row.int32(0) + row.int32(1))
    }

    /// The database's clock stands still from now on, so far ahead of the real one.
    func travel(by duration: Duration) async throws {
        _ = try await connection.query(
            "select set_config('skein.fake_now', (clock_timestamp() + $1 * interval '1 second')::text, false)", [.double(duration.seconds)])
    }

    /// The first column of all rows.
    func texts(_ sql: String) async throws -> [String] {
        try await connection.query(SQL(sql)).map { $0.textOrNull(0) ?? "null" }
    }

    func output(of run: RunID) async throws -> String? {
        try await text("select output from skein.ended_run where run_id = '\(run)'")
    }

    func status(of run: RunID) async throws -> String {
        try await text("select status from skein.run_overview where run_id = '\(run)'") ?? "none"
    }

    func text(_ sql: String) async throws -> String? {
        try await connection.query(SQL(sql)).first?.textOrNull(0)
    }

    func count(_ sql: String) async throws -> Int {
        Int(try await connection.query(SQL(sql))[0].int64(0))
    }

    /// All invariants: nothing found is good.
    func expectClean(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let results = try await Checks.run(connection)
        for result in results where !result.isGood {
            #expect(result.isGood, "\(result.id) \(result.name): \(result.rows) \(result.failure?.debugDescription ?? "")", sourceLocation: sourceLocation)
        }
        #expect(results.count >= 26, sourceLocation: sourceLocation)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
