// Corners of the draft that deserve a test of their own: numbers, texts, identity, dialects.

import JSONSchema
import Testing
import WorkflowModel

@Suite("What a schema accepts")
struct SchemaSemanticsTests {
    private func accepts(_ schema: JSONValue, _ value: JSONValue, assertFormat: Bool = false) throws -> Bool {
        try CompiledSchema(schema, options: SchemaOptions(assertFormat: assertFormat)).isValid(value)
    }

    @Test(
        "numbers are compared by value, whatever they are stored as",
        arguments: [
            (["const": 1], 1.0, true), (["enum": [[1, ["a": 2]]]], [1.0, ["a": 2.0]], true), (["const": 1], true, false),
            (["type": "integer"], 1e300, true), (["type": "integer"], 1.5, false),
            (["const": 9_007_199_254_740_993], 9_007_199_254_740_992.0, false),
            (["maximum": 9_223_372_036_854_775_806], 9_223_372_036_854_775_807, false),
            (["exclusiveMaximum": 0x1p63], 9_223_372_036_854_775_807, true),
            (["minimum": 0.5], 0, false), (["minimum": -0.5], 0, true), (["uniqueItems": true], [1, 1.0], false),
            (["uniqueItems": true], [[1], [true]], true),
        ] as [(JSONValue, JSONValue, Bool)])
    func numbers(schema: JSONValue, value: JSONValue, isValid: Bool) throws {
        let result = try accepts(schema, value)
        #expect(result == isValid)
    }

    @Test(
        "multiples are exact in decimal",
        arguments: [
            (0.01, 4.02, true), (0.01, 4.021, false), (0.1, 0.3, true), (0.0001, 0.0075, true), (1e-8, 12_391_239_123, true),
            (3, 9e300, true),
            (7, 9e300, false), (0.5, 1e308, true), (0.123456789, 1e308, false), (1e300, 1e10, false),
            (.double(.leastNonzeroMagnitude), .double(.leastNonzeroMagnitude * 2), true),
            (.double(.leastNonzeroMagnitude * 2), 1, true), (2, 9_223_372_036_854_775_806, true), (1, -9_223_372_036_854_775_808, true),
            (0.3, 0, true),
        ] as [(JSONValue, JSONValue, Bool)])
    func multiples(divisor: JSONValue, value: JSONValue, isValid: Bool) throws {
        let result = try accepts(["multipleOf": divisor], value)
        #expect(result == isValid)
    }

    @Test("lengths count code points, and names are compared byte by byte")
    func texts() throws {
        #expect(try accepts(["maxLength": 1], "\u{1F600}"))
        #expect(try !accepts(["maxLength": 1], "e\u{301}"))
        #expect(try accepts(["minLength": 2], "e\u{301}"))
        #expect(try !accepts(["minLength": 2], "\u{1F600}"))
        #expect(try !accepts(["const": "\u{E9}"], "e\u{301}"))
        #expect(try !accepts(["properties": ["\u{E9}": true], "additionalProperties": false], ["e\u{301}": 1]))
        #expect(try !accepts(["required": ["\u{E9}"]], ["e\u{301}": 1]))
    }

    @Test("objects with many properties are looked up like small ones")
    func manyProperties() throws {
        var properties = JSONObject()
        var value = JSONObject()
        for number in 0..<200 {
            properties["property\(number)"] = ["const": .int(Int64(number))]
            value["property\(199 - number)"] = .int(Int64(199 - number))
        }
        let required = JSONValue.array(properties.keys.map { .string($0) })
        let schema = try CompiledSchema(["properties": .object(properties), "required": required, "additionalProperties": false])
        #expect(schema.isValid(.object(value)))
        value["property150"] = 1
        #expect(schema.validate(.object(value)).map(\.instancePointer) == ["/property150"])
        value["property150"] = nil
        #expect(schema.validate(.object(value)).map(\.message) == ["/property150 is required"])
    }

    @Test("more than 64 members and items are told apart by the unevaluated keywords")
    func manyUnevaluated() throws {
        var value = JSONObject()
        for number in 0..<150 { value["a\(number)"] = 1 }
        let schema = try CompiledSchema(["allOf": [["patternProperties": ["^a": true]]], "unevaluatedProperties": false])
        #expect(schema.isValid(.object(value)))
        value["b"] = 1
        #expect(schema.validate(.object(value)).map(\.message) == ["/b is not allowed"])
        let items = try CompiledSchema(["contains": ["type": "integer"], "unevaluatedItems": ["type": "string"]])
        let mixed = (0..<150).map { $0 % 2 == 0 ? JSONValue.int($0) : "x" }
        #expect(items.isValid(.array(mixed)))
        #expect(items.validate(.array(mixed + [true])).map(\.instancePointer) == ["/150"])
    }

    @Test("a bundled document is found under its address and under its own $id, and nothing else is")
    func documents() throws {
        let documents: [String: JSONValue] = ["https://example.com/a.json": ["$id": "https://example.com/other/b.json", "type": "integer"]]
        for uri in ["https://example.com/a.json", "https://example.com/other/b.json"] {
            let schema = try CompiledSchema(["$ref": .string(uri)], documents: documents)
            #expect(schema.isValid(1))
            #expect(!schema.isValid("1"))
        }
    }

    @Test("the meta-schema finds what is wrong with a schema, wherever it is")
    func metaSchema() throws {
        let schema = try CompiledSchema(["$ref": "https://json-schema.org/draft/2020-12/schema"])
        #expect(schema.isValid(["properties": ["a": ["type": "string"]]]))
        let violations = schema.validate(["properties": ["a": ["items": ["maxLength": "x"]]]])
        #expect(violations.map(\.instancePointer) == ["/properties/a/items/maxLength"])
    }

    @Test("keywords of older drafts that generators still write keep their meaning")
    func olderKeywords() throws {
        let schema = try CompiledSchema([
            "definitions": ["id": ["type": "integer"]], "properties": ["id": ["$ref": "#/definitions/id"]],
            "dependencies": ["a": ["b"], "c": ["required": ["d"]]],
        ])
        #expect(schema.isValid(["id": 1, "a": 1, "b": 1]))
        #expect(schema.validate(["id": "x", "a": 1, "c": 1]).count == 3)
    }

    @Test("formats are remarks unless they are asserted, and unknown ones always are")
    func formats() throws {
        #expect(try accepts(["format": "date"], "x"))
        #expect(try !accepts(["format": "date"], "x", assertFormat: true))
        #expect(try accepts(["format": "colour"], "x", assertFormat: true))
        #expect(try accepts(["format": "date"], 7, assertFormat: true))
    }
}
