// What the program says with its exit code, and the one error that commands throw.

package import WorkflowModel

/// The exit codes. They are a contract: scripts depend on them.
package enum CommandStatus: Int32, Sendable, Hashable, CaseIterable {
    /// Everything went well; where a run was followed, it succeeded.
    case succeeded = 0
    /// Something unexpected: a bug, or a server's internal error.
    case unexpected = 1
    /// The run failed.
    case failed = 2
    /// The run timed out.
    case timedOut = 3
    /// The run was cancelled.
    case cancelled = 4
    /// There is no such thing.
    case notFound = 5
    /// It contradicts something that is there.
    case conflict = 6
    /// The key is missing or may not do this.
    case notAllowed = 7
    /// The coordinator or the database cannot be reached.
    case unreachable = 8
    /// The definition or the input is invalid.
    case invalid = 9
    /// The run was still going when the wait ended.
    case stillRunning = 10
    /// The command line is wrong (`EX_USAGE`).
    case usage = 64
    /// Ctrl-C while a run was followed: the run goes on.
    case detached = 130
    /// Ended by SIGTERM.
    case terminated = 143

    /// What following a run ends with.
    package init(_ status: RunStatus) {
        switch status {
        case .succeeded: self = .succeeded
        case .failed: self = .failed
        case .timedOut: self = .timedOut
        case .cancelled: self = .cancelled
        case .queued, .running, .waiting, .paused: self = .stillRunning
        }
    }

    /// What following several runs ends with: the worst of them, and `stillRunning` only when nothing worse has ended.
    package static func worst(of statuses: [CommandStatus]) -> CommandStatus {
        let order: [CommandStatus] = [.failed, .timedOut, .cancelled, .stillRunning]
        return order.first(where: statuses.contains) ?? .succeeded
    }

    /// What a refused request ends with.
    package init(httpStatus: Int) {
        switch httpStatus {
        case 401, 403: self = .notAllowed
        case 404: self = .notFound
        case 409, 412, 428: self = .conflict
        case 400, 413, 415, 422: self = .invalid
        case 429, 502, 503, 504: self = .unreachable
        default: self = .unexpected
        }
    }
}

/// Why a command did not do what it was asked.
package struct CommandFailure: Error, Sendable {
    /// What the program exits with.
    package let status: CommandStatus
    /// One sentence: what went wrong.
    package let message: String
    /// What to do about it.
    package let fix: String?
    /// More lines, such as the places of an input that are wrong.
    package let details: [String]

    package init(_ status: CommandStatus, _ message: String, fix: String? = nil, details: [String] = []) {
        self.status = status
        self.message = message
        self.fix = fix
        self.details = details
    }
}
