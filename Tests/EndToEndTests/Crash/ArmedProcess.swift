// A process whose crash points a test sets while it runs.

#if DEBUG
import Faults
import Foundation
import PostgresTestKit
import Synchronization

/// One of the binaries with a plan of its own in a file.
final class ArmedProcess: Sendable {
    let process: ServerProcess
    private let plan: URL
    private let log: URL
    // How many points had been reached when the plan was made.
    private let reachedBefore = Mutex(0)

    /// - Parameter start: makes the process with these settings; it is not started.
    init(_ name: String, in directory: URL, _ make: (_ settings: [String: String]) throws -> ServerProcess) throws {
        plan = directory.appending(path: "\(name).plan")
        log = directory.appending(path: "\(name).points")
        for file in [plan, log] { try Data().write(to: file) }
        process = try make([
            "SKEIN_CRASH_POINT": "@" + plan.path(percentEncoded: false), "SKEIN_CRASH_LOG": log.path(percentEncoded: false),
        ])
    }

    /// From now on the process does this at that point.
    func arm(_ plan: CrashPlan) throws {
        reachedBefore.withLock { $0 = reached.count }
        try Data(plan.text.utf8).write(to: self.plan, options: .atomic)
    }

    /// Every point that is passed is written down from now on.
    func record() throws { try Data("record".utf8).write(to: plan, options: .atomic) }

    func disarm() throws { try Data().write(to: plan, options: .atomic) }

    /// The points at which something happened so far, or that were passed while they were recorded.
    var reached: [CrashPoint] {
        ((try? String(contentsOf: log, encoding: .utf8)) ?? "").split(separator: "\n").compactMap { CrashPoint(String($0)) }
    }

    /// Returns when the process has reached what it was armed with.
    func waitUntilReached(_ point: CrashPoint, deadline: Duration = .seconds(15)) async throws {
        try await waitUntil("\(process.name) reaches \(point)", deadline: deadline) {
            reached.dropFirst(reachedBefore.withLock { $0 }).contains(point)
        }
    }

    /// Returns when the process has stopped itself.
    func waitUntilStopped() async throws {
        try await waitUntil("\(process.name) has stopped itself") { process.processID.map(isStopped) ?? false }
    }

    func startReady() async throws {
        try process.start()
        try await process.waitUntilReady()
    }
}

/// Whether a process was stopped by a signal.
private func isStopped(_ process: Int32) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return status.split(separator: ")").last?.split(separator: " ").first == "T"
}
#endif
