// Reading JSON: what is accepted, what is refused, and where.

import Testing
import WorkflowModel

@Suite struct JSONReaderTests {
    private static func error(_ text: String, limits: JSONLimits = .standard) -> JSONError? {
        do throws(JSONError) {
            _ = try JSONValue(parsing: text, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    private static func scanError(_ text: String, limits: JSONLimits = .standard) -> JSONError? {
        do throws(JSONError) {
            _ = try JSONText(checking: text, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "documents are read as what they are",
        arguments: [
            ("null", .null), ("true", true), (" \t\r\nfalse\n", false), ("0", 0), ("-0", 0), ("-12", -12), ("1.5", 1.5),
            ("1e2", .double(100)),
            ("1E+2", .double(100)), ("-0.0", .double(-0.0)), ("2.0", .double(2)), ("\"\"", ""), ("[]", []), ("{}", [:]),
            ("[1,[2,[3]]]", [1, [2, [3]]]), (#"{"a":{"b":[null]}}"#, ["a": ["b": [nil]]]), (" [ 1 , 2 ] ", [1, 2]),
            (#" { "a" : 1 , "b" : 2 } "#, ["a": 1, "b": 2]),
        ] as [(String, JSONValue)])
    func values(text: String, value: JSONValue) throws {
        let read = try JSONValue(parsing: text)
        #expect(read == value)
        let checked = try JSONText(checking: text)
        #expect(checked.text == text)
        #expect(checked.value == value)
    }

    @Test(
        "what the grammar forbids is refused at its byte, by the scan and by the parser alike",
        arguments: [
            ("", 0), ("  ", 2), ("nul", 0), ("nulll", 4), ("tru", 0), ("True", 0), ("[1,]", 3), ("[1 2]", 3), ("[", 1), ("[1", 2),
            ("[,1]", 1),
            ("{", 1), ("{\"a\"", 4), ("{\"a\":", 5), ("{\"a\":1", 6), ("{\"a\" 1}", 5), ("{a:1}", 1), ("{\"a\":1,}", 7), ("{'a':1}", 1),
            ("01", 0), ("-", 0), ("-01", 0), ("+1", 0), (".5", 0), ("1.", 2), ("1.e1", 2), ("1e", 2), ("1e+", 3), ("0x10", 1), ("1_000", 1),
            ("NaN", 0),
            ("-Infinity", 0), ("\"a", 0), ("\"a\nb\"", 2), ("\"\t\"", 1), (#""\x""#, 1), (#""\u12G4""#, 1), (#""\u12""#, 1), (#""\"#, 1),
            ("1 1", 2), ("{} {}", 3), ("[1]]", 3), ("// c\n1", 0), ("\u{FEFF}1", 0), ("\u{A0}1", 0),
        ])
    func syntax(text: String, offset: Int) {
        let parsed = Self.error(text)
        guard case .syntax = parsed?.problem else { return #expect(Bool(false), "\(text) gives \(String(describing: parsed))") }
        #expect(parsed?.offset == offset)
        #expect(Self.scanError(text) == parsed)
    }

    @Test("numbers keep 64 bits, and what is no integer of that size is a double")
    func numbers() throws {
        for (text, value) in [
            ("9223372036854775807", JSONValue.int(.max)), ("-9223372036854775808", .int(.min)), ("9223372036854775808", .double(0x1p63)),
            ("-9223372036854775809", .double(-0x1p63)), ("18446744073709551616", .double(0x1p64)),
            ("123456789012345678901234567890", .double(123456789012345677877719597056)),
            ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
            ("5e-324", .double(.leastNonzeroMagnitude)), ("0e300", .double(0)), ("0.0e-9", .double(0)), ("0.1", .double(0.1)),
        ] {
            let read = try JSONValue(parsing: text)
            #expect(read == value, "\(text)")
        }
    }

    @Test(
        "a number that nobody can hold is refused at its first byte",
        arguments: [
            "1e309", "-1e309", "1e999999999999999999999", "1e-20000", "1e-324", "0.\(String(repeating: "0", count: 17_000))1",
            "1.5\(String(repeating: "0", count: 16_383))", "0e-16384", "0e9999999999", "0.00000001e-16376",
            "1\(String(repeating: "0", count: 400))",
        ])
    func numberOutOfRange(text: String) {
        let expected = JSONError(problem: .numberOutOfRange, offset: 3)
        #expect(Self.error("[1,\(text)]") == expected)
        #expect(Self.scanError("[1,\(text)]") == expected)
    }

    @Test("a key that occurs twice is refused at its second place, however it is written")
    func duplicates() {
        #expect(Self.error(#"{"a":1,"b":2,"a":3}"#) == JSONError(problem: .duplicateKey("a"), offset: 13))
        #expect(Self.error(#"{"a":1,"\u0061":2}"#) == JSONError(problem: .duplicateKey("a"), offset: 7))
        #expect(Self.scanError(#"{"\u0061":1,"a":2}"#) == JSONError(problem: .duplicateKey("a"), offset: 12))
        #expect(Self.scanError(#"[{"x":{"y":1,"y":2}}]"#) == JSONError(problem: .duplicateKey("y"), offset: 13))
        #expect(Self.error(#"{"a":{"a":{"a":1}}}"#) == nil)
    }

    @Test("keys that look alike but differ in their bytes are two keys")
    func canonicallyEquivalentKeys() throws {
        let value = try JSONValue(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value.objectValue?.count == 2)
        #expect(Self.scanError("{\"\u{E9}\":1,\"e\u{301}\":2}") == nil)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test("duplicates are found in objects of any size", arguments: [2, 12, 13, 15, 16, 17, 18, 200])
    func duplicatesInLargeObjects(count: Int) {
        let members = (0..<count).map { "\"k\($0)\":\($0)" }
        #expect(Self.error("{" + members.joined(separator: ",") + "}") == nil)
        #expect(Self.scanError("{" + members.joined(separator: ",") + "}") == nil)
        for twice in [0, count / 2, count - 1] {
            let text = "{" + (members + ["\"k\(twice)\":0"]).joined(separator: ",") + "}"
            #expect(Self.error(text)?.problem == .duplicateKey("k\(twice)"))
            #expect(Self.scanError(text) == Self.error(text))
        }
    }

    @Test("escapes are decoded")
    func escapes() throws {
        let value = try JSONValue(parsing: #""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00\uFFFF""#)
        #expect(value == "\"\\/\u{8}\u{C}\n\r\tA\u{E9}\u{20AC}\u{1F600}\u{FFFF}")
        let extremes = try JSONValue(parsing: #"["\ud800\udc00","\udbff\udfff","\ud7ff","\ue000","\u0001"]"#)
        #expect(extremes == ["\u{10000}", "\u{10FFFF}", "\u{D7FF}", "\u{E000}", "\u{1}"])
    }

    @Test("text beyond ASCII needs no escape, and keeps its bytes")
    func unicode() throws {
        let value = try JSONValue(parsing: "\"e\u{301} \u{1F468}\u{200D}\u{1F469} \u{7F} \u{2028}\"")
        #expect(value.stringValue?.utf8.elementsEqual("e\u{301} \u{1F468}\u{200D}\u{1F469} \u{7F} \u{2028}".utf8) == true)
    }

    @Test(
        "half of a surrogate pair is refused where its escape begins",
        arguments: [
            #""\ud800""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\udc00""#, #""\udc00\ud800""#,
            #""\udfff""#,
        ])
    func surrogates(text: String) {
        #expect(Self.error(text) == JSONError(problem: .loneSurrogate, offset: 1))
        #expect(Self.scanError(text) == JSONError(problem: .loneSurrogate, offset: 1))
    }

    @Test("U+0000 is refused, in strings and in keys")
    func nul() {
        #expect(Self.error(#"["a\u0000b"]"#) == JSONError(problem: .nulCharacter, offset: 3))
        #expect(Self.scanError(#"{"\u0000":1}"#) == JSONError(problem: .nulCharacter, offset: 2))
        guard case .syntax = Self.error("\"\u{0}\"")?.problem else { return #expect(Bool(false), "a raw U+0000 was accepted") }
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x82]] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError(problem: .notUTF8, offset: 0)) { () throws in try JSONText(checking: bytes) }
    }

    @Test("nesting is bounded, and the limit itself is allowed")
    func depth() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        let limits = JSONLimits(bytes: 1 << 20, depth: 5)
        #expect(Self.error(nested(5, "[", "]"), limits: limits) == nil)
        #expect(Self.error(nested(6, "[", "]"), limits: limits) == JSONError(problem: .tooDeep(limit: 5), offset: 5))
        #expect(Self.scanError(nested(6, "[", "]"), limits: limits) == JSONError(problem: .tooDeep(limit: 5), offset: 5))
        #expect(Self.scanError(nested(6, "{\"a\":", "}"), limits: limits) == JSONError(problem: .tooDeep(limit: 5), offset: 25))
        #expect(Self.error(nested(200, "[", "]")) == nil)
        #expect(Self.error(nested(201, "[", "]"))?.problem == .tooDeep(limit: 200))
        // An attack is refused before it is deep.
        #expect(Self.error(String(repeating: "[", count: 1_000_000))?.problem == .tooDeep(limit: 200))
        #expect(Self.scanError(String(repeating: "{\"a\":", count: 200_000))?.problem == .tooDeep(limit: 200))
    }

    @Test("text that was checked before may be nested as deeply as computed values get")
    func deepTrustedText() {
        let depth = 2000
        var value = JSONText(trusted: String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).value
        var levels = 1
        while case .array(let values) = value, let inner = values.first {
            value = inner
            levels += 1
        }
        #expect(levels == depth)
    }

    @Test("size is bounded in bytes, and the limit itself is allowed")
    func size() {
        let limits = JSONLimits(bytes: 10, depth: 5)
        #expect(Self.error("\"12345678\"", limits: limits) == nil)
        #expect(Self.error("\"123456789\"", limits: limits) == JSONError(problem: .tooLarge(limit: 10), offset: 0))
        #expect(Self.scanError("\"\u{20AC}\u{20AC}\u{20AC}\"", limits: limits) == JSONError(problem: .tooLarge(limit: 10), offset: 0))
        #expect(throws: JSONError(problem: .tooLarge(limit: 10), offset: 0)) { () throws in
            try JSONText(checking: Array("           1".utf8), limits: limits)
        }
    }

    @Test("errors are sentences that show the place and no data but keys")
    func sentences() {
        #expect(Self.error("[1,]")?.description == "invalid JSON at byte 3: a value is expected")
        #expect(Self.error(#"{"a":1,"a":1}"#)?.description == "the key \"a\" occurs twice in one object (byte 7)")
        #expect(Self.error("1e999")?.description == "the number at byte 0 is out of range")
    }

    @Test("cut anywhere, a document is refused and never crashes")
    func truncation() {
        let text = #"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n"],"b":{"c":null,"d":[true,false]}}"#
        for length in 0..<text.utf8.count {
            let cut = String(decoding: text.utf8.prefix(length), as: UTF8.self)
            #expect(Self.error(cut) != nil)
            #expect(Self.scanError(cut) == Self.error(cut))
        }
    }

    @Test("changed in any byte, scan and parser agree, and what they accept can be read again", arguments: 0..<20)
    func mutation(seed: Int) throws {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n"],"b":{"c":null,"d":[true,false,0]},"e":""}"#.utf8)
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let alphabet = Array("{}[]\",:\\u0123456789abcdefnulltrue.-+eE \n".utf8)
        for _ in 0..<300 {
            var bytes = text
            for _ in 0...random(3) {
                switch random(3) {
                case 0: bytes[random(bytes.count)] = alphabet[random(alphabet.count)]
                case 1: bytes.insert(alphabet[random(alphabet.count)], at: random(bytes.count))
                case _: bytes.remove(at: random(bytes.count))
                }
            }
            let changed = String(decoding: bytes, as: UTF8.self)
            #expect(Self.scanError(changed) == Self.error(changed))
            guard let value = try? JSONValue(parsing: changed) else { continue }
            let again = try JSONValue(parsing: value.compactText)
            #expect(again == value)
        }
    }
}
