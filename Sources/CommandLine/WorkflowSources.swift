// Where a command finds a workflow: a file, or a registered version.

package import Definitions
import Foundation
package import WorkflowModel

/// A workflow that was found and decodes.
package struct FoundWorkflow: Sendable {
    /// The name to show: the path, or NAME@VERSION.
    package let title: String
    /// The definition.
    package let definition: WorkflowDefinition
}

/// Finds workflows by what a person writes.
package enum WorkflowSources {
    /// A file where there is one of this name (`-` is standard input), else a registered workflow: NAME (what new runs get) or NAME@VERSION.
    ///
    /// - Parameter client: asked for only when the server is needed.
    package static func find(_ name: String, client: () throws -> APIClient) async throws -> FoundWorkflow {
        if name == "-" || FileManager.default.fileExists(atPath: name) { return try decoded(WorkflowFiles.check(name)) }
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let looksLikeFile =
            name.contains("/") || ["yaml", "yml", "json"].contains(String(name.split(separator: ".").last ?? "")) && name.contains(".")
        if looksLikeFile { throw CommandFailure(.notFound, "there is no file \(Console.printable(name))", fix: "check the path") }
        let path = "/api/v1/workflows/\(APIClient.encoded(parts[0]))"
        let server = try client()
        var version = parts.count > 1 ? parts[1] : ""
        if version.isEmpty {
            guard let live = try await server.get(path).json["live_version"]?.intValue else {
                throw CommandFailure(
                    .notFound, "no version of \(Console.printable(parts[0])) is live", fix: "name one: \(Console.printable(parts[0]))@1")
            }
            version = String(live)
        }
        let answer = try await server.get("\(path)/versions/\(APIClient.encoded(version))").json
        let title = "\(parts[0])@\(version)"
        let source = answer["source"]?.stringValue ?? ""
        return try decoded(
            CheckedFile(
                path: title, source: source, decoded: DefinitionDecoder.decode(source, fileName: title, options: WorkflowFiles.registered)))
    }

    private static func decoded(_ file: CheckedFile) throws -> FoundWorkflow {
        guard let definition = file.decoded.definition else {
            let first = file.decoded.errors.first
            let place = first.map { "\(file.path):\($0.position): \($0.message)" } ?? file.path
            throw CommandFailure(
                .invalid, "\(Console.printable(place))", fix: "skein workflow validate shows all \(file.errorCount) errors")
        }
        return FoundWorkflow(title: file.path, definition: definition)
    }

    /// The differences for people, and for programs.
    package static func difference(
        _ first: FoundWorkflow, _ second: FoundWorkflow
    ) -> (lines: [String], json: JSONValue, isCompatible: Bool) {
        let changes = DefinitionDiff.changes(from: first.definition, to: second.definition)
        let isCompatible = changes.allSatisfy { $0.incompatibility == nil }
        let json: JSONValue = [
            "from": .string(first.title), "to": .string(second.title), "compatible": .bool(isCompatible),
            "changes": .array(changes.map(\.json)),
        ]
        return (
            changes.flatMap { $0.summary.split(separator: "\n").map { Console.printable(String($0)) } }, json, isCompatible
        )
    }

    /// The drawing of a workflow.
    package static func drawing(_ workflow: FoundWorkflow, as format: GraphRenderer.Format) -> String {
        GraphRenderer.draw(workflow.definition, as: format)
    }

    /// The JSON Schema of workflow files, for editors.
    package static var formatSchema: String { PrettyJSON.text(DefinitionSchema.json()) }
}
