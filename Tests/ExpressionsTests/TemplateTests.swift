import Testing
import WorkflowModel

@testable import Expressions

@Suite("Templates")
struct TemplateTests {
    private func render(_ json: String) throws -> String {
        try CompiledTemplate(try template(json)).render(sampleScope).compactText
    }

    @Test(
        "a scalar that is one expression keeps its type, and others become text",
        arguments: [
            (#""${{ input.count }}""#, "3"), (#""${{input.docs[0]}}""#, #"{"id":"a","kind":"x","score":0.25}"#),
            (#""${{ null }}""#, "null"),
            (#""${{ {'a': {'b': 1}}}}""#, #"{"a":{"b":1}}"#), (#""${{ '}}' }}""#, #""}}""#), (#""n=${{ input.count }}""#, #""n=3""#),
            (#""${{ input.tier }}${{ input.ratio }}""#, #""gold0.5""#),
            (#""x ${{ [1, 'a', {'b': null}] }}""#, #""x [1,\"a\",{\"b\":null}]""#),
            (#"" ${{ input.count }}""#, #"" 3""#), (#""$${{ input.count }}""#, #""${{ input.count }}""#),
            (#""a $${{ b ${{ true }}""#, #""a ${{ b true""#),
            (#""$ { {{ }} $$ ${x} {{ y }}""#, #""$ { {{ }} $$ ${x} {{ y }}""#), (#""""#, #""""#),
            (#"[1, true, null, 2.5]"#, "[1,true,null,2.5]"),
            (#"{"a": ["${{ input.tier }}", {"${{ b }}": "x"}]}"#, #"{"a":["gold",{"${{ b }}":"x"}]}"#),
            (#""${{ b'hi' }} ${{ timestamp(0) }} ${{ duration('90s') }}""#, #""aGk= 1970-01-01T00:00:00Z 90s""#),
            (#""${{ optional.of(1) }}""#, "1"),
        ])
    func rendering(json: String, expected: String) throws {
        let result = try render(json)
        #expect(result == expected)
    }

    @Test("what an expression gives is never looked at again")
    func noSecondScan() throws {
        var scope = Scope()
        scope.set("input", Value(["text": "${{ secrets.x }}", "list": ["${{ 1 + 1 }}"]] as JSONValue))
        let whole = try CompiledTemplate("${{ input.text }}").render(scope)
        #expect(whole == "${{ secrets.x }}")
        let part = try CompiledTemplate("a ${{ input.text }} ${{ input.list }}").render(scope)
        #expect(part == #"a ${{ secrets.x }} ["${{ 1 + 1 }}"]"#)
    }

    @Test("null inside a text is an error that says how to mend it")
    func nullInText() throws {
        let template = try CompiledTemplate(["subject": ["Re: ${{ input.none }}"]])
        let error = #expect(throws: ExpressionError.self) { try template.render(sampleScope) }
        #expect(error?.kind == .type)
        #expect(error?.path == "/subject/0")
        #expect(error?.textOffset == 8)
        #expect(error?.message.contains("orValue") == true)
        let mended = try CompiledTemplate("Re: ${{ input.?missing.orValue('none') }}").render(sampleScope)
        #expect(mended == "Re: none")
    }

    @Test(
        "an error says where in the template it is",
        arguments: [
            (#"{"text": "${{ 1 + }}"}"#, "/text", ExpressionError.Kind.syntax), (#"{"a/b~": ["x", "y ${{ open"]}"#, "/a~1b~0/1", .syntax),
            (#"{"a": "${{ 'x }}"}"#, "/a", .syntax), (#""${{ }}""#, "", .syntax),
        ])
    func places(json: String, path: String, kind: ExpressionError.Kind) throws {
        let value = try template(json)
        let error = #expect(throws: ExpressionError.self) { try CompiledTemplate(value) }
        #expect(error?.path == path)
        #expect(error?.kind == kind)
    }

    @Test("a template without expressions is constant, and constant parts are kept")
    func constants() throws {
        let constant = try CompiledTemplate(["a": [1, "x"]])
        #expect(constant.isConstant)
        let literal = try CompiledTemplate(["a": "$${{ x }}"])
        #expect(literal.isConstant)
        let rendered = try literal.render(Scope())
        #expect(rendered == ["a": "${{ x }}"])
        let mixed = try CompiledTemplate(["a": [1, "x"], "b": "${{ input.tier }}"])
        #expect(!mixed.isConstant)
    }

    @Test("references of a template carry their location")
    func references() throws {
        let template = try CompiledTemplate(["a": "${{ steps.one.output }}", "b": ["x ${{ input.y }} ${{ input.?z }}"]])
        #expect(template.references.map(\.root) == ["steps", "input", "input"])
        #expect(template.references.map(\.location) == ["/a", "/b/0", "/b/0"])
    }

    @Test("the expressions of one template share the memory they may take")
    func sharedMeter() throws {
        let part: JSONValue = "${{ range(5000).map(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}"
        let template = try CompiledTemplate(.array(Array(repeating: part, count: 60)))
        let error = #expect(throws: ExpressionError.self) { try template.render(Scope()) }
        #expect(error?.kind == .limit)
    }

    @Test(
        "a field that takes a bare expression takes it with delimiters too",
        arguments: [
            ("input.a > 1", "input.a > 1"), ("${{ input.a > 1 }}", "input.a > 1"), ("  ${{x}} \n", "x"),
            ("{'a': {'b': 1}}", "{'a': {'b': 1}}"),
            ("'}}' == x", "'}}' == x"),
        ])
    func bare(text: String, expected: String) throws {
        let result = try bareExpression(text)
        #expect(result == expected)
    }

    @Test(
        "half a delimiter around a bare expression is an error",
        arguments: [
            "${{ a", "a }}", "${{ a }} b", "${{ a }} ${{ b }}", "${{ a }", "${{ 'a }}",
        ])
    func halfOpen(text: String) {
        let error = #expect(throws: ExpressionError.self) { try bareExpression(text) }
        #expect(error?.kind == .syntax)
    }
}
