// skein run start

import ArgumentParser
import CommandLine
import WorkflowModel

extension RunCommand {
    struct Start: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Start a run.",
            discussion: """
                Examples:
                  skein run start review -P document=/tmp/a.txt --watch
                  skein run start review -i @input.json --key order-4711
                  skein run start review --batch inputs.jsonl
                When the answer comes, the run is durable. The same --key gets the same run, however often it is asked for.
                """)
        @Argument(help: "The workflow: NAME, or NAME@VERSION.") var workflow: String
        @Option(name: .shortAndLong, help: "The input: JSON, @FILE, or - for standard input.") var input: String?
        @Option(
            name: .customShort("P"), parsing: .unconditionalSingleValue,
            help: "A member of the input: name=text, name:=JSON, outer.inner=text.")
        var parameters: [String] = []
        @Option(help: "Start one run for each line of a file with one JSON input a line; - is standard input.") var batch: String?
        @Option(help: "The idempotency key.") var key: String?
        @Option(
            name: .customLong("label"), parsing: .unconditionalSingleValue,
            help: "A label: name=value, or name=@member for what the input says there.") var labels: [String] = []
        @Flag(help: "Follow the run; the exit code says how it ended.") var watch = false
        @Flag(help: "Wait for the run's end and print its output; the exit code says how it ended.") var wait = false
        @Option(help: "Stop waiting or following after this time; exits with 10.", transform: DurationArgument.read) var timeout: DurationArgument?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if watch, wait { throw ValidationError("--watch and --wait exclude each other") }
            if timeout != nil, !watch, !wait { throw ValidationError("--timeout needs --watch or --wait") }
            if batch != nil, input != nil || !parameters.isEmpty || key != nil || wait {
                throw ValidationError("--batch goes with --label and --watch only")
            }
        }

        func execute(_ console: Console) async throws -> CommandStatus {
            let client = try server.client()
            if let batch { return try await startBatch(RunInput.lines(of: batch), client, console) }
            let answer = try await client.post("/api/v1/runs", try request(RunInput.assemble(whole: input, members: parameters)))
            let id = answer.json["run_id"]?.stringValue ?? ""
            let name = "\(answer.json.text("workflow"))@\(answer.json.text("version"))"
            let isReplay = answer.json["is_replay"]?.boolValue == true
            guard watch || wait else {
                if output.isJSON {
                    console.print(answer.text)
                } else {
                    console.print(id)
                    console.note(
                        "\(name)\(isReplay ? ", started by an earlier request with this key" : " started"); follow it with: skein run watch \(id.suffix(8))"
                    )
                }
                return .succeeded
            }
            if !output.isJSON { (watch ? console.print : console.note)("▶ run \(id)  \(name)\(isReplay ? "  (started before)" : "")") }
            let follower = RunFollower(client: client, console: console)
            guard
                let ending = try await follower.followUntilInterrupted([id], timeout: timeout?.duration, isQuiet: wait || output.isJSON),
                let board = ending.boards.first
            else { return .detached }
            if output.isJSON {
                console.print(board.run.compactText)
            } else if wait {
                console.note(board.summary(on: console))
                if board.hasEnded, let value = board.run["output"], value != .null { console.print(PrettyJSON.text(value)) }
            }
            return ending.status
        }

        private func request(_ input: JSONValue) throws -> JSONValue {
            let labels = try RunInput.labels(self.labels, of: input)
            let parts = workflow.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            var request = JSONObject()
            request["workflow"] = .string(parts[0])
            if parts.count == 2 {
                guard let version = Int64(parts[1]) else {
                    throw CommandFailure(.usage, "\"\(parts[1])\" is no version", fix: "write NAME@3")
                }
                request["version"] = .int(version)
            }
            request["input"] = input
            if let key { request["key"] = .string(key) }
            if !labels.isEmpty { request["labels"] = .object(labels) }
            return .object(request)
        }

        private static let largestBatch = 1000

        private func startBatch(_ inputs: [JSONValue], _ client: APIClient, _ console: Console) async throws -> CommandStatus {
            var ids: [String] = []
            var failures: [CommandFailure] = []
            var rest = inputs[...]
            while !rest.isEmpty {
                let part = rest.prefix(Self.largestBatch)
                rest = rest.dropFirst(part.count)
                let answer = try await client.post("/api/v1/runs:batch", ["runs": .array(try part.map { try request($0) })])
                if output.isJSON, !watch { console.print(answer.text) }
                for result in answer.json["results"]?.arrayValue ?? [] {
                    if let id = result["run"]?["run_id"]?.stringValue {
                        ids.append(id)
                        if !output.isJSON, !watch { console.print(id) }
                    } else {
                        let status = CommandStatus(httpStatus: Int(result["status"]?.intValue ?? 500))
                        failures.append(CommandFailure(status, result["problem"]?.text("detail") ?? "refused"))
                    }
                }
            }
            for failure in failures { console.report(failure) }
            console.note("\(Wording.count(ids.count, "run")) of \(inputs.count) started")
            var status = failures.first?.status ?? .succeeded
            if watch, !ids.isEmpty {
                let follower = RunFollower(client: client, console: console)
                guard let ending = try await follower.followUntilInterrupted(ids, timeout: timeout?.duration, isQuiet: output.isJSON) else {
                    return .detached
                }
                if output.isJSON { for board in ending.boards { console.print(board.run.compactText) } }
                if status == .succeeded { status = ending.status }
            }
            return status
        }
    }
}
