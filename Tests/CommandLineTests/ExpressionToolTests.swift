import Foundation
import Testing
import WorkflowModel

@testable import CommandLine

@Suite("skein expr")
struct ExpressionToolTests {
    private func evaluate(_ source: String, _ json: String = #"{"input": {"docs": [{"score": 0.25}, {"score": 0.75}], "name": "Ada"}}"#)
        throws -> String
    {
        let data = try JSONValue(parsing: json).objectValue ?? JSONObject()
        return try ExpressionTool.evaluate(source, on: data).compactText
    }

    @Test(
        "an expression or a template has its value on the data",
        arguments: [
            ("1 + 2", "3"), ("input.docs.filter(d, d.score > 0.5)", #"[{"score":0.75}]"#), ("Dear ${{ input.name }}", #""Dear Ada""#),
            ("${{ input.docs.size() }}", "2"), ("has(input.x) && input.x > 1", "false"),
        ])
    func values(source: String, expected: String) throws {
        let value = try evaluate(source)
        #expect(value == expected)
    }

    @Test(
        "a mistake is refused with its place and exit code 9",
        arguments: [
            ("input.docs[0].scor > 1", "no such key \"scor\"", ["input.docs[0].scor > 1", "              ^"]),
            ("inptu.docs", "there is no \"inptu\" here (did you mean \"input\"?)", ["inptu.docs", "^"]),
            ("1 +", "a value was expected, not the end of the expression", ["1 +", "   ^"]),
            ("input.name.\n  uperAscii()", "there is no function .uperAscii(…) (did you mean \"upperAscii\"?)", ["  uperAscii()", "  ^"]),
            ("a ${{ 1 + '' }}", "\"+\" does not take int and string; convert with string(…)", ["1 + ''", "  ^"]),
        ])
    func mistakes(source: String, message: String, details: [String]) throws {
        let failure = #expect(throws: CommandFailure.self) { try evaluate(source) }
        #expect(failure?.status == .invalid)
        #expect(failure?.message == message)
        #expect(failure?.details == details)
    }

    @Test("data is YAML or JSON, and a mapping")
    func data() throws {
        let scratch = try Scratch()
        func file(_ text: String) throws -> String { try scratch.write(text, to: "data.yaml") }
        let yaml = try ExpressionTool.data(try file("input:\n  a: [1, 2.5, yes]\n"))
        #expect(JSONValue.object(yaml).compactText == #"{"input":{"a":[1,2.5,"yes"]}}"#)
        let json = try ExpressionTool.data(try file(#"{"a": null}"#))
        #expect(JSONValue.object(json).compactText == #"{"a":null}"#)
        #expect(try ExpressionTool.data(nil).count == 0)
        let list = #expect(throws: CommandFailure.self) { try ExpressionTool.data(try file("[1, 2]")) }
        #expect(list?.status == .invalid)
        let broken = #expect(throws: CommandFailure.self) { try ExpressionTool.data(try file("a: 1\na: 2\n")) }
        #expect(broken?.status == .invalid)
        #expect(broken?.details.contains { $0.contains("^") } == true)
        let missing = #expect(throws: CommandFailure.self) { try ExpressionTool.data(scratch.url.appending(path: "none.yaml").path) }
        #expect(missing?.status == .notFound)
    }
}
