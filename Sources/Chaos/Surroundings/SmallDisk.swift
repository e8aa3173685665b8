// A small file system for the database, which can be filled up. Takes root.

import Foundation

final class SmallDisk: Sendable {
    private let place: URL
    private var filler: String { place.appending(path: "filler").path(percentEncoded: false) }

    init(at place: URL, mebibytes: Int) throws {
        guard geteuid() == 0 else { throw HarnessError("takes root") }
        self.place = place
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        try Tool.run(["mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m,mode=0755", "tmpfs", place.path(percentEncoded: false)])
    }

    /// Takes all room that there is.
    func fill() {
        let file = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        defer { close(file) }
        var size: off_t = 0
        var part: off_t = 64 << 20
        while part >= 4096 {
            if posix_fallocate(file, size, part) == 0 { size += part } else { part /= 2 }
        }
    }

    func free() { unlink(filler) }

    /// Takes away the disks of campaigns that were killed, as long as they are where such directories are.
    static func removeLeftovers() {
        guard geteuid() == 0, let mounts = try? String(contentsOfFile: "/proc/mounts", encoding: .utf8) else { return }
        for line in mounts.split(separator: "\n") {
            let place = String(line.split(separator: " ").dropFirst().first ?? "")
            guard ClusterDirectories.isLeftover(URL(fileURLWithPath: place).deletingLastPathComponent()) else { continue }
            try? Tool.run(["umount", "-l", place])
        }
    }

    func unmount() { try? Tool.run(["umount", "-l", place.path(percentEncoded: false)]) }
}
