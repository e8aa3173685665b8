// Every example of the documentation is executed.

import Foundation
import JSONSchema
import Testing
import WorkflowModel

@Suite("Documentation")
struct DocumentationTests {
    @Test("every sentence of the documentation is what is said")
    func violations() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../Sources/JSONSchema/JSONSchema.docc/Violations.md"
        ).standardized
        var rows = 0
        for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") where line.hasPrefix("| `") {
            // Schema, perhaps a value that fits, a value, the sentence.
            let cells = line.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            try #require(cells.count == 3 || cells.count == 4)
            let schema = try CompiledSchema(try JSONValue(parsing: cells[0]), options: .workflow)
            let value = try JSONValue(parsing: cells[cells.count - 2])
            #expect(schema.validate(value).map(\.message) == [cells[cells.count - 1]], "\(line)")
            if cells.count == 4 { #expect(schema.isValid(try JSONValue(parsing: cells[1])), "\(line)") }
            rows += 1
        }
        #expect(rows > 40)
    }
}
