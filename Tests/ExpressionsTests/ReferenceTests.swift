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

    private let check = NameCheck(roots: ["input", "steps", "result"]) { root, path in
        switch (root, path) {
        case ("steps", []): ["review", "approve"]
        case ("steps", ["review"]): ["output", "status", "error"]
        default: nil
        }
    }

    @Test(
        "mistakes that need no data to be seen are all found",
        arguments: [
            ("stepz.review.output", ["there is no \"stepz\" here (did you mean \"steps\"?)@0"]),
            ("steps.reveiw.output", ["steps has no \"reveiw\" (did you mean \"review\"?)@0"]),
            ("steps.review.outptu.x", ["steps.review has no \"outptu\" (did you mean \"output\"?)@0"]),
            ("steps.?nothing.orValue(1) == 1 && has(steps.nothing)", []), ("input.anything.goes == int(1)", []),
            ("sized(input.a)", ["there is no function sized(…) (did you mean \"size\"?)@0"]),
            ("input.a.startWith('x')", ["there is no function .startWith(…) (did you mean \"startsWith\"?)@8"]),
            ("size(1, 2)", ["size takes 1 argument, not 2@0"]),
            ("input.a.matches('(')", ["the pattern is wrong: missing closing parenthesis@16"]),
            ("timestamp('x') < foo", ["this is no timestamp of the years 1 to 9999 in RFC 3339@10", "there is no \"foo\" here@17"]),
            ("1 + 'a' == 2", ["\"+\" does not take int and string@2"]),
            ("'a' && true", ["a condition is a boolean, and this is always string@0"]),
            ("google.protobuf.Timestamp == type(input.a)", []), ("has(input.a) ? 1 : unknown", ["there is no \"unknown\" here@19"]),
            ("!1", ["\"!\" does not take int@0"]), ("1 in 2", ["\"in\" looks into lists and maps, not int@2"]),
        ])
    func nameCheck(source: String, expected: [String]) throws {
        let expression = try CompiledExpression(source)
        let found = check.problems(in: expression).map { "\($0.message)@\($0.offset)" }
        #expect(found == expected)
    }

    @Test(
        "a place that wants a condition or a collection says so",
        arguments: [
            ("'yes'", NameCheck.Expectation.boolean, 1), ("input.a", .boolean, 0), ("input.a > 1", .boolean, 0), ("[1]", .boolean, 1),
            ("size(input.a)", .boolean, 1), ("3", .collection, 1), ("input.docs", .collection, 0), ("[1]", .collection, 0),
            ("3", .anything, 0),
        ])
    func expectations(source: String, expectation: NameCheck.Expectation, count: Int) throws {
        let found = check.problems(in: try CompiledExpression(source), expecting: expectation)
        #expect(found.count == count)
    }

    @Test("mistakes in a template carry their path")
    func templates() throws {
        let template = try CompiledTemplate(["a": ["x ${{ stepz.a }}"]])
        let problem = try #require(check.problems(in: template).first)
        #expect(problem.path == "/a/0")
        #expect(problem.textOffset == 6)
        #expect(problem.kind == .unknownName)
    }
}
