// What a running `skein dev` leaves for other commands to find: a lock that lives as long as it does, and a file with its addresses.

import EmbeddedPostgres
package import Foundation
import WorkflowModel

/// The addresses of a running `skein dev`.
package struct DevState: Sendable, Hashable {
    /// The supervisor.
    package let processID: Int32
    /// Where the coordinator listens.
    package let serverURL: String
    /// The database, as a connection string.
    package let databaseURL: String

    package init(processID: Int32, serverURL: String, databaseURL: String) {
        self.processID = processID
        self.serverURL = serverURL
        self.databaseURL = databaseURL
    }

    private static let fileName = "dev.json"
    /// The directory that `skein dev` keeps its state in, unless told otherwise.
    package static let directoryName = ".skein"

    /// Writes the file in one step: a reader sees all of it or nothing.
    package func write(to directory: URL) throws {
        let document: JSONValue = [
            "pid": .int(Int64(processID)), "server_url": .string(serverURL), "database_url": .string(databaseURL),
        ]
        try Data((document.compactText + "\n").utf8).write(to: directory.appending(path: Self.fileName), options: .atomic)
    }

    /// Removes the file.
    package static func remove(from directory: URL) {
        try? FileManager.default.removeItem(at: directory.appending(path: fileName))
    }

    /// The state of the `skein dev` that runs with this directory; nil when none does.
    package static func running(in directory: URL) -> DevState? {
        guard DevLock.isHeld(in: directory), let text = try? String(contentsOf: directory.appending(path: fileName), encoding: .utf8),
            let document = try? JSONValue(parsing: text), let processID = document["pid"]?.intValue,
            let serverURL = document["server_url"]?.stringValue, let databaseURL = document["database_url"]?.stringValue
        else { return nil }
        return DevState(processID: Int32(clamping: processID), serverURL: serverURL, databaseURL: databaseURL)
    }

    /// The state of the `skein dev` that runs here or in the nearest directory above.
    package static func nearest(to directory: URL = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)) -> DevState? {
        var place = directory.standardizedFileURL
        while true {
            if let state = running(in: place.appending(path: directoryName)) { return state }
            let above = place.deletingLastPathComponent()
            if above.plainPath == place.plainPath || place.plainPath == "/" { return nil }
            place = above
        }
    }
}

/// The lock that a running `skein dev` holds on its directory. The kernel lets go of it when the process ends, however it ends.
package final class DevLock: Sendable {
    private static let fileName = "dev.lock"
    // Whoever looks whether the lock is held takes it for a moment.
    private static let tries = 20
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// Takes the lock, for as long as the returned object lives; nil when another process has it.
    package static func take(in directory: URL) throws -> DevLock? {
        let path = directory.appending(path: fileName).plainPath
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .unexpected, "\(path) cannot be written: \(String(cString: strerror(errno)))", fix: "give another directory with --data-dir"
            )
        }
        for attempt in 0..<tries {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return DevLock(descriptor: descriptor) }
            if attempt < tries - 1 { usleep(10_000) }
        }
        close(descriptor)
        return nil
    }

    static func isHeld(in directory: URL) -> Bool {
        let descriptor = open(directory.appending(path: fileName).plainPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    deinit { close(descriptor) }
}

/// Connection strings.
enum DatabaseAddress {
    // libpq takes what it does not understand for the name of a database.
    static func foreignScheme(of text: String) -> String? {
        guard let end = text.range(of: "://"), !text[..<end.lowerBound].contains("=") else { return nil }
        let scheme = String(text[..<end.lowerBound])
        return ["postgresql", "postgres"].contains(scheme) ? nil : scheme
    }
}

/// Where the coordinator and the database are: told on the command line, by the environment, by a running `skein dev`, or by default.
package enum Location {
    /// The coordinator that is asked when nothing else is said.
    package static let defaultServer = "http://127.0.0.1:7070"

    /// The coordinator's address.
    package static func server(option: String?, environment: [String: String] = ProcessInfo.processInfo.environment) throws -> String {
        let found = option ?? given("SKEIN_SERVER", environment) ?? DevState.nearest()?.serverURL ?? defaultServer
        guard found.hasPrefix("http://") || found.hasPrefix("https://") else {
            throw CommandFailure(.usage, "\"\(found)\" is no address of a server", fix: "write --server http://HOST:PORT")
        }
        // The client library takes the port as it is, and ends the process when there is no such port.
        guard let url = URL(string: found), url.host(percentEncoded: false)?.isEmpty == false, (1...65_535).contains(url.port ?? 80) else {
            throw CommandFailure(.usage, "\"\(found)\" is no address of a server", fix: "write --server http://HOST:PORT, with a port from 1 to 65535")
        }
        guard url.user() == nil, url.query() == nil, url.fragment() == nil else {
            throw CommandFailure(.usage, "the server's address has a user, a password or a query in it", fix: "write --server http://HOST:PORT, and the API key in SKEIN_API_KEY")
        }
        return found.hasSuffix("/") ? String(found.dropLast()) : found
    }

    /// The database's connection string.
    package static func database(option: String?, environment: [String: String] = ProcessInfo.processInfo.environment) throws -> String {
        if let found = option ?? given("SKEIN_DATABASE_URL", environment) ?? DevState.nearest()?.databaseURL {
            if let scheme = DatabaseAddress.foreignScheme(of: found) {
                throw CommandFailure(.usage, "\(scheme):// is no address of a PostgreSQL database", fix: "write --database-url postgresql://USER@HOST/DATABASE")
            }
            return found
        }
        throw CommandFailure(
            .usage, "no database is named, and no `skein dev` runs here",
            fix: "give --database-url postgresql://USER@HOST/DATABASE, set SKEIN_DATABASE_URL, or start `skein dev`")
    }

    private static func given(_ name: String, _ environment: [String: String]) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
