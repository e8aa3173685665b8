// skein run why|trace|pause|resume|signal, skein event …, skein step adjust

import ArgumentParser
import CommandLine
import WorkflowModel

extension RunCommand {
    struct Why: Executable {
        static let configuration = CommandConfiguration(abstract: "Say what a run waits for, and what to do about it.")
        @Argument(help: "The run.") var run: String = "@last"
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let answer = try await client.get("/api/v1/runs/\(id)/why")
            if output.isJSON {
                console.print(answer.text)
                return .succeeded
            }
            let items = answer.json["items"]?.arrayValue ?? []
            if items.isEmpty { console.print("the run is under way and waits for nothing") }
            for item in items {
                let step = item.text("step")
                var line = "\(console.status(item.text("status")))  \(step.isEmpty ? "run" : step): \(item.text("detail"))"
                let since = HumanTime.age(of: item["since"]?.stringValue)
                if !since.isEmpty {
                    line += console.styled(item["reason"]?.stringValue == "ended" ? "  \(since) ago" : "  for \(since)", .dim)
                }
                if let until = item["until"]?.stringValue { line += console.styled("  until \(until)", .dim) }
                console.print(line)
                let remedy = item.text("remedy")
                if !remedy.isEmpty { console.print("    → \(remedy)") }
            }
            return .succeeded
        }
    }

    struct Trace: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Show a run as a tree: its steps, the sub-workflows that they started, and the runs that followed.")
        @Argument(help: "The run.") var run: String = "@last"
        @Option(help: "How many lines at most.") var limit = 1000
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard limit >= 1, limit <= 20_000 else { throw ValidationError("--limit must be a number from 1 to 20000") }
        }

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let answer = try await client.get("/api/v1/runs/\(id)/trace", [("limit", String(limit))])
            if output.isJSON {
                console.print(answer.text)
                return .succeeded
            }
            let items = answer.json["items"]?.arrayValue ?? []
            for item in items {
                let indent = String(repeating: "  ", count: Int(item["level"]?.intValue ?? 0))
                let took = item["duration_seconds"]?.doubleValue.map { "  " + HumanTime.duration($0) } ?? ""
                if item["kind"]?.stringValue == "letter" {
                    console.print("\(indent)\(console.glyph("failed")) \(item.text("step"))  could not start \(item.text("workflow")): \(item.text("error"))")
                    continue
                }
                let isRun = item["kind"]?.stringValue == "run"
                let relation = item.text("relation")
                let name =
                    isRun
                    ? "\(item.text("workflow"))  \(item.text("run_id"))\(relation.isEmpty || relation == "child" ? "" : "  (\(relation))")"
                    : "\(item.text("step"))  \(item.text("verb"))"
                let waits = item.text("wait_reason")
                let error = item.text("error")
                let notes = [waits.isEmpty ? "" : "waits: \(waits)", error].filter { !$0.isEmpty }.joined(separator: "  ")
                console.print(
                    "\(indent)\(console.glyph(item.text("status"))) \(name)  \(item.text("status"))\(console.styled(took, .dim))\(notes.isEmpty ? "" : "  " + notes)"
                )
            }
            if items.count == limit { console.note("only the first \(limit) lines; see more with --limit") }
            return .succeeded
        }
    }

    struct Pause: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Pause a run with everything below it. What is under way finishes, and nothing else starts.")
        @Argument(help: "The run.") var run: String
        @Option(help: "Why, for whoever looks at the run meanwhile.") var reason: String?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let answer = try await client.post("/api/v1/runs/\(id):pause", reason.map { ["reason": .string($0)] } ?? [:])
            if output.isJSON {
                console.print(answer.text)
                return .succeeded
            }
            let draining = try await client.get("/api/v1/runs/\(id)").json["draining"]?.intValue ?? 0
            console.print("\(id) is paused\(draining == 0 ? "" : "; \(Wording.count(Int(draining), "attempt")) still running")")
            console.note("resume it with: skein run resume \(id.suffix(8))")
            return .succeeded
        }
    }

    struct Resume: Executable {
        static let configuration = CommandConfiguration(abstract: "Resume a paused run. Durations go on where they stood still.")
        @Argument(help: "The run.") var run: String
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            let answer = try await client.post("/api/v1/runs/\(id):resume", [:])
            console.print(output.isJSON ? answer.text : "\(id) goes on")
            return .succeeded
        }
    }

    struct Signal: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Send an event to a run. It is kept until a step takes it.",
            discussion: """
                Examples:
                  skein run signal @last payment.received -P amount:=120
                  skein run signal @last order.cancelled --data '{"by":"customer"}' --id order-4711-cancel
                """)
        @Argument(help: "The run.") var run: String
        @Argument(help: "The event's name.") var event: String
        @Option(help: "What it carries: JSON, @FILE, or - for standard input.") var data: String?
        @Option(
            name: .customShort("P"), parsing: .unconditionalSingleValue,
            help: "A member of the data: name=text, name:=JSON, outer.inner=text.")
        var parameters: [String] = []
        @Option(help: "Its id: the same one twice counts once.") var id: String?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let target = try await RunReference.resolve(run, with: client)
            var body = JSONObject()
            body["name"] = .string(event)
            body["data"] = try RunInput.assemble(whole: data, members: parameters)
            if let id { body["id"] = .string(id) }
            let answer = try await client.post("/api/v1/runs/\(target):signal", .object(body))
            console.print(output.isJSON ? answer.text : EventCommand.words(answer.json))
            return .succeeded
        }
    }
}

struct EventCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event", abstract: "Events for whichever runs wait for them.", subcommands: [Emit.self, Show.self], aliases: ["events"])

    /// One line about an event that was accepted.
    static func words(_ event: JSONValue) -> String {
        let what = "event \(event.text("event_id")) \(event.text("event"))"
        return switch event["status"]?.stringValue {
        case "consumed": "\(what) was taken by \(event.text("taken_by_step")) of run \(event.text("taken_by"))"
        case "dropped": "\(what) was dropped: the run does not expect it"
        case "expired", "refused": "\(what): \(event.text("reason"))"
        default: "\(what) is kept until a step takes it"
        }
    }

    struct Emit: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Publish an event to the runs that wait for its name and key, now or within its lifetime.")
        @Argument(help: "The event's name.") var event: String
        @Option(help: "The correlation key.") var key: String?
        @Option(help: "What it carries: JSON, @FILE, or - for standard input.") var data: String?
        @Option(
            name: .customShort("P"), parsing: .unconditionalSingleValue,
            help: "A member of the data: name=text, name:=JSON, outer.inner=text.")
        var parameters: [String] = []
        @Option(help: "Where it comes from.") var source: String?
        @Option(help: "Its id at its source: the same one twice counts once.") var id: String?
        @Option(help: "How long it is kept for runs that are yet to wait, such as 7d.", transform: DurationArgument.read) var lifetime: DurationArgument?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            var body = JSONObject()
            body["name"] = .string(event)
            body["data"] = try RunInput.assemble(whole: data, members: parameters)
            for (name, value) in [("key", key), ("source", source), ("id", id)] {
                if let value { body[name] = .string(value) }
            }
            if let lifetime { body["lifetime"] = .string("\(Int(lifetime.duration.seconds.rounded(.up)))s") }
            let answer = try await server.client().post("/api/v1/events", .object(body))
            console.print(output.isJSON ? answer.text : EventCommand.words(answer.json))
            return .succeeded
        }
    }

    struct Show: Executable {
        static let configuration = CommandConfiguration(abstract: "Show an event, and what became of it.")
        @Argument(help: "The event's number.") var event: Int
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let answer = try await server.client().get("/api/v1/events/\(event)")
            console.print(output.isJSON ? answer.text : PrettyJSON.text(answer.json))
            return .succeeded
        }
    }
}

struct StepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Steps of runs.", subcommands: [Adjust.self], aliases: ["steps"])

    struct Adjust: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Change a running loop: how many iterations run at once, how many may fail.",
            discussion: "Example: skein step adjust @last review --max-parallel 16 --tolerate 10%")
        @Argument(help: "The run.") var run: String
        @Argument(help: "The loop's path, as `skein run show` has it.") var step: String
        @Option(help: "How many iterations run at once from now on; 0 is all of them.") var maxParallel: Int?
        @Option(help: "How many iterations may fail: 3, or 10%.") var tolerate: String?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard maxParallel != nil || tolerate != nil else { throw ValidationError("give --max-parallel or --tolerate, or both") }
            if let maxParallel, maxParallel < 0 { throw ValidationError("--max-parallel must be 0 or more") }
        }

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            let id = try await RunReference.resolve(run, with: client)
            var body = JSONObject()
            if let maxParallel { body["max_parallel"] = .int(Int64(maxParallel)) }
            if let tolerate { body["tolerate"] = .string(tolerate) }
            let answer = try await client.post("/api/v1/runs/\(id)/steps/\(APIClient.encoded(step)):adjust", .object(body))
            console.print(output.isJSON ? answer.text : "\(step) of \(id) is being adjusted")
            return .succeeded
        }
    }
}
