// Directories: whose they are, who can enter them, and where the socket goes.

public import Foundation

extension EmbeddedPostgres {
    /// Who the server runs as when this process is root's: PostgreSQL refuses to run as root.
    public static let serverUser = "postgres"

    private struct Account {
        let user: uid_t
        let group: gid_t
    }

    // Nil when this process is not root's, and the server so runs as whoever runs this process.
    private static func serverAccount() throws -> Account? {
        guard geteuid() == 0 else { return nil }
        guard let entry = getpwnam(serverUser) else {
            throw EmbeddedPostgresError(
                "PostgreSQL does not run as root, and there is no user \"\(serverUser)\" to run it as; "
                    + "run `useradd --system \(serverUser)`, start as another user, or give --database-url")
        }
        return Account(user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    }

    // Gives a directory to the server's user, and to nobody else.
    static func own(_ directory: URL) throws {
        let path = directory.plainPath
        if let account = try serverAccount(), chown(path, account.user, account.group) != 0 {
            throw EmbeddedPostgresError("\(path) cannot be given to the user \"\(serverUser)\": \(String(cString: strerror(errno)))")
        }
        guard chmod(path, 0o700) == 0 else {
            throw EmbeddedPostgresError("the permissions of \(path) cannot be set: \(String(cString: strerror(errno)))")
        }
    }

    /// Whether the server's user may enter all directories above this one. Always so when it runs as this process's own user.
    public static func serverUserCanReach(_ directory: URL) -> Bool {
        guard let account = try? serverAccount() else { return true }
        var above = directory.standardizedFileURL.deletingLastPathComponent()
        while true {
            var status = stat()
            // What does not exist yet will be made with permission to enter.
            if stat(above.plainPath, &status) == 0 {
                let bit: mode_t = status.st_uid == account.user ? S_IXUSR : status.st_gid == account.group ? S_IXGRP : S_IXOTH
                if status.st_mode & bit == 0 { return false }
            }
            let next = above.deletingLastPathComponent()
            if next.plainPath == above.plainPath || above.plainPath == "/" { return true }
            above = next
        }
    }

    /// A short name that stands for a path: the same every time (FNV-1a).
    package static func shortName(for directory: URL) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in directory.standardizedFileURL.plainPath.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return String(hash, radix: 36)
    }

    /// The longest path that a unix socket's address holds.
    private static let longestSocketPath = 107

    // A deep directory gets a short one for its socket in the system's temporary directory.
    static func socketDirectory(for directory: URL) throws -> URL {
        let path = directory.standardizedFileURL.plainPath
        if path.utf8.count + "/.s.PGSQL.5432".utf8.count <= longestSocketPath { return directory }
        let short = URL(fileURLWithPath: "/tmp").appending(path: "skein-" + shortName(for: directory))
        // Everybody may write to /tmp: whoever made the directory owns it, and it must be us or the server's user.
        var status = stat()
        if mkdir(short.plainPath, 0o700) != 0 {
            let owners = [geteuid(), try serverAccount()?.user].compactMap { $0 }
            guard lstat(short.plainPath, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, owners.contains(status.st_uid) else {
                throw EmbeddedPostgresError("\(short.plainPath) is needed for the server's socket, but belongs to somebody else; remove it")
            }
        }
        try own(short)
        return short
    }

    // `unix_socket_directories` is a list, in which a name with a comma or a space has to be quoted.
    static func quotedInList(_ path: String) -> String {
        "\"" + path.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
    }

    // MARK: Traces of a server

    // A postmaster's working directory is its data directory, which tells it from whoever got its process id later.
    static func isServer(_ processID: Int32, of data: URL) -> Bool {
        guard kill(processID, 0) == 0 || errno == EPERM else { return false }
        guard let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(processID)/cwd") else {
            // Not Linux, or not ours to look at: believe the file.
            return !FileManager.default.fileExists(atPath: "/proc/self/cwd") || kill(processID, 0) == 0
        }
        return directory == data.resolvingSymlinksInPath().plainPath || directory == data.plainPath
    }

    static func tail(of log: URL) -> String {
        guard let file = try? FileHandle(forReadingFrom: log) else { return "" }
        defer { try? file.close() }
        let size = (try? file.seekToEnd()) ?? 0
        try? file.seek(toOffset: size > 16_384 ? size - 16_384 : 0)
        let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    static func firstLine(of file: URL) -> Substring? {
        (try? String(contentsOf: file, encoding: .utf8))?.split(separator: "\n").first
    }
}
