// The keys of log metadata, and the calls that take them.
//
// A message is constant text and its data is metadata under these keys, so that one log line can be searched like another.
public import Logging

/// A key of log metadata. The list is part of the product's interface, like the names of the metrics.
public enum LogKey: String, Sendable, Hashable, CaseIterable {
    /// The address of a peer or of a listening socket.
    case address
    /// The name of an agent.
    case agent
    /// The number of an attempt, counted from 1.
    case attempt
    /// How many things the line is about.
    case count
    /// The database, as `host:port/name`.
    case database
    /// How long something took or will take.
    case durationSeconds = "duration_seconds"
    /// The error in words.
    case error
    /// What kind of failure it is, from the closed list of failure types.
    case failureType = "failure_type"
    /// The proof of a lease.
    case fence
    /// An invariant of the database, by its number and its title.
    case invariant
    /// The id of an HTTP request.
    case requestID = "request_id"
    /// The kind of an agent: `http`, `exec`.
    case kind
    /// A setting, by its name in the configuration.
    case key
    /// A limit that was reached.
    case limit
    /// The method of an HTTP request.
    case method
    /// The migration that is at work.
    case migration
    /// The namespace.
    case namespace
    /// How an attempt, a fold or a request ended.
    case outcome
    /// The path of an HTTP request, without its query.
    case path
    /// The id of an operating-system process.
    case processID = "process_id"
    /// The name of a queue.
    case queue
    /// Why something was done.
    case reason
    /// What helps.
    case remedy
    /// A row of the database, as JSON.
    case row
    /// The id of a run.
    case runID = "run_id"
    /// The name of a schedule.
    case schedule
    /// The name of a service of this process.
    case service
    /// The number of a worker's session.
    case sessionID = "session_id"
    /// A POSIX signal, or the name of a signal to a run.
    case signal
    /// The SQLSTATE of a database error.
    case sqlState = "sqlstate"
    /// A status: of a run, of a session, of an HTTP answer.
    case status
    /// The path of a step within its run.
    case stepPath = "step_path"
    /// The number of a task.
    case taskID = "task_id"
    /// The 32 hexadecimal digits of a trace id.
    case traceID = "trace_id"
    /// A user or token name.
    case user
    /// The version of a workflow, of the schema or of the product.
    case version
    /// A week of history, as its partitions are called.
    case week
    /// The name of a worker.
    case worker
    /// The name of a workflow.
    case workflow
}

/// Metadata under keys from the list.
public typealias LogMetadata = [LogKey: Logger.MetadataValue]

extension Logger {
    /// Reads or binds metadata for every line of this logger.
    public subscript(_ key: LogKey) -> Logger.MetadataValue? {
        get { self[metadataKey: key.rawValue] }
        set { self[metadataKey: key.rawValue] = newValue }
    }

    /// A copy of this logger whose lines all carry `metadata`.
    public func bound(to metadata: LogMetadata) -> Logger {
        var copy = self
        for (key, value) in metadata { copy[key] = value }
        return copy
    }

    /// Logs constant text at the level `trace`.
    public func trace(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.trace, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `debug`.
    public func debug(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.debug, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `info`: the life of a service.
    public func info(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.info, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `notice`: the unusual.
    public func notice(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.notice, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `warning`: someone should look.
    public func warning(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.warning, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `error`: something was lost.
    public func error(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.error, message, metadata, file, function, line)
    }

    /// Logs constant text at the level `critical`: the process cannot go on.
    public func critical(
        _ message: StaticString, metadata: @autoclosure () -> LogMetadata, file: String = #fileID, function: String = #function,
        line: UInt = #line
    ) {
        write(.critical, message, metadata, file, function, line)
    }

    private func write(
        _ level: Logger.Level, _ message: StaticString, _ metadata: () -> LogMetadata, _ file: String, _ function: String, _ line: UInt
    ) {
        guard level >= logLevel else { return }
        var named: Logger.Metadata = [:]
        for (key, value) in metadata() { named[key.rawValue] = value }
        log(level: level, "\(message)", metadata: named, source: nil, file: file, function: function, line: line)
    }
}
