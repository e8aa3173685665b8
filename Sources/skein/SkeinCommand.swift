// The command line: what can be typed. What it does is in the library CommandLine.

import ArgumentParser
import CommandLine
import Programs

@main
struct SkeinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skein", abstract: "Durable workflows for agents, on nothing but PostgreSQL.",
        discussion: """
            Try it:
              skein dev                                         everything on this machine, in one command
              skein workflow apply review.yaml                  register a workflow
              skein run start review -P document=/tmp/a --watch start a run and follow it

            Exit codes follow the run: 0 succeeded, 2 failed, 3 timed out, 4 cancelled, 5 not found, 6 conflict, 7 not allowed,
            8 unreachable, 9 invalid definition or input, 10 still running when the wait ended, 64 usage, 130 detached.
            """,
        version: Release.version,
        subcommands: [
            WorkflowCommand.self, RunCommand.self, StepCommand.self, EventCommand.self, WorkerCommand.self, QueueCommand.self, AgentCommand.self,
            KeyCommand.self, ExprCommand.self, DevCommand.self,
            DoctorCommand.self, MigrateCommand.self, ExplainCommand.self, DemoAgentsCommand.self, VersionCommand.self,
        ])

    static func main() async { await CommandLineEntry.run(Self.self) }
}

/// A command of ours: it does its work, and its result is the exit code.
protocol Executable: AsyncParsableCommand {
    func execute(_ console: Console) async throws -> CommandStatus
}

extension Executable {
    mutating func run() async throws {
        let console = Console.standard
        let status: CommandStatus
        do {
            status = try await execute(console)
        } catch let failure as CommandFailure {
            console.report(failure)
            status = failure.status
        } catch is CancellationError {
            status = .detached
        }
        if status != .succeeded { throw ExitCode(status.rawValue) }
    }
}

/// How results are shown.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "How to show the result: table, or json as the API has it.") var output = OutputFormat.table

    var isJSON: Bool { output == .json }
}

struct ServerOptions: ParsableArguments {
    @Option(help: "The coordinator's address. Otherwise SKEIN_SERVER, a running skein dev, \(Location.defaultServer).") var server: String?

    func client() throws -> APIClient { APIClient(server: try Location.server(option: server)) }
}

struct DatabaseOptions: ParsableArguments {
    @Option(name: .customLong("database-url"), help: "The database. Otherwise SKEIN_DATABASE_URL or a running skein dev.") var databaseURL:
        String?

    func location() throws -> String { try Location.database(option: databaseURL) }
}

struct VersionCommand: Executable {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Show the release.")
    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws -> CommandStatus {
        console.print(output.isJSON ? "{\"version\":\"\(Release.version)\"}" : "skein \(Release.version)")
        return .succeeded
    }
}

struct ExplainCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Explain a code of workflow validate: what happened, why, what to do.")
    @Argument(help: "The code, such as E2104.") var code: String

    func execute(_ console: Console) async throws -> CommandStatus {
        console.print(try WorkflowFiles.explanation(of: code))
        return .succeeded
    }
}
