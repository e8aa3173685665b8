// A database of its own for each test.

public import Postgres
import Schema

/// A fresh database on the test server.
///
/// It is dropped when the last reference to it goes away, by force, so a test that fails leaves nothing that disturbs another.
public final class TestDatabase: Sendable {
    /// Its name on the server.
    public let name: String
    /// How to connect to it.
    public let configuration: PostgresConfiguration
    private let server: TestServer

    private init(name: String, server: TestServer) throws(PostgresError) {
        self.name = name
        self.server = server
        configuration = try server.configuration.database(named: name)
    }

    deinit {
        let (name, server) = (name, server)
        // Nobody is left who could wait for this; the server drops what remains when it goes.
        Task.detached {
            try? await Self.administer(server) { db throws(PostgresError) in
                try db.script("drop database if exists \(name) with (force)")
            }
        }
    }

    /// A database with the product's schema, or an empty one.
    public static func create(migrated: Bool = true, on server: TestServer? = nil) async throws -> TestDatabase {
        let shared = try TestServer.shared()
        let name = "test_\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        // Only the shared server keeps a template; on any other the schema is laid directly.
        let template = migrated && server == nil ? try await Template.shared.name(on: shared) : nil
        let statement = "create database \(name)" + (template.map { " template \($0)" } ?? "")
        try await administer(server ?? shared) { db throws(PostgresError) in try db.script(statement) }
        let database = try TestDatabase(name: name, server: server ?? shared)
        if migrated && server != nil {
            let connection = try await database.connect()
            _ = try await Migrator.migrate(connection)
            await connection.close()
        }
        return database
    }

    /// The connection string, for processes that a test starts.
    public var url: String { configuration.connectionString }

    /// A connection to it.
    public func connect(
        applicationName: String = "test", _ adjust: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws(PostgresError) -> PostgresConnection {
        var configuration = configuration
        configuration.applicationName = applicationName
        adjust(&configuration)
        return try await PostgresConnection.connect(configuration)
    }

    /// A pool of connections to it.
    public func pool(size: Int, waitTimeout: Duration = .seconds(5)) -> PostgresPool {
        PostgresPool(configuration, size: size, waitTimeout: waitTimeout)
    }

    /// Returns when this many sessions of the database wait for a lock, which is how a test knows that two of them have met.
    public func waitUntilBlocked(sessions: Int = 1, deadline: Duration = .seconds(10)) async throws {
        let observer = try await connect(applicationName: "observer")
        try await waitUntil("\(sessions) sessions are blocked on a lock", deadline: deadline) {
            let rows = try await observer.query(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
            return rows[0].int64(0) >= sessions
        }
        await observer.close()
    }

    /// Ends a session of this database from the server's side, and returns when it is gone.
    public func terminate(_ backendProcessID: Int32) async throws {
        try await Self.administer(server) { db throws(PostgresError) in
            _ = try db.query("select pg_terminate_backend($1)", [.int32(backendProcessID)])
        }
        let observer = try await connect(applicationName: "observer")
        try await waitUntil("session \(backendProcessID) is gone") {
            try await observer.query("select 1 from pg_stat_activity where pid = $1", [.int32(backendProcessID)]).isEmpty
        }
        await observer.close()
    }

    fileprivate static func administer<R: Sendable>(
        _ server: TestServer, _ body: @Sendable (isolated PostgresConnection) throws(PostgresError) -> R
    ) async throws(PostgresError) -> R {
        let connection = try await PostgresConnection.connect(server.configuration)
        let result = try await body(connection)
        await connection.close()
        return result
    }
}

/// The migrated database that others are copied from: much faster than to migrate each.
private actor Template {
    static let shared = Template()
    private var making: Task<String, any Error>?

    func name(on server: TestServer) async throws -> String {
        if let making { return try await making.value }
        let task = Task { try await make(on: server) }
        making = task
        return try await task.value
    }

    private func make(on server: TestServer) async throws -> String {
        let name = "template_\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        try await TestDatabase.administer(server) { db throws(PostgresError) in try db.script("create database \(name)") }
        let connection = try await PostgresConnection.connect(try server.configuration.database(named: name))
        _ = try await Migrator.migrate(connection)
        await connection.close()
        return name
    }
}
