// Whether the database can be worked with: reachable, safe, and with a schema that this release understands.

public import Logging
public import Postgres
import Schema
import Synchronization
import Telemetry

/// Looks at the database from time to time, on a connection of its own, and remembers what it saw.
public final class Readiness: Sendable {
    /// What was seen.
    public enum State: Sendable, Hashable {
        /// Nothing yet.
        case unknown
        /// The database could not be asked.
        case unreachable(String)
        /// The schema is missing or older than this release needs: somebody has to migrate.
        case schemaOlder(String)
        /// The schema has changes that this release does not know and that break it.
        case schemaNewer(String)
        /// The server may lose what it confirmed.
        case unsafe(String)
        /// Everything is as it should be; the number is the schema's.
        case ready(schema: Int)

        /// Whether work can be done.
        public var isReady: Bool {
            switch self {
            case .ready: true
            case .unknown, .unreachable, .schemaOlder, .schemaNewer, .unsafe: false
            }
        }
    }

    private struct Seen {
        var state = State.unknown
        // Who wants to know of changes, by number.
        var observers: [Int: AsyncStream<State>.Continuation] = [:]
        var observed = 0
    }

    private let seen = Mutex(Seen())
    private let database: PostgresConfiguration
    private let log: Logger
    private static let pauseWhenReady: Duration = .seconds(5)
    private static let pauseOtherwise: Duration = .milliseconds(500)

    /// A readiness of which nothing is known yet.
    public init(_ database: PostgresConfiguration, log: Logger) {
        var database = database
        database.statementTimeout = .seconds(2)
        self.database = database
        self.log = log
    }

    /// What was seen last.
    public var state: State { seen.withLock { $0.state } }

    /// What was seen last, then each change of it. Who is slow misses what was in between, and the stream ends with the task.
    public var states: AsyncStream<State> {
        let (states, observer) = AsyncStream.makeStream(of: State.self, bufferingPolicy: .bufferingNewest(1))
        let number = seen.withLock { seen in
            seen.observed += 1
            seen.observers[seen.observed] = observer
            observer.yield(seen.state)
            return seen.observed
        }
        observer.onTermination = { [weak self] _ in self?.seen.withLock { $0.observers[number] = nil } }
        return states
    }

    /// Waits until work can be done, or the task is cancelled.
    public func untilReady() async {
        for await state in states where state.isReady { return }
    }

    /// Looks again and again, until the task is cancelled.
    public func run() async {
        var connection: PostgresConnection?
        var known: String?
        while !Task.isCancelled {
            let seen = await look(&connection, &known)
            note(seen)
            try? await Task.sleep(for: seen.isReady ? Self.pauseWhenReady : Self.pauseOtherwise)
        }
        await connection?.close()
    }

    /// Looks once.
    public func check() async -> State {
        var connection: PostgresConnection?
        var known: String?
        let seen = await look(&connection, &known)
        await connection?.close()
        note(seen)
        return seen
    }

    // What a schema is known by. While it is the same, what was found before is true.
    private static let fingerprint: SQL = """
        select current_setting('fsync') || ' ' || (select string_agg(version || checksum, ' ' order by version) from skein.migration) || ' '
               || (select string_agg(name || checksum, ' ' order by name) from skein.function_file)
        """

    private func look(_ connection: inout PostgresConnection?, _ known: inout String?) async -> State {
        do throws(PostgresError) {
            let open: PostgresConnection
            if let connection, connection.isUsable {
                open = connection
            } else {
                open = try await PostgresConnection.connect(database)
                connection = open
                known = nil
            }
            if let before = known, state.isReady, try await open.query(Self.fingerprint)[0].textOrNull(0) == before { return state }
            known = nil
            let fsync = try await open.query("select current_setting('fsync'), current_setting('full_page_writes')")[0]
            if fsync.text(0) != "on" {
                return .unsafe("The server runs with fsync=off: what it confirms is lost when the machine stops. Set fsync=on.")
            }
            let status: SchemaStatus
            do throws(MigrationError) {
                status = try await Migrator.status(open)
                try status.requireUsable()
            } catch {
                switch error {
                case .database(let error): throw error
                case .busy: return .unreachable(error.description)
                case .newerDatabase, .checksumChanged: return .schemaNewer(error.description)
                case .olderDatabase, .missingFunctions, .failed, .malformed: return .schemaOlder(error.description)
                }
            }
            known = try await open.query(Self.fingerprint)[0].textOrNull(0)
            return .ready(schema: Int(status.applied))
        } catch {
            connection = nil
            return .unreachable(error.description)
        }
    }

    // A change is worth a line; that nothing has changed is not.
    private func note(_ state: State) {
        let isNew = self.seen.withLock { before in
            guard before.state != state else { return false }
            before.state = state
            for observer in before.observers.values { observer.yield(state) }
            return true
        }
        guard isNew else { return }
        switch state {
        case .unknown: break
        case .unreachable(let reason):
            log.warning("The database cannot be reached; trying again", metadata: [.error: "\(reason)", .database: "\(database.redacted)"])
        case .schemaOlder(let reason): log.warning("The schema is not there yet: run skein migrate", metadata: [.reason: "\(reason)"])
        case .schemaNewer(let reason): log.error("The schema is newer than this release", metadata: [.reason: "\(reason)"])
        case .unsafe(let reason): log.error("The database is not safe to work with", metadata: [.reason: "\(reason)"])
        case .ready(let schema): log.info("The database is ready", metadata: [.version: "\(schema)", .database: "\(database.redacted)"])
        }
    }
}
