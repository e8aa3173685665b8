// Finding and checking workflow files, and the pages behind the codes.

import CommandLine
import Definitions
import Foundation
import Testing
import WorkflowModel

@Suite("Workflow files")
struct WorkflowFileTests {
    private static let good = "workflow: hello\nsteps:\n  - { id: greet, set: \"hi\" }\n"

    @Test("directories are searched for workflow files, in order, and files are taken as they are")
    func find() throws {
        let scratch = try Scratch()
        for name in ["b.yaml", "a/x.yml", "a/y.json", "a/notes.txt", ".hidden/z.yaml"] { try scratch.write("", to: name) }
        let root = scratch.url.path(percentEncoded: false)
        let found = try WorkflowFiles.find([root, "other.txt"])
        let base = root.hasSuffix("/") ? root : root + "/"
        #expect(found == [base + "a/x.yml", base + "a/y.json", base + "b.yaml", "other.txt"])
    }

    @Test("a directory without workflow files is a mistake")
    func nothing() throws {
        let scratch = try Scratch()
        let failure = #expect(throws: CommandFailure.self) { try WorkflowFiles.find([scratch.url.path(percentEncoded: false)]) }
        #expect(failure?.status == .notFound)
    }

    @Test("a valid file names its workflow; a broken one shows each finding with its place and a caret")
    func check() throws {
        let scratch = try Scratch()
        let good = try WorkflowFiles.check(scratch.write(Self.good, to: "good.yaml"))
        #expect(good.isValid)
        #expect(good.workflow == "hello")
        let bad = try WorkflowFiles.check(scratch.write(Self.good.replacing("steps", with: "stepz"), to: "bad.yaml"))
        #expect(!bad.isValid)
        #expect(bad.errorCount >= 1)
        #expect(bad.rendered.joined().contains("^"))
        let lines = (bad.json["diagnostics"]?.arrayValue ?? []).map { $0["line"]?.intValue }
        #expect(lines.contains(2))
    }

    @Test("a file that is not there, and one that is not text, are told apart")
    func unreadable() throws {
        let scratch = try Scratch()
        let missing = #expect(throws: CommandFailure.self) { try WorkflowFiles.check("/nowhere/at/all.yaml") }
        #expect(missing?.status == .notFound)
        let file = scratch.url.appending(path: "binary.yaml")
        try Data([0xFF, 0xFE, 0x00]).write(to: file)
        let binary = #expect(throws: CommandFailure.self) { try WorkflowFiles.check(file.path(percentEncoded: false)) }
        #expect(binary?.status == .invalid)
    }

    @Test("every code has its page", arguments: DiagnosticCode.allCases)
    func explanations(code: DiagnosticCode) throws {
        let page = try WorkflowFiles.explanation(of: code.rawValue.lowercased())
        #expect(page.hasPrefix(code.rawValue))
    }

    @Test("a code that does not exist is not found")
    func unknownCode() {
        let failure = #expect(throws: CommandFailure.self) { try WorkflowFiles.explanation(of: "E0000") }
        #expect(failure?.status == .notFound)
    }
}
