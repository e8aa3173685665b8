// Finding the server's programs, and running them as the user they insist on.

import Foundation

extension EmbeddedPostgres {
    /// `SKEIN_PG_BINDIR`, what is on PATH, what `pg_config` says, or the newest version that the distribution installed.
    public static func findBinaries() throws -> URL {
        var candidates: [URL] = []
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["SKEIN_PG_BINDIR"], !named.isEmpty {
            let directory = URL(fileURLWithPath: named)
            guard hasServer(directory) else {
                throw EmbeddedPostgresError("SKEIN_PG_BINDIR is \(named), but there is no initdb and postgres")
            }
            return directory
        }
        for directory in (environment["PATH"] ?? "").split(separator: ":") { candidates.append(URL(fileURLWithPath: String(directory))) }
        if let configured = try? outputOf("pg_config", ["--bindir"]), !configured.isEmpty { candidates.append(URL(fileURLWithPath: configured)) }
        for root in ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"] {
            let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            for version in versions.sorted(by: { (Int($0) ?? 0, $0) > (Int($1) ?? 0, $1) }) {
                candidates.append(URL(fileURLWithPath: root).appending(path: version).appending(path: "bin"))
            }
        }
        if let found = candidates.first(where: hasServer) { return found }
        throw EmbeddedPostgresError(
            "no PostgreSQL server programs found (looked at SKEIN_PG_BINDIR, PATH, pg_config --bindir and /usr/lib/postgresql/*/bin); "
                + "run `apt-get install postgresql`, or give --database-url")
    }

    private static func hasServer(_ directory: URL) -> Bool {
        ["initdb", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: directory.appending(path: $0).plainPath) }
    }

    // A server program under the user it insists on, told by the kernel when this process dies.
    static func process(_ binaries: URL, _ name: String, _ settings: EmbeddedPostgresSettings, _ arguments: [String]) -> Process {
        let process = Process()
        let program = binaries.appending(path: name)
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first { FileManager.default.isExecutableFile(atPath: $0) }
        if let setpriv {
            let identity = geteuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : []
            process.executableURL = URL(fileURLWithPath: setpriv)
            process.arguments = identity + ["--pdeathsig", settings.signalOnParentDeath, program.plainPath] + arguments
        } else {
            process.executableURL = program
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        return process
    }

    // The kernel's "your parent died" means the thread that started the child, so that thread has to last as long as the process.
    static func runOnLastingThread(_ process: Process) throws {
        nonisolated(unsafe) var failure: (any Error)?
        let started = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            do { try process.run() } catch { failure = error }
            started.signal()
            while true { sleep(.max) }
        }
        started.wait()
        if let failure { throw failure }
    }

    private static func outputOf(_ command: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return "" }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func tail(of log: URL) -> String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    static func firstLine(of file: URL) -> Substring? {
        (try? String(contentsOf: file, encoding: .utf8))?.split(separator: "\n").first
    }
}
