// Workflow files on the disk: finding and checking them.

package import Definitions
import EmbeddedPostgres
import Foundation
package import WorkflowModel

/// A workflow file and what is found in it.
package struct CheckedFile: Sendable {
    /// The path as it was given or found.
    package let path: String
    /// The text.
    package let source: String
    /// What the decoder says of it.
    let decoded: DecodedDefinition
    /// What is wrong with it beside the other files that were checked with it.
    var amongOthers: [Diagnostic] = []

    /// Everything that was found, in the order of the file.
    package var findings: [Diagnostic] {
        amongOthers.isEmpty ? decoded.diagnostics : (decoded.diagnostics + amongOthers).sorted { $0.position < $1.position }
    }
    /// The workflow's name, where the file is valid.
    package var workflow: String? { decoded.definition?.name }
    /// Whether it can be registered.
    package var isValid: Bool { decoded.isValid && amongOthers.isEmpty }
    /// How many errors there are.
    package var errorCount: Int { decoded.errors.count + amongOthers.count }
    /// How many warnings there are.
    package var warningCount: Int { decoded.diagnostics.count - decoded.errors.count }
    /// The findings with excerpts.
    package var rendered: [String] { findings.map { $0.rendered(file: path, source: source) } }

    /// The findings for programs.
    package var json: JSONValue {
        [
            "file": .string(path), "valid": .bool(isValid), "workflow": workflow.map { .string($0) } ?? .null,
            "diagnostics": .array(
                findings.map { finding in
                    [
                        "severity": .string(finding.severity.rawValue), "code": .string(finding.code.rawValue),
                        "message": .string(finding.message), "line": .int(Int64(finding.position.line)),
                        "column": .int(Int64(finding.position.column)), "length": .int(Int64(finding.length)),
                        "path": .string(finding.path),
                        "fix": finding.fix.map { .string($0) } ?? .null,
                    ]
                }),
        ]
    }

    /// The codes that were found, for `skein explain`.
    package var codes: [String] { findings.map(\.code.rawValue) }
}

/// Finds and checks workflow files.
package enum WorkflowFiles {
    private static let extensions = ["yaml", "yml", "json"]

    /// Files as they are given, and the workflow files below directories; `-` is standard input.
    package static func find(_ arguments: [String]) throws -> [String] {
        var paths: [String] = []
        for argument in arguments {
            var isDirectory: ObjCBool = false
            guard argument != "-", FileManager.default.fileExists(atPath: argument, isDirectory: &isDirectory), isDirectory.boolValue else {
                paths.append(argument)
                continue
            }
            let below = (FileManager.default.enumerator(atPath: argument)?.compactMap { $0 as? String } ?? []).sorted()
            // What a test compares a run with may stand beside the workflow.
            let found = below.filter { path in
                extensions.contains(String(path.split(separator: ".").last ?? "")) && !path.hasPrefix(".")
                    && !path.hasSuffix(".expected.json")
            }
            if found.isEmpty {
                throw CommandFailure(
                    .notFound, "there are no workflow files below \(argument)", fix: "workflow files end in .yaml, .yml or .json")
            }
            let root = argument.hasSuffix("/") ? String(argument.dropLast()) : argument
            paths += found.map { "\(root)/\($0)" }
        }
        return paths
    }

    /// Reads and checks one file.
    package static func check(_ path: String) throws -> CheckedFile {
        let source =
            path == "-"
            ? String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) : try LocalFile.text(at: path)
        let name = path == "-" ? "(standard input)" : path
        return CheckedFile(path: name, source: source, decoded: DefinitionDecoder.decode(source, fileName: name))
    }

    /// What was registered once is shown whatever this release runs.
    static let registered = DecodingOptions(allowNoop: true, parts: Set(LanguagePart.allCases))

    /// Reads and checks files that belong together: workflows that always start each other are found, too.
    package static func checkAll(_ paths: [String]) throws -> [CheckedFile] {
        var files = try paths.map(check)
        let found = DefinitionSet.diagnostics(of: files.map(\.decoded))
        for index in files.indices { files[index].amongOthers = found[index] }
        return files
    }

    /// The findings as a SARIF document. Paths are relative to the working directory where they can be.
    package static func sarif(_ files: [CheckedFile], version: String) -> String {
        let root = FileManager.default.currentDirectoryPath + "/"
        let results = files.map { file in
            (path: file.path.hasPrefix(root) ? String(file.path.dropFirst(root.count)) : file.path, diagnostics: file.findings)
        }
        return PrettyJSON.text(SARIFReport.json(results, version: version))
    }

    /// The page behind a diagnostic's code.
    package static func explanation(of code: String) throws -> String {
        guard let known = DiagnosticCode(rawValue: code.uppercased()) else {
            throw CommandFailure(
                .notFound, "there is no code \(Console.printable(code))",
                fix: "codes look like \(DiagnosticCode.allCases.first?.rawValue ?? "E1001")")
        }
        return known.explanation
    }
}
