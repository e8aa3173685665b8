// The workflow files that come with the product do what is said beside them.

import Testing
import WorkflowModel

@Suite struct ExampleTests {
    @Test("a control-flow pattern does what is expected of it", arguments: Example.all(in: Example.patterns))
    func patterns(example: Example) throws { try example.play() }

    @Test("there are enough patterns, each of another number")
    func variety() throws {
        let numbers = try Example.all(in: Example.patterns).compactMap { try $0.expected["pattern"]?.stringValue }
        #expect(Set(numbers).count == numbers.count)
        #expect(numbers.count >= 25)
    }
}
