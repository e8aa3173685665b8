// What the documentation says is true: its commands are executed, its workflows are valid, its queries run, its paths exist.

import EmbeddedPostgres
import Foundation
import Postgres
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Documentation", .timeLimit(.minutes(5)))
    struct DocumentationTests {
        /// Commands that go on until they are told to stop, and what they print when they are ready.
        private static let lasting = ["skein dev": "stop", "skein-worker": " ready"]
        private static let documentedDatabase = "postgresql://skein@db.internal/skein"

        @Test("every command of the README prints what is shown below it, every workflow is valid, every query runs")
        func readme() async throws {
            let blocks = try DocumentedBlock.all(of: ProgramRun.repository.appending(path: "README.md"))
            try await Reader.use { reader in
                for block in blocks {
                    switch block.language {
                    case "yaml": try reader.keep(block)
                    case "sql": try await reader.query(block)
                    case "console":
                        for (command, shown) in block.commands { try await reader.execute(command, shown, block.place) }
                    case "text":
                        // The suite cannot run itself.
                        #expect(block.commands.map(\.command) == ["deploy/test"], "\(block.place)")
                    default: Issue.record("\(block.place): nobody would execute a block of “\(block.language)”")
                    }
                }
            }
            #expect(blocks.count { $0.language == "console" } >= 6)
            #expect(blocks.filter { $0.language == "sql" }.flatMap { Reader.statements($0) }.count >= 4)
        }

        @Test("what articles show as workflows is valid, and there is nothing in them that would have to be executed")
        func articles() async throws {
            let articles = try DocumentedBlock.articles(below: ProgramRun.repository.appending(path: "Sources"))
            #expect(articles.count >= 5)
            let scratch = FileManager.default.temporaryDirectory.appending(path: "skein-articles-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: scratch) }
            for block in try articles.flatMap({ try DocumentedBlock.all(of: $0) }) {
                #expect(["", "text", "yaml", "json", "swift"].contains(block.language), "\(block.place)")
                #expect(block.commands.isEmpty, "\(block.place)")
                guard block.language == "yaml", block.lines.first?.hasPrefix("workflow:") == true else { continue }
                let file = scratch.appending(path: "workflow.yaml")
                try block.text.write(to: file, atomically: true, encoding: .utf8)
                let run = try await ProgramRun.of("skein", ["workflow", "validate", file.path(percentEncoded: false)])
                // What a later release will run is described too, and refused by that name and no other.
                let errors = "\(run)".matches(of: /error\[(E\d+)\]/).map(\.1)
                #expect(run.code == 0 || (!errors.isEmpty && errors.allSatisfy { $0 == "E2115" }), "\(block.place): \(run)")
            }
        }

        @Test("the files and folders that the documentation names exist")
        func paths() throws {
            let root = ProgramRun.repository
            for file in try [root.appending(path: "README.md")] + DocumentedBlock.articles(below: root.appending(path: "Sources")) {
                let text = try String(contentsOf: file, encoding: .utf8)
                for match in text.matches(of: /(?:^|[\s`(])((?:Sources|Tests|sql|deploy)\/[A-Za-z0-9_.@+\/-]*[A-Za-z0-9])/) {
                    let path = String(match.output.1)
                    #expect(
                        FileManager.default.fileExists(atPath: root.appending(path: path).path(percentEncoded: false)),
                        "\(file.lastPathComponent) names \(path)")
                }
            }
        }

        /// Somebody who does what the README says, in a directory of their own.
        private final class Reader {
            let directory: URL
            private var programs: [BackgroundProgram] = []
            private var environment: [String: String]

            static func use(_ body: (Reader) async throws -> Void) async throws {
                let reader = try Reader()
                do {
                    try await body(reader)
                } catch {
                    reader.leave(SIGKILL)
                    throw error
                }
                for program in reader.programs.reversed() {
                    program.send(SIGTERM)
                    try await waitUntil("what was started has stopped", deadline: .seconds(30)) { !program.isRunning }
                    #expect(program.code == 0, "\(program.printed)")
                }
                reader.leave(SIGKILL)
            }

            private init() throws {
                directory = URL(fileURLWithPath: "/tmp/skein-readme-\(String(UInt32.random(in: 0 ... .max), radix: 36))")
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                try FileManager.default.createSymbolicLink(
                    at: directory.appending(path: "deploy"), withDestinationURL: ProgramRun.repository.appending(path: "deploy"))
                let binaries = try ProgramRun.binaries.path(percentEncoded: false)
                environment = ProcessInfo.processInfo.environment
                    .filter { !$0.key.hasPrefix("SKEIN_") && !$0.key.hasPrefix("PG") }
                    .merging(["NO_COLOR": "1", "SKEIN_BIN": binaries]) { $1 }
                environment["PATH"] = binaries + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
            }

            private func leave(_ signal: Int32) {
                for program in programs { program.send(signal) }
                try? FileManager.default.removeItem(at: directory)
            }

            private var shown: ShownOutput {
                ShownOutput(names: [(directory.path(percentEncoded: false), "/home/ada/greet"), (ProcessInfo.processInfo.hostName, "vm")])
            }

            func keep(_ block: DocumentedBlock) throws {
                let name = try #require(block.lines.first?.wholeMatch(of: /workflow: (\w+)/)?.output.1, "\(block.place)")
                try block.text.write(to: directory.appending(path: "\(name).yaml"), atomically: true, encoding: .utf8)
            }

            func execute(_ command: String, _ shown: [String], _ place: String) async throws {
                let command = command.replacing(DocumentationTests.documentedDatabase, with: "\"$README_DATABASE\"")
                let printed: String
                if let (_, mark) = DocumentationTests.lasting.first(where: { command.hasPrefix($0.key) }) {
                    let program = try BackgroundProgram(command, environment: environment, in: directory)
                    programs.append(program)
                    try await waitUntil("\(command) is ready", deadline: .seconds(60)) {
                        guard program.isRunning else { throw HarnessError("\(place): \(command) ended:\n\(program.printed)") }
                        return program.printed.contains(mark)
                    }
                    printed = program.printed
                    if let url = try databaseURL() { environment["README_DATABASE"] = url }
                    // What is not shown need not be printed.
                    if shown.isEmpty { return }
                } else {
                    let run = try await ProgramRun.of(
                        "/bin/sh", ["-c", "\(command) 2>&1"], environment: environment, in: directory, within: .seconds(120))
                    #expect(run.code == 0, "\(place): \(command)\n\(run)")
                    printed = run.output
                }
                let difference = self.shown.firstDifference(shown: shown, printed: printed)
                #expect(difference == nil, "\(place): \(command) does not print this line\n\(printed)")
            }

            private func databaseURL() throws -> String? {
                guard let text = try? String(contentsOf: directory.appending(path: ".skein/dev.json"), encoding: .utf8) else { return nil }
                return try JSONValue(parsing: text)["database_url"]?.stringValue
            }

            static func statements(_ block: DocumentedBlock) -> [String] {
                block.text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
            }

            func query(_ block: DocumentedBlock) async throws {
                let url = try #require(environment["README_DATABASE"], "\(block.place): nothing runs yet")
                let connection = try await PostgresConnection.connect(PostgresConfiguration(url, applicationName: "reader"))
                for statement in Self.statements(block) { _ = try await connection.query(SQL(statement)) }
                await connection.close()
            }
        }
    }
}
