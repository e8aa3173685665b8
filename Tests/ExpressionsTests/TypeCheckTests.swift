import Testing
import WorkflowModel

@testable import Expressions

/// Names like those of a run, with types like those of schemas.
let sampleTypes: TypeCheck = {
    let schema = """
        {"type": "object", "additionalProperties": false, "required": ["tier", "docs"], "properties": {
            "tier": {"enum": ["gold", "silver"]}, "count": {"type": "integer"}, "ratio": {"type": "number"}, "name": {"type": "string"},
            "note": {"type": ["string", "null"]}, "anything": {}, "flag": {"type": "boolean"},
            "docs": {"type": "array", "items": {"$ref": "#/$defs/doc"}},
            "open": {"type": "object", "properties": {"customer": {"type": "string"}}},
            "either": {"oneOf": [{"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "string"}}},
                                 {"type": "object", "additionalProperties": false, "required": ["b"], "properties": {"b": {"type": "integer"}}}]},
            "tree": {"$ref": "#/$defs/tree"}},
         "$defs": {
            "doc": {"type": "object", "additionalProperties": false, "properties": {"id": {"type": "string"}, "score": {"type": "number"}}},
            "tree": {"type": "object", "additionalProperties": false,
                     "properties": {"value": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}}
        """
    let input = (try? JSONValue(parsing: schema)).map { StaticType(schema: $0) } ?? .null
    return TypeCheck([
        "input": input, "any": .anything, "when": .timestamp, "maybe": .optional(.string),
        "steps": .closed(["review": .open(["output": .anything, "status": .strings(["succeeded", "failed", "skipped"])])]),
    ])
}()
private let check = sampleTypes

private func findings(_ source: String, expecting expectation: TypeCheck.Expectation = .anything) throws -> [String] {
    let checked = check.check(try CompiledExpression(source), expecting: expectation)
    return checked.findings.map { finding in
        (finding.severity == .warning ? "warning: " : "") + "\(finding.error.message)@\(finding.error.offset)"
    }
}

@Suite("Checking types")
struct TypeCheckTests {
    @Test(
        "what cannot work is found, with the place and what was probably meant",
        arguments: [
            // Names and fields.
            ("inptu.tier", ["there is no \"inptu\" here (did you mean \"input\"?)@0"]),
            ("input.teir == 'gold'", ["input has no field \"teir\" (did you mean \"tier\"?)@6"]),
            ("input.docs[0].score > 1.0 && input.docs[0].scor > 1.0", ["the map has no field \"scor\" (did you mean \"score\"?)@43"]),
            ("input.docs.map(d, d.title)", ["d has no field \"title\"; it has id, score@20"]),
            ("input.docs.map(document, documnet.id)", ["there is no \"documnet\" here (did you mean \"document\"?)@25"]),
            ("steps.reveiw.output", ["steps has no field \"reveiw\" (did you mean \"review\"?)@6"]),
            ("input.name.first", ["string has no field \"first\"@11"]),
            (
                "input.docs.id",
                ["list of map has no field \"id\"; an element is read by its index: x[0], or all of them with x.map(e, e.id)@11"]
            ),
            ("input.either.c", ["input.either has no field \"c\"; it has a, b@13"]),
            ("{'a': 1}.b", ["the map has no field \"b\"; it has a@9"]),
            ("input.open.custmer", ["warning: the schema of input.open does not name \"custmer\" (did you mean \"customer\"?)@11"]),
            ("input.tree.children[0].children[0].value", []),
            ("input.tree.children[0].valeu", ["the map has no field \"valeu\" (did you mean \"value\"?)@23"]),
            // Functions.
            ("sise(input.name)", ["there is no function sise(…) (did you mean \"size\"?)@0"]),
            ("input.name.uperAscii()", ["there is no function .uperAscii(…) (did you mean \"upperAscii\"?)@11"]),
            ("math.celi(1.5)", ["there is no function math.celi(…) (did you mean \"math.ceil\"?)@0"]),
            ("contains(input.name, 'x')", ["there is no function contains(…); it is called on a value: x.contains(…)@0"]),
            ("map(input.docs, d, d)", ["there is no function map(…); it is called on a value: xs.map(x, value)@0"]),
            ("input.count.int()", ["there is no function .int(…); it is called as int(…)@12"]),
            (
                "sise(inptu)",
                ["there is no function sise(…) (did you mean \"size\"?)@0", "there is no \"inptu\" here (did you mean \"input\"?)@5"]
            ),
            ("size(input.name, 1)", ["size takes 1 argument, not 2@0"]),
            ("input.docs.map(d)", ["map does not take 1 argument; it is written xs.map(x, value)@11"]),
            ("input.count.startsWith('1')", ["startsWith() does not take int and string; string(x) makes a text of a number@12"]),
            ("size(input.count)", ["size() does not take int@0"]),
            ("input.docs.contains(1)", ["contains() does not take list of map and int; an element is found with x in list@11"]),
            ("sum(input.docs.map(d, d.id))", ["sum() does not take list of string; double(x) makes a number of a text@0"]),
            // Operators.
            ("input.name + input.count", ["\"+\" does not take string and int; convert with string(…)@11"]),
            (
                "input.docs.first().score > 1",
                ["\">\" does not compare optional int or double with int; read an optional's value with .orValue(…)@25"]
            ),
            ("input.name > 1", ["\">\" does not compare string with int@11"]), ("-input.name", ["\"-\" does not take string@0"]),
            ("!input.name", ["\"!\" does not take string@0"]),
            (
                "input.count in input.name",
                ["\"in\" looks into lists and maps, not string; a part of a string is found with x.contains('…')@12"]
            ),
            (
                "input.docs['first']",
                ["list of map has no field \"first\"; an element is read by its index: x[0], or all of them with x.map(e, e.first)@10"]
            ),
            ("input.docs[input.name]", ["the index of a list is a whole number, not string@10"]),
            (
                "input.name.orValue('x')",
                ["orValue() is called on an optional, not string; a field that may be absent is read with a.?b@11"]
            ),
            ("input.name ? 1 : 2", ["a condition is a boolean, and this is always string; compare it: x != ''@0"]),
            ("input.flag && input.count", ["a condition is a boolean, and this is always int; compare it: x != 0@14"]),
            ("input.docs.filter(d, d.score)", ["a condition is a boolean, and this is always int or double@23"]),
            ("input.name + duration('1h')", ["\"+\" does not take string and duration; a moment is read with timestamp(…)@11"]),
            ("when + when", ["\"+\" does not take timestamp and timestamp@5"]),
            ("input.count.map(x, x)", ["this macro goes through lists and maps, not int@12"]),
            ("[?input.name]", ["an element after \"?\" is an optional, not string@8"]),
            ("{input.ratio: 1} == {}", []), ("{[1]: 1, any: 2}", ["list of int cannot be a key of a map@1"]),
            ("{'a': any, 'a': 2}", ["a key occurs twice in the map@11"]),
            // Constants.
            ("input.name.matches('(')", ["the pattern is wrong: missing closing parenthesis@19"]),
            ("when > timestamp('yesterday')", ["this is no timestamp of the years 1 to 9999 in RFC 3339@17"]),
            ("input.count / 0", ["division by zero@12"]), ("input.count % 0 == 1", ["remainder of a division by zero@12"]),
            ("any / 0", ["warning: a division by zero fails, or is infinite@4"]), ("input.ratio / 0.0 > 1.0", []),
            ("input.count + 1 / 0", ["division by zero@16"]), ("any || 'abc'.substring(5) == ''", ["the position is out of range@13"]),
            ("[1, 2][any] + [1, 2, 3][3]", ["the index is out of range@23"]), ("int('x') + any", ["the string is no int@0"]),
            ("'%s and %d'.format([any])", ["the format has more clauses (2) than there are arguments (1)@0"]),
            ("'%y'.format([any])", ["the format has a clause other than %s %d %f %e %b %o %x %X@0"]),
            ("'%s'.format([any, 1])", ["warning: the format has fewer clauses (1) than there are arguments (2)@0"]),
            ("when.getHours('Europe/Berlim')", ["there is no such time zone; it is written Europe/Berlin, UTC or +02:00@14"]),
            ("when.getHours('Europe/Berlin') + when.getDate('+02:00')", []),
            ("'100%% of %.2f'.format([any])", []),
            // Comparisons that say nothing.
            (
                "input.tier == 'glod'",
                ["warning: this is always false: the value is one of \"gold\", \"silver\" and never \"glod\" (did you mean \"gold\"?)@11"]
            ),
            (
                "steps.review.status != 'done'",
                ["warning: this is always true: the value is one of \"succeeded\", \"failed\", \"skipped\" and never \"done\"@20"]
            ),
            ("input.count == '1'", ["warning: this is always false: int is never equal to string@12"]),
            (
                "'glod' in ['gold', input.tier]",
                ["warning: this is always false: the value is one of \"gold\", \"silver\" and never \"glod\" (did you mean \"gold\"?)@7"]
            ),
            // Several at once, in the order of the source.
            ("foo + bar", ["there is no \"foo\" here@0", "there is no \"bar\" here@6"]),
        ])
    func mistakes(source: String, expected: [String]) throws {
        let found = try findings(source)
        #expect(found == expected)
    }

    @Test(
        "what may work is accepted",
        arguments: [
            "any", "any.a.b[0].c > 1", "any + any == 'x'", "any.size() + any.map(x, x.y).sum()", "input.anything.whatever == 1",
            "input.open.other", "input.note == null || input.note.size() > 3", "input.note + 'x'", "has(input.nothing)",
            "input.?nothing.orValue(1) + 1",
            "input.tier == 'gold' ? 1 : 2.5", "input.count + input.ratio", "input.ratio > 0.5 && input.count == 1.0", "input[any]",
            "input.docs.filter(d, d.score > 0.5).map(d, d.id).join(', ')", "input.docs.exists_one(i, d, i == 0 && d.id == 'x')",
            "cel.bind(x, input.docs, x.size() + x[0].score)", "input.docs.sortBy(d, -d.score)[0].id", "maybe.orValue('x').size()",
            "maybe.optMap(x, x + '!').or(optional.of('y')).value().upperAscii()", "input.either.a == 'x' || input.either.b == 1",
            "{'a': 1}.merge({'b': 2}).b", "[1, 'a', null][any]", "when + duration('1h') > timestamp(0)", "(when - when).getHours()",
            "[[1], [2]].flatten().sum() + 1", "{'a': optional.of(1)}.?a.value().value()", "any ? 1 : 'x'", "type(input) == map",
            "google.protobuf.Timestamp == type(when)", "input.map(k, k)", "input.transformMap(k, v, v)", "dyn(any) + 'a'",
            "true || 1 / 0 == 1",
            "input.docs.map(d, d.score).avg() > 0.5", "min(input.count, 3) + max([1, 2.0])", "json.parse(input.name).x.y",
            "input.docs[0].?id.orValue('none').startsWith('a')", "regex.extract(input.name, '(a)').orValue('')", "[].map(x, x.y)",
            "input.tree.children.all(c, c.children.all(d, d.anything))", "size(input.docs) > 0 && input.docs[0] == input.docs[1]",
            "input.docs.map(d, {'id': d.id, 'n': 1}).filter(x, x.n > 0)[0].id + ''", "string(input.count) + input.name",
            "[input.tier].exists(t, t in ['gold', 'bronze'])", "sets.contains(input.docs, [])", "input.flag ? input.docs : []",
            "range(3).map(i, {string(i): i}).merge()", "b'a' + bytes('x')", "'%s'.format(any)",
        ])
    func accepted(source: String) throws {
        let found = try findings(source)
        #expect(found == [])
    }

    @Test(
        "the type of an expression is known as far as it can be",
        arguments: [
            ("1 + 2", "int"), ("input.count + input.ratio", "int or double"), ("1 + 2.0", "double"),
            ("input.docs.map(d, d.id)", "list of string"),
            ("input.note", "string or null"), ("any", "any value"), ("any > 1", "bool"), ("input.docs.first()", "optional map"),
            ("any ? 'a' : 1", "string or int"), ("input.docs.first().id", "optional string"), ("maybe.orValue(1)", "string or int"),
            ("{'a': 1}", "map"), ("when - duration('1s')", "timestamp"), ("input.docs.map(d, d.score)[0]", "int or double"),
            ("[[1], ['a']].flatten()", "list of int or string"), ("keys(input)", "list of string"), ("type(1)", "type"),
            ("input.docs.transformMap(i, d, d.score)", "map"), ("'a,b'.split(',')", "list of string"),
            ("sum(input.docs.map(d, 1.5))", "double or int"),
        ])
    func types(source: String, expected: String) throws {
        let checked = check.check(try CompiledExpression(source))
        #expect(checked.type.words == expected)
        #expect(checked.findings.isEmpty)
    }

    @Test("a place says what it takes")
    func expectations() throws {
        #expect(
            try findings("input.name", expecting: .boolean) == [
                "a condition is a boolean, and this is always string; compare it: x != ''@0"
            ])
        #expect(
            try findings("input.docs", expecting: .boolean) == [
                "a condition is a boolean, and this is always list of map; ask for its size: size(x) > 0@0"
            ])
        #expect(try findings("any", expecting: .boolean) == [])
        #expect(try findings("input.count", expecting: .collection) == ["a loop goes through a list, and this is always int@0"])
        #expect(try findings("input.docs", expecting: .collection) == [])
        #expect(
            try findings("input", expecting: .collection) == [
                "a loop goes through a list, and this is always map; x.keys() and x.values() are lists@0"
            ])
        #expect(
            try findings("input.flag", expecting: .of(.duration, "a duration")) == ["a duration is needed here, and this is always bool@0"])
    }

    @Test("a template has a type, and its mistakes carry their path")
    func templates() throws {
        let template = try CompiledTemplate([
            "id": "${{ input.docs[0].id }}", "text": "n = ${{ input.cuont }}", "list": [1, "${{ input.count }}"], "null": "x${{ null }}",
        ])
        let checked = check.check(template)
        #expect(
            checked.findings.map { "\($0.error.path ?? "") \($0.error.textOffset) \($0.error.message)" } == [
                "/text 8 input has no field \"cuont\" (did you mean \"count\"?)",
                "/null 5 null cannot be part of a text; give it a value with .orValue('') or a conditional",
            ])
        #expect(checked.type.member("id") == .string)
        #expect(checked.type.member("list") == .list(.int))
        #expect(!checked.isValid)
    }

    @Test(
        "what is passed is compared with what is expected",
        arguments: [
            (#"{"a": "x"}"#, ": \"name\" is missing"), (#"{"name": 1}"#, "/name: string is needed, and this is int"),
            (#"{"name": "x", "extra": 1}"#, "/extra: \"extra\" is not allowed here"),
            (#"{"name": "x", "tags": [1]}"#, "/tags: of the elements: string is needed, and this is int"),
            (
                #"{"name": "x", "tier": "glod"}"#,
                "/tier: one of \"gold\", \"silver\" is needed, and this is \"glod\" (did you mean \"gold\"?)"
            ),
            (#"{"name": "x", "tags": [], "tier": "gold", "n": 1.0, "note": null}"#, nil),
            (#"{"nmae": "x"}"#, ": \"name\" is missing (is it what is called \"nmae\" here?)"),
            (#"{"name": "x", "note": 5}"#, "/note: string or null is needed, and this is int"), ("[]", ": map is needed, and this is list"),
        ])
    func mismatches(value: String, expected: String?) throws {
        let schema = try JSONValue(
            parsing: """
                {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
                    "name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}, "tier": {"enum": ["gold", "silver"]},
                    "n": {"type": "integer"}, "note": {"type": ["string", "null"]}}}
                """)
        let mismatch = StaticType(constant: try JSONValue(parsing: value)).mismatch(with: StaticType(schema: schema))
        #expect(mismatch.map { "\($0.pointer): \($0.message)" } == expected)
    }

    @Test("schemas that describe more than can be read are read in part, quickly")
    func hostileSchemas() throws {
        var definitions = "\"d0\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"string\"}}}"
        for level in 1...40 {
            definitions +=
                ", \"d\(level)\": {\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/d\(level - 1)\"}, "
                + "\"b\": {\"$ref\": \"#/$defs/d\(level - 1)\"}}, \"allOf\": [{\"$ref\": \"#/$defs/d\(level - 1)\"}]}"
        }
        let schema = try JSONValue(parsing: "{\"$ref\": \"#/$defs/d40\", \"$defs\": {\(definitions)}}")
        let time = ContinuousClock().measure { #expect(StaticType(schema: schema).member("a") != nil) }
        #expect(time < .seconds(10))
        let endless = try JSONValue(parsing: ##"{"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}"##)
        #expect(StaticType(schema: endless) == .anything)
    }

    @Test("types that are built of themselves over and over stay small")
    func sharedTypes() throws {
        for step in ["{'a': V, 'b': V}", "[V, {'x': V}]", "[[V], V]", "any ? optional.of(V) : {'q': V}", "{string(any): V, 'b': [V]}"] {
            let source = (0..<60).reversed().reduce("v60") { body, index in
                let value = index == 0 ? "any" : step.split(separator: "V", omittingEmptySubsequences: false).joined(separator: "v\(index)")
                return "cel.bind(v\(index + 1), \(value), \(body))"
            }
            let time = try ContinuousClock().measure { _ = check.check(try CompiledExpression(source)) }
            #expect(time < .seconds(10), "\(step)")
        }
    }
}
