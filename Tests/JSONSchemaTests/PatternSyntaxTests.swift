// Patterns are ECMA-262 in Unicode mode: what matches, and what is no pattern at all.

import JSONSchema
import Testing
import WorkflowModel

@Suite("Patterns")
struct PatternSyntaxTests {
    @Test(
        "a pattern matches as ECMA-262 says",
        arguments: [
            ("^\\d+$", "42", true), ("^\\d+$", "৪২", false), ("^\\w+$", "é", false), ("\\bé", "é", false), ("^.$", "\u{2028}", false),
            ("^.$", "\u{1F432}", true), ("^[^]$", "\n", true), ("[]", "a", false), ("^\\s$", "\u{FEFF}", true),
            ("^[\\s]$", "\u{3000}", true),
            ("^[\\S]$", "\u{3000}", false), ("^[^\\S]$", "\u{A0}", true), ("^\\S$", "\u{180E}", true), ("a$", "a\n", false),
            ("^\\uD83D\\uDC32$", "\u{1F432}", true), ("^\\u{1F432}$", "\u{1F432}", true), ("^[\\u{1F400}-\\u{1F4FF}]$", "\u{1F432}", true),
            ("\\uD83D", "\u{1F432}", false), ("^\\cJ$", "\n", true), ("^\\x41\\0?$", "A", true), ("^(a)?\\1b$", "b", true),
            ("^(a)?\\1b$", "aab", true),
            ("^(?<x>a|b)\\k<x>$", "bb", true), ("^(?<x>a|b)\\k<x>$", "ab", false), ("^\\p{Lu}\\p{Script=Greek}$", "Aα", true),
            ("^\\P{Letter}$", "1", true), ("^[\\p{L}\\d_-]+$", "été-1", true), ("(?=.*a)(?!.*b)", "cab", false), ("(?<!x)y", "xy", false),
            ("(?=a)b*a", "a", true),
            ("^(?i:ab)c$", "ABc", true), ("^(?i:ab)c$", "ABC", false), ("^(?s:.)$", "\n", true), ("^a{2,3}$", "aaaa", false),
            ("a{,2}", "a{,2}", true),
            ("^[a\\-z]$", "-", true), ("^[&&]$", "&", true), ("^[[:alpha:]$", ":", true), ("^\\/\\.$", "/.", true),
            ("^x\\-y\\@$", "x-y@", true),
            ("^\\v$", "\u{B}", true), ("^\\v$", "\n", false), ("^[\\b]$", "\u{8}", true), ("^$", "", true), ("", "anything", true),
            ("\\Qa", "Qa", nil), ("(*UTF)a", "a", nil), ("a**", "a", nil), ("a++", "a", nil), ("(?P<n>a)", "a", nil), ("(?#x)", "", nil),
            ("\\Z", "", nil), ("\\8", "", nil), ("(?i)a", "a", nil), ("[z-a]", "a", nil), ("\\p{Nonsense}", "a", nil),
            ("(?<a>x)(?<a>y)", "", nil),
            ("a)", "a", nil), ("[a", "a", nil), ("\\", "a", nil), ("\\u{110000}", "a", nil), ("(?>a)", "a", nil), ("(?R)", "a", nil),
        ] as [(String, String, Bool?)])
    func patterns(pattern: String, text: String, expected: Bool?) throws {
        let schema = try? CompiledSchema(["pattern": .string(pattern)])
        #expect(schema.map { $0.isValid(.string(text)) } == expected)
    }

    @Test("the format `regex` is strict where patterns are lenient")
    func strictFormat() throws {
        let schema = try CompiledSchema(["format": "regex"], options: SchemaOptions(assertFormat: true))
        for valid in ["^a{2}$", "\\/", "[\\-]", "(?<=a+)b", "\\u{1F432}", "(?<é>a)\\k<é>"] {
            #expect(schema.isValid(.string(valid)), "\(valid)")
        }
        for invalid in ["\\-", "{", "}", "a]", "[\\w-z]", "\\a", "a{2,1}", "(?=a)*"] {
            #expect(!schema.isValid(.string(invalid)), "\(invalid)")
        }
    }

    @Test("nesting of groups is bounded")
    func deepGroups() {
        let deep = String(repeating: "(", count: 300) + "a" + String(repeating: ")", count: 300)
        let schema = try? CompiledSchema(["pattern": .string(deep)])
        #expect(schema == nil)
    }
}
