// Files that are as they should be: what they decode to, and that nothing is lost on the way to the database and back.

import Definitions
import Foundation
import Testing
import WorkflowModel

@Suite("Good definitions")
struct GoodDefinitionTests {
    @Test("a good file decodes without findings", arguments: Fixtures.good)
    func decodes(file: FixtureFile) throws {
        let decoded = DefinitionDecoder.decode(try file.text, fileName: file.name)
        #expect(decoded.diagnostics.map { $0.rendered(file: file.name, source: (try? file.text) ?? "") } == [])
        #expect(decoded.isValid)
    }
}
