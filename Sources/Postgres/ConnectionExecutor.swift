// The thread of a connection: blocking calls of libpq stay off the pool that all other Swift tasks share.

import Dispatch

/// Runs one actor's jobs on a serial queue of its own.
///
/// `DispatchSerialQueue`, which is an executor itself, does not exist on Linux.
final class ConnectionExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        queue.async { unowned.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
