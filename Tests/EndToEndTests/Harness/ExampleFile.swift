// Examples with what has to come of them: a workflow file, and beside it `NAME.expected.json`.

import Foundation
import Testing
import WorkflowModel

/// An example of the repository, and what it promises.
struct ExampleFile: Sendable, CustomTestStringConvertible {
    let url: URL
    let expected: JSONValue

    /// The name of its workflow: the file's.
    var name: String { url.deletingPathExtension().lastPathComponent }
    var testDescription: String { name + (expected["title"]?.stringValue.map { ": \($0)" } ?? "") }
    /// The files that have to be registered before it.
    var others: [URL] {
        (expected["with"]?.arrayValue ?? []).compactMap(\.stringValue).map { url.deletingLastPathComponent().appending(path: $0).standardized }
    }
    var cases: [JSONValue] { expected["cases"]?.arrayValue ?? [] }

    static let folder = ProgramRun.repository.appending(path: "deploy/examples")

    /// The examples of a folder, by name.
    static func all(in folder: URL) throws -> [ExampleFile] {
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.lastPathComponent.hasSuffix(expectedSuffix) }.map { file in
            let name = file.lastPathComponent.dropLast(expectedSuffix.count)
            return ExampleFile(
                url: file.deletingLastPathComponent().appending(path: "\(name).yaml"),
                expected: try JSONValue(parsing: String(contentsOf: file, encoding: .utf8)))
        }.sorted { $0.name < $1.name }
    }

    /// Every workflow file below the examples.
    static func files() throws -> [URL] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path(percentEncoded: false))
        return paths.filter { $0.hasSuffix(".yaml") }.sorted().map { folder.appending(path: $0) }
    }

    private static let expectedSuffix = ".expected.json"
}
