// The raw floor: pgbench scripts of bare SQL loops, run by `sql/bench/run` against a private database with the same settings.

import EmbeddedPostgres
import Foundation
import WorkflowModel

/// What a cell of the floor showed once.
struct FloorSample: Sendable {
    /// The workload beside which it was measured.
    let workload: String
    let cell: FloorCell
    let workers: Int
    let folders: Int
    let unitsPerSecond: Double
    let serverMicroseconds: Double?
    let walBytes: Double?

    func value(_ measure: FloorMeasure) -> Double? {
        switch measure {
        case .rate: unitsPerSecond
        case .serverCPU: serverMicroseconds
        case .time(let units): unitsPerSecond > 0 ? Double(units) / unitsPerSecond * 1000 : nil
        }
    }

    var json: JSONValue {
        [
            "workload": .string(workload), "cell": .string(cell.name), "batch": .int(Int64(cell.batch)), "workers": .int(Int64(workers)),
            "folders": .int(Int64(folders)), "units_per_second": .double(unitsPerSecond),
            "server_cpu_microseconds": serverMicroseconds.map { .double($0) } ?? .null, "wal_bytes": walBytes.map { .double($0) } ?? .null,
        ]
    }
}

/// Measures the floor on a server of its own, as often as it is asked: what the machine gives drifts within minutes.
final class Floor {
    private(set) var samples: [FloorSample] = []
    private let seconds: Int
    private let server: EmbeddedPostgres
    private let script: URL
    private let path: String

    static func start(seconds: Int, directory: String?) throws -> Floor {
        let script = try scriptURL()
        try requireComparedCells(script)
        let place = URL(fileURLWithPath: directory ?? NSTemporaryDirectory()).appending(path: "skein-floor-\(getpid())")
        let server = try EmbeddedPostgres.start(EmbeddedPostgresSettings(directory: place, parameters: BenchCluster.parameters))
        return Floor(seconds: seconds, server: server, script: script)
    }

    private init(seconds: Int, server: EmbeddedPostgres, script: URL) {
        self.seconds = seconds
        self.server = server
        self.script = script
        path = server.binaryDirectory.path(percentEncoded: false) + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
    }

    func stop() {
        server.stop(.immediate)
        try? FileManager.default.removeItem(at: server.settings.directory)
    }

    /// Measures some cells once, beside a workload.
    func measure(_ cells: [FloorCell], beside workload: String) throws {
        for batch in Set(cells.map(\.batch)).sorted() {
            let names = cells.filter { $0.batch == batch }.map(\.name)
            try measure(arguments: ["--only", "^(\(names.joined(separator: "|")))$", "--batches", "\(batch)"], beside: workload)
        }
    }

    /// Measures every cell at every batch size.
    func measureAll() throws { try measure(arguments: [], beside: "floor") }

    private func measure(arguments: [String], beside workload: String) throws {
        let output = try Self.run(script, arguments + ["--json", "--seconds", "\(seconds)", server.connectionString()], path: path)
        let document = try JSONValue(parsing: output, limits: JSONLimits(bytes: 1 << 24, depth: 20))
        for cell in document["cells"]?.arrayValue ?? [] {
            samples.append(
                FloorSample(
                    workload: workload, cell: FloorCell(name: cell["name"]?.stringValue ?? "", batch: Int(cell["batch"]?.intValue ?? 0)),
                    workers: Int(cell["workers"]?.intValue ?? 0), folders: Int(cell["folders"]?.intValue ?? 0),
                    unitsPerSecond: cell["units_per_second"]?.doubleValue ?? 0,
                    serverMicroseconds: cell["server_cpu_microseconds"]?.doubleValue, walBytes: cell["wal_bytes"]?.doubleValue))
        }
    }

    // A ratio that silently goes missing because a cell has got another name would be noticed late.
    private static func requireComparedCells(_ script: URL) throws {
        let cells = Set(try run(script, ["--list"]).split(separator: "\n").map(String.init))
        let missing = Set(Target.all.compactMap { $0.floor?.cell.name }).subtracting(cells)
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
        try withAllSignals { try process.run() }
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchError(description: "sql/bench/run ended with \(process.terminationStatus)") }
        return String(decoding: output, as: UTF8.self)
    }

    // A child inherits the signals that the thread which starts it has blocked, and a thread of a pool blocks most: pgbench would never hear
    // the alarm that ends it.
    private static func withAllSignals(_ start: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try start()
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
