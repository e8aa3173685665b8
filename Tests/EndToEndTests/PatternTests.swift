// The examples do what they promise, on a cluster as people have it: a coordinator and two workers.

import Foundation
import PostgresTestKit
import Testing
import WorkflowModel

extension EndToEnd {
    @Suite("Examples", .timeLimit(.minutes(5)))
    struct PatternTests {
        private static let patterns = ExampleFile.folder.appending(path: "patterns")

        @Test("every control-flow pattern that is claimed comes out as its file promises")
        func controlFlowPatterns() async throws {
            let examples = try ExampleFile.all(in: Self.patterns)
            // At least 25 of van der Aalst's 43.
            let claimed = Set(examples.compactMap { $0.expected["pattern"]?.stringValue })
            #expect(claimed.count >= 25, "\(claimed.sorted())")
            try await check(examples)
        }

        @Test("every example comes out as it promises")
        func examples() async throws {
            let examples = try ExampleFile.all(in: ExampleFile.folder)
            #expect(!examples.isEmpty)
            try await check(examples)
        }

        @Test("every workflow file among the examples is valid, and is run or belongs to one that is")
        func complete() async throws {
            let examples = try ExampleFile.all(in: ExampleFile.folder) + ExampleFile.all(in: Self.patterns)
            let executed = Set(examples.flatMap { $0.others + [$0.url] }.map { $0.standardized.path(percentEncoded: false) })
            let files = try ExampleFile.files()
            for file in files {
                let path = file.standardized.path(percentEncoded: false)
                #expect(executed.contains(path), "\(path) is not executed: it has no .expected.json, and no other example names it")
            }
            let run = try await ProgramRun.of("skein", ["workflow", "validate"] + files.map { $0.path(percentEncoded: false) })
            #expect(run.code == 0, "\(run)")
        }

        @Test("the documentation shows every example as it is, and names every pattern that is claimed")
        func documented() throws {
            let articles = try DocumentedBlock.articles(below: ProgramRun.repository.appending(path: "Sources"))
            let shown = Set(try articles.flatMap { try DocumentedBlock.all(of: $0) }.filter { $0.language == "yaml" }.map(\.text))
            for example in try ExampleFile.all(in: ExampleFile.folder) {
                let source = try String(contentsOf: example.url, encoding: .utf8)
                #expect(shown.contains(source), "\(example.name).yaml is not shown as it is")
            }
            let texts = try articles.map { try String(contentsOf: $0, encoding: .utf8) }
            for pattern in try ExampleFile.all(in: Self.patterns) where pattern.expected["pattern"] != nil {
                #expect(texts.contains { $0.contains("`\(pattern.name).yaml`") }, "\(pattern.name) is in no table")
            }
        }

        private func check(_ examples: [ExampleFile]) async throws {
            try await withCluster { cluster in
                let settings = ["SKEIN_EXEC_ALLOW": "sh,cat,wc,tr,sort,sed,sha256sum"]
                try await cluster.startCoordinator()
                for _ in 0..<2 { try await cluster.startWorker(settings: settings) }
                let analyst = try await DemoAgent.start(in: cluster.directory)
                defer { analyst.send(SIGKILL) }
                let runner = ExampleRunner(
                    cluster: cluster, client: try await cluster.client(), names: ["$ANALYST": analyst.url, "$DOCUMENTS": DemoAgent.documents])
                for example in examples { try await runner.check(example) }
                try await cluster.expectClean()
            }
        }
    }
}

/// The text-analysing agent that the product ships, as a process.
struct DemoAgent {
    static let documents = "/usr/share/common-licenses"
    let url: String
    private let program: BackgroundProgram

    static func start(in directory: URL) async throws -> DemoAgent {
        let skein = try Binaries.url(of: "skein").path(percentEncoded: false)
        let program = try BackgroundProgram(
            "\(skein) demo-agents --port 0 --documents \(documents)", environment: ["NO_COLOR": "1", "PATH": "/usr/bin:/bin"], in: directory)
        var url: String?
        try await waitUntil("the agent is ready", deadline: .seconds(30)) {
            guard program.isRunning else { throw HarnessError("skein demo-agents ended:\n\(program.printed)") }
            url = program.printed.firstMatch(of: /ready on (\S+)\n/).map { String($0.output.1) }
            return url != nil
        }
        return DemoAgent(url: url ?? "", program: program)
    }

    func send(_ signal: Int32) { program.send(signal) }
}
