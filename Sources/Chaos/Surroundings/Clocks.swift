// Clocks of processes that jump, by libfaketime where it is installed.

import Foundation

/// The clock of one process. Monotonic clocks go on as they were: it is the wall's that is set.
struct FakeClock: Sendable {
    private let file: URL
    let environment: [String: String]

    init(_ name: String, in directory: URL) throws {
        guard let library = Self.library else { throw HarnessError("libfaketime is not installed") }
        file = directory.appending(path: "clock-\(name)")
        environment = [
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file.path(percentEncoded: false), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
        ]
        try set(0)
    }

    /// Moves the clock away from the true time.
    func set(_ seconds: Int) throws { try Data("\(seconds < 0 ? "" : "+")\(seconds)\n".utf8).write(to: file, options: .atomic) }

    private static let library: String? = {
        let directories = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return directories.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }.first { FileManager.default.fileExists(atPath: $0) }
    }()
}
