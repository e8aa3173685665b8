// Writing JSON, and values as values: equality, order, round trips.

import Testing
import WorkflowModel

@Suite struct JSONWriterTests {
    @Test(
        "values are written compactly, in the order of their keys",
        arguments: [
            (.null, "null"), (true, "true"), (-7, "-7"), (.int(.min), "-9223372036854775808"), (1.5, "1.5"), (.double(2), "2.0"),
            (.double(1e300), "1e+300"), (.double(-0.0), "-0.0"), (["b": 1, "a": [nil, false]], #"{"b":1,"a":[null,false]}"#), ("", "\"\""),
            ("\"\\/\n\r\t\u{8}\u{C}\u{1}\u{1F}\u{7F}", "\"\\\"\\\\/\\n\\r\\t\\u0008\\u000c\\u0001\\u001f\u{7F}\""),
            ("e\u{301}\u{1F600}", "\"e\u{301}\u{1F600}\""),
        ] as [(JSONValue, String)])
    func compact(value: JSONValue, text: String) throws {
        #expect(value.compactText.utf8.elementsEqual(text.utf8))
        #expect(JSONText(value).text.utf8.elementsEqual(text.utf8))
        let read = try JSONValue(parsing: text)
        #expect(read == value)
    }

    @Test(
        "every double survives being written and read",
        arguments: [0.1, 1 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi * 1e-200, 123456789.125, 1e21, 1e-7, 4.35])
    func doubles(number: Double) throws {
        for value in [number, -number] {
            let read = try JSONValue(parsing: JSONValue.double(value).compactText)
            #expect(read == .double(value))
        }
    }

    @Test("the canonical text has its keys in byte order at every level")
    func canonical() {
        let value: JSONValue = ["b": ["z": 1, "a": 2], "a": [["y": 1, "x": 2]], "\u{E9}": 1, "Z": 2, "": 3]
        #expect(value.canonicalText == #"{"":3,"Z":2,"a":[{"x":2,"y":1}],"b":{"a":2,"z":1},"é":1}"#)
        #expect(value.canonicalText != value.compactText)
    }

    @Test("equal objects have the same canonical text and the same hash, in whatever order they were made")
    func equalObjects() {
        var left = JSONObject()
        var right = JSONObject()
        for index in 0..<40 { left["k\(index)"] = .int(Int64(index)) }
        for index in (0..<40).reversed() { right["k\(index)"] = .int(Int64(index)) }
        #expect(left == right)
        #expect(left.hashValue == right.hashValue)
        #expect(JSONValue.object(left).canonicalText == JSONValue.object(right).canonicalText)
        right["k7"] = nil
        #expect(left != right)
    }

    @Test("values of different kinds differ, and so do strings of different bytes")
    func equality() {
        #expect(JSONValue.int(1) != .double(1))
        #expect(JSONValue.null != .bool(false))
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
        #expect(JSONText(trusted: "1") != JSONText(trusted: "1.0"))
        #expect(JSONText(trusted: "\"\u{E9}\"") != JSONText(trusted: "\"e\u{301}\""))
    }

    @Test("an object keeps the order of its keys through changes, removals and growth")
    func objects() {
        var object = JSONObject()
        for index in 0..<30 { object["k\(index)"] = .int(Int64(index)) }
        object["k3"] = nil
        object["k20"] = nil
        object["absent"] = nil
        object["k5"] = "changed"
        object["k3"] = "back"
        #expect(object.keys == (0..<30).filter { $0 != 3 && $0 != 20 }.map { "k\($0)" } + ["k3"])
        #expect(object["k5"] == "changed")
        #expect(object["k29"] == 29)
        #expect(object.position(of: "k4") == 3)
        #expect(object["k20"] == nil)
        for index in 0..<25 { object["k\(index)"] = nil }
        #expect(object.keys == ["k25", "k26", "k27", "k28", "k29"])
        #expect(object["k27"] == 27)
    }

    @Test("members are read by key, and only from objects")
    func members() {
        let value: JSONValue = ["a": ["b": 1]]
        #expect(value["a"]?["b"] == 1)
        #expect(value["b"] == nil)
        #expect(JSONValue.array([1])["a"] == nil)
        #expect(JSONValue.int(3).doubleValue == 3)
        #expect(JSONValue.double(3).intValue == nil)
        #expect(
            [JSONValue.null, true, 1, 1.5, "", [], [:]].map(\.kindName) == [
                "null", "boolean", "integer", "number", "string", "array", "object",
            ])
    }

    @Test("a value that cannot be stored gives no text")
    func storable() {
        #expect(JSONText(storable: ["a": ["x\u{0}y"]]) == nil)
        #expect(JSONText(storable: ["a\u{0}": 1]) == nil)
        // A text that speaks of U+0000 holds none.
        #expect(JSONText(storable: #"\u0000"#)?.text == #""\\u0000""#)
        #expect(JSONText(storable: ["a": "x\u{1}y"])?.text == #"{"a":"x\u0001y"}"#)
    }

    @Test("a buffer puts texts and values together")
    func buffer() {
        var buffer = JSONBuffer()
        buffer.raw("{")
        buffer.string("a\"b")
        buffer.raw(":")
        buffer.raw(JSONText(trusted: "[ 1 ]").text)
        buffer.raw(",\"c\":")
        buffer.write(["x": nil])
        buffer.raw("}")
        #expect(buffer.finish() == #"{"a\"b":[ 1 ],"c":{"x":null}}"#)
    }
}
