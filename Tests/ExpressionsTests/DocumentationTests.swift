// Every example of the documentation is executed.

import Foundation
import Testing
import WorkflowModel

@testable import Expressions

private struct Page {
    let name: String
    let text: String

    init(_ name: String) throws {
        self.name = name
        let catalog = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../Sources/Expressions/Expressions.docc", directoryHint: .isDirectory
        ).standardized
        text = try String(contentsOf: catalog.appending(path: "\(name).md"), encoding: .utf8)
    }

    /// The data that the examples see: the first block of JSON.
    func scope() throws -> Scope {
        let block = try #require(text.components(separatedBy: "```json\n").dropFirst().first?.components(separatedBy: "```").first)
        var scope = Scope()
        for (name, value) in try JSONValue(parsing: block).objectValue?.members ?? zip([], []) { scope.set(name, Value(value)) }
        return scope
    }

    /// The expressions and what they give: `` `1 + 2` → `3` ``, or `` `1 / 0` → error ``.
    var examples: [(source: String, result: String?)] {
        var found: [(String, String?)] = []
        // Between backticks code, outside of them text: the parts alternate.
        for line in text.split(separator: "\n") {
            let parts = line.replacing("\\|", with: "|").components(separatedBy: "`")
            for index in stride(from: 1, to: parts.count - 1, by: 2) where parts[index + 1].hasPrefix(" → ") {
                if parts[index + 1].hasPrefix(" → error") {
                    found.append((parts[index], nil))
                } else if parts[index + 1] == " → ", index + 2 < parts.count {
                    found.append((parts[index], parts[index + 2]))
                }
            }
        }
        return found
    }
}

@Suite("Documentation")
struct DocumentationTests {
    @Test("every example of an expression gives what the page says", arguments: ["Language", "Functions"])
    func examples(name: String) throws {
        let page = try Page(name)
        let scope = try page.scope()
        #expect(page.examples.count > 30)
        var check = TypeCheck(["input": .anything, "steps": .anything])
        check["input"] = .anything
        for (source, result) in page.examples {
            let value = try? CompiledExpression(source).evaluateJSON(scope).compactText
            #expect(value == result, "\(name).md: \(source)")
            guard result != nil else { continue }
            let findings = check.check(try CompiledExpression(source)).findings.filter { $0.severity == .error }.map(\.error)
            #expect(findings == [], "\(name).md: \(source)")
        }
    }

    @Test("every example of a template gives what the page says")
    func templates() throws {
        let page = try Page("Language")
        let rows = page.text.split(separator: "\n").map { $0.components(separatedBy: "`") }.filter {
            $0.first == "| " && $0.count == 5 && $0[1].contains("${{")
        }
        #expect(rows.count == 5)
        for row in rows {
            let value = try CompiledTemplate(.string(row[1])).render(try page.scope()).compactText
            #expect(value == row[3], "\(row[1])")
        }
    }

    @Test("every function and macro is described")
    func complete() throws {
        let text = try Page("Functions").text
        let missing = TypeCheck.functionNames.filter { !text.contains("\($0)(") }
        #expect(missing == [])
    }
}
