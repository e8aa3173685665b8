// One of the real binaries as a process: started, told signals, waited for. It dies with this process, also when that crashes.

import EmbeddedPostgres
package import Foundation
import Synchronization

/// How a process ended.
package enum ProcessEnding: Hashable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signaled(let number): "signal \(number)"
        }
    }
}

/// A binary that can be started again and again under the same name. All its lives write to the same two files.
package final class ServerProcess: Sendable {
    package let name: String
    /// What it writes to standard error: its log.
    package let log: URL
    /// What it writes to standard output: the line that says where it listens, once for each life.
    package let output: URL
    private let program: URL
    private let arguments: [String]
    private let environment: [String: String]
    private let launcher: [String]
    private let current = Mutex<Life?>(nil)

    private struct Life: @unchecked Sendable {
        // A Process is never changed after it was started; its observing members may be used from any thread.
        let process: Process
        let outputStart: UInt64
        let logStart: UInt64
        var port: Int?
    }

    /// - Parameter launcher: a command line that runs the command line behind it, such as `ip netns exec NAME`.
    package init(
        name: String, binary: String, arguments: [String] = [], environment: [String: String] = [:], launcher: [String] = [], directory: URL
    ) throws {
        self.name = name
        self.launcher = launcher
        program = try Binaries.url(of: binary)
        self.arguments = arguments
        // Nothing of this process's own configuration leaks in.
        var clean = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SKEIN_") && !$0.key.hasPrefix("PG") }
        clean.merge(environment) { $1 }
        self.environment = clean
        log = directory.appending(path: "\(name).log")
        output = directory.appending(path: "\(name).out")
        for file in [log, output] { try Data().write(to: file) }
    }

    /// Starts the process; it need not be ready yet.
    package func start() throws {
        let process = Process()
        let command = launcher + [program.path(percentEncoded: false)] + arguments
        (process.executableURL, process.arguments) = SpawningThread.command(
            URL(fileURLWithPath: command[0]), Array(command.dropFirst()), signalOnParentDeath: "KILL")
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let errors = try FileHandle(forWritingTo: log)
        let logStart = try errors.seekToEnd()
        let out = try FileHandle(forWritingTo: output)
        let outputStart = try out.seekToEnd()
        process.standardError = errors
        process.standardOutput = out
        try SpawningThread.start(process)
        current.withLock { $0 = Life(process: process, outputStart: outputStart, logStart: logStart, port: nil) }
    }

    package var isRunning: Bool { current.withLock { $0?.process.isRunning ?? false } }
    package var processID: Int32? { current.withLock { $0?.process.processIdentifier } }

    /// Memory that it has in RAM.
    package var residentMebibytes: Int {
        let status = processID.flatMap { try? String(contentsOfFile: "/proc/\($0)/status", encoding: .utf8) } ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
    }

    package func send(_ signal: Int32) {
        if let life = current.withLock({ $0 }), life.process.isRunning { kill(life.process.processIdentifier, signal) }
    }

    /// As a crash: SIGKILL, and gone when this returns.
    package func crash() async {
        send(SIGKILL)
        _ = try? await ending()
    }

    /// Waits until the process has ended by itself.
    package func ending(within deadline: Duration = .seconds(30)) async throws -> ProcessEnding {
        guard let life = current.withLock({ $0 }) else { throw HarnessError("\(name) was never started") }
        try await waitUntil("\(name) has ended", deadline: deadline) { !life.process.isRunning }
        return life.process.terminationReason == .exit
            ? .exited(life.process.terminationStatus) : .signaled(life.process.terminationStatus)
    }

    /// Ends it whatever it does, at the end of a test.
    package func dispose() {
        send(SIGCONT)
        send(SIGKILL)
    }

    // MARK: What it says

    /// What this life has written to standard output.
    package var said: String {
        guard let life = current.withLock({ $0 }), let data = try? Data(contentsOf: output) else { return "" }
        return String(decoding: data.dropFirst(Int(life.outputStart)), as: UTF8.self)
    }

    /// Everything that all lives have logged.
    package var logged: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    package var logLines: [Substring] { logged.split(separator: "\n") }

    /// Returns once the log has a line with this text.
    package func waitForLog(_ text: String, deadline: Duration = .seconds(20)) async throws {
        try await waitUntil("\(name) logs “\(text)”", deadline: deadline) { logged.contains(text) }
    }

    /// Returns when the process has said that it works.
    package func waitUntilReady(within deadline: Duration = .seconds(60)) async throws {
        try await waitUntil("\(name) is ready", deadline: deadline) {
            guard isRunning else { throw HarnessError("\(name) ended before it was ready:\n\(logged.suffix(4000))\(said)") }
            return hasSaidReady
        }
    }

    /// Whether this life has said that it works.
    package var hasSaidReady: Bool { said.contains(" ready") }

    /// The port on which this life listens, once it has logged it. It listens before it is ready.
    package func port(within deadline: Duration = .seconds(60)) async throws -> Int {
        var found: Int?
        try await waitUntil("\(name) listens", deadline: deadline) {
            guard isRunning else { throw HarnessError("\(name) ended before it listened:\n\(logged.suffix(4000))\(said)") }
            found = knownPort
            return found != nil
        }
        return found ?? 0
    }

    /// The port, if this life has logged it yet.
    package var knownPort: Int? {
        guard let life = current.withLock({ $0 }) else { return nil }
        if let port = life.port { return port }
        guard let file = try? FileHandle(forReadingFrom: log) else { return nil }
        defer { try? file.close() }
        guard (try? file.seek(toOffset: life.logStart)) != nil, let data = try? file.readToEnd() else { return nil }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.contains("\"Listening\"") }), let start = line.range(of: "127.0.0.1:") else { return nil }
        let digits = line[start.upperBound...].prefix { $0.isNumber }
        // Without something behind it the number may be half written.
        guard digits.endIndex < line.endIndex, let port = Int(digits) else { return nil }
        current.withLock { if $0?.process === life.process { $0?.port = port } }
        return port
    }
}

/// Something in the harness did not go as it must.
package struct HarnessError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Where the binaries are: in the directory of the build that this test belongs to, or where `SKEIN_BIN` says.
package enum Binaries {
    package static func url(of name: String) throws -> URL {
        var directories: [URL] = []
        if let named = ProcessInfo.processInfo.environment["SKEIN_BIN"] { directories.append(URL(fileURLWithPath: named)) }
        // The test bundle is the running program on Linux, and inside a bundle on macOS.
        for start in [CommandLine.arguments[0], Bundle.main.bundlePath] + Bundle.allBundles.map(\.bundlePath) {
            var directory = URL(fileURLWithPath: start).resolvingSymlinksInPath()
            for _ in 0..<4 {
                directory = directory.deletingLastPathComponent()
                directories.append(directory)
            }
        }
        let candidates = directories.map { $0.appending(path: name) }
        guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path(percentEncoded: false)) }) else {
            throw HarnessError("\(name) is not beside the tests. Build it first (swift build), or set SKEIN_BIN to its directory.")
        }
        return found
    }
}
