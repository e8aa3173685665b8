// The models of the protocol: what their files promise is what they contain, and, where spin is installed, what it finds.

import Foundation
import Testing

@Suite("Models", .timeLimit(.minutes(4)))
struct ModelTests {
    static let folder = EmbeddedSQLTests.root.appending(path: "sql/models")
    static let names = ["lease", "mailbox", "pause"]

    private static let canCheck = ["spin", "cc"].allSatisfy { program in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    @Test("every model is known here")
    func all() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path(percentEncoded: false)).filter { $0.hasSuffix(".pml") }
        #expect(files.sorted() == Self.names.map { $0 + ".pml" })
    }

    @Test("every switch that a model has is one of its mutants or variants, and the other way round", arguments: names)
    func switches(model: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: "\(model).pml"), encoding: .utf8)
        let lines = text.matches(of: /\n +(?:mutant (\w+) +(?:assertion|stuck|cycle)|variant (\w+)) +\w/)
        let promised = lines.compactMap { $0.output.1 ?? $0.output.2 }.map { String($0) }
        let conditions = text.split(separator: "\n").filter { $0.hasPrefix("#if") || $0.hasPrefix("#elif") }
        let used = conditions.flatMap { $0.matches(of: /[A-Z][A-Z_]+/).map { String($0.output) } }
        #expect(Set(promised) == Set(used).subtracting(["FAULTS"]))
        #expect(promised.count >= 9 && Set(promised).count == promised.count)
    }

    @Test(
        "every model holds, and each of its mutants fails as its file says",
        .enabled(if: canCheck, "there is no spin or no C compiler here: deploy/install-packages --models"), arguments: names)
    func holds(model: String) throws {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = Self.folder.appending(path: "run")
        process.arguments = [model]
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let printed = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(printed)")
        #expect(printed.matches(of: try Regex("(?m)^\(model) ")).count >= 11, "\(printed)")
    }
}
