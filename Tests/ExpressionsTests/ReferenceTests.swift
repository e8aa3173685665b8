import Testing
import WorkflowModel

@testable import Expressions

@Suite("References and names")
struct ReferenceTests {
    private func references(_ source: String) throws -> [String] {
        try CompiledExpression(source).references.map { reference in
            let required = reference.path.prefix(reference.requiredCount).map { "." + $0 }
            let optional = reference.path.dropFirst(reference.requiredCount).map { ".?" + $0 }
            return reference.root + required.joined() + optional.joined() + "@\(reference.offset)"
        }
    }

    @Test(
        "references are as long as they are constant",
        arguments: [
            ("steps.review.output.score > 1", ["steps.review.output.score@0"]), ("1 + steps['my-step'].output", ["steps.my-step.output@4"]),
            ("input.?a.b.orValue(1)", ["input.?a.?b@0"]), ("has(input.a.b)", ["input.a.?b@4"]), ("has(input.?a.b)", ["input.?a.?b@4"]),
            ("input.docs[input.index].title", ["input.docs@0", "input.index@11"]), ("input.docs[0].title", ["input.docs@0"]),
            ("steps[input.name].output", ["steps@0", "input.name@6"]),
            ("input.docs.map(d, d.x + input.y)", ["input.docs@0", "input.y@24"]),
            ("cel.bind(x, input.a, x.b + y)", ["input.a@12", "y@27"]), ("math.abs(input.a)", ["input.a@9"]),
            ("input.a.size()", ["input.a@0"]),
            ("input", ["input@0"]), ("[1].exists(input, input.a > 1)", []), ("[1].map(x, .x.y)", ["x.y@11"]),
            ("input[?'a'].b", ["input.?a.?b@0"]),
            ("unknownFunction(input.a)", ["input.a@16"]), ("{'a': b}.a", ["b@6"]),
        ])
    func paths(source: String, expected: [String]) throws {
        let found = try references(source)
        #expect(found == expected)
    }
}
