// SIGINT and SIGTERM as a stream.

import Dispatch
import Foundation

/// The signals that ask a program to stop, one element for each that arrives.
package enum Interrupts {
    /// Begins to listen. From here on these signals do not end the process by themselves.
    package static func stream() -> AsyncStream<Int32> {
        AsyncStream { continuation in
            let queue = DispatchQueue(label: "skein.interrupts")
            // Touched once more, when the stream ends; the sources themselves may be cancelled from any thread.
            nonisolated(unsafe) let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                source.setEventHandler { continuation.yield(number) }
                source.resume()
                return source
            }
            continuation.onTermination = { _ in for source in sources { source.cancel() } }
        }
    }

    /// Does the work until it is done or the first signal arrives, which cancels it.
    ///
    /// - Returns: the work's result, or nil when a signal came first.
    package static func until<Result: Sendable>(
        _ signals: AsyncStream<Int32>, _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> (result: Result?, signal: Int32?) {
        try await withThrowingTaskGroup(of: (Result?, Int32?).self) { group in
            group.addTask { (try await work(), nil) }
            group.addTask {
                for await number in signals { return (nil, number) }
                return (nil, nil)
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { return (nil, nil) }
            return first
        }
    }
}
