// What `skein dev` is told, and where it keeps things.

import EmbeddedPostgres
package import Foundation
import WorkflowModel

/// How `skein dev` runs.
package struct DevSettings: Sendable {
    /// The port that is wanted for the coordinator; 0 takes any.
    package var port = 7070
    /// How many workers run.
    package var workers = 1
    /// How many tasks each works on at a time.
    package var slots = 16
    /// Where the state is kept.
    package var directory: URL
    /// Whether the state goes away at the end.
    package var isEphemeral = false
    /// A database to use instead of a private server.
    package var databaseURL: String?
    /// Where PostgreSQL's programs are; nil looks for them.
    package var binaryDirectory: URL?
    /// Where `skein-coordinator` and `skein-worker` are.
    package var programs: URL

    package init(directory: URL, programs: URL) {
        self.directory = directory
        self.programs = programs
    }

    /// The directory of the running program: the other binaries lie beside it.
    package static var ownDirectory: URL {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? Bundle.main.executablePath ?? ""
        return URL(fileURLWithPath: path).deletingLastPathComponent()
    }

    /// A fresh directory for a state that goes away. What earlier ones left behind that were killed is removed.
    package static func temporaryDirectory() throws -> URL {
        let root = URL(fileURLWithPath: "/tmp")
        let prefix = "skein-dev-"
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: root.plainPath)) ?? [] where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0, errno == ESRCH else {
                continue
            }
            try? files.removeItem(at: root.appending(path: name))
        }
        let unique = String(UInt32.random(in: 0 ... .max), radix: 36)
        let directory = root.appending(path: "\(prefix)\(ProcessInfo.processInfo.processIdentifier)-\(unique)")
        try files.createDirectory(at: directory, withIntermediateDirectories: false)
        return directory
    }

    func program(_ name: String) throws -> URL {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { URL(fileURLWithPath: String($0)) }
        for directory in [programs] + path {
            let program = directory.appending(path: name)
            if FileManager.default.isExecutableFile(atPath: program.plainPath) { return program }
        }
        throw CommandFailure(
            .unexpected, "\(name) is neither beside skein in \(programs.plainPath) nor on PATH",
            fix: "install all three binaries into one directory; from a checkout: swift build --product \(name)")
    }

    /// Makes the directory, so that PostgreSQL's user can enter it.
    func prepareDirectory() throws {
        let files = FileManager.default
        do {
            let isNew = !files.fileExists(atPath: directory.plainPath)
            try files.createDirectory(at: directory, withIntermediateDirectories: true)
            if isNew {
                try Data("*\n".utf8).write(to: directory.appending(path: ".gitignore"))
                chmod(directory.plainPath, 0o755)
            }
        } catch {
            throw CommandFailure(
                .unexpected, "the state directory \(directory.plainPath) cannot be made: \(error.localizedDescription)",
                fix: "give another one with --data-dir")
        }
    }

    /// Where the private server lives: in the state directory, unless its user may not enter what lies above.
    var postgresDirectory: URL {
        let usual = directory.appending(path: "pg")
        if EmbeddedPostgres.serverUserCanReach(usual) { return usual }
        return URL(fileURLWithPath: "/var/lib/skein").appending(path: "dev-" + EmbeddedPostgres.shortName(for: usual))
    }

    func log(_ name: String) -> URL { directory.appending(path: name + ".log") }
}
