// Where clusters keep their files.

import EmbeddedPostgres
package import Foundation

/// The directories of clusters: logs, and servers of their own.
package enum ClusterDirectories {
    private static let prefix = "skein-e2e-"
    private static let root = URL(fileURLWithPath: "/tmp")

    /// A new one.
    package static func make() throws -> URL {
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        let directory = root.appending(path: prefix + identity)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        return directory
    }

    /// Removes those of processes that crashed.
    package static func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? [] {
            let directory = root.appending(path: name)
            if isLeftover(directory) { try? FileManager.default.removeItem(at: directory) }
        }
    }

    /// Whether this is the directory of a process that is gone: its name says whose it was.
    static func isLeftover(_ directory: URL) -> Bool {
        let name = directory.lastPathComponent
        guard directory.deletingLastPathComponent().plainPath == root.plainPath, name.hasPrefix(prefix) else { return false }
        guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }) else { return false }
        return kill(owner, 0) != 0 && errno == ESRCH
    }
}
