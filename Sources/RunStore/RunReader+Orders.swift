// What operators tell runs, and what they ask of them: the functions of the database, under the names that the API gives them.

import Postgres
public import WorkflowModel

/// Why an order was refused. The sentence is the database's, and may be shown to anybody who may see the run.
public enum OrderRefusal: Error, Sendable, Hashable {
    /// There is no such run, or no such step of it.
    case notFound(String)
    /// The run has ended, is not paused, or is in some other state that the order does not fit.
    case conflict(String)
    /// What was given does not make sense.
    case invalid(String)

    // The functions raise states of their own for what a caller can do something about.
    init?(_ error: PostgresError) {
        switch error.sqlState?.rawValue {
        case "SK004": self = .notFound(error.message)
        case "SK006": self = .conflict(error.message)
        case "SK009": self = .invalid(error.message)
        default: return nil
        }
    }
}

/// An event that was accepted.
public struct AcceptedEvent: Sendable, Hashable {
    /// Its number.
    public let id: Int64
    /// Whether the run looks at every signal as it comes, and may refuse it: then it is worth waiting for what it says.
    public let mayBeRefused: Bool
}

extension RunReader {
    // Every order names the run and its namespace: a run of another one does not exist.
    private static let ownRun = """
        (select r.run_id from (select run_id, namespace_id from skein.run where run_id = $1
                               union all select run_id, namespace_id from skein.ended_run where run_id = $1) as r
           join skein.namespace n using (namespace_id) where n.name = $2 limit 1) as own
        """

    private func ask(_ sql: SQL, _ parameters: [Parameter]) async throws -> Rows {
        do {
            return try await rows(sql, parameters)
        } catch let error as PostgresError {
            throw OrderRefusal(error) ?? error as any Error
        }
    }

    private func order(_ call: String, _ id: RunID, in namespace: String, _ parameters: [Parameter] = []) async throws -> String {
        let rows = try await ask(SQL("select \(call) from \(Self.ownRun)"), [.uuid(id.pair), .text(namespace)] + parameters)
        guard let row = rows.first else { throw OrderRefusal.notFound("there is no run \(id)") }
        return row.text(0)
    }

    /// Pauses a run with everything below it. When this returns, no step of it starts any more.
    public func pause(_ id: RunID, reason: String?, in namespace: String) async throws {
        _ = try await order("skein.pause(own.run_id, $3)", id, in: namespace, [.textOrNull(reason)])
    }

    /// Resumes a run, and what was paused with it.
    public func resume(_ id: RunID, in namespace: String) async throws {
        _ = try await order("skein.resume(own.run_id)", id, in: namespace)
    }

    /// Changes a running loop: how many iterations run at once (0: all), how many may fail (`3`, `10%`).
    public func adjust(_ id: RunID, loop: StepPath, maxParallel: Int?, tolerate: String?, in namespace: String) async throws {
        _ = try await order(
            "skein.adjust(own.run_id, $3, $4, $5)", id, in: namespace,
            [.text(loop.text), .int32OrNull(maxParallel.map { Int32(clamping: $0) }), .textOrNull(tolerate)])
    }

    /// Sends a signal to a run. The same `sourceID` twice counts once.
    public func signal(
        _ id: RunID, name: String, data: JSONText, sourceID: String?, actor: String?, in namespace: String
    ) async throws -> AcceptedEvent {
        let rows = try await ask(
            SQL(
                """
                select skein.signal(own.run_id, $3, $4::jsonb, $5, $6),
                       exists (select from skein.wait w join skein.run r using (run_id)
                                where w.run_id = own.run_id and w.names is null and r.paused_at is null)
                  from \(Self.ownRun)
                """),
            [.uuid(id.pair), .text(namespace), .text(name), .text(data.text), .textOrNull(sourceID), .textOrNull(actor)])
        guard let row = rows.first else { throw OrderRefusal.notFound("there is no run \(id)") }
        return AcceptedEvent(id: row.int64(0), mayBeRefused: row.bool(1))
    }

    /// Publishes an event to whichever runs wait for its name and key, now or within its lifetime.
    public func emit(
        name: String, data: JSONText, key: String?, source: String?, sourceID: String?, lifetime: Duration, actor: String?, in namespace: String
    ) async throws -> AcceptedEvent {
        let rows = try await ask(
            "select skein.emit($1, $2::jsonb, $3, $4, $5, $6, $7 * interval '1 second', $8)",
            [
                .text(name), .text(data.text), .textOrNull(key), .textOrNull(source), .textOrNull(sourceID), .text(namespace),
                .double(lifetime.seconds), .textOrNull(actor),
            ])
        return AcceptedEvent(id: rows[0].int64(0), mayBeRefused: false)
    }

    /// An event, and what became of it.
    public func event(_ id: Int64, in namespace: String) async throws -> JSONText? {
        try await object(
            "select to_json(v)::text from skein.event_overview v where v.event_id = $1 and v.namespace = $2", [.int64(id), .text(namespace)])
    }

    /// Why a run waits: one object for each thing that it waits for, with the remedy.
    public func why(_ id: RunID, in namespace: String) async throws -> [JSONText] {
        try await listed("skein.explain_run(own.run_id)", id, in: namespace)
    }

    /// A run with everything below it, in the order of a tree.
    public func trace(_ id: RunID, limit: Int, in namespace: String) async throws -> [JSONText] {
        try await listed("skein.trace_run(own.run_id, $3)", id, in: namespace, [.int32(Int32(clamping: limit))])
    }

    private func listed(_ call: String, _ id: RunID, in namespace: String, _ parameters: [Parameter] = []) async throws -> [JSONText] {
        let rows = try await ask(
            SQL("select to_json(x)::text from \(Self.ownRun) cross join lateral \(call) with ordinality as x"),
            [.uuid(id.pair), .text(namespace)] + parameters)
        guard !rows.isEmpty else { throw OrderRefusal.notFound("there is no run \(id)") }
        return rows.map { JSONText(trusted: $0.text(0)) }
    }
}

