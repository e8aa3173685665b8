import Foundation
import Testing
import WorkflowModel

@testable import Expressions

/// `v59` is built of two `v58`, which is built of two `v57`, and so on: small in memory, and beyond measure written out.
private func folded(_ count: Int, _ first: String, use: (String) -> String, step: (String) -> String) -> String {
    (0..<count).reversed().reduce(use("v\(count)")) { body, index in
        "cel.bind(v\(index + 1), \(index == 0 ? first : step("v\(index)")), \(body))"
    }
}

/// 144 KB.
private let longText = "range(9000).map(i, 'aaaaaaaaaaaaaaaa').join()"

private let hostileExpressions: [(name: String, source: String)] = [
    ("a long sum", Array(repeating: "1", count: 100_000).joined(separator: "+")),
    ("a sum of many words", Array(repeating: "1", count: 5000).joined(separator: "+")),
    ("a long source", String(repeating: " ", count: 40_000) + "1"),
    ("deep parentheses", String(repeating: "(", count: 1000) + "1" + String(repeating: ")", count: 1000)),
    ("deep lists", String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)),
    ("deep maps", String(repeating: "{'a':", count: 1000) + "1" + String(repeating: "}", count: 1000)),
    ("many conditionals", String(repeating: "true ? 1 : ", count: 1000) + "1"),
    ("many negations", String(repeating: "!", count: 4000) + "true"),
    ("many minus signs", String(repeating: "-", count: 4000) + "1"),
    ("many relations", Array(repeating: "1", count: 2000).joined(separator: "==")),
    ("many selections", "input" + String(repeating: ".a", count: 2000)),
    ("many indices", "input" + String(repeating: "[0]", count: 1000)),
    ("many calls", "input" + String(repeating: ".reverse()", count: 800)),
    ("nested loops", "range(1000).all(a, range(1000).all(b, range(1000).all(c, true)))"),
    ("loops over errors", (0..<30).reduce("1/0 == 1") { "[0,1].all(x\($1), \($0))" }),
    ("a list of lists", "range(10000).map(i, range(10000))"),
    ("strings doubled", folded(60, "'aaaaaaaaaaaaaaaa'", use: { "size(\($0))" }, step: { "\($0) + \($0)" })),
    ("lists doubled", folded(60, "[1]", use: { "size(\($0))" }, step: { "\($0) + \($0)" })),
    ("a shared tree as JSON", folded(60, "[1]", use: { "json.format(\($0))" }, step: { "[\($0), \($0)]" })),
    ("a shared tree as result", folded(60, "[1]", use: { $0 }, step: { "[\($0), \($0)]" })),
    ("a shared tree compared", folded(60, "[1]", use: { "\($0) == \($0)" }, step: { "[\($0), \($0)]" })),
    ("a shared tree formatted", folded(60, "[1]", use: { "'%s'.format([\($0)])" }, step: { "[\($0), \($0)]" })),
    ("a shared tree flattened", folded(60, "[1]", use: { "\($0).flatten(100)" }, step: { "[\($0), \($0)]" })),
    ("maps of maps", folded(60, "{'a': 1}", use: { "\($0) == \($0)" }, step: { "{'a': \($0), 'b': \($0)}" })),
    (
        "a quadratic search",
        "cel.bind(s, range(9000).map(i, 'aaaaaaaaaaaaaaaa').join(), range(9000).exists(i, s.contains(s.substring(70000) + 'b')))"
    ),
    ("a catastrophic pattern", "range(10000).exists(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$'))"),
    ("many patterns", "range(10000).exists(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$' + string(i)))"),
    ("a growing replacement", folded(40, "'aaaa'", use: { "size(\($0))" }, step: { "regex.replace(\($0), 'a', 'aaaaaaaa')" })),
    ("an empty replacement", folded(40, "'aaaa'", use: { "size(\($0))" }, step: { "\($0).replace('', \($0))" })),
    ("a wide format", "range(9000).map(i, range(9000).map(j, '%.100f'.format([1e308])))"),
    ("a wider format", "'%.99999999999999999999f'.format([1.0])"),
    ("a long range", "range(9223372036854775807)"),
    ("a negative range", "range(-9223372036854775807, 9223372036854775807)"),
    ("much sorting", "range(10000).map(i, range(10000).map(j, -j).sort())"),
    ("many distinct lists", "range(9000).map(i, [i]).distinct()"),
    ("much joining", "range(9000).map(i, range(9000).map(j, 'x').join('yyyyyyyyyyyyyyyy'))"),
    ("a search in a long list", "cel.bind(x, range(9000).map(i, i + 0.5), range(9000).all(i, !(-1.5 in x)))"),
    ("distinct doubles", "cel.bind(x, range(9000).map(i, i + 0.5), x.distinct().size() + x.distinct().size())"),
    ("sets of doubles", "cel.bind(x, range(9000).map(i, i + 0.5), sets.equivalent(x, x.reverse()))"),
    ("long keys compared", "cel.bind(m, {\(longText): 1}, range(9000).all(i, m == m))"),
    ("a long key looked up", "cel.bind(s, \(longText), cel.bind(m, {s: 1}, range(9000).all(i, m[s] == 1 && s in m)))"),
    ("long keys put in order", "cel.bind(s, \(longText), range(9000).map(i, {s: 1}).merge())"),
    ("a pattern that goes to the end from everywhere", "\(longText).matches('a*[bc]')"),
    ("a pattern that refers to a long group", "\(longText).matches('^(a*)\\\\1+[bc]')"),
    ("a pattern that looks far behind", "\(longText).matches('(?<=[ab]{60000}b)a')"),
    ("a pattern that counts far", "\(longText).matches('(?:[ab]{30000}){2}[bc]')"),
    ("a pattern that is tried anew at every place", "\(longText).matches('(?:a|aa){1,20}[bc]')"),
    ("a long number read", "cel.bind(s, range(9000).map(i, '0000000000000000').join(), range(9000).all(i, int(s) == 0))"),
    ("a long fraction read", "cel.bind(s, range(9000).map(i, '0000000000000000').join(), range(9000).all(i, double(s) == 0.0))"),
    ("long bytes put in order", "cel.bind(b, bytes(\(longText)), range(9000).all(i, !(b < b)))"),
    ("a part found early in a long text", "cel.bind(s, \(longText), range(9000).all(i, s.contains('a')))"),
    ("a long replacement", "cel.bind(s, \(longText), range(9000).all(i, regex.replace('b', 'a', s) == 'b'))"),
    ("many large patterns", "range(9000).all(i, 'b'.matches('(?:(?:a{1,40}){1,40}){1,9}' + string(i)) == false)"),
    ("base64 of base64", folded(60, "'aaaaaaaaaaaaaaaa'", use: { "size(\($0))" }, step: { "base64.encode(bytes(\($0)))" })),
    ("hexadecimal of hexadecimal", folded(60, "'aaaaaaaaaaaaaaaa'", use: { "size(\($0))" }, step: { "'%x'.format([\($0)])" })),
    ("quotes of quotes", folded(60, "'\\\\\\\\'", use: { "size(\($0))" }, step: { "strings.quote(\($0))" })),
    ("JSON of JSON", folded(60, "'\\\\\\\\'", use: { "size(\($0))" }, step: { "json.format(\($0))" })),
    ("a list added to itself", folded(60, "[1, 2]", use: { "size(\($0))" }, step: { "\($0) + \($0)" })),
    ("a map of every turn", "range(9000).map(i, range(9000).transformMap(k, v, v).size())"),
    ("much JSON", "range(100).map(i, json.parse('[' + range(9000).map(j, '[1]').join(',') + ']'))"),
    ("deep JSON", "json.parse(range(5000).map(i, '[').join())"),
]

@Suite("Limits")
struct LimitTests {
    @Test("no expression takes long, much, or the process down", arguments: hostileExpressions)
    func hostile(name: String, source: String) throws {
        let clock = ContinuousClock()
        var error: ExpressionError?
        let time = clock.measure { error = failure(source) }
        #expect(error != nil, "\(name)")
        // Unoptimized builds on busy machines are slow; without limits these would take ages.
        #expect(time < .seconds(20), "\(name)")
    }

    @Test("many terms in a row are no nesting")
    func longChains() throws {
        let sum = try text(Array(repeating: "1", count: 2000).joined(separator: "+"))
        #expect(sum == "2000")
        let and = try text(Array(repeating: "true", count: 2000).joined(separator: " && "))
        #expect(and == "true")
        let list = try text("[" + Array(repeating: "1", count: 2000).joined(separator: ",") + "].size()")
        #expect(list == "2000")
    }

    @Test("a value as deep as an expression can make it is built and released on a small stack")
    func deepValue() {
        // 60 bindings, each 15 lists deeper than the one before.
        let source = folded(
            60, "[]", use: { "size(\($0))" }, step: { String(repeating: "[", count: 15) + $0 + String(repeating: "]", count: 15) })
        let result = onSmallStack { try? text(source) }
        #expect(result == "1")
        let written = folded(60, "[]", use: { $0 }, step: { String(repeating: "[", count: 15) + $0 + String(repeating: "]", count: 15) })
        #expect(onSmallStack { failure(written)?.kind } == .limit)
    }

    @Test("the deepest tree that is taken fits a small stack")
    func deepTree() {
        let limits = ExpressionLimits.standard
        let nested = String(repeating: "-(1 + ", count: limits.nesting - 1) + "1" + String(repeating: ")", count: limits.nesting - 1)
        #expect(onSmallStack { failure(nested) } == .some(nil))
        let loops = (0..<66).reduce("1") { "[\($0)].map(x\($1), x\($1))[0]" }
        #expect(onSmallStack { failure(loops) } == .some(nil))
    }

    @Test("smaller limits are kept")
    func smaller() {
        #expect(failure("1 + 1", limits: ExpressionLimits(tokens: 2))?.kind == .limit)
        #expect(failure("1 + 1", limits: ExpressionLimits(sourceBytes: 4))?.kind == .limit)
        #expect(failure("((1))", limits: ExpressionLimits(nesting: 2))?.kind == .limit)
        #expect(failure("range(100).map(x, x)", limits: ExpressionLimits(steps: 100))?.kind == .limit)
        #expect(failure("'aaaa' + 'bbbb'", limits: ExpressionLimits(bytes: 4))?.kind == .limit)
    }
}

/// What a thread leaves behind. `@unchecked Sendable` is true because it is written before the signal and read after it.
private final class Box<Result: Sendable>: @unchecked Sendable {
    var result: Result?
}

/// Runs a body on a thread with 4 MiB of stack, half of what threads have on Linux. Unoptimized frames are several times larger than
/// optimized ones, which need less than 1 MiB.
private func onSmallStack<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result? {
    let box = Box<Result>()
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
        box.result = body()
        done.signal()
    }
    thread.stackSize = 4 << 20
    thread.start()
    done.wait()
    return box.result
}
