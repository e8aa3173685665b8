// What every binary does the same way: its exit codes, its one line on standard output, its signals.

package import ArgumentParser
import Foundation
package import Logging
package import ServiceLifecycle
import Telemetry
import UnixSignals

#if canImport(Glibc)
import CMalloc
#endif

/// How a process ends when something stops it.
package enum Ending {
    /// The database has a schema that this release does not understand.
    package static let conflict = ExitCode(6)
    /// The command line is wrong.
    package static let usage = ExitCode.validationFailure
    /// A setting, or something that a setting names, cannot be used.
    package static let badConfiguration = ExitCode(78)

    /// Says why on standard error.
    package static func explain(_ program: String, _ reason: String) {
        FileHandle.standardError.write(Data("\(program): \(reason)\n".utf8))
    }
}

/// A reason to stop that is nobody's mistake in the program: it is explained in a sentence, and gives the exit code.
package struct Stop: Error {
    package let code: ExitCode
    package let reason: String

    package init(code: ExitCode, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// One line on standard output, at once.
package func announce(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

/// A service from a closure, which ends by itself when it is told to stop.
package struct Work: Service, CustomStringConvertible {
    package let description: String
    package let body: @Sendable () async throws -> Void

    package init(_ description: String, _ body: @escaping @Sendable () async throws -> Void) {
        self.description = description
        self.body = body
    }

    package func run() async throws { try await body() }
}

/// Runs services until one of them ends or a signal comes, then stops them from the last to the first.
package func runServices(_ program: String, _ services: [any Service], drainTimeout: Duration, log: Logger) async throws {
    // A peer that went away is an error of the write, not a reason to die.
    signal(SIGPIPE, SIG_IGN)
    giveMemoryBack()
    var configuration = ServiceGroupConfiguration(
        services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(log))
    configuration.maximumGracefulShutdownDuration = drainTimeout + .seconds(5)
    configuration.maximumCancellationDuration = .seconds(5)
    do {
        try await ServiceGroup(configuration: configuration).run()
        log.info("Stopped", metadata: [.service: "\(program)"])
    } catch let stop as Stop {
        Ending.explain(program, stop.reason)
        throw stop.code
    } catch is CancellationError {
        log.warning("Stopped before everything had finished: the time to drain was over", metadata: [.service: "\(program)"])
        throw ExitCode.failure
    }
}

// Each thread that allocates would have an arena of its own, and what is free in one is of no use to the others: a coordinator that had folded eight
// runs of 10,000 steps kept 140 MiB where it needs 38.
private func giveMemoryBack() {
    #if canImport(Glibc)
    mallopt(M_ARENA_MAX, 2)
    mallopt(M_TRIM_THRESHOLD, 1 << 20)
    #endif
}

// The library logs each of its own moves; they interest nobody but its authors.
private func quiet(_ log: Logger) -> Logger {
    var quiet = log
    quiet.logLevel = max(.error, log.logLevel)
    return quiet
}
