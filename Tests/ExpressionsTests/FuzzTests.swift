import Foundation
import Testing
import WorkflowModel

@testable import Expressions

@Suite("Random expressions")
struct FuzzTests {
    private static let seeds = [
        "steps.classify.output.score > 0.8 && input.tier == 'gold'", "input.docs.map(d, d.score).sum() / size(input.docs)",
        "{'a': [1, 2u, 3.5, b'x', null, true], ?'b': input.?missing}", "[?optional.of(1), ?optional.none()].map(x, x + 1)",
        "input.docs.filter(d, d.kind == 'x').sortBy(d, -d.score)[0].id", "cel.bind(a, [1, 2], a + a.reverse()).distinct().flatten()",
        "timestamp('2024-02-29T12:00:00Z') + duration('1h30m') > timestamp(0) ? 1 : -9223372036854775808",
        "'%s %d %.3f %x %b %e'.format([[1, {'a': 2}], 3, 1.5, 255, 5, 1e10])",
        "'a,b,c'.split(',', 2).join('-').upperAscii().substring(1, 3)",
        "regex.replace('hello', '(l+)', '<\\\\1>') + regex.extract('abc', 'b').orValue('')", "has(input.a.b) || !has(input.?tier.x)",
        "input.docs.transformMapEntry(i, d, {d.id: i}).transformMap(k, v, v % 2 == 0, v * 2)",
        "math.greatest(1, 2.0, 3u) + math.bitShiftLeft(1, 3)",
        "[1, 'foo', 3].exists_one(i, v, i == 1 && v == 'foo') in [true]", "json.parse('{\"a\": [1]}').a[0] + int('7') - int(uint(3))",
        "r'\\d' + \"\\u00e9\\n\" + '''multi\n\"line\"'''", "optional.of({'a': 1}).?a.optMap(x, x + 1).orValue(0)",
        "base64.decode('aGk=') + b'\\xff'",
        "string(timestamp('2024-01-01T00:00:00Z').getHours('Europe/Berlin'))", "[[1], [2]].all(x, x.size() == 1) ? 'yes' : 'no' // done",
    ]
    private static let pieces = [
        "(", ")", "[", "]", "{", "}", "}}", "${{", ".", "?", ":", ",", "'", "\"", "'''", "\\", "\\u", "!", "-", "+", "*", "/", "%", "<",
        ">=", "==",
        "&&", "||", " in ", "0x", "1e", "9223372036854775808", "1e308", "u", "b", "r'", "//", "\n", "\u{0}", "é", "🐱", "\u{301}", "`a-b`",
        "null",
        "input", "steps", ".map(x, x)", ".all(x, x)", "has(", "cel.bind(x, 1, ", "range(10000)", ".size()", "[0]", "[?0]", ".?a",
        ".matches('(a*)*')", ".format([1])", "type(", "dyn(", ".sort()", ".sum()", "json.format(",
    ]

    @Test("mutated expressions end in a value or an error")
    func mutations() {
        let seed = FuzzSeed.value
        print("fuzz: SKEIN_FUZZ_SEED=\(seed)")
        var generator = SeededGenerator(seed: seed)
        // Small limits keep 20,000 expressions quick; the code behind them is the same.
        let limits = ExpressionLimits(steps: 5000, bytes: 1 << 20)
        let check = TypeCheck(Dictionary(uniqueKeysWithValues: sampleData.members.map { ($0, StaticType(constant: $1)) }))
        var evaluated = 0
        for _ in 0..<20_000 {
            let source = mutate(&generator)
            let mode: NumberMode = Bool.random(using: &generator) ? .promoting : .strict
            if let expression = try? CompiledExpression(source, limits: limits, mode: mode) {
                let checked = check.check(expression, expecting: .boolean)
                if let value = try? expression.evaluate(sampleScope) {
                    evaluated += 1
                    _ = try? value.json(limits: limits)
                    // Whatever an expression gives is of the type that was found without data.
                    if let kinds = checked.type.kinds {
                        #expect(kinds.contains(value.typeName), "SKEIN_FUZZ_SEED=\(seed): \(source.debugDescription)")
                    }
                }
            }
            if let template = try? CompiledTemplate(.string("x ${{" + source + "}} y"), limits: limits, mode: mode) {
                _ = try? template.render(sampleScope)
            }
            _ = try? bareExpression(source)
        }
        print("fuzz: \(evaluated) of 20000 had a value")
        #expect(evaluated > 0)
    }

    private func mutate(_ generator: inout SeededGenerator) -> String {
        var bytes = Array((Self.seeds.randomElement(using: &generator) ?? "1").utf8)
        for _ in 0..<Int.random(in: 1...2, using: &generator) {
            let position = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes.insert(contentsOf: (Self.pieces.randomElement(using: &generator) ?? "").utf8, at: position)
            case 1: if position < bytes.count { bytes.remove(at: position) }
            case 2: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &generator) }
            case 3:
                let end = Int.random(in: position...bytes.count, using: &generator)
                bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
            case 4: bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 0...8, using: &generator)))
            default: bytes.insert(contentsOf: (Self.seeds.randomElement(using: &generator) ?? "").utf8, at: position)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("the same data gives the same value, every time")
    func determinism() throws {
        let expression = try CompiledExpression(
            "[{'z': 1, 'a': 2, 'm': 3}.merge({'q': 4}).map(k, k), ['b', 'a', 'b'].distinct(), '%s'.format([{'z': 1, 'a': 2}])]")
        let first = try expression.evaluateJSON(Scope()).compactText
        #expect(first == #"[["z","a","m","q"],["b","a"],"{a: 2, z: 1}"]"#)
        for _ in 0..<100 {
            let again = try expression.evaluateJSON(Scope()).compactText
            #expect(again == first)
        }
    }
}
