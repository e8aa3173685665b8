import Definitions
import Testing
import WorkflowModel

@Suite("Documents of data")
struct DataDocumentTests {
    @Test(
        "YAML and JSON are read alike",
        arguments: [
            ("a: [1, 2.5, true, null, text]", #"{"a":[1,2.5,true,null,"text"]}"#), (#"{"a": 1}"#, #"{"a":1}"#), ("", "null"),
            ("- 1\n- b: 2\n", #"[1,{"b":2}]"#),
        ])
    func reads(text: String, expected: String) {
        let document = DataDocument.read(text)
        #expect(document.value?.compactText == expected)
        #expect(document.diagnostics.isEmpty)
    }

    @Test("what cannot be read has no value, and says why", arguments: ["a: 1\na: 2\n", "a: *b\n", "a: {", "{\"a\": 1,}}", "? [x]\n: 1\n"])
    func refuses(text: String) {
        let document = DataDocument.read(text)
        #expect(document.value == Optional<JSONValue>.none)
        #expect(!document.diagnostics.isEmpty)
    }
}
