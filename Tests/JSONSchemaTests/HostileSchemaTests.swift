// Schemas that are malformed, and schemas that are meant to hurt.

import JSONSchema
import Testing
import WorkflowModel

@Suite("Schemas that cannot be used, and what bounds those that can")
struct HostileSchemaTests {
    private func refusal(
        _ schema: JSONValue, documents: [String: JSONValue] = [:], limits: SchemaLimits = .standard
    ) -> SchemaError? {
        do throws(SchemaError) {
            _ = try CompiledSchema(schema, documents: documents, options: SchemaOptions(limits: limits))
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "a malformed keyword is refused with its place and a sentence",
        arguments: [
            (7, "", "a schema must be an object or a boolean, not an integer"),
            (["properties": ["a": ["type": "int"]]], "/properties/a/type", "\"int\" is unknown"),
            (["type": ["string", "string"]], "/type", "twice"),
            (["required": "name"], "/required", "must be a list of names, not a string"),
            (["required": ["a", "a"]], "/required", "names \"a\" twice"),
            (["maxLength": -1], "/maxLength", "a whole number, zero or more"),
            (["maxLength": 1.5], "/maxLength", "a whole number, zero or more"),
            (["multipleOf": 0], "/multipleOf", "greater than zero"),
            (["minimum": "1"], "/minimum", "must be a number, not a string"),
            (["anyOf": []], "/anyOf", "at least one schema"),
            (["items": [["type": "string"]]], "/items", "prefixItems"),
            (["properties": []], "/properties", "must be an object, not an array"),
            (["$defs": ["unused": ["pattern": "("]]], "/$defs/unused/pattern", "a group is not closed"),
            (["patternProperties": ["a{2,1}": true]], "/patternProperties/a{2,1}", "counts down"),
            (["pattern": "(?<=a+)b"], "/pattern", "cannot be used"),
            (["$ref": "#/$defs/gone"], "/$ref", "there is nothing at /$defs/gone"),
            (["$ref": "#gone"], "/$ref", "there is no anchor \"gone\""),
            (["$ref": "https://example.com/schema.json"], "/$ref", "nothing is fetched"),
            (["$schema": "http://json-schema.org/draft-07/schema#"], "/$schema", "only draft 2020-12 is"),
            (["$id": "https://example.com/a#b"], "/$id", "use $anchor"),
            (["$anchor": "1a"], "/$anchor", "begins with a letter"),
            (["$defs": ["a": ["$anchor": "x"], "b": ["$anchor": "x"]]], "/$defs/b/$anchor", "used twice"),
            (["$defs": ["a": ["$id": "x"], "b": ["$id": "x"]]], "/$defs/b/$id", "used twice"),
            (["$vocabulary": [:], "$ref": 1], "/$ref", "must be a string"),
        ] as [(JSONValue, String, String)])
    func malformed(schema: JSONValue, pointer: String, message: String) throws {
        let error = try #require(refusal(schema))
        #expect(error.pointer == pointer)
        #expect(error.message.contains(message), "\(error.message)")
    }

    @Test("a meta-schema that requires an unknown vocabulary is refused")
    func unknownVocabulary() throws {
        let meta: JSONValue = ["$id": "https://example.com/meta", "$vocabulary": ["https://example.com/units": true]]
        let error = try #require(refusal(["$schema": "https://example.com/meta"], documents: ["https://example.com/meta": meta]))
        #expect(error.message.contains("https://example.com/units"))
    }

    @Test(
        "a schema that refers to itself without going deeper is refused",
        arguments: [
            ["$ref": "#"], ["allOf": [["$ref": "#"]]], ["not": ["anyOf": [["type": "string"], ["$ref": "#"]]]],
            ["dependentSchemas": ["a": ["$ref": "#"]]], ["if": true, "then": ["$ref": "#"]],
            ["$defs": ["a": ["$ref": "#/$defs/b"], "b": ["$ref": "#/$defs/a"]]],
        ] as [JSONValue])
    func endless(schema: JSONValue) throws {
        let error = try #require(refusal(schema))
        #expect(error.message.contains("never end"))
    }

    @Test("recursion that goes deeper into the value is fine")
    func recursion() throws {
        let schema = try CompiledSchema([
            "properties": ["next": ["$ref": "#"], "value": ["type": "integer"]], "additionalProperties": false,
        ])
        var list: JSONValue = ["value": 1]
        for _ in 0..<150 { list = ["value": 2, "next": list] }
        #expect(schema.isValid(list))
        let wrong = schema.validate(["next": ["next": ["value": "x"]]])
        #expect(wrong.map(\.instancePointer) == ["/next/next/value"])
    }

    @Test("an endless dynamic reference ends with a violation, also below `not`")
    func endlessDynamicReference() throws {
        for wrapped in [false, true] {
            let core: JSONValue = ["$dynamicAnchor": "node", "$dynamicRef": "#node"]
            let schema = try CompiledSchema(wrapped ? ["$defs": ["node": core], "not": ["$ref": "#/$defs/node"]] : core)
            #expect(!schema.isValid(1))
            let violations = schema.validate(1)
            #expect(violations.map(\.keyword) == ["limit"])
            #expect(violations.first?.message.contains("nested deeper than 1000 levels") == true)
        }
    }

    @Test("work that doubles with each definition is cut off, and the value counts as invalid")
    func exponential() throws {
        var definitions = JSONObject()
        for level in 0..<40 {
            let next: JSONValue = ["$ref": .string("#/$defs/d\(level + 1)")]
            definitions["d\(level)"] = ["allOf": [next, next]]
        }
        definitions["d40"] = true
        let limits = SchemaLimits(evaluationSteps: 100_000)
        let schema = try CompiledSchema(
            ["$ref": "#/$defs/d0", "$defs": .object(definitions)], options: SchemaOptions(limits: limits))
        #expect(!schema.isValid(1))
        let violations = schema.validate(1)
        #expect(violations.map(\.keyword) == ["limit"])
        let negated = try CompiledSchema(
            ["not": ["$ref": "#/$defs/d0"], "$defs": .object(definitions)], options: SchemaOptions(limits: limits))
        #expect(!negated.isValid(1))
    }

    @Test("a pattern that backtracks without end is given up, and the message does not quote the text")
    func catastrophicPattern() throws {
        let text = JSONValue.string(String(repeating: "a", count: 40) + "!")
        for schema in [["pattern": "^(a+)+$"], ["not": ["pattern": "^(a+)+$"]]] as [JSONValue] {
            let compiled = try CompiledSchema(schema)
            let started = ContinuousClock.now
            #expect(!compiled.isValid(text))
            let violations = compiled.validate(text)
            #expect(ContinuousClock.now - started < .seconds(5))
            #expect(violations.map(\.keyword) == ["limit"])
            #expect(violations.first?.message.contains("aaaa") == false)
        }
    }

    @Test(
        "large values that are looked at again and again are paid for",
        arguments: [
            #"{"const": VALUE}"#, #"{"enum": [VALUE, 1]}"#, #"{"uniqueItems": true}"#, #"{"minLength": 100000}"#,
            #"{"format": "idn-hostname"}"#,
            #"{"required": NAMES}"#, #"{"dependentRequired": {"n0": NAMES}}"#, #"{"properties": {"x": true}}"#, #"{"pattern": "a*[bc]"}"#,
            #"{"patternProperties": {"^n.*x$": true}}"#, #"{"propertyNames": {"maxLength": 100}}"#, #"{"contains": {"const": 7}}"#,
        ])
    func repeatedWork(keyword: String) throws {
        let names = (0..<2000).map { "\"n\($0)\"" }
        let values = [
            "\"\(String(repeating: "a", count: 100_000))\"", "[\((0..<5000).map { "[\($0), \"text\"]" }.joined(separator: ","))]",
            "{\(names.map { "\($0): 1" }.joined(separator: ","))}",
        ]
        for value in values {
            // The keyword is applied over and over: each definition refers twice to the next one.
            let core = keyword.replacing("VALUE", with: value).replacing("NAMES", with: "[\(names.joined(separator: ","))]")
            let definitions = (0..<30).map {
                ##""d\##($0)": {"allOf": [{"$ref": "#/$defs/d\##($0 + 1)"}, {"$ref": "#/$defs/d\##($0 + 1)"}]}"##
            }
            let text = ##"{"$ref": "#/$defs/d0", "$defs": {\##(definitions.joined(separator: ",")), "d30": \##(core)}}"##
            let options = SchemaOptions(assertFormat: true, limits: SchemaLimits(evaluationSteps: 50_000))
            let schema = try CompiledSchema(try JSONValue(parsing: text, limits: JSONLimits(bytes: 1 << 24, depth: 100)), options: options)
            let instance = try JSONValue(parsing: value, limits: JSONLimits(bytes: 1 << 24, depth: 100))
            let started = ContinuousClock.now
            _ = schema.validate(instance)
            #expect(ContinuousClock.now - started < .seconds(10), "\(keyword)")
        }
    }

    @Test("large and deep schemas are refused, not half compiled")
    func sizes() throws {
        var deep: JSONValue = true
        for _ in 0..<300 { deep = ["not": deep] }
        let tooDeep = try #require(refusal(deep))
        #expect(tooDeep.message.contains("nested deeper than 200 levels"))
        let many = JSONValue.array((0..<200).map { ["minimum": .int($0)] })
        let tooMany = try #require(refusal(["anyOf": many], limits: SchemaLimits(subschemas: 100)))
        #expect(tooMany.message.contains("more than 100 subschemas"))
        let longPattern = try #require(refusal(["pattern": .string(String(repeating: "a", count: 2_000))]))
        #expect(longPattern.message.contains("longer than 1024 bytes"))
    }

    @Test("a value that is nested deeper than the limit is refused, not followed")
    func deepValues() throws {
        let schema = try CompiledSchema(["items": ["$ref": "#"]])
        var value: JSONValue = []
        for _ in 0..<600 { value = [value] }
        #expect(!schema.isValid(value))
        #expect(schema.validate(value).map(\.keyword) == ["limit"])
    }

    @Test("a hundred thousand items are compared in linear time")
    func uniqueItems() throws {
        let schema = try CompiledSchema(["uniqueItems": true])
        var items = (0..<100_000).map { ["id": .int($0)] as JSONValue }
        let started = ContinuousClock.now
        #expect(schema.isValid(.array(items)))
        items.append(["id": 77.0])
        let found = schema.validate(.array(items))
        #expect(found.map(\.message) == ["the value must not have equal items, but items 77 and 100000 are equal"])
        #expect(ContinuousClock.now - started < .seconds(20))
    }
}
