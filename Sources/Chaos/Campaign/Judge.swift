// The judge of a campaign: a program in another language that shares no code with the product, and reads what the campaign has left behind.

import EmbeddedPostgres
package import Foundation
package import WorkflowModel

/// What the judge found.
package struct Judgement: Sendable {
    /// All of it, as the judge wrote it.
    package let report: JSONValue

    /// Whether every promise was kept, and enough happened to say so.
    package var isGood: Bool { verdict == "good" }
    /// `good`, `broken`, or `void`.
    package var verdict: String { report["verdict"]?.stringValue ?? "" }
    /// What was broken, and what makes the campaign void.
    package var findings: [String] {
        (report["violations"]?.arrayValue ?? []).compactMap { finding in
            guard let rule = finding["rule"]?.stringValue, let count = finding["count"]?.intValue else { return nil }
            let examples = (finding["examples"]?.arrayValue ?? []).map { $0.stringValue ?? $0.compactText }
            return "\(rule) (\(count)): \(examples.joined(separator: "; "))"
        } + (report["void"]?.arrayValue ?? []).compactMap { $0.stringValue.map { "void: \($0)" } }
    }
}

/// Runs `deploy/check-history`.
package struct Judge: Sendable {
    private let program: URL

    package init(_ program: URL) { self.program = program }

    /// The judge of the repository that this program was built in, or that somebody stands in.
    package static func find() throws -> Judge {
        let starts = [
            URL(fileURLWithPath: FileManager.default.currentDirectoryPath),
            URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent(),
        ]
        for start in starts {
            var directory = start
            for _ in 0..<6 {
                let candidate = directory.appending(path: "deploy/check-history")
                if FileManager.default.isExecutableFile(atPath: candidate.path(percentEncoded: false)) { return Judge(candidate) }
                directory = directory.deletingLastPathComponent()
            }
        }
        throw HarnessError("There is no deploy/check-history here; run this in the repository, or name it with --judge.")
    }

    func judge(_ directory: URL, database: String) async throws -> Judgement {
        let process = Process()
        (process.executableURL, process.arguments) = SpawningThread.command(
            program, [directory.path(percentEncoded: false), "--database", database], signalOnParentDeath: "KILL")
        let output = directory.appending(path: "judgement.json")
        try Data().write(to: output)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardInput = FileHandle.nullDevice
        try SpawningThread.start(process)
        try await waitUntil("the judge has judged", deadline: .seconds(300)) { !process.isRunning }
        let text = try String(contentsOf: output, encoding: .utf8)
        guard let report = try? JSONValue(parsing: text, limits: JSONLimits(bytes: 64 << 20, depth: 100)) else {
            throw HarnessError("The judge (\(program.path(percentEncoded: false))) ended with \(process.terminationStatus) and said: \(text)")
        }
        return Judgement(report: report)
    }
}
