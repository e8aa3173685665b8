// skein workflow …

import ArgumentParser
import CommandLine
import WorkflowModel

struct WorkflowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workflow", abstract: "Workflow files and registered workflows.",
        subcommands: [
            Validate.self, Graph.self, Diff.self, Schema.self, Apply.self, List.self, Show.self,
        ], aliases: ["workflows"])

    struct Apply: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Register workflow files; new runs get them from then on.",
            discussion:
                "Files are checked first, all of them: when one has errors, nothing is registered. The same content is the same version.")
        @Argument(help: "Files, directories, or - for standard input.") var files: [String]
        @Flag(name: .customLong("no-live"), help: "Register the version, but leave what new runs get as it is.") var noLive = false
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let checked = try WorkflowFiles.checkAll(WorkflowFiles.find(files))
            for file in checked { for finding in file.rendered { console.note(finding) } }
            guard checked.allSatisfy(\.isValid) else {
                throw CommandFailure(
                    .invalid,
                    "\(Wording.count(checked.count { !$0.isValid }, "file")) of \(checked.count) cannot be registered; nothing was",
                    fix: "mend what is shown above")
            }
            let client = try server.client()
            var missing: [String: String] = [:]
            for file in checked {
                let isJSON = file.source.first { !$0.isWhitespace } == "{"
                let answer = try await client.send(
                    .put, "/api/v1/workflows/\(APIClient.encoded(file.workflow ?? ""))", noLive ? [("live", "false")] : [],
                    body: file.source,
                    contentType: isJSON ? "application/json" : "application/yaml")
                if output.isJSON {
                    console.print(answer.text)
                } else {
                    let what = answer.json["is_new"]?.boolValue == true ? "registered" : "was registered before"
                    let live = answer.json["is_live"]?.boolValue == true ? "new runs get it" : "not live"
                    console.print("\(console.glyph("good")) \(name(of: answer.json)) \(what), \(live)")
                }
                for workflow in answer.json["missing_workflows"]?.arrayValue ?? [] {
                    missing[workflow.stringValue ?? ""] = name(of: answer.json)
                }
            }
            for file in checked { missing[file.workflow ?? ""] = nil }
            for (workflow, caller) in missing.sorted(by: { $0.key < $1.key }) {
                console.note(
                    "\(console.glyph("warning")) there is no workflow \"\(Console.printable(workflow))\" yet; what starts it in \(caller) fails until it is applied"
                )
            }
            return .succeeded
        }

        private func name(of applied: JSONValue) -> String {
            "\(Console.printable(applied["workflow"]?.stringValue ?? "?"))@\(applied["version"]?.intValue ?? 0)"
        }
    }

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show the registered workflows.")
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            try await ListView.show(
                "/api/v1/workflows", limit: 500, server.client(), output.isJSON, console,
                columns: [.text("WORKFLOW"), .number("LIVE"), .number("VERSIONS"), .number("LIVE FOR")],
                empty: "no workflows; `skein workflow apply FILE`"
            ) { item in
                [
                    item.text("workflow"), item["live_version"]?.intValue.map { "@\($0)" } ?? "none", item.text("versions"),
                    HumanTime.age(of: item["live_since"]?.stringValue),
                ]
            }
        }
    }

    struct Show: Executable {
        static let configuration = CommandConfiguration(abstract: "Show a workflow, or one version of it, with its file.")
        @Argument(help: "NAME, or NAME@VERSION.") var name: String
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let path = "/api/v1/workflows/\(APIClient.encoded(parts[0]))"
            let client = try server.client()
            if parts.count == 1 {
                let workflow = try await client.get(path)
                if output.isJSON {
                    console.print(workflow.text)
                    return .succeeded
                }
                let versions = try await client.items(path + "/versions", limit: 500)
                var table = TextTable([.number("VERSION"), .text("LIVE"), .number("STEPS"), .text("CONTENT"), .number("AGE")])
                for version in versions {
                    table.add([
                        "@" + version.text("version"), version["is_live"]?.boolValue == true ? "live" : "", version.text("steps"),
                        String((version["content_hash"]?.stringValue ?? "").prefix(12)),
                        HumanTime.age(of: version["created_at"]?.stringValue),
                    ])
                }
                for line in table.lines(on: console) { console.print(line) }
                guard let live = workflow.json["live_version"]?.intValue else { return .succeeded }
                console.print("")
                console.print(try await client.get("\(path)/versions/\(live)").json["source"]?.stringValue ?? "")
            } else {
                let version = try await client.get("\(path)/versions/\(APIClient.encoded(parts[1]))")
                console.print(output.isJSON ? version.text : version.json["source"]?.stringValue ?? "")
            }
            return .succeeded
        }
    }
}
