// skein workflow validate, graph, diff, schema: what can be done with workflow files without a server.

import ArgumentParser
import CommandLine
import Definitions
import Programs
import WorkflowModel

/// How findings are shown.
enum FindingsFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json, sarif
}

/// The forms of a drawing.
enum DrawingFormat: String, ExpressibleByArgument, CaseIterable {
    case text, mermaid, svg

    var format: GraphRenderer.Format {
        switch self {
        case .text: .text
        case .mermaid: .mermaid
        case .svg: .svg
        }
    }
}

extension WorkflowCommand {
    struct Validate: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Check workflow files. Needs no server.",
            discussion: """
                All findings of all files come at once, each with its place and the way to mend it. Files that are given together are checked
                together: workflows that always start each other are found.

                Exits with 9 when a file has errors. `skein explain CODE` has a page on each code.
                """)
        @Argument(help: "Files, directories that are searched for .yaml, .yml and .json, or - for standard input.") var files: [String]
        @Option(name: .shortAndLong, help: "How to show the findings: text, json, or sarif for code hosts.") var output = FindingsFormat
            .text

        func execute(_ console: Console) async throws -> CommandStatus {
            let checked = try WorkflowFiles.checkAll(WorkflowFiles.find(files))
            let errors = checked.map(\.errorCount).reduce(0, +)
            let warnings = checked.map(\.warningCount).reduce(0, +)
            switch output {
            case .json:
                let document: JSONValue = [
                    "valid": .bool(checked.allSatisfy(\.isValid)), "errors": .int(Int64(errors)), "warnings": .int(Int64(warnings)),
                    "files": .array(checked.map(\.json)),
                ]
                console.print(document.compactText)
            case .sarif: console.print(WorkflowFiles.sarif(checked, version: Release.version))
            case .text:
                for file in checked {
                    for finding in file.rendered { console.print(finding) }
                    if file.isValid { console.print("\(console.glyph("good")) \(file.path): \(file.workflow ?? "?") is valid") }
                }
                if errors + warnings > 0 {
                    let explained = checked.flatMap(\.codes).first.map { "   explain: skein explain \($0)" } ?? ""
                    console.note("\(Wording.count(errors, "error")), \(Wording.count(warnings, "warning"))\(explained)")
                }
            }
            return checked.allSatisfy(\.isValid) ? .succeeded : .invalid
        }
    }

    struct Graph: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Draw a workflow.",
            discussion: """
                  skein workflow graph review.yaml                      for a terminal
                  skein workflow graph review.yaml -o mermaid           for a document
                  skein workflow graph review.yaml -o svg > review.svg
                  skein workflow graph review@3                         a registered version
                """)
        @Argument(help: "A file, - for standard input, or a registered workflow: NAME or NAME@VERSION.") var workflow: String
        @Option(name: .shortAndLong, help: "The form of the drawing: text, mermaid or svg.") var output = DrawingFormat.text
        @OptionGroup var server: ServerOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let found = try await WorkflowSources.find(workflow) { try server.client() }
            var drawing = WorkflowSources.drawing(found, as: output.format)
            if drawing.hasSuffix("\n") { drawing.removeLast() }
            console.print(drawing)
            return .succeeded
        }
    }

    struct Diff: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Compare two versions of a workflow by structure: steps added, removed, moved, fields changed.",
            discussion: """
                  skein workflow diff old.yaml new.yaml
                  skein workflow diff review 3 5                        registered versions
                  skein workflow diff review@5 review.yaml              what applying the file would change

                Says when a changed input schema refuses what it took before.
                """)
        @Argument(help: "Two files or registered workflows (NAME, NAME@VERSION), or NAME and two versions.") var workflows: [String]
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard workflows.count == 2 || workflows.count == 3 else {
                throw ValidationError("diff takes two workflows, or a name and two versions")
            }
        }

        func execute(_ console: Console) async throws -> CommandStatus {
            let names = workflows.count == 2 ? workflows : workflows.dropFirst().map { "\(workflows[0])@\($0)" }
            let first = try await WorkflowSources.find(names[0]) { try server.client() }
            let second = try await WorkflowSources.find(names[1]) { try server.client() }
            let difference = WorkflowSources.difference(first, second)
            if output.isJSON {
                console.print(difference.json.compactText)
            } else if difference.lines.isEmpty {
                console.print("\(first.title) and \(second.title) are the same workflow")
            } else {
                for line in difference.lines { console.print(line) }
                if !difference.isCompatible { console.note("callers of \(second.definition.name) must change what they submit") }
            }
            return .succeeded
        }
    }

    struct Schema: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Print the JSON Schema of workflow files, for editors.",
            discussion: """
                  skein workflow schema > workflow.schema.json

                With the YAML language server, begin a file with:
                  # yaml-language-server: $schema=./workflow.schema.json
                """)

        func execute(_ console: Console) async throws -> CommandStatus {
            console.print(WorkflowSources.formatSchema)
            return .succeeded
        }
    }
}
