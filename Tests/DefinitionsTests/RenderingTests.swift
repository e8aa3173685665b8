// How a finding looks on a terminal, and where it points.

import Testing

@testable import Definitions

@Suite("Findings")
struct RenderingTests {
    @Test("a finding shows the place, the line, a caret and the way out")
    func rendering() throws {
        let text = "workflow: triage\ngraph:\n  - { id: classify, set: 1 }\n  - id: notify\n    needs: [clasify]\n    set: 1\n"
        let finding = try #require(DefinitionDecoder.decode(text, fileName: "triage.yaml").diagnostics.first)
        #expect(
            finding.rendered(file: "triage.yaml", source: text) == """
                triage.yaml:5:13 error[E2104]: step "notify" needs "clasify", which does not exist
                    5 |     needs: [clasify]
                      |             ^^^^^^^ did you mean "classify"?
                      = at graph[1].needs[0]
                """)
    }

    @Test("a finding beyond the end of a line or text still renders", arguments: [(1, 1), (1, 500), (99, 3), (0, 0)])
    func beyond(line: Int, column: Int) {
        let finding = Diagnostic(code: .syntax, message: "m", path: "", position: SourcePosition(line: line, column: column), length: 9)
        #expect(finding.rendered(file: "f", source: "short\n").hasPrefix("f:\(line):\(column) error[E2101]: m\n"))
        #expect(finding.rendered(file: "f", source: "").contains("^"))
    }

    @Test(
        "an expression is found in the file however its text is written",
        arguments: [
            ("set: ${{ nope }}", 10), ("set: \"${{ nope }}\"", 11), ("set: 'it''s ${{ nope }}'", 17),
            ("set: \"\\t\\u00e9\\\"é ${{ nope }}\"", 23),
            ("set: a  b ${{ nope }}", 15), ("set: { a: \"${{ nope }}\" }", 16), ("set: [ '${{ nope }}' ]", 13),
        ])
    func inlinePositions(line: String, column: Int) throws {
        let text = "workflow: a\nsteps:\n- id: a\n  \(line)\n"
        let finding = try #require(DefinitionDecoder.decode(text, fileName: "a.yaml").diagnostics.first)
        #expect(finding.position == SourcePosition(line: 4, column: column + 2))
    }

    @Test(
        "an expression is found in a text of several lines",
        arguments: [
            ("set: |\n    one\n    two ${{ nope }}", 6, 13), ("set: >-\n    one\n    two ${{ nope }}", 6, 13),
            ("set: |2\n      one\n\n    two ${{ nope }}", 7, 13), ("set: one\n    two\n\n    ${{ nope }}", 7, 9),
            ("set: \"one\n    two \\\n    ${{ nope }}\"", 6, 9), ("set: |\n    one\n\n\n\n      ${{ nope }}", 9, 11),
        ])
    func blockPositions(lines: String, line: Int, column: Int) throws {
        let text = "workflow: a\nsteps:\n- id: a\n  \(lines)\n"
        let finding = try #require(DefinitionDecoder.decode(text, fileName: "a.yaml").diagnostics.first)
        #expect(finding.position == SourcePosition(line: line, column: column))
    }

    @Test("positions count characters, not bytes")
    func characters() throws {
        let text = "workflow: a\nsteps: [ { id: a, set: \"äöü😀 ${{ nope }}\" } ]\n"
        let finding = try #require(DefinitionDecoder.decode(text, fileName: "a.yaml").diagnostics.first)
        #expect(finding.position == SourcePosition(line: 2, column: 34))
    }

    @Test("nothing in a file can steer the terminal")
    func escapes() {
        let text = "workflow: a\n\"\\e[31m\\u202E\": 1\nsteps: [ { id: a, set: \"\\u001b[0m ${{ nope }}\" } ]\n"
        for finding in DefinitionDecoder.decode(text, fileName: "a.yaml").diagnostics {
            let rendered = finding.rendered(file: "a.yaml", source: text)
            #expect(!rendered.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x202E })
        }
    }

    @Test(
        "the nearest word is suggested",
        arguments: [("timout", "timeout"), ("max_attempts", "maxAttempts"), ("iff", "if"), ("retyr", "retry")])
    func suggestions(word: String, meant: String) {
        #expect(Suggestion.closest(to: word, among: ["timeout", "maxAttempts", "if", "retry"]) == meant)
        #expect(Suggestion.closest(to: "something", among: ["timeout", "if"]) == nil)
    }

    @Test("codes are distinct and keep their letter")
    func codes() {
        #expect(Set(DiagnosticCode.allCases.map(\.rawValue)).count == DiagnosticCode.allCases.count)
        for code in DiagnosticCode.allCases {
            #expect(code.severity == (code.rawValue.hasPrefix("W") ? .warning : .error))
            #expect(!code.title.isEmpty)
        }
    }
}
