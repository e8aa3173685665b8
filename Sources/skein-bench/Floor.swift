// The raw floor: pgbench scripts of bare SQL loops, run by `sql/bench/run` against a private database with the same settings.

import EmbeddedPostgres
import Foundation
import WorkflowModel

enum Floor {
    static func measure(seconds: Int, directory: String?) throws -> JSONValue {
        let script = try scriptURL()
        let place = URL(fileURLWithPath: directory ?? NSTemporaryDirectory()).appending(path: "skein-floor-\(getpid())")
        let server = try EmbeddedPostgres.start(EmbeddedPostgresSettings(directory: place, parameters: BenchCluster.parameters))
        defer {
            server.stop(.immediate)
            try? FileManager.default.removeItem(at: place)
        }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = script
        process.arguments = ["--json", "--seconds", "\(seconds)", server.connectionString()]
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = server.binaryDirectory.path(percentEncoded: false) + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        process.environment = environment
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchError(description: "sql/bench/run ended with \(process.terminationStatus)") }
        return try JSONValue(parsing: String(decoding: output, as: UTF8.self), limits: JSONLimits(bytes: 1 << 24, depth: 20))
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
