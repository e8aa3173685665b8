// Where the log goes: to standard error, a line for each event, written in one piece.
public import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Sets up logging for a process.
public enum LogBootstrap {
    /// Sends everything that is logged in this process to standard error. Call it once, before the first logger is made.
    ///
    /// Standard output stays free for what a command answers.
    public static func start(level: Logger.Level, format: LogFormat = .auto) {
        let format = resolved(format)
        LoggingSystem.bootstrap { label in LineLogHandler(label: label, level: level, format: format) }
    }

    /// A logger that needs no bootstrapping, for tests and tools: it hands every line to `sink`.
    public static func logger(
        label: String, level: Logger.Level, format: LogFormat, sink: @escaping @Sendable ([UInt8]) -> Void
    ) -> Logger {
        Logger(label: label) { label in LineLogHandler(label: label, level: level, format: resolved(format), sink: sink) }
    }

    private static func resolved(_ format: LogFormat) -> LogFormat {
        switch format {
        case .auto: isatty(STDERR_FILENO) == 1 ? .text : .json
        case .text, .json: format
        }
    }
}

/// Formats events as lines and hands them to a sink.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level
    private let label: String
    private let format: LogFormat
    private let sink: @Sendable ([UInt8]) -> Void

    init(
        label: String, level: Logger.Level, format: LogFormat,
        sink: @escaping @Sendable ([UInt8]) -> Void = { line in LineLogHandler.writeToStandardError(line) }
    ) {
        self.label = label
        self.logLevel = level
        self.format = format
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        if let error = event.error, all[LogKey.error.rawValue] == nil { all[LogKey.error.rawValue] = "\(error)" }
        sink(
            LogLine.bytes(
                format: format, time: LogLine.now(), level: event.level, label: label, message: event.message.description, metadata: all))
    }

    // One write for a line: lines of several threads, and of several processes on one pipe up to PIPE_BUF, do not mix. A log that
    // cannot be written must not stop the process, so errors but interruptions are dropped here, the one place where that is right.
    static func writeToStandardError(_ line: [UInt8]) {
        line.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = write(STDERR_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return
                }
                rest = rest.dropFirst(written)
            }
        }
    }
}
