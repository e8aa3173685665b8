import Testing

@testable import Patterns

@Suite("Patterns")
struct PatternTests {
    @Test(
        "a pattern searches, and whole texts are matched with anchors",
        arguments: [
            ("b+", "abbc", true), ("^b+$", "abbc", false), ("^$", "", true), ("", "", true), ("a$", "a\n", false), (".", "\n", false),
            ("^\\d$", "٣", false), ("^.$", "🐱", true), ("(?i)ÉTÉ", "été", true), ("(?<=a)b", "ab", true),
        ])
    func searching(pattern: String, text: String, expected: Bool) throws {
        let found = try Pattern(pattern).matches(text)
        #expect(found == expected)
    }

    @Test("a wrong pattern is refused with its place")
    func wrongPattern() throws {
        let error = #expect(throws: PatternError.self) { try Pattern("a(b") }
        #expect(error?.kind == .syntax)
        #expect(error?.offset == 3)
        #expect(throws: PatternError.self) { try Pattern("\\C") }
    }

    @Test("a pattern has a longest length, before and after its repeats are written out")
    func tooLong() throws {
        let long = #expect(throws: PatternError.self) { try Pattern(String(repeating: "a", count: 1025)) }
        #expect(long?.kind == .tooLong)
        #expect(throws: PatternError.self) { try Pattern("((((a{1,1000}){1,1000}){1,1000}){1,1000})") }
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 300) + String(repeating: ")", count: 300)) }
    }

    @Test(
        "patterns that backtrack without end are stopped",
        arguments: [
            "^(a+)+$", "^(a|a)*$", "^(.*)*b$", "(a*)*c", "^(([a-z])+.)+[A-Z]([a-z])+$", "(*LIMIT_MATCH=100000000)^(a+)+$", "(?R)?a|^(a+)+$",
        ])
    func catastrophic(source: String) throws {
        let pattern = try Pattern(source)
        let text = String(repeating: "a", count: 5000) + "!"
        let clock = ContinuousClock()
        let time = clock.measure { _ = try? pattern.matches(text) }
        #expect(time < .seconds(2))
        if source == "^(a+)+$" {
            let error = #expect(throws: PatternError.self) { try pattern.matches(text) }
            #expect(error?.kind == .tooComplex)
        }
    }

    @Test("groups are given with their places")
    func groups() throws {
        let match = try #require(try Pattern("(\\w+)@(\\w+)(\\.com)?").firstMatch(in: "é me@host"))
        #expect(match.group(0) == "me@host")
        #expect(match.captures == ["me", "host", nil])
        #expect(match.range == 3..<10)
        #expect(match.group(9) == nil)
    }

    @Test(
        "matches are replaced, with groups in the replacement",
        arguments: [
            ("a", "banana", "o", Int.max, "bonono"), ("(\\w)(\\w)", "abcd", "\\2\\1", Int.max, "badc"), ("", "aé", "-", Int.max, "-a-é-"),
            ("x*", "baac", "-", Int.max, "-b-a-a-c-"), ("a", "aaa", "b", 2, "bba"), ("a", "aaa", "b", 0, "aaa"),
            ("a", "xyz", "b", Int.max, "xyz"),
            ("a", "a", "\\\\", Int.max, "\\"),
        ])
    func replacing(pattern: String, text: String, replacement: String, count: Int, expected: String) throws {
        let result = try Pattern(pattern).replacing(in: text, with: replacement, count: count)
        #expect(result == expected)
    }

    @Test("a replacement names only groups that are there, and its result is bounded")
    func replacementErrors() throws {
        let pattern = try Pattern("(a)")
        let missing = #expect(throws: PatternError.self) { try pattern.replacing(in: "a", with: "\\2") }
        #expect(missing?.kind == .replacement)
        let large = #expect(throws: PatternError.self) {
            try pattern.replacing(in: String(repeating: "a", count: 1000), with: String(repeating: "b", count: 1000), maximumBytes: 10_000)
        }
        #expect(large?.kind == .tooLarge)
    }

    @Test("the dialect of JSON Schema reads its escapes")
    func javaScript() throws {
        let found = try Pattern("^\\u00e9[^]$", dialect: .javaScript).matches("é\n")
        #expect(found)
    }

    @Test("one pattern is used by many threads at once")
    func sharing() async throws {
        let pattern = try Pattern("^(\\w+)-(\\d+)$")
        let total = await withTaskGroup(of: Int.self) { group in
            for worker in 0..<8 {
                group.addTask { (0..<500).count { (try? pattern.matches("worker-\(worker)\($0)")) == true } }
            }
            return await group.reduce(0, +)
        }
        #expect(total == 4000)
    }

    @Test(
        "ordinary patterns search long texts",
        arguments: [
            ("x", false), ("\\d+", false), ("[^a ]", false), ("(a+ )*x", false), ("^(\\w+\\s)*$", true), ("b$|a $", true),
            ("^(\\w+) \\1 \\1", true),
            ("\\w{30}", true), ("^(?=.*a)(?!.*b).{1,60000}$", true),
        ])
    func longTexts(source: String, isFound: Bool) throws {
        let text = String(repeating: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ", count: 1800)
        let found = try Pattern(source).matches(text)
        #expect(found == isFound)
    }

    @Test(
        "what a search does is counted, however a pattern hides it",
        arguments: [
            "a*[bc]", "(a*)\\1+[bc]", "(?<=[ab]{60000}b)a", "(?:[ab]{30000}){2}[bc]", "(?:a|aa){1,20}[bc]", "(?=a*b)a", "(?>a*)[bc]",
            "a++[bc]", "(?i)A*[BC]",
            "\\p{L}*[1]", "(?:a*,)", ".*?[bc]", "(?s).*.*[bc]", "(?R)?a*[bc]|a", "(a*)(?(1)[bc]|a)",
        ])
    func counted(source: String) throws {
        let text = String(repeating: "a", count: 1 << 18)
        let clock = ContinuousClock()
        let time = clock.measure { _ = try? Pattern(source).matches(text) }
        // A quarter of a megabyte squared would take minutes.
        #expect(time < .seconds(5))
        let again = Result { try Pattern(source).matches(text) }
        let once = Result { try Pattern(source).matches(text) }
        #expect("\(again)" == "\(once)")
    }

    @Test("what cannot be counted is refused", arguments: ["\\X", "a\\\\\\X", "(*sr:a)", "(*atomic_script_run:a)"])
    func uncounted(source: String) {
        #expect(throws: PatternError.self) { try Pattern(source) }
    }

    @Test("a backslash before an X is no escape of it")
    func escapedBackslash() throws {
        let found = try Pattern("\\\\X").matches("\\X")
        #expect(found)
    }
}
