// The raw floor: pgbench scripts of bare SQL loops, run by `sql/bench/run` against a private database with the same settings.

import EmbeddedPostgres
import Foundation
import WorkflowModel

enum Floor {
    static func measure(seconds: Int, directory: String?) throws -> JSONValue {
        let script = try scriptURL()
        try requireComparedCells(script)
        let place = URL(fileURLWithPath: directory ?? NSTemporaryDirectory()).appending(path: "skein-floor-\(getpid())")
        let server = try EmbeddedPostgres.start(EmbeddedPostgresSettings(directory: place, parameters: BenchCluster.parameters))
        defer {
            server.stop(.immediate)
            try? FileManager.default.removeItem(at: place)
        }
        let path = server.binaryDirectory.path(percentEncoded: false) + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        let output = try run(script, ["--json", "--seconds", "\(seconds)", server.connectionString()], path: path)
        return try JSONValue(parsing: output, limits: JSONLimits(bytes: 1 << 24, depth: 20))
    }

    // A ratio that silently goes missing because a cell has got another name would be noticed late.
    private static func requireComparedCells(_ script: URL) throws {
        let cells = Set(try run(script, ["--list"]).split(separator: "\n").map(String.init))
        let missing = Report.comparedCells.subtracting(cells)
        guard missing.isEmpty else {
            throw BenchError(description: "sql/bench/run has no cells called \(missing.sorted().joined(separator: ", "))")
        }
    }

    private static func run(_ script: URL, _ arguments: [String], path: String? = nil) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = script
        process.arguments = arguments
        if let path { process.environment = ProcessInfo.processInfo.environment.merging(["PATH": path]) { $1 } }
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchError(description: "sql/bench/run ended with \(process.terminationStatus)") }
        return String(decoding: output, as: UTF8.self)
    }

    // From the working directory upwards, or from where the program was built.
    private static func scriptURL() throws -> URL {
        var starts = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
        starts.append(URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent())
        for start in starts {
            var place = start
            for _ in 0..<8 {
                let script = place.appending(path: "sql/bench/run")
                if FileManager.default.isExecutableFile(atPath: script.path(percentEncoded: false)) { return script }
                place.deleteLastPathComponent()
            }
        }
        throw BenchError(description: "sql/bench/run is not found; run skein-bench from the repository")
    }
}
