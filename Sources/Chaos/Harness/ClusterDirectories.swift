// Where clusters keep their files.

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

    /// Removes those of processes that crashed; the name says whose they were.
    package static func removeLeftovers() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        for name in names where name.hasPrefix(prefix) {
            guard let owner = Int32(name.dropFirst(prefix.count).prefix { $0 != "-" }), kill(owner, 0) != 0, errno == ESRCH else { continue }
            try? FileManager.default.removeItem(at: root.appending(path: name))
        }
    }
}
