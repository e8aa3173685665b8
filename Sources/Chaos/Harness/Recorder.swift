// The history of a campaign: JSON lines, each in the file before anything else happens.

package import Foundation
package import WorkflowModel

/// A file of JSON lines. Every line is one `write` to a file opened for appending, so that lines of several writers never mix, and what was
/// written survives this process.
package final class Recorder: Sendable {
    private let descriptor: Int32

    package init(_ file: URL) throws {
        descriptor = open(file.path(percentEncoded: false), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HarnessError("\(file.path(percentEncoded: false)) cannot be written: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Writes one line: what happened, the moment, and whatever belongs to it.
    package func write(_ event: String, _ fields: KeyValuePairs<String, JSONValue> = [:]) {
        var line = JSONObject()
        line["e"] = .string(event)
        line["t"] = .double(Self.now)
        for (key, value) in fields { line[key] = value }
        var text = JSONValue.object(line).compactText
        text += "\n"
        _ = text.withUTF8 { Foundation.write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Seconds since 1970 by this machine's clock, which is the database's as well.
    package static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1e6
    }
}
