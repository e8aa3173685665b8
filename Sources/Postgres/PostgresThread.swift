// The thread of a connection: blocking calls of libpq stay off the pool that all other Swift tasks share.

import Dispatch

/// The thread on which a connection blocks. A loop that lives from one connection can run on it, too: then a call is no change of threads, which on
/// a machine with little to do costs more than many a statement.
///
/// ```swift
/// let thread = PostgresThread(label: "fold")
/// await withTaskExecutorPreference(thread) {
///     let connection = try await PostgresConnection.connect(configuration, on: thread)
///     while … { try await connection.query(…) }
/// }
/// ```
///
/// Whatever else the loop starts should run elsewhere (`globalConcurrentExecutor`): as long as the connection waits for an answer, nothing
/// else runs here.
public final class PostgresThread: SerialExecutor, TaskExecutor {
    // `DispatchSerialQueue`, which is an executor itself, does not exist on Linux.
    private let queue: DispatchQueue

    /// A thread; the label is for debuggers.
    public init(label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Runs a job of the connection, or of a task that prefers this thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        queue.async {
            unowned.runSynchronously(isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
        }
    }

    /// Ends the process when called from another thread.
    public func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
