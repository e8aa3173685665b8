// skein dev, skein demo-agents, skein migrate, skein doctor, skein key …

import ArgumentParser
import CommandLine
import Foundation
import RunStore
import Schema
import WorkflowModel

struct DevCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Run everything on this machine: a private PostgreSQL, a coordinator, workers.",
        discussion:
            "Other commands find it by themselves when they are started in this directory or below. Ctrl-C stops it; the state is kept.")
    @Option(help: "The port of the coordinator; the next free one when it is taken, any with 0.") var port = 7070
    @Option(help: "How many workers.") var workers = 1
    @Option(help: "How many tasks a worker works on at the same time.") var slots = 16
    @Option(name: .customLong("data-dir"), help: "Where to keep the state.") var dataDirectory = DevState.directoryName
    @Flag(help: "Keep the state in a temporary directory, and remove it at the end.") var ephemeral = false
    @Option(name: .customLong("database-url"), help: "Use this database instead of a private server.") var databaseURL: String?
    @Option(name: .customLong("pg-bindir"), help: "Where PostgreSQL's programs are. Otherwise SKEIN_PG_BINDIR, PATH, the usual places.")
    var binaryDirectory: String?

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535") }
        guard (0...64).contains(workers) else { throw ValidationError("--workers must be from 0 to 64") }
        guard (1...10_000).contains(slots) else { throw ValidationError("--slots must be from 1 to 10000") }
    }

    func execute(_ console: Console) async throws -> CommandStatus {
        let directory = ephemeral ? try DevSettings.temporaryDirectory() : URL(fileURLWithPath: dataDirectory)
        var settings = DevSettings(directory: directory, programs: DevSettings.ownDirectory)
        settings.port = port
        settings.workers = workers
        settings.slots = slots
        settings.isEphemeral = ephemeral
        settings.databaseURL = databaseURL
        settings.binaryDirectory = binaryDirectory.map { URL(fileURLWithPath: $0) }
        return try await DevSupervisor(settings, console: console).run()
    }
}

struct DemoAgentsCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "demo-agents", abstract: "Serve the demo's agent: POST /analyze with a text answers how readable it is.",
        discussion: "It stands for an agent of your own: a plain HTTP service that knows nothing of skein.")
    @Option(help: "The port on the loopback interface; 0 takes any.") var port = 7171
    @Option(parsing: .singleValue, help: "A directory whose files may be named by path; may be given more than once.") var documents:
        [String] = []

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535") }
    }

    func execute(_ console: Console) async throws -> CommandStatus {
        let agents = DemoAgents(documents: documents.map { URL(fileURLWithPath: $0) })
        let port = port
        let ending = try await Interrupts.until(Interrupts.stream()) {
            try await agents.serve(port: port) { address in console.print("skein demo-agents ready on \(address)") }
        }
        return ending.signal == nil ? .unexpected : .succeeded
    }
}

struct MigrateCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring a database to the schema of this release.",
        discussion: "Forward only, under a lock, in one transaction where PostgreSQL allows it. Running it again changes nothing.")
    @Flag(name: .customLong("dry-run"), help: "Only say what would be done.") var dryRun = false
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> CommandStatus {
        try await Database.use(database.location()) { connection in
            if dryRun {
                let status = try await Migrator.status(connection)
                for name in status.pending { console.print("would apply migration \(name)") }
                for name in status.missingFunctions + status.changedFunctions { console.print("would apply functions \(name)") }
                if status.isCurrent { console.print("\(console.glyph("good")) schema \(status.applied) is current") }
                return .succeeded
            }
            let report = try await Migrator.migrate(connection)
            for name in report.migrations { console.print("applied migration \(name)") }
            for name in report.functions { console.print("applied functions \(name)") }
            console.print("\(console.glyph("good")) schema \(report.to)\(report.isUnchanged ? " is current" : "")")
            return .succeeded
        }
    }
}

struct DoctorCommand: Executable {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at a database: server, durability, schema, workers, and every invariant.",
        discussion: "Exits with 1 when something is broken. It only reads.")
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws -> CommandStatus {
        let findings = try await Database.use(database.location()) { connection in try await Doctor.examine(connection) }
        let bad = findings.count { $0.verdict == .bad }
        if output.isJSON {
            console.print((["good": .bool(bad == 0), "findings": .array(findings.map(\.json))] as JSONValue).compactText)
        } else {
            let width = findings.map { TextTable.width($0.name) }.max() ?? 0
            for finding in findings {
                let padding = String(repeating: " ", count: width - TextTable.width(finding.name))
                console.print("\(console.glyph(finding.verdict.rawValue)) \(finding.name)\(padding)  \(finding.seen)")
                for row in finding.rows { console.print("    \(Console.printable(row))") }
                if let remedy = finding.remedy { console.print("    fix: \(remedy)") }
            }
            let warnings = findings.count { $0.verdict == .warning }
            console.note(
                bad + warnings == 0
                    ? "everything is as it should be" : "\(Wording.count(bad, "problem")), \(Wording.count(warnings, "warning"))")
        }
        return bad == 0 ? .succeeded : .unexpected
    }
}

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys, made and revoked in the database.", subcommands: [Create.self, List.self, Revoke.self],
        aliases: ["keys"])

    struct Create: Executable {
        static let configuration = CommandConfiguration(
            abstract: "Make a key. It is shown once: only its hash is stored.")
        @Argument(help: "A name for people.") var name: String
        @Option(help: "What it may do: read, write, or both separated by a comma.") var scope = "read,write"
        @Option(help: "How long it is valid, such as 90d; without it, until it is revoked.", transform: DurationArgument.read) var lifetime: DurationArgument?
        @Option(help: "The namespace of everything that is asked for with it.") var namespace = "default"
        @OptionGroup var database: DatabaseOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            var scopes: Set<ApiScope> = []
            for word in scope.split(separator: ",") {
                guard let scope = ApiScope(rawValue: word.trimmingCharacters(in: .whitespaces)) else {
                    throw CommandFailure(.usage, "\"\(word)\" is no scope", fix: "write --scope read, --scope write or --scope read,write")
                }
                scopes.insert(scope)
            }
            guard !scopes.isEmpty else {
                throw CommandFailure(.usage, "--scope names no scope", fix: "write --scope read, --scope write or --scope read,write")
            }
            return try await Database.use(database.location()) { connection in
                do throws(ApiKeyError) {
                    console.print(
                        try await ApiKeys.create(name, namespace: namespace, scopes: scopes, lifetime: lifetime?.duration, on: connection))
                } catch {
                    switch error {
                    case .unknownNamespace: throw CommandFailure(.notFound, error.description)
                    case .nameTaken: throw CommandFailure(.conflict, error.description)
                    case .unavailable(let cause): throw cause
                    }
                }
                console.note("keep it; it is not shown again. Clients send it as `Authorization: Bearer …`, skein reads SKEIN_API_KEY")
                return .succeeded
            }
        }
    }

    struct List: Executable {
        static let configuration = CommandConfiguration(abstract: "Show the keys of a namespace.")
        @Option(help: "The namespace.") var namespace = "default"
        @OptionGroup var database: DatabaseOptions
        @OptionGroup var output: OutputOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let keys = try await Database.use(database.location()) { connection in try await ApiKeys.list(in: namespace, on: connection) }
                .map(\.value)
            if output.isJSON {
                console.print((["items": .array(keys)] as JSONValue).compactText)
                return .succeeded
            }
            var table = TextTable([.text("NAME"), .text("SCOPES"), .text("VALID"), .number("AGE"), .text("EXPIRES")])
            for key in keys {
                let validity = key["is_valid"]?.boolValue == true ? "valid" : key["revoked_at"] == .null ? "expired" : "revoked"
                table.add([
                    key.text("name"), key.list("scopes"), validity, HumanTime.age(of: key["created_at"]?.stringValue),
                    key["expires_at"]?.stringValue ?? "never",
                ])
            }
            if table.isEmpty {
                console.note("no keys; `skein key create NAME` makes one")
            } else {
                for line in table.lines(on: console) { console.print(line) }
            }
            return .succeeded
        }
    }

    struct Revoke: Executable {
        static let configuration = CommandConfiguration(abstract: "Revoke a key. Coordinators stop taking it within seconds.")
        @Argument(help: "The key's name.") var name: String
        @Option(help: "The namespace.") var namespace = "default"
        @OptionGroup var database: DatabaseOptions

        func execute(_ console: Console) async throws -> CommandStatus {
            let wasThere = try await Database.use(database.location()) { connection in
                try await ApiKeys.revoke(name, in: namespace, on: connection)
            }
            guard wasThere else {
                throw CommandFailure(.notFound, "there is no valid key called \"\(name)\"", fix: "`skein key list` shows the keys")
            }
            console.print("\(name) is revoked")
            return .succeeded
        }
    }
}
