// Workflow versions: registered once, immutable, the same content is the same version.

public import Definitions
import Engine
public import Postgres
import WorkflowModel

/// What registering a definition did.
public struct AppliedWorkflow: Sendable {
    /// The workflow.
    public let name: String
    /// The version that has this content.
    public let version: Int
    /// Whether the version was made by this call; false when the content was registered before.
    public let isNew: Bool
    /// Whether new runs get this version from now on.
    public let isLive: Bool
    /// SHA-256 of the canonical definition, in hexadecimal.
    public let contentHash: String
    /// Workflows that it runs or starts and that do not exist yet: its runs fail there until they are registered.
    public let missingWorkflows: [String]
}

/// Why a definition was not registered.
public enum ApplyError: Error, Sendable {
    /// The definition has errors.
    case invalid([Diagnostic])
    /// The definition was decoded but cannot be made ready to run.
    case notRunnable(String)
    /// There is no such namespace.
    case unknownNamespace(String)
    /// The database could not be asked, or refused.
    case unavailable(PostgresError)
}

/// Registers definitions.
public enum WorkflowRegistry {
    private static let lockWorkflow: SQL = """
        insert into skein.workflow (namespace_id, name) select namespace_id, $2 from skein.namespace where name = $1
        on conflict (namespace_id, name) do update set name = excluded.name
        returning namespace_id, live_version_id
        """

    private static let insertVersion: SQL = """
        insert into skein.workflow_version (namespace_id, name, version, content_hash, definition, source, callees)
        select $1, $2, coalesce((select max(version) from skein.workflow_version where namespace_id = $1 and name = $2), 0) + 1, $3, $4, $5, $6
        on conflict (namespace_id, name, content_hash) do nothing
        returning version_id, version
        """

    private static let insertSteps: SQL = """
        insert into skein.version_step (version_id, step_index, namespace_id, path, verb, call, needs)
        select $1, g.step_index, $2, g.path, g.verb, g.call, string_to_array(g.needs, ' ')
          from unnest($3, $4, $5, $6, $7) as g (step_index, path, verb, call, needs)
        """

    private static let missing: SQL = """
        select n from unnest($2) as n
         where not exists (select from skein.workflow w where w.namespace_id = $1 and w.name = n and w.live_version_id is not null)
        """

    /// Registers a definition, and makes it what new runs get.
    ///
    /// - Parameters:
    ///   - source: the file, YAML or JSON, as it is.
    ///   - fileName: its name, for diagnostics.
    ///   - namespace: where it belongs.
    ///   - makeLive: false registers the version and leaves what new runs get as it is.
    ///   - options: what the decoder allows.
    public static func apply(
        _ source: String, fileName: String, namespace: String = "default", makeLive: Bool = true, options: DecodingOptions,
        on connection: PostgresConnection
    ) async throws(ApplyError) -> AppliedWorkflow {
        let decoded = DefinitionDecoder.decode(source, fileName: fileName, options: options)
        guard let definition = decoded.definition, decoded.isValid else { throw .invalid(decoded.diagnostics) }
        let document = DefinitionEncoder.json(definition)
        let hash = contentHash(definition)
        let steps: [StepDescription]
        let callees: [String]
        do throws(ProgramError) {
            let program = try Program(definition)
            steps = program.stepDescriptions
            callees = program.callees
        } catch {
            throw .notRunnable("\(error)")
        }
        let applied: AppliedWorkflow?
        do throws(PostgresError) {
            applied = try await connection.transaction { @Sendable db throws(PostgresError) in
                guard let workflow = try db.query(lockWorkflow, [.text(namespace), .text(definition.name)]).first else { return nil }
                let namespaceID = workflow.int32(0)
                let live = workflow.int64OrNull(1)
                let inserted = try db.query(
                    insertVersion,
                    [.int32(namespaceID), .text(definition.name), .text(hash), .text(document.compactText), .text(source), .textArray(callees)]
                ).first
                let row: Row
                if let inserted {
                    row = inserted
                    try insert(steps, version: inserted.int64(0), namespaceID: namespaceID, on: db)
                } else {
                    row = try db.query(
                        """
                        select version_id, version from skein.workflow_version
                         where namespace_id = $1 and name = $2 and content_hash = $3
                        """, [.int32(namespaceID), .text(definition.name), .text(hash)])[0]
                }
                let versionID = row.int64(0)
                let becomesLive = makeLive || live == nil
                if becomesLive, live != versionID {
                    _ = try db.query(
                        "update skein.workflow set live_version_id = $3 where namespace_id = $1 and name = $2",
                        [.int32(namespaceID), .text(definition.name), .int64(versionID)])
                }
                let called = Set(callees + definition.chainedWorkflows).subtracting([definition.name]).sorted()
                let missing = called.isEmpty ? [] : try db.query(missing, [.int32(namespaceID), .textArray(called)]).map { $0.text(0) }
                return AppliedWorkflow(
                    name: definition.name, version: Int(row.int32(1)), isNew: inserted != nil, isLive: becomesLive || live == versionID,
                    contentHash: hash, missingWorkflows: missing)
            }
        } catch {
            throw .unavailable(error)
        }
        guard let applied else { throw .unknownNamespace(namespace) }
        return applied
    }

    private static func insert(
        _ steps: [StepDescription], version: Int64, namespaceID: Int32, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        _ = try db.query(
            insertSteps,
            [
                .int64(version), .int32(namespaceID), .int32Array(steps.map { Int32(clamping: $0.index) }),
                .textArray(steps.map(\.path.text)), .textArray(steps.map(\.verb)),
                .textArray(
                    steps.map { step in
                        step.agent.map { agent in
                            let call: JSONValue = [
                                "agent": DefinitionEncoder.json(agent: agent),
                                "timeoutMilliseconds": .int(step.timeout.wholeMicroseconds / 1000),
                            ]
                            return call.compactText
                        }
                    }),
                .textArray(steps.map { $0.needs.joined(separator: " ") }),
            ])
    }
}

extension WorkflowDefinition {
    fileprivate var chainedWorkflows: [String] { (onSuccess + onFailure + onCancel).map(\.workflow) }
}
