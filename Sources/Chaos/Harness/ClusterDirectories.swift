// Where clusters keep their files.

import EmbeddedPostgres
package import Foundation

/// The directories of clusters: logs, and servers of their own.
package enum ClusterDirectories {
    private static let prefix = "skein-e2e-"
    private static let keptPrefix = "skein-history-"
    private static let root = URL(fileURLWithPath: "/tmp")

    /// A new one.
    package static func make() throws -> URL {
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        let directory = root.appending(path: prefix + identity)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        return directory
    }

    /// Gives a directory a name under which nobody takes it for a leftover once this process is gone.
    package static func keep(_ directory: URL) throws -> URL {
        let kept = root.appending(path: keptPrefix + directory.lastPathComponent.dropFirst(prefix.count))
        try FileManager.default.moveItem(at: directory, to: kept)
        return kept
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
