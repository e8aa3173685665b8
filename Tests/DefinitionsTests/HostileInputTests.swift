// Texts that were written to hurt: the answer comes soon, takes little memory, and is never a crash.

import Foundation
import Testing
import WorkflowModel

@testable import Definitions

@Suite("Hostile input")
struct HostileInputTests {
    private static let head = "workflow: hostile\nsteps:\n"

    /// Decodes under a bound on processor time. Builds without optimisation take ten times as long, and the bounds are for those.
    private func decode(_ text: String, _ name: String = "hostile.yaml", within bound: Duration = .seconds(4)) -> DecodedDefinition {
        let start = Self.processorTime()
        let decoded = DefinitionDecoder.decode(text, fileName: name)
        let taken = Self.processorTime() - start
        #expect(taken < bound, "\(text.prefix(60))… took \(taken)")
        #expect(decoded.diagnostics.count <= DiagnosticBag.limit)
        return decoded
    }

    @Test("an alias bomb is refused before it is built", arguments: [false, true])
    func aliasBomb(asKey: Bool) throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 { text += "a\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", "))]\n" }
        text += asKey ? "? *a30\n: boom\n" : "boom: *a30\n"
        let before = Self.residentBytes()
        let decoded = decode(text, within: .seconds(2))
        #expect(decoded.diagnostics.contains { $0.code == .alias })
        #expect(!decoded.isValid)
        #expect(Self.residentBytes() - before < 64 << 20)
    }

    @Test("deep nesting is refused, however it is written", arguments: ["[", "{a: ", "- ", "? ", "[{a: "])
    func deepNesting(opening: String) {
        for count in [65, 1000, 100_000] {
            let decoded = decode(String(repeating: opening, count: count))
            #expect(!decoded.isValid)
            #expect(count == 65 || decoded.diagnostics.map(\.code) == [.tooLarge])
        }
        let decoded = decode(String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000))
        #expect(decoded.diagnostics.map(\.code) == [.tooLarge])
    }

    @Test("deep nesting in JSON is refused", arguments: ["[", #"{"a":"#])
    func deepJSON(opening: String) {
        let decoded = decode(String(repeating: opening, count: 100_000), "deep.json")
        #expect(decoded.diagnostics.map(\.code) == [.tooLarge])
    }

    @Test("a file beyond the limit is not looked at")
    func tooLarge() {
        let decoded = decode(String(repeating: "a", count: (1 << 20) + 1), within: .seconds(1))
        #expect(decoded.diagnostics.map(\.code) == [.tooLarge])
    }

    @Test(
        "a large file is answered in time, whatever it repeats",
        arguments: [
            "[],", "x: 1\n", "- a\n", "'", "\"\\u00", "#\n", "? a\n: b\n", "%TAG ! x\n", "--- a\n", "|\n", "&a ", "!a ", "\t", "${{ ) }} ",
            "${{ ",
            ": ", "{", "a: {", "\u{85}", "é", "- - ", "a:\n ", "x: 'a'\n", "\r", "<<: 1\n", "- {id: a, needs: [a], set: 1}\n",
        ])
    func repetition(piece: String) {
        let count = (1 << 17) / piece.utf8.count
        let plain = decode(String(repeating: piece, count: count))
        #expect(!plain.isValid)
        let inText = decode(
            Self.head + "  - id: a\n    set: \"" + String(repeating: piece.filter { $0 != "\"" && $0 != "\\" && $0 != "\n" }, count: count)
                + "\"\n")
        #expect(inText.diagnostics.count <= DiagnosticBag.limit)
        _ = decode(Self.head + "  " + String(repeating: piece.replacingOccurrences(of: "\n", with: "\n  "), count: count / 2))
        _ = decode(String(repeating: piece, count: count), "hostile.json")
    }

    @Test("a file of a single line costs no more than one of many, and its findings are found in it")
    func singleLine() throws {
        let steps = (0..<4000).map { #"{"id":"s\#($0)","set":"ä"}"# }.joined(separator: ",")
        let good = decode(#"{"workflow":"line","steps":["# + steps + "]}")
        #expect(good.isValid)
        let bad = #"{"workflow":"line","steps":["# + steps + #",{"id":"last","sett":1}]}"#
        let finding = try #require(decode(bad).diagnostics.first { $0.code == .unknownKey })
        #expect(finding.position == SourcePosition(line: 1, column: bad.unicodeScalars.count - 10))
    }

    @Test("thousands of unknown needs are answered in time, with a bounded number of findings")
    func unknownNeeds() {
        var text = "workflow: hostile\ngraph:\n"
        for index in 0..<5000 { text += "- {id: step_\(index), needs: [stepp_\(index)], set: 1}\n" }
        let decoded = decode(text)
        #expect(decoded.diagnostics.count == DiagnosticBag.limit)
    }

    @Test("a circle of thousands of steps is found and told in short")
    func longCycle() throws {
        var text = "workflow: hostile\ngraph:\n"
        for index in 0..<10_000 { text += "- {id: s\(index), needs: [s\((index + 1) % 10_000)], set: 1}\n" }
        let decoded = decode(text)
        let cycle = try #require(decoded.diagnostics.first)
        #expect(decoded.diagnostics.count == 1)
        #expect(cycle.code == .cycle)
        #expect(cycle.message.hasPrefix("steps wait for each other: s0 → s1 → "))
        #expect(cycle.message.hasSuffix("… (10000 steps) → s0"))
    }

    @Test("a chain of thousands of steps that all look back at the first is answered in time")
    func longChain() {
        var text = "workflow: hostile\ngraph:\n- {id: s0, set: 1}\n"
        for index in 1..<3000 { text += "- {id: s\(index), needs: [s\(index - 1)], set: \"${{ steps.s0.output }}\"}\n" }
        #expect(decode(text, within: .seconds(10)).isValid)
    }

    @Test("an anchor that only occurs in text is text")
    func anchorsInText() {
        let text = """
            workflow: text
            description: a *b and &c are
              *text and &text too
            steps:
              - id: a
                set:
                  - "*quoted &quoted"
                  - '*quoted'
                  - |
                    *literal &literal
                    <<: *merge
                  - >-
                    *folded
                  - plain *x, &y and
                    *z: no
                  - plain *x # *comment
            """.replacingOccurrences(of: "*z: no", with: "*z no")
        let decoded = decode(text)
        #expect(decoded.diagnostics.map(\.message) == [])
    }

    // Pieces that mean something to YAML, put together at random: the scan in front of the parser must never see less than the parser.
    private static let pieces = [
        "a: ", "b: ", "- ", "? ", ": ", "*x", "&x ", "*y", "&y ", "!t ", "[", "]", "{", "}", ", ", "'", "\"", "''", "\\", "|\n", ">-\n",
        "\n",
        "\n  ", "\n    ", "\n ", " ", "#", " #", "text", "x", "<<: ", "\t", "- a", "k: v", "\r\n", "%", "@", "1", "~", "---", "...",
        "\n---\n", "?x", "-x",
        ":x", "a:b", "x#y", "\\\"", "\\\n", "é", "${{ x }}", "\n- ", "\na: ", "{a: *x}", "[*x]", "? *x\n", "a: &x b", "k", "\n      ",
    ]

    @Test("the scan sees every alias and duplicate that the parser sees", arguments: UInt64(0)..<40)
    func scanAgainstParser(seed: UInt64) {
        var generator = Generator(seed: seed)
        for _ in 0..<250 {
            var text = generator.chance(70) ? "a: &x 1\nb: &y [1]\n" : ""
            for _ in 0..<Int.random(in: 1...25, using: &generator) { text += generator.pick(Self.pieces) }
            var bag = DiagnosticBag()
            _ = YAMLDocument.read(SourceText(text), limits: DefinitionLimits(), into: &bag)
            #expect(!bag.all.contains { $0.message == "aliases are not taken" }, "seed \(seed): \(text.debugDescription)")
            _ = DefinitionDecoder.decode(text, fileName: "fuzz.yaml")
        }
    }

    @Test("a good file with a few bytes changed never does harm", arguments: UInt64(0)..<20)
    func mutations(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let texts = try Fixtures.good.map { Array(try $0.text.utf8) }
        for _ in 0..<40 {
            var bytes = generator.pick(texts)
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8.random(in: 0...127, using: &generator)
                case 2: bytes.insert(contentsOf: generator.pick(Self.pieces).utf8, at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 20))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            for name in ["fuzz.yaml", "fuzz.json"] {
                let decoded = DefinitionDecoder.decode(text, fileName: name)
                #expect(decoded.isValid == decoded.errors.isEmpty, "seed \(seed): \(text.debugDescription)")
                for finding in decoded.diagnostics { #expect(!finding.rendered(file: name, source: text).isEmpty) }
            }
        }
    }

    // Of this thread alone: the machine may be busy with other things.
    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private static func residentBytes() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = status.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }
}
