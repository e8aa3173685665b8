// Schemas and values made at random: a short part of what `skein-bench fuzz` does at length.

import Foundation
import JSONSchema
import Testing
import WorkflowModel

@Suite("Random schemas")
struct FuzzTests {
    /// SplitMix64: a seed repeats a run.
    private struct Generator: RandomNumberGenerator {
        private var state: UInt64
        init(seed: UInt64) { state = seed }
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int.random(in: 0..<elements.count, using: &self)] }
    }

    @Test("a random schema is compiled or refused, and a value is valid exactly where it has no violations")
    func random() {
        let environment = ProcessInfo.processInfo.environment
        let seed = (environment["SKEIN_FUZZ_SEED"] ?? environment["SKEIN_SEED"]).flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
        print("fuzz: SKEIN_FUZZ_SEED=\(seed)")
        var generator = Generator(seed: seed)
        var compiled = 0
        for number in 0..<3000 {
            let document = schema(&generator, depth: 0)
            guard let schema = try? CompiledSchema(document, options: SchemaOptions(assertFormat: number % 2 == 0)) else { continue }
            compiled += 1
            for _ in 0..<3 {
                let instance = value(&generator, depth: 0)
                #expect(
                    schema.validate(instance).isEmpty == schema.isValid(instance),
                    "SKEIN_FUZZ_SEED=\(seed): \(document.compactText) with \(instance.compactText)")
            }
        }
        print("fuzz: \(compiled) of 3000 schemas were taken")
        // About 500; most others refer to what is not there.
        #expect(compiled > 100)
    }

    private static let names = ["a", "b", "é", "e\u{301}", "a/b", "~", ""]
    private static let texts = [
        "", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "2026-02-30", "a@b.c", "::1", "xn--nxasmq6b", "^(a+)+$", "[", "P1D",
    ]

    private func value(_ generator: inout Generator, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 3 ? 6 : 9), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .int(Int64.random(in: -3...12, using: &generator))
        case 3: return .double(generator.pick([0.5, 1.0, 1e300, -0.0, 9_007_199_254_740_992, 1e-7]))
        case 4, 5: return .string(generator.pick(Self.texts))
        case 6:
            return .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in value(&generator, depth: depth + 1) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                object[generator.pick(Self.names)] = value(&generator, depth: depth + 1)
            }
            return .object(object)
        }
    }

    private func schema(_ generator: inout Generator, depth: Int) -> JSONValue {
        if depth > 4 { return .bool(Bool.random(using: &generator)) }
        var keywords = JSONObject()
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let keyword = generator.pick(Self.keywords)
            keywords[keyword] = argument(of: keyword, &generator, depth)
        }
        if depth == 0 {
            keywords["$defs"] = ["a": schema(&generator, depth: 2), "b": ["$dynamicAnchor": "n", "items": ["$dynamicRef": "#n"]]]
        }
        return .object(keywords)
    }

    private static let keywords = [
        "type", "properties", "patternProperties", "additionalProperties", "items", "prefixItems", "allOf", "anyOf", "oneOf", "not", "if",
        "then", "else", "$ref", "enum", "const", "pattern", "format", "minimum", "multipleOf", "maxLength", "uniqueItems", "contains",
        "unevaluatedProperties", "unevaluatedItems", "propertyNames", "dependentSchemas", "required", "nonsense",
    ]

    private func named(_ name: String, _ value: JSONValue) -> JSONValue {
        var object = JSONObject()
        object[name] = value
        return .object(object)
    }

    private func argument(of keyword: String, _ generator: inout Generator, _ depth: Int) -> JSONValue {
        if Int.random(in: 0..<40, using: &generator) == 0 { return value(&generator, depth: 3) }
        switch keyword {
        case "type": return generator.pick(["object", "array", "string", "integer", ["null", "number"]])
        case "properties", "dependentSchemas":
            return named(generator.pick(["a", "b", ""]), schema(&generator, depth: depth + 1))
        case "patternProperties": return named(generator.pick(["^a", ".", "(a+)+$"]), schema(&generator, depth: depth + 1))
        case "prefixItems", "allOf", "anyOf", "oneOf":
            return .array((0..<Int.random(in: 1...3, using: &generator)).map { _ in schema(&generator, depth: depth + 1) })
        case "$ref": return generator.pick(["#", "#/$defs/a", "#/$defs/b", "#n", "#/nowhere"])
        case "enum": return [value(&generator, depth: 2), value(&generator, depth: 2)]
        case "const": return value(&generator, depth: 2)
        case "pattern": return .string(generator.pick(Self.texts))
        case "format": return generator.pick(["date", "date-time", "email", "ipv6", "uri", "idn-hostname", "regex", "duration"])
        case "minimum", "multipleOf", "maxLength": return generator.pick([1, 2, 0.1, 1e-9])
        case "uniqueItems": return true
        case "required": return ["a"]
        default: return schema(&generator, depth: depth + 1)
        }
    }
}
