// Files with mistakes: every finding with its place, its words and its way out, compared with what was agreed on.

import Definitions
import Foundation
import Testing

@Suite("Broken definitions")
struct BrokenDefinitionTests {
    /// Set to write the expected findings anew. Read the difference before keeping it.
    private static let updates = ProcessInfo.processInfo.environment["SKEIN_UPDATE_FIXTURES"] != nil

    @Test("a broken file is answered with all findings, in file order", arguments: Fixtures.broken)
    func findings(file: FixtureFile) throws {
        let text = try file.text
        let decoded = DefinitionDecoder.decode(text, fileName: file.name, options: file.options)
        let findings = decoded.diagnostics.map { $0.rendered(file: file.name, source: text) }.joined(separator: "\n\n") + "\n"
        if Self.updates { try findings.write(to: file.golden, atomically: true, encoding: .utf8) }
        let expected = try String(contentsOf: file.golden, encoding: .utf8)
        #expect(findings == expected)
        #expect(decoded.isValid == decoded.errors.isEmpty)
        #expect(decoded.diagnostics.map(\.position) == decoded.diagnostics.map(\.position).sorted())
    }

    @Test("every code is provoked by a file and has a page")
    func codesAreCovered() throws {
        var provoked: Set<DiagnosticCode> = []
        for file in Fixtures.broken {
            provoked.formUnion(DefinitionDecoder.decode(try file.text, fileName: file.name, options: file.options).diagnostics.map(\.code))
        }
        #expect(DiagnosticCode.allCases.filter { !provoked.contains($0) } == [])
        for code in DiagnosticCode.allCases {
            let page = code.explanation
            #expect(page.hasPrefix(code.rawValue))
            #expect(["What happened: ", "Why: ", "What to do: "].allSatisfy { page.contains($0) })
        }
    }

    @Test("every error says how to mend it or is a syntax error without a known cause")
    func everyErrorHasAFix() throws {
        for file in Fixtures.broken {
            let text = try file.text
            for finding in DefinitionDecoder.decode(text, fileName: file.name, options: file.options).diagnostics where finding.fix == nil {
                let message = finding.rendered(file: file.name, source: text)
                #expect([.wrongType, .outOfRange, .unknownWord, .invalidName, .syntax].contains(finding.code), "\(message)")
            }
        }
    }

    @Test("workflows that always start each other are found among the files that are given, with the circle")
    func recursionOfSeveralFiles() {
        func decode(_ text: String, _ name: String) -> DecodedDefinition {
            DefinitionDecoder.decode(text, fileName: name, options: DecodingOptions(parts: Set(LanguagePart.allCases)))
        }
        let first = decode("workflow: first\nsteps:\n  - { id: a, workflow: second }\n", "first.yaml")
        let second = decode("workflow: second\nsteps: [ { id: a, do: [ { id: b, workflow: third, wait: false } ] } ]\n", "second.yaml")
        let third = decode("workflow: third\nsteps: [ { id: a, set: 1 } ]\nonSuccess: [ { workflow: first } ]\n", "third.yaml")
        let harmless = decode("workflow: third\nsteps: [ { id: a, if: input.more, workflow: first } ]\n", "third.yaml")
        let outside = decode("workflow: outside\nsteps: [ { id: a, workflow: first } ]\n", "outside.yaml")
        let found = DefinitionSet.diagnostics(of: [outside, first, second, third])
        #expect(found.map(\.count) == [0, 1, 1, 1])
        #expect(found[1].first?.code == .unconditionalRecursion)
        #expect(found[1].first?.message == "these workflows start each other without end: first → second → third → first")
        #expect(found[1].first?.position == SourcePosition(line: 3, column: 24))
        #expect(found[2].first?.message == "these workflows start each other without end: second → third → first → second")
        let none = DefinitionSet.diagnostics(of: [outside, first, second, harmless])
        #expect(none.map(\.count) == [0, 0, 0, 0])
    }
}
