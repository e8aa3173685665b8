// What people see: tables, statuses, durations, boards.

import CommandLine
import Testing
import WorkflowModel

@Suite("What people see")
struct ViewTests {
    private let plain = Console(isTerminal: false)

    @Test("columns are aligned by what a terminal shows, not by bytes")
    func table() {
        var table = TextTable([.text("NAME"), .number("N"), .text("LAST")])
        table.add(["äöü", "7", "x"])
        table.add(["漢字漢字", "1234", ""])
        table.add(["\u{1B}[32mgreen\u{1B}[0m", "10", "y"])
        #expect(
            table.lines(on: plain) == [
                "NAME         N  LAST", "äöü          7  x", "漢字漢字  1234", "\u{1B}[32mgreen\u{1B}[0m       10  y",
            ])
    }

    @Test("sentences at the end of a table's line are cut where the terminal ends, and nowhere else")
    func prose() {
        var table = TextTable([.text("NAME"), .prose("ERROR")])
        table.add(["first", "http: the agent answered 503 three times"])
        table.add(["second", "timeout"])
        #expect(table.lines(on: plain, width: 30) == ["NAME    ERROR", "first   http: the agent answe…", "second  timeout"])
        // Some of it is always there.
        #expect(table.lines(on: plain, width: 10)[1] == "first   http: the agent ans…")
        #expect(table.lines(on: plain, width: 0)[1] == "first   http: the agent answered 503 three times")
    }

    @Test("a line that is too long is cut with an ellipsis, and its colour ends")
    func fitted() {
        #expect(TextTable.fitted("abcdef", to: 6) == "abcdef")
        #expect(TextTable.fitted("abcdefg", to: 6) == "abcde…")
        #expect(TextTable.fitted("\u{1B}[31mabcdefg\u{1B}[0m", to: 4) == "\u{1B}[31mabc…\u{1B}[0m")
        #expect(TextTable.width(TextTable.fitted("漢字漢字", to: 6)) <= 6)
    }

    @Test("a status is a glyph and a word, in ASCII where nothing else is wanted")
    func status() {
        #expect(plain.status("succeeded") == "✓ succeeded")
        #expect(plain.status("timed_out") == "⏱ timed_out")
        #expect(plain.status("something new") == "· something new")
        #expect(Console(isTerminal: false, isPlainASCII: true).status("failed") == "x failed")
        #expect(Console(isTerminal: true, hasColour: true).status("failed") == "\u{1B}[31m✗ failed\u{1B}[0m")
    }

    @Test(
        "durations are short and keep what matters",
        arguments: [
            (0, "0s"), (0.0123, "0.012s"), (0.5, "0.50s"), (12.34, "12.3s"), (59.96, "1m00s"), (130, "2m10s"), (3_900, "1h05m"),
            (360_000, "4d4h"),
        ] as [(Double, String)])
    func durations(seconds: Double, text: String) {
        #expect(HumanTime.duration(seconds) == text)
    }

    @Test("text of others cannot move the cursor")
    func printable() {
        #expect(Console.printable("a\u{1B}[2Jb\nc\u{202E}d") == "a [2Jb c d")
        let json = PrettyJSON.text(.string("\u{1B}[2J\u{202E}"))
        #expect(!json.unicodeScalars.contains { $0.properties.generalCategory == .control || $0.properties.generalCategory == .format })
    }

    @Test("JSON is broken into lines only where it is long, and stays the same document")
    func pretty() throws {
        let short: JSONValue = ["a": [1, 2.5, nil], "b": ["c": true]]
        #expect(PrettyJSON.text(short) == #"{"a": [1, 2.5, null], "b": {"c": true}}"#)
        let long: JSONValue = ["list": .array((0..<60).map { ["n": .int($0)] }), "text": "z"]
        let text = PrettyJSON.text(long)
        #expect(text.contains("\n"))
        #expect(try JSONValue(parsing: text) == long)
    }

    private static func step(_ name: String, _ status: String, attempt: Int64 = 1, error: JSONValue = nil) -> JSONValue {
        [
            "step": .string(name), "status": .string(status), "attempt": .int(attempt), "verb": "agent",
            "started_at": "2026-11-23T14:02:11Z", "error": error,
        ]
    }

    private static func board(_ status: String, _ steps: [JSONValue]) -> RunBoard {
        RunBoard(
            run: ["run_id": "0193a4c1-77d0-7c1e-9c44-5f1e7a9b2c31", "workflow": "w", "version": 3, "status": .string(status)], steps: steps)
    }

    @Test("every change is one line, and what did not change is none")
    func changes() {
        let first = Self.board("running", [Self.step("a", "running")])
        let second = Self.board("running", [Self.step("a", "running", attempt: 2), Self.step("b", "ready")])
        let third = Self.board("failed", [Self.step("a", "failed", attempt: 2, error: ["type": "timeout"]), Self.step("b", "ready")])
        let prefix = "T run=…7a9b2c31"
        #expect(first.changes(since: nil, at: "T") == ["\(prefix) status=running", "\(prefix) step=a attempt=1 status=running"])
        #expect(
            second.changes(since: first, at: "T") == [
                "\(prefix) step=a attempt=2 status=running prev=running", "\(prefix) step=b attempt=1 status=ready",
            ])
        #expect(second.changes(since: second, at: "T").isEmpty)
        #expect(
            third.changes(since: second, at: "T") == [
                "\(prefix) step=a attempt=2 status=failed prev=running error=timeout", "\(prefix) status=failed prev=running",
            ])
    }

    @Test("the exit code of a board is its run's")
    func exit() {
        #expect(Self.board("succeeded", []).exitStatus == .succeeded)
        #expect(Self.board("timed_out", []).exitStatus == .timedOut)
        #expect(Self.board("running", []).exitStatus == .stillRunning)
        #expect(Self.board("from the future", []).exitStatus == .unexpected)
    }
}
