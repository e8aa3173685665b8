// Finding the server's programs, and running them as the user they insist on.

public import Foundation

extension EmbeddedPostgres {
    /// The oldest server that the product works with.
    public static let oldestVersion = 14

    /// `SKEIN_PG_BINDIR`, what is on PATH, what `pg_config` says, or the newest version that the distribution installed.
    ///
    /// - Parameter version: the major version that the programs must have; nil takes the first that is new enough.
    public static func findBinaries(version: Int? = nil) throws -> URL {
        if let named = ProcessInfo.processInfo.environment["SKEIN_PG_BINDIR"], !named.isEmpty {
            guard hasServer(URL(fileURLWithPath: named)) else {
                throw EmbeddedPostgresError("SKEIN_PG_BINDIR is \(named), but there are no programs initdb and postgres")
            }
            return URL(fileURLWithPath: named)
        }
        var found: [Int] = []
        for candidate in candidates() where hasServer(candidate) {
            guard let major = majorVersion(of: candidate) else { continue }
            if version.map({ $0 == major }) ?? (major >= oldestVersion) { return candidate }
            if !found.contains(major) { found.append(major) }
        }
        if let version, !found.isEmpty {
            throw EmbeddedPostgresError(
                "the data is of PostgreSQL \(version), but only \(found.map(String.init).joined(separator: ", ")) is installed; "
                    + "run `apt-get install postgresql-\(version)`, or begin with another directory")
        }
        guard found.isEmpty else {
            throw EmbeddedPostgresError(
                "PostgreSQL \(oldestVersion) or newer is needed, found \(found.map(String.init).joined(separator: ", "))")
        }
        throw EmbeddedPostgresError(
            "no PostgreSQL server programs found (looked at SKEIN_PG_BINDIR, PATH, pg_config --bindir and /usr/lib/postgresql/*/bin); "
                + "run `apt-get install postgresql`, or give --database-url")
    }

    private static func candidates() -> [URL] {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        var candidates = path.split(separator: ":").map { URL(fileURLWithPath: String($0)) }
        if let configured = outputOf(URL(fileURLWithPath: "/usr/bin/env"), ["pg_config", "--bindir"]), !configured.isEmpty {
            candidates.append(URL(fileURLWithPath: configured))
        }
        // Debian keeps versions apart below one directory; elsewhere the version is part of the name: pgsql-16, postgresql@16.
        for (root, prefix) in [
            ("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql"), ("/usr/local/opt", "postgresql"),
            ("/usr/local", "pgsql"),
        ] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            let versions = names.filter { $0.hasPrefix(prefix) }
                .map { name in (name: name, number: Int(name.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0) }
            for version in versions.sorted(by: { ($0.number, $0.name) > ($1.number, $1.name) }) {
                candidates.append(URL(fileURLWithPath: root).appending(path: version.name).appending(path: "bin"))
            }
        }
        return candidates
    }

    static func checked(_ directory: URL) throws -> URL {
        guard hasServer(directory) else {
            throw EmbeddedPostgresError("there are no programs initdb and postgres in \(directory.plainPath)")
        }
        return directory
    }

    private static func hasServer(_ directory: URL) -> Bool {
        ["initdb", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: directory.appending(path: $0).plainPath) }
    }

    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    private static func majorVersion(of directory: URL) -> Int? {
        guard let line = outputOf(directory.appending(path: "postgres"), ["--version"]) else { return nil }
        let words = line.split(separator: " ")
        return words.dropFirst(2).first.flatMap { Int($0.prefix { $0.isNumber }) }
    }

    // A server program under the user it insists on, told by the kernel when this process dies. Foundation makes every child the leader of
    // a process group of its own.
    static func process(_ binaries: URL, _ name: String, _ settings: EmbeddedPostgresSettings, _ arguments: [String]) -> Process {
        let process = Process()
        (process.executableURL, process.arguments) = SpawningThread.command(
            binaries.appending(path: name), arguments, signalOnParentDeath: settings.signalOnParentDeath,
            as: geteuid() == 0 ? serverUser : nil)
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardInput = FileHandle.nullDevice
        // PGDATA, PGPORT, PGOPTIONS and the like are meant for other servers than this one.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("LC_") }
        return process
    }

    private static func outputOf(_ program: URL, _ arguments: [String]) -> String? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
