// Programs of the system that a campaign makes use of when they are there.

import EmbeddedPostgres
import Foundation

enum Tool {
    /// Runs a program to its end. What it has to say when it fails is the error.
    static func run(_ command: [String]) throws {
        guard let program = find(command[0]) else { throw HarnessError("there is no program \(command[0])") }
        let process = Process()
        let errors = Pipe()
        process.executableURL = program
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        try SpawningThread.start(process)
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw HarnessError("\(command.joined(separator: " ")): \(String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))")
        }
    }

    /// Where a program is. Administrators' programs are not in everybody's path.
    static func find(_ name: String) -> URL? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (path + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]).map { URL(fileURLWithPath: $0).appending(path: name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path(percentEncoded: false)) }
    }
}
