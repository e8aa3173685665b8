// A program that is run to its end, as somebody at a terminal would.

import EmbeddedPostgres
import Foundation
import PostgresTestKit
import Synchronization

/// What a program left behind.
struct ProgramRun: Sendable, CustomStringConvertible {
    let code: Int32
    /// Standard output.
    let output: String
    /// Standard error.
    let errors: String

    var outputLines: [Substring] { output.split(separator: "\n") }
    var errorLines: [Substring] { errors.split(separator: "\n") }
    var description: String { "exit code \(code)\n\(output)\(errors)" }

    /// The top of the repository.
    static let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Where all binaries are.
    static var binaries: URL {
        get throws { try Binaries.url(of: "skein").deletingLastPathComponent() }
    }

    /// Runs one of the binaries, or a program by its path, with nothing of this process's own configuration.
    static func of(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], in directory: URL? = nil,
        within deadline: Duration = .seconds(60)
    ) async throws -> ProgramRun {
        let url = program.hasPrefix("/") ? URL(fileURLWithPath: program) : try Binaries.url(of: program)
        let scratch = FileManager.default.temporaryDirectory.appending(path: "skein-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        // Files and not pipes: a program that is left running in the background does not hold up the end.
        let files = (output: scratch.appending(path: "out"), errors: scratch.appending(path: "err"))
        for file in [files.output, files.errors] { try Data().write(to: file) }
        let process = Process()
        (process.executableURL, process.arguments) = SpawningThread.command(url, arguments, signalOnParentDeath: "KILL")
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("SKEIN_") && !$0.key.hasPrefix("PG") }
            .merging(["NO_COLOR": "1"]) { $1 }.merging(environment) { $1 }
        process.currentDirectoryURL = directory ?? scratch
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: files.output)
        process.standardError = try FileHandle(forWritingTo: files.errors)
        try SpawningThread.start(process)
        do {
            try await waitUntil("\(program) \(arguments.joined(separator: " ")) has ended", deadline: deadline) { !process.isRunning }
        } catch {
            kill(process.processIdentifier, SIGKILL)
            throw HarnessError("\(error)\n\((try? String(contentsOf: files.output, encoding: .utf8)) ?? "")\((try? String(contentsOf: files.errors, encoding: .utf8)) ?? "")")
        }
        return ProgramRun(
            code: process.terminationStatus, output: try String(contentsOf: files.output, encoding: .utf8),
            errors: try String(contentsOf: files.errors, encoding: .utf8))
    }
}

/// Whether a process runs. A zombie, which nobody has asked about yet, does not.
func isRunning(_ process: Int32) -> Bool {
    guard kill(process, 0) == 0, let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
}

/// The processes that a process has started and that still run.
func children(of parent: Int32) -> [Int32] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
    return all.filter { process in
        let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return status.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(parent)"
    }
}

/// What a process was started with, separated by spaces.
func commandLine(of process: Int32) -> String {
    ((try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? "").replacing("\0", with: " ")
}
