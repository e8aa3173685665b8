// Versions made ready to run, kept for as long as the process lives and there is room. Versions are immutable: nothing is ever stale.

import Definitions
package import Engine
package import JSONSchema
package import Postgres
import Synchronization
package import WorkflowModel

/// A version as the coordinator uses it.
package final class LoadedVersion: Sendable {
    package let id: VersionID
    package let namespaceID: Int32
    package let workflow: String
    package let number: Int
    package let program: Program
    package let inputSchema: CompiledSchema?
    // The queues of its steps, by step.
    package let queueIDs: [Int32]
    // Whether any step of it waits for events.
    let takesEvents: Bool

    init(
        id: VersionID, namespaceID: Int32, workflow: String, number: Int, program: Program, inputSchema: CompiledSchema?,
        queueIDs: [Int32]
    ) {
        self.id = id
        self.namespaceID = namespaceID
        self.workflow = workflow
        self.number = number
        self.program = program
        self.inputSchema = inputSchema
        self.queueIDs = queueIDs
        takesEvents = program.stepDescriptions.contains { ["await", "states"].contains($0.verb) }
    }
}

/// A version that cannot be run by this binary: it was registered by a newer one, or its row was changed by hand.
package struct UnusableVersion: Error, Sendable, CustomStringConvertible {
    package let id: VersionID
    package let reason: String

    package var description: String { "version \(id) of the workflow cannot be run by this release: \(reason)" }
}

package final class ProgramCache: Sendable {
    private let versions = Mutex<[VersionID: Result<LoadedVersion, UnusableVersion>]>([:])
    private let capacity: Int

    package init(capacity: Int = 10_000) { self.capacity = capacity }

    /// The versions asked for, from memory or in one query. A version that does not exist is missing from the answer.
    package func load(
        _ ids: some Sequence<VersionID>, on db: isolated PostgresConnection
    ) throws(PostgresError) -> [VersionID: Result<LoadedVersion, UnusableVersion>] {
        var found: [VersionID: Result<LoadedVersion, UnusableVersion>] = [:]
        var missing: [VersionID] = []
        versions.withLock { known in
            for id in Set(ids) {
                if let version = known[id] { found[id] = version } else { missing.append(id) }
            }
        }
        guard !missing.isEmpty else { return found }
        let rows = try db.query(
            """
            select version_id, namespace_id, name, version, definition from skein.workflow_version where version_id = any($1)
            """, [.int64Array(missing.map(\.rawValue))])
        for row in rows {
            let id = VersionID(row.int64(0))
            let loaded: Result<LoadedVersion, UnusableVersion>
            switch Self.compile(JSONText(trusted: row.text(4))) {
            case .success(let (program, schema)):
                let namespaceID = row.int32(1)
                let queueIDs = try Self.queueIDs(of: program, namespaceID: namespaceID, on: db)
                loaded = .success(
                    LoadedVersion(
                        id: id, namespaceID: namespaceID, workflow: row.text(2), number: Int(row.int32(3)), program: program,
                        inputSchema: schema, queueIDs: queueIDs))
            case .failure(let reason): loaded = .failure(UnusableVersion(id: id, reason: reason.text))
            }
            found[id] = loaded
            versions.withLock { known in
                if known.count >= capacity { known.removeAll() }
                known[id] = loaded
            }
        }
        return found
    }

    /// Makes a definition ready to run; the error is a sentence.
    static func compile(_ definition: JSONText) -> Result<(Program, CompiledSchema?), Reason> {
        let decoded = DefinitionDecoder.decode(json: definition.value)
        guard let definition = decoded.definition else {
            return .failure(Reason(text: decoded.diagnostics.first.map { "\($0.message)" } ?? "the definition is not understood"))
        }
        do throws(ProgramError) {
            let program = try Program(definition)
            guard let schema = definition.inputSchema else { return .success((program, nil)) }
            do throws(SchemaError) {
                return .success((program, try CompiledSchema(schema, options: .workflow)))
            } catch {
                return .failure(Reason(text: "input: \(error)"))
            }
        } catch {
            return .failure(Reason(text: "\(error)"))
        }
    }

    struct Reason: Error {
        let text: String
    }

    // Queues come into being when a definition first names them.
    private static func queueIDs(
        of program: Program, namespaceID: Int32, on db: isolated PostgresConnection
    ) throws(PostgresError) -> [Int32] {
        let names = Array(Set(program.nodes.map(\.queue))).sorted()
        let answers = try db.pipeline([
            (
                """
                insert into skein.queue (namespace_id, name) select $1, n from unnest($2) as n
                on conflict (namespace_id, name) do nothing
                """, [.int32(namespaceID), .textArray(names)]
            ),
            ("select name, queue_id from skein.queue where namespace_id = $1 and name = any($2)", [.int32(namespaceID), .textArray(names)]),
        ])
        var ids: [String: Int32] = [:]
        for row in answers[1] { ids[row.text(0)] = row.int32(1) }
        return program.nodes.map { ids[$0.queue] ?? 0 }
    }
}
