// What people and agents read when a value does not fit.

import JSONSchema
import Testing
import WorkflowModel

@Suite("What a violation says")
struct ViolationTests {
    private func messages(_ schema: JSONValue, _ value: JSONValue, assertFormat: Bool = false) throws -> [String] {
        try CompiledSchema(schema, options: SchemaOptions(assertFormat: assertFormat)).validate(value).map(\.message)
    }

    @Test("a missing property is named by its full path, and the pointers lead to the object and to the keyword")
    func required() throws {
        let schema = try CompiledSchema([
            "type": "object", "properties": ["customer": ["$ref": "#/$defs/person"]],
            "$defs": ["person": ["required": ["name", "e/mail"]]],
        ])
        let violations = schema.validate(["customer": ["name": "A"]])
        #expect(
            violations == [
                Violation(
                    instancePointer: "/customer", schemaPointer: "/$defs/person/required", keyword: "required",
                    message: "/customer/e~1mail is required")
            ])
        let atRoot = try messages(["required": ["ticket"]], [:])
        #expect(atRoot == ["/ticket is required"])
    }

    @Test("everything that is wrong is listed, in the order of the value, not only the first")
    func all() throws {
        let found = try messages(
            [
                "type": "object", "required": ["title"], "additionalProperties": false,
                "properties": [
                    "title": ["type": "string"], "priority": ["type": "integer", "maximum": 5],
                    "tags": ["items": ["type": "string", "maxLength": 3], "uniqueItems": true],
                ],
            ],
            ["priority": 9, "tags": ["long one", 7, "a", "a"], "extra": 1])
        #expect(
            found == [
                "/priority must be at most 5", "/tags must not have equal items, but items 2 and 3 are equal",
                "/tags/0 must have at most 3 characters", "/tags/1 must be a string, not an integer", "/extra is not allowed",
                "/title is required",
            ])
    }

    @Test(
        "each keyword has a sentence of its own",
        arguments: [
            (["type": ["string", "null"]], true, "the value must be a string or null, not a boolean"),
            (["type": "integer"], 1.5, "the value must be an integer, not a number"),
            (["enum": ["red", "green"]], "blue", "the value must be one of \"red\", \"green\""),
            (["enum": [1]], 2, "the value must be 1"),
            (["const": ["a": 1]], 2, "the value must be {\"a\":1}"),
            (["minimum": 1], 0, "the value must be at least 1"),
            (["maximum": 1.5], 2, "the value must be at most 1.5"),
            (["exclusiveMinimum": 0], 0, "the value must be greater than 0"),
            (["exclusiveMaximum": 1.0], 1, "the value must be less than 1"),
            (["multipleOf": 0.01], 0.123, "the value must be a multiple of 0.01"),
            (["minLength": 1], "", "the value must have at least 1 character"),
            (["maxLength": 2], "abc", "the value must have at most 2 characters"),
            (["pattern": "^[a-z]+$"], "A", "the value must match the pattern ^[a-z]+$"),
            (["format": "date"], "tomorrow", "the value must be a date such as 2026-03-01"),
            (["minItems": 1], [], "the value must have at least 1 item, but has 0"),
            (["maxItems": 1], [1, 2], "the value must have at most 1 item, but has 2"),
            (["contains": ["const": 1]], [2], "the value must have at least 1 item of the kind that the schema asks for, but has 0"),
            (
                ["contains": ["const": 1], "maxContains": 1], [1, 1],
                "the value must have at most 1 item of the kind that the schema limits, but has 2"
            ),
            (["minProperties": 2], ["a": 1], "the value must have at least 2 properties, but has 1"),
            (["maxProperties": 0], ["a": 1], "the value must have at most 0 properties, but has 1"),
            (
                ["propertyNames": ["maxLength": 1]], ["ab": 1],
                "the value must not have a property named \"ab\": it must have at most 1 character"
            ),
            (["dependentRequired": ["a": ["b"]]], ["a": 1], "/b is required when /a is there"),
            (["not": ["type": "string"]], "x", "the value fits what the schema excludes"),
            (["oneOf": [["type": "integer"], ["minimum": 2]]], 3, "the value must fit exactly one of 2 alternatives, but fits 1 and 2"),
            (false, 1, "the value is not allowed"),
            (["unevaluatedProperties": false], ["a": 1], "/a is not allowed"),
        ] as [(JSONValue, JSONValue, String)])
    func sentences(schema: JSONValue, value: JSONValue, message: String) throws {
        let found = try messages(schema, value, assertFormat: true)
        #expect(found == [message])
    }

    @Test("where no alternative fits, the message says what is wrong with the closest one")
    func closestAlternative() throws {
        let schema: JSONValue = [
            "properties": [
                "payment": [
                    "oneOf": [
                        ["type": "object", "properties": ["kind": ["const": "cash"]], "required": ["kind"]],
                        [
                            "type": "object", "properties": ["kind": ["const": "card"], "number": ["type": "string"]],
                            "required": ["kind", "number", "expiry"],
                        ],
                        ["type": "null"],
                    ]
                ]
            ]
        ]
        let found = try messages(schema, ["payment": ["kind": "card", "number": 7]])
        #expect(
            found == [
                "/payment fits none of 3 alternatives; closest is number 2: /payment/number must be a string, not an integer; "
                    + "/payment/expiry is required"
            ])
    }

    @Test("messages quote the schema, never the value")
    func noData() throws {
        let schema = try CompiledSchema([
            "properties": ["token": ["pattern": "^t_", "maxLength": 3, "enum": ["t_1"], "not": ["minLength": 1], "format": "uuid"]]
        ])
        let violations = schema.validate(["token": "top secret"])
        #expect(violations.count == 4)
        #expect(violations.allSatisfy { !$0.message.contains("secret") })
    }

    @Test("what stands in another document is named with that document's URI")
    func otherDocuments() throws {
        let schema = try CompiledSchema(
            ["$ref": "https://example.com/person.json"],
            documents: ["https://example.com/person.json": ["properties": ["age": ["minimum": 0]]]])
        let violation = try #require(schema.validate(["age": -1]).first)
        #expect(violation.schemaPointer == "https://example.com/person.json#/properties/age/minimum")
        #expect(violation.instancePointer == "/age")
    }

    @Test("no more violations are listed than the limit allows")
    func bounded() throws {
        let many = JSONValue.array(Array(repeating: "x", count: 1_000))
        let standard = try CompiledSchema(["items": ["type": "integer"]]).validate(many)
        #expect(standard.count == 50)
        let few = SchemaOptions(limits: SchemaLimits(violations: 3))
        let some = try CompiledSchema(["items": ["type": "integer"]], options: few).validate(many)
        #expect(some.count == 3)
    }

    @Test("the schemas in a workflow check formats, all others do not unless asked to")
    func formats() throws {
        let schema: JSONValue = ["properties": ["due": ["format": "date"]]]
        let checked = try CompiledSchema(schema, options: .workflow).validate(["due": "tomorrow"]).map(\.message)
        #expect(checked == ["/due must be a date such as 2026-03-01"])
        let unchecked = try CompiledSchema(schema).validate(["due": "tomorrow"])
        #expect(unchecked == [])
    }
}
