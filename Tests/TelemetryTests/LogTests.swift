// Log lines: one line for each event, whatever is in it, and the same keys everywhere.

import Foundation
import Logging
import Synchronization
import Telemetry
import Testing

@Suite("Log lines")
struct LogTests {
    /// What a logger has written.
    private final class Sink: Sendable {
        private let written = Mutex<[[UInt8]]>([])

        func logger(_ level: Logger.Level = .trace, _ format: LogFormat = .json) -> Logger {
            LogBootstrap.logger(label: "skein.test", level: level, format: format) { line in self.written.withLock { $0.append(line) } }
        }

        var lines: [String] { written.withLock { $0 }.map { String(decoding: $0, as: UTF8.self) } }

        /// The only line, as the JSON object that it is.
        func object(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            let line = try #require(lines.count == 1 ? lines[0] : nil, sourceLocation: sourceLocation)
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: Any], sourceLocation: sourceLocation)
        }
    }

    @Test("the JSON form is one object with time, level, logger, message and the metadata beside them")
    func json() throws {
        let sink = Sink()
        sink.logger().notice("Result dropped", metadata: [.fence: "12", .count: "\(3)"])
        let object = try sink.object()
        #expect(object["level"] as? String == "notice")
        #expect(object["logger"] as? String == "skein.test")
        #expect(object["msg"] as? String == "Result dropped")
        #expect(object["fence"] as? String == "12")
        #expect(object["count"] as? String == "3")
        let time = try #require(object["ts"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil, "\(time)")
    }

    @Test("the text form has time, level, message, and the metadata as key=value in the order of the keys")
    func text() throws {
        let sink = Sink()
        sink.logger(.trace, .text).warning("Nobody answers", metadata: [.queue: "default", .attempt: "2", .reason: "it is \"away\""])
        let line = try #require(sink.lines.first)
        let match = line.wholeMatch(of: /\S+Z warning  Nobody answers attempt=2 queue=default reason="it is \\"away\\""\n/)
        #expect(match != nil, "\(line)")
    }

    @Test("an event is one line, whatever control characters its metadata holds", arguments: [LogFormat.json, .text])
    func oneLine(format: LogFormat) throws {
        let sink = Sink()
        let hostile = "a\nb\rc\td\u{0}e\u{1B}[31mf\u{7F}g\u{85}h\u{2028}i\u{2029}j\\k\"l"
        sink.logger(.trace, format).error("Something came back", metadata: [.error: "\(hostile)"])
        let line = try #require(sink.lines.first)
        #expect(line.hasSuffix("\n"))
        let controls = line.dropLast().unicodeScalars.filter {
            $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0.value == 0x2028 || $0.value == 0x2029
        }
        #expect(controls.isEmpty, "\(line)")
        if format == .json {
            let object = try sink.object()
            #expect(object["error"] as? String == hostile)
        }
    }

    @Test("metadata that is called as the line's own members does not replace them")
    func ownKeys() throws {
        let sink = Sink()
        var logger = sink.logger()
        logger[metadataKey: "msg"] = "another"
        logger[metadataKey: "level"] = "none"
        logger.info("The message")
        let object = try sink.object()
        #expect(object["msg"] as? String == "The message")
        #expect(object["_msg"] as? String == "another")
        #expect(object["level"] as? String == "info")
        #expect(object["_level"] as? String == "none")
    }

    @Test("numbers, flags, lists and dictionaries keep their form in JSON")
    func structured() throws {
        let sink = Sink()
        sink.logger().info(
            "Shapes",
            metadata: [
                .count: .stringConvertible(42), .durationSeconds: .stringConvertible(0.25), .status: .stringConvertible(true),
                .queue: .array(["a", "b"]), .reason: .dictionary(["x": "1", "y": "2"]), .limit: .stringConvertible(Double.infinity),
            ])
        let object = try sink.object()
        #expect(object["count"] as? Int == 42)
        #expect(object["duration_seconds"] as? Double == 0.25)
        #expect(object["status"] as? Bool == true)
        #expect(object["queue"] as? [String] == ["a", "b"])
        #expect(object["reason"] as? [String: String] == ["x": "1", "y": "2"])
        #expect(object["limit"] as? String == "inf")
    }

    @Test("what is below the level is not written, and its metadata not even made")
    func levels() {
        let sink = Sink()
        let logger = sink.logger(.notice)
        let made = Mutex(0)
        func metadata() -> LogMetadata {
            made.withLock { $0 += 1 }
            return [.count: "1"]
        }
        logger.debug("Below", metadata: metadata())
        logger.info("Below", metadata: metadata())
        #expect(sink.lines.isEmpty)
        #expect(made.withLock { $0 } == 0)
        logger.notice("At", metadata: metadata())
        logger.critical("Above", metadata: metadata())
        #expect(sink.lines.count == 2)
        #expect(made.withLock { $0 } == 2)
    }

    @Test("a bound logger carries its metadata into every line, and the logger it came from does not")
    func bound() throws {
        let sink = Sink()
        let logger = sink.logger()
        let bound = logger.bound(to: [.runID: "r1", .attempt: "1"])
        bound.info("First", metadata: [.attempt: "2"])
        let object = try sink.object()
        #expect(object["run_id"] as? String == "r1")
        #expect(object["attempt"] as? String == "2", "what is given with the line is nearer")
        #expect(logger[.runID] == nil)
    }

    @Test("keys of the log are lower case with underscores, and each stands once")
    func keys() {
        let names = LogKey.allCases.map(\.rawValue)
        #expect(names.allSatisfy { $0.wholeMatch(of: /[a-z]+(_[a-z]+)*/) != nil }, "\(names)")
        #expect(Set(names).count == names.count)
    }
}
