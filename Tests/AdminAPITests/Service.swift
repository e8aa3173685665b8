// An API over a database of its own, and a worker and a fold that the test plays by hand.

import AdminAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Postgres
import PostgresTestKit
import RunStore
import Telemetry
import Testing
import WorkflowModel

/// An answer, read.
struct Answer {
    let status: Int
    let text: String
    let fields: HTTPFields

    var json: JSONValue { (try? JSONValue(parsing: text, limits: JSONLimits(bytes: 64 << 20, depth: 200))) ?? .null }
    var items: [JSONValue] { json["items"]?.arrayValue ?? [] }
    var code: String { json["code"]?.stringValue ?? "" }

    subscript(name: String) -> JSONValue? { json[name] }
}

/// The service that a test talks to.
final class Service: Sendable {
    let database: TestDatabase
    let connection: PostgresConnection
    let pool: PostgresPool
    let store: RunStore
    let api: AdminAPI
    let readiness: Readiness
    let metrics = MetricsRegistry(showing: MetricName.ofCoordinator)

    private init(
        _ database: TestDatabase, _ connection: PostgresConnection, poolSize: Int, patience: Duration, address: PostgresConfiguration?,
        _ configuration: AdminConfiguration
    ) {
        self.database = database
        self.connection = connection
        let log = LogBootstrap.logger(label: "test", level: .critical, format: .text) { _ in }
        var settings = address ?? database.configuration
        settings.statementTimeout = .seconds(10)
        pool = PostgresPool(settings, size: poolSize, waitTimeout: patience)
        store = RunStore()
        readiness = Readiness(settings, log: log)
        api = AdminAPI(
            configuration, pool: pool, store: store, readiness: readiness, log: log, metrics: metrics, wakeWorkers: {}, wakeFold: {}, noteSubmits: { _ in })
    }

    /// Runs `body` against a service whose background work goes on meanwhile.
    static func run<R: Sendable>(
        migrated: Bool = true, poolSize: Int = 4, patience: Duration = .seconds(5), address: PostgresConfiguration? = nil,
        _ configuration: AdminConfiguration = AdminConfiguration(allowNoop: true, version: "test"), _ body: (Service) async throws -> R
    ) async throws -> R {
        let database = try await TestDatabase.create(migrated: migrated)
        let connection = try await database.connect()
        let service = Service(database, connection, poolSize: poolSize, patience: patience, address: address, configuration)
        _ = await service.readiness.check()
        let background = Task { await service.api.run() }
        defer {
            background.cancel()
            service.pool.close()
        }
        return try await body(service)
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, fields: HTTPFields = [:]
    ) async throws -> Answer {
        try await send(method, path, bytes: body.map { ByteBuffer(string: $0) }, fields: fields)
    }

    func send(_ method: HTTPRequest.Method, _ path: String, bytes: ByteBuffer?, fields: HTTPFields) async throws -> Answer {
        let application = Application(responder: api.responder)
        return try await application.test(.router) { client in
            try await client.execute(uri: path, method: method, headers: fields, body: bytes) { response in
                Answer(status: response.status.code, text: String(buffer: response.body), fields: response.headers)
            }
        }
    }

    func get(_ path: String, fields: HTTPFields = [:]) async throws -> Answer { try await send(.get, path, fields: fields) }
    func post(_ path: String, _ body: JSONValue, fields: HTTPFields = [:]) async throws -> Answer {
        try await send(.post, path, body.compactText, fields: fields)
    }

    @discardableResult
    func apply(_ name: String, _ source: String) async throws -> Answer { try await send(.put, "/api/v1/workflows/\(name)", source) }

    /// A workflow of one step that waits for a worker.
    @discardableResult
    func applyWaiting(_ name: String = "waiting") async throws -> Answer {
        try await apply(name, "workflow: \(name)\nagents: { nothing: { kind: noop } }\nsteps: [ { id: only, agent: nothing, with: 7 } ]")
    }

    /// A workflow that ends as soon as it is submitted.
    @discardableResult
    func applyImmediate(_ name: String = "immediate") async throws -> Answer {
        try await apply(name, "workflow: \(name)\nsteps: [ { id: only, set: 1 } ]")
    }

    func start(_ workflow: String, _ more: [(String, JSONValue)] = []) async throws -> String {
        var body = JSONObject()
        body["workflow"] = .string(workflow)
        for (name, value) in more { body[name] = value }
        let answer = try await post("/api/v1/runs", .object(body))
        return try #require(answer["run_id"]?.stringValue, "\(answer.text)")
    }

    func fold() async throws { _ = try await store.fold(upTo: 200, on: connection) }

    /// Lets a worker take everything that is ready and succeed with `output`, and folds it.
    func work(output: String = "1") async throws {
        let session = try await connection.query(
            "select skein.register_session_v1('default', 'hand', 'localhost', 1, 'test', array['default'], 100, 10000)")[0].int64(0)
        let tasks = try await connection.query("select run_id, path, fence from skein.claim_tasks_v1($1, 100)", [.int64(session)])
        let count = tasks.count
        _ = try await connection.query(
            "select skein.settle_tasks_v1($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                .int64(session), .uuidArray(tasks.map { $0.uuid(0) }), .textArray(tasks.map { $0.text(1) }), .int64Array(tasks.map { $0.int64(2) }),
                .textArray(Array(repeating: "succeeded", count: count)), .textArray(Array(repeating: output, count: count)),
                .textArray(Array(repeating: nil, count: count)), .textArray(Array(repeating: nil, count: count)),
            ])
        try await fold()
    }
}

extension HTTPFields {
    static func with(_ name: String, _ value: String) -> HTTPFields {
        var fields = HTTPFields()
        if let name = HTTPField.Name(name) { fields[name] = value }
        return fields
    }

    static func key(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }
}
