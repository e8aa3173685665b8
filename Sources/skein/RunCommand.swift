// skein run …

import ArgumentParser
import CommandLine
import WorkflowModel

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs of workflows.",
        discussion: "A run is named by its id, by at least six digits of the id's end, or by @last.",
        subcommands: [
            Start.self, List.self, Show.self, Watch.self, Why.self, Trace.self, Pause.self, Resume.self, Signal.self, Cancel.self,
        ], aliases: ["runs"])

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show runs, the newest first.")
        @Option(help: "Only runs of this workflow.") var workflow: String?
        @Option(help: "Only these, separated by commas: queued, running, waiting, paused, succeeded, failed, timed_out, cancelled.")
        var status: String?
        @Option(help: "Only runs since then: 1h, 7d, or a moment such as 2026-11-23T00:00:00Z.") var since: String?
        @Option(help: "How many at most.") var limit = 20
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard limit >= 1 else { throw ValidationError("--limit must be at least 1") }
        }

        func execute(_ console: Console) async throws -> CommandStatus {
            try await ListView.show(
                "/api/v1/runs", [("workflow", workflow), ("status", status), ("since", since)], limit: limit, server.client(),
                output.isJSON,
                console,
                columns: [
                    .text("RUN"), .text("WORKFLOW"), .text("STATUS"), .number("AGE"), .number("DURATION"), .text("LABELS"), .prose("ERROR"),
                ],
                empty: "no runs; `skein run start NAME` starts one"
            ) { item in
                let labels = item["labels"]?.objectValue?.members.map { "\($0)=\($1.stringValue ?? "")" }.joined(separator: " ") ?? ""
                let flags =
                    (item["is_cancelling"]?.boolValue == true ? " cancelling" : "")
                    + (item["is_quarantined"]?.boolValue == true ? " quarantined" : "")
                let status = item.text("status") == "paused" && item["draining"]?.intValue ?? 0 > 0 ? " draining" : ""
                return [
                    RunReference.short(item.text("run_id")), "\(item.text("workflow"))@\(item.text("version"))",
                    console.status(item.text("status")) + status + flags, HumanTime.age(of: item["submitted_at"]?.stringValue),
                    HumanTime.duration(item["duration_seconds"]?.doubleValue ?? 0), Console.printable(labels), Self.error(of: item),
                ]
            }
        }

        // What went wrong, in a sentence; of a run that cannot be folded, why.
        private static func error(of item: JSONValue) -> String {
            let words = [item.text("error_type"), item.text("error_message")].filter { !$0.isEmpty }
            if words.isEmpty, item["is_quarantined"]?.boolValue == true { return item.text("reason") }
            return words.joined(separator: ": ")
        }
    }

    struct Show: Executable {
        static let configuration = CommandConfiguration(abstract: "Show a run with its steps, input and output.")
        @Argument(help: "The run.") var run: String
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let board = try await RunFollower(client: client, console: console).look(at: id, isWhole: output.isJSON)
            if output.isJSON {
                var whole = board.run.objectValue ?? JSONObject()
                whole["steps"] = .array(board.steps)
                console.print(JSONValue.object(whole).compactText)
                return .succeeded
            }
            console.print("\(board.workflow)  \(board.id)")
            console.print("  \(board.summary(on: console))")
            for line in board.relatives { console.print("  \(line)") }
            console.print("")
            for line in board.stepLines(on: console) { console.print(line) }
            if let more = board.hidden { console.print("  \(more); see them all with: skein run show \(id.suffix(8)) -o json") }
            for part in ["input", "output"] {
                guard let value = board.run[part], value != .null else { continue }
                console.print("")
                console.print(console.styled(part, .dim))
                console.print(PrettyJSON.text(value))
            }
            return .succeeded
        }
    }

    struct Watch: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Follow runs until they have ended. The exit code says how.",
            discussion: "Ctrl-C detaches; the runs go on. On a terminal the steps are painted in place, elsewhere each change is a line.")
        @Argument(help: "One run or several.") var runs: [String] = ["@last"]
        @Option(help: "Stop following after this time, such as 90s or 5m; exits with 10.", transform: DurationArgument.read) var timeout: DurationArgument?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            var ids: [String] = []
            for run in runs { ids.append(try await RunReference.resolve(run, with: client)) }
            let follower = RunFollower(client: client, console: console)
            guard let ending = try await follower.followUntilInterrupted(ids, timeout: timeout?.duration, isQuiet: output.isJSON) else {
                return .detached
            }
            if output.isJSON { for board in ending.boards { console.print(board.run.compactText) } }
            return ending.status
        }
    }

    struct Cancel: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Cancel a run. Nothing of it starts any more; what is under way is told to stop.")
        @Argument(help: "The run.") var run: String
        @Option(help: "Why, for whoever looks at the run later.") var reason: String?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let answer = try await client.post("/api/v1/runs/\(id):cancel", reason.map { ["reason": .string($0)] } ?? [:])
            console.print(output.isJSON ? answer.text : "\(id) is being cancelled")
            return .succeeded
        }
    }
}

/// A duration as it is typed.
struct DurationArgument {
    let duration: Duration

    /// Reads one; the error says what it should look like.
    static func read(_ text: String) throws -> DurationArgument {
        if let duration = DurationText.parse(text) { return DurationArgument(duration: duration) }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        throw ValidationError(
            isNumber ? "a duration has a unit: \(text)s for seconds, \(text)m for minutes" : "a duration is a number with a unit, such as 90s, 5m, 2h or 7d")
    }
}
