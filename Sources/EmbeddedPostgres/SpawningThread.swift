// The thread that starts child processes.

package import Foundation

/// Starts every child process of this program, on one thread that lasts as long as the program.
///
/// A child can ask the kernel to be told when its parent dies (`PR_SET_PDEATHSIG`). The kernel takes the thread that started the child for
/// its parent, so a child that a thread of a pool has started would be told as soon as the pool lets that thread go.
package final class SpawningThread: Sendable {
    private static let shared = SpawningThread()

    // Both are touched under `condition` only.
    private nonisolated(unsafe) var jobs: [@Sendable () -> Void] = []
    private let condition = NSCondition()

    private init() {
        Thread.detachNewThread { [self] in
            while true { next()() }
        }
    }

    private func next() -> @Sendable () -> Void {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty { condition.wait() }
        return jobs.removeFirst()
    }

    private func enqueue(_ job: @escaping @Sendable () -> Void) {
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    /// Starts the process, and returns when it has been started.
    package static func start(_ process: Process) throws {
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        shared.enqueue {
            outcome.result = Result { try process.run() }
            done.signal()
        }
        done.wait()
        try outcome.result.get()
    }

    // Written before the semaphore is signalled, read after it was waited for.
    private final class Outcome: @unchecked Sendable {
        var result: Result<Void, any Error> = .success(())
    }

    /// The command line that runs a program so that the kernel sends it `signal` when this process dies, as another user if one is named.
    ///
    /// Without `setpriv` (it belongs to util-linux, so every Linux has it) the program runs, and is not told.
    package static func command(
        _ program: URL, _ arguments: [String], signalOnParentDeath signal: String, as user: String? = nil
    ) -> (executable: URL, arguments: [String]) {
        let places = ["/usr/bin/setpriv", "/bin/setpriv"]
        guard let setpriv = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { return (program, arguments) }
        let identity = user.map { ["--reuid=\($0)", "--regid=\($0)", "--init-groups"] } ?? []
        return (URL(fileURLWithPath: setpriv), identity + ["--pdeathsig", signal, program.plainPath] + arguments)
    }
}
