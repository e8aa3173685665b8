// skein worker …, skein queue …, skein agent …

import ArgumentParser
import CommandLine
import WorkflowModel

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Workers.", subcommands: [List.self], defaultSubcommand: List.self, aliases: ["workers"])

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show worker sessions; dead ones only when asked for.")
        @Option(help: "Only these, separated by commas: alive, draining, expired, dead.") var status: String?
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            try await ListView.show(
                "/api/v1/workers", [("status", status)], limit: 500, server.client(), output.isJSON, console,
                columns: [
                    .text("WORKER"), .text("STATUS"), .number("SLOTS"), .number("USED"), .text("QUEUES"), .text("HOST"), .number("PID"),
                    .text("VERSION"), .number("UP"), .number("HEARTBEAT"),
                ], empty: "no workers; start skein-worker"
            ) { item in
                [
                    item.text("worker"), console.status(item.text("status")), item.text("slots"), item.text("slots_used"),
                    item.list("queues"),
                    item.text("host"), item.text("pid"), item.text("version"), HumanTime.age(of: item["started_at"]?.stringValue),
                    HumanTime.age(of: item["heartbeat_at"]?.stringValue) + " ago",
                ]
            }
        }
    }
}

struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Queues.", subcommands: [List.self], defaultSubcommand: List.self, aliases: ["queues"])

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show what is queued, and who serves it.")
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            try await ListView.show(
                "/api/v1/queues", limit: nil, server.client(), output.isJSON, console,
                columns: [
                    .text("QUEUE"), .number("READY"), .number("RUNNING"), .number("WAITING"), .number("HELD"), .number("OLDEST"),
                    .number("WORKERS"), .number("SLOTS"),
                ], empty: "no queues yet"
            ) { item in
                [
                    item.text("queue"), item.text("ready"), item.text("running"), item.text("waiting"), item.text("held"),
                    item["oldest_ready_seconds"]?.doubleValue.map(HumanTime.duration) ?? "", item.text("workers"), item.text("slots"),
                ]
            }
        }
    }
}

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Agents.", subcommands: [List.self], defaultSubcommand: List.self, aliases: ["agents"])

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show the agents that live workflows name.")
        @OptionGroup var server: ServerOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            try await ListView.show(
                "/api/v1/agents", limit: nil, server.client(), output.isJSON, console,
                columns: [.text("AGENT"), .text("KIND"), .text("WORKFLOWS")], empty: "no live workflow names an agent"
            ) { item in [item.text("agent"), item.text("kind"), item.list("workflows")] }
        }
    }
}
