// Files that belong together, reports, drawings and differences: what `skein workflow` does without a server.

import CommandLine
import Definitions
import Foundation
import Testing
import WorkflowModel

@Suite("Workflow sources")
struct WorkflowSourceTests {
    private static let first = "workflow: first\nsteps:\n  - { id: greet, set: hi }\n"

    private func noServer() throws -> APIClient { throw CommandFailure(.unreachable, "no server is needed here") }

    @Test("workflows that always start each other are found among the files that are checked together")
    func circle() throws {
        let scratch = try Scratch()
        let one = try scratch.write("workflow: one\nsteps: [ { id: a, workflow: two } ]\n", to: "one.yaml")
        let two = try scratch.write("workflow: two\nsteps: [ { id: a, workflow: one } ]\n", to: "two.yaml")
        let alone = try WorkflowFiles.checkAll([one])
        let together = try WorkflowFiles.checkAll([one, two])
        #expect(alone.map(\.isValid) == [true])
        #expect(together.map(\.isValid) == [false, false])
        #expect(together.map(\.errorCount) == [1, 1])
        #expect(together[0].codes == ["E2147"])
        #expect(together[0].rendered.joined().contains("one → two → one"))
    }

    @Test("what a run is compared with is no workflow, also where a directory is searched")
    func expectations() throws {
        let scratch = try Scratch()
        try scratch.write(Self.first, to: "first.yaml")
        try scratch.write("{}", to: "first.expected.json")
        let found = try WorkflowFiles.find([scratch.url.path(percentEncoded: false)])
        #expect(found.map { String($0.split(separator: "/").last ?? "") } == ["first.yaml"])
    }

    @Test("a SARIF report names the files and the program's version")
    func sarif() throws {
        let scratch = try Scratch()
        let broken = try WorkflowFiles.checkAll([scratch.write(Self.first.replacing("set", with: "sett"), to: "broken.yaml")])
        let report = try JSONValue(parsing: WorkflowFiles.sarif(broken, version: "9.9"))
        let run = try #require(report["runs"]?.arrayValue?.first)
        #expect(run["tool"]?["driver"]?["version"] == "9.9")
        #expect(run["results"]?.arrayValue?.count == broken[0].errorCount)
    }

    @Test("files are drawn and compared without a server")
    func drawn() async throws {
        let scratch = try Scratch()
        let old = try await WorkflowSources.find(scratch.write(Self.first, to: "old.yaml"), client: noServer)
        let new = try await WorkflowSources.find(scratch.write(Self.first.replacing("hi", with: "hello"), to: "new.yaml"), client: noServer)
        #expect(WorkflowSources.drawing(old, as: .text).contains("greet: set"))
        let difference = WorkflowSources.difference(old, new)
        #expect(difference.lines == ["changed  greet.set: \"hi\" → \"hello\""])
        #expect(difference.isCompatible)
        #expect(difference.json["changes"]?.arrayValue?.count == 1)
        let same = WorkflowSources.difference(old, old)
        #expect(same.lines.isEmpty)
    }

    @Test("a broken file is not drawn, and a file that is not there is no registered workflow")
    func refused() async throws {
        let scratch = try Scratch()
        let path = try scratch.write("workflow: broken\n", to: "broken.yaml")
        let broken = await #expect(throws: CommandFailure.self) { try await WorkflowSources.find(path, client: noServer) }
        #expect(broken?.status == .invalid)
        let missing = await #expect(throws: CommandFailure.self) { try await WorkflowSources.find("nowhere/at/all.yaml", client: noServer) }
        #expect(missing?.status == .notFound)
    }

    @Test("the schema of the format is JSON")
    func schema() throws {
        let schema = try JSONValue(parsing: WorkflowSources.formatSchema)
        #expect(schema["properties"]?["workflow"] != nil)
    }
}
