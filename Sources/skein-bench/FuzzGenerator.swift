// Makes random inputs; every one follows from a seed and a number.

/// Random numbers (SplitMix64), and texts made of them.
struct FuzzGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64, number: UInt64) {
        state = seed &+ number &* 0xD134_2543_DE82_EF95
        _ = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// True once in so many times.
    mutating func chance(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }

    /// A text: a known one with changes, pieces put together, or bytes.
    mutating func text(_ seeds: [String], pieces: [String]) -> String {
        switch Int.random(in: 0..<12, using: &self) {
        case 3, 4: return lines(pick(seeds), pieces)
        case 5: return pick(seeds) + pick(pieces) + pick(seeds)
        case 0: return (0..<Int.random(in: 1...40, using: &self)).map { _ in pick(pieces) }.joined()
        case 1: return repeated(pieces)
        case 2:
            let count = Int.random(in: 0...200, using: &self)
            return String(decoding: (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }, as: UTF8.self)
        default: return mutated(pick(seeds), seeds, pieces)
        }
    }

    /// Up to 64 KiB of few pieces, one after the other: what grows faster than its source shows here.
    mutating func repeated(_ pieces: [String]) -> String {
        let parts = (0..<Int.random(in: 1...3, using: &self)).map { _ in pick(pieces) }
        let size = 1 << Int.random(in: 2...16, using: &self)
        let unit = parts.joined()
        let count = max(1, size / max(1, unit.utf8.count))
        var text = String(repeating: unit, count: count)
        if chance(2) { text += pick(pieces) }
        if chance(2) { text = pick(pieces) + text }
        return text
    }

    /// A text with a line or a word of it moved, doubled, left out or replaced: much of it stays right.
    private mutating func lines(_ seed: String, _ pieces: [String]) -> String {
        let separator: Character = seed.contains("\n") && !chance(3) ? "\n" : " "
        var parts = seed.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
        for _ in 0..<Int.random(in: 1...2, using: &self) {
            let index = Int.random(in: 0..<parts.count, using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0: parts.insert(parts[index], at: Int.random(in: 0...parts.count, using: &self))
            case 1: if parts.count > 1 { parts.remove(at: index) }
            case 2: parts[index] = pick(pieces)
            default: parts.swapAt(index, Int.random(in: 0..<parts.count, using: &self))
            }
        }
        return parts.joined(separator: String(separator))
    }

    private mutating func mutated(_ seed: String, _ seeds: [String], _ pieces: [String]) -> String {
        var bytes = Array(seed.utf8)
        for _ in 0..<(chance(2) ? 1 : Int.random(in: 1...4, using: &self)) {
            let position = Int.random(in: 0...bytes.count, using: &self)
            let end = min(bytes.count, position + Int.random(in: 0...40, using: &self))
            switch Int.random(in: 0..<8, using: &self) {
            case 0, 1: bytes.insert(contentsOf: pick(pieces).utf8, at: position)
            case 2: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &self) }
            case 3: bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
            case 4: bytes.removeSubrange(position..<end)
            case 5:
                // A part of it, over and over.
                let part = Array(bytes[position..<end])
                let times = part.isEmpty ? 0 : min(1 << Int.random(in: 0...10, using: &self), 20_000 / part.count)
                bytes.insert(contentsOf: (0..<times).flatMap { _ in part }, at: position)
            case 6:
                let other = Array(pick(seeds).utf8)
                bytes.replaceSubrange(position..<end, with: other)
            default: bytes.swapAt(min(position, max(0, bytes.count - 1)), Int.random(in: 0..<max(1, bytes.count), using: &self))
            }
            if bytes.isEmpty { bytes = [0x20] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: JSON

    /// A JSON text.
    mutating func json(depth: Int) -> String {
        if depth == 0, chance(50) {
            let levels = Int.random(in: 1...400, using: &self)
            return String(repeating: "[", count: levels) + "1" + String(repeating: "]", count: levels)
        }
        switch Int.random(in: 0..<(depth > 4 ? 7 : 10), using: &self) {
        case 0: return "null"
        case 1: return chance(2) ? "true" : "false"
        case 2: return String(Int.random(in: -3...12, using: &self))
        case 3: return pick(["0.5", "1.0", "1e300", "-0.0", "9007199254740993", "12345678901234567890", "1e-7", "0.30000000000000004"])
        case 4, 5, 6: return quoted(pick(Self.texts))
        case 7:
            let count = chance(20) ? 500 : Int.random(in: 0...4, using: &self)
            return "[" + (0..<count).map { _ in json(depth: depth + 2) }.joined(separator: ",") + "]"
        default:
            var names: [String] = []
            for name in Self.names where chance(3) { names.append(name) }
            return "{" + names.map { "\(quoted($0)):\(json(depth: depth + 1))" }.joined(separator: ",") + "}"
        }
    }

    private static let names = ["a", "b", "next", "kind", "é", "e\u{301}", "a/b", "~", ""]
    private static let texts = [
        "", "a", "x", "é", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "2026-02-30", "2026-03-01T08:30:00Z", "a@b.c", "::1",
        "1.2.3.4",
        "https://example.com/x?y#z", "/a/0/~1", "xn--nxasmq6b", "P1DT2H", "\u{1F408}", "^(a+)+$", "00000000-0000-0000-0000-000000000000",
    ]

    private func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// The text of a schema.
    mutating func schema(depth: Int) -> String {
        if depth > 5 || chance(12) { return chance(2) ? "true" : chance(2) ? "false" : "{}" }
        var keywords: [String] = []
        for _ in 0..<Int.random(in: 1...4, using: &self) { keywords.append(keyword(depth: depth)) }
        if depth == 0 {
            keywords.append(
                "\"$defs\":{\"a\":\(schema(depth: 2)),\"b\":\(schema(depth: 2)),\"c\":{\"$dynamicAnchor\":\"n\",\"items\":{\"$dynamicRef\":\"#n\"}}}"
            )
        }
        return "{" + keywords.joined(separator: ",") + "}"
    }

    private mutating func keyword(depth: Int) -> String {
        func several(_ generator: inout FuzzGenerator) -> String {
            (0..<Int.random(in: 1...3, using: &generator)).map { _ in generator.schema(depth: depth + 1) }.joined(separator: ",")
        }
        func named(_ generator: inout FuzzGenerator, _ names: [String]) -> String {
            (0..<Int.random(in: 1...3, using: &generator)).map { index in
                "\(generator.quoted(generator.pick(names) + (index == 0 ? "" : String(index)))):\(generator.schema(depth: depth + 1))"
            }.joined(separator: ",")
        }
        switch Int.random(in: 0..<20, using: &self) {
        case 0: return "\"type\":" + pick(["\"object\"", "\"array\"", "\"string\"", "\"integer\"", "\"number\"", "[\"null\",\"boolean\"]"])
        case 1, 2: return "\"properties\":{\(named(&self, Self.names))}"
        case 3: return "\"patternProperties\":{\(named(&self, ["^a", "b$", "^(a|b)+$", "."]))}"
        case 4: return "\"additionalProperties\":\(schema(depth: depth + 1))"
        case 5: return "\"items\":\(schema(depth: depth + 1))"
        case 6: return "\"prefixItems\":[\(several(&self))]"
        case 7: return "\"\(pick(["allOf", "anyOf", "oneOf"]))\":[\(several(&self))]"
        case 8: return "\"not\":\(schema(depth: depth + 1))"
        case 9: return "\"if\":\(schema(depth: depth + 1)),\"then\":\(schema(depth: depth + 1)),\"else\":\(schema(depth: depth + 1))"
        case 10: return "\"$ref\":\"\(pick(["#", "#/$defs/a", "#/$defs/b", "#/$defs/c", "#n", "#/properties/a", "#/nowhere"]))\""
        case 11: return "\"enum\":[\(json(depth: 3)),\(json(depth: 3))]"
        case 12: return "\"const\":\(json(depth: 3))"
        case 13: return "\"pattern\":\(quoted(pick(Self.texts)))"
        case 14:
            return
                "\"format\":\"\(pick(["date", "date-time", "email", "ipv6", "uri", "idn-hostname", "regex", "duration", "json-pointer"]))\""
        case 15: return "\"\(pick(["minimum", "maximum", "exclusiveMinimum", "multipleOf"]))\":\(pick(["0", "1", "0.1", "1e-9", "3"]))"
        case 16:
            return
                "\"\(pick(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxContains"]))\":\(pick(["0", "1", "2", "1e3"]))"
        case 17: return "\"uniqueItems\":true,\"contains\":\(schema(depth: depth + 1))"
        case 18: return "\"\(pick(["unevaluatedProperties", "unevaluatedItems", "propertyNames"]))\":\(schema(depth: depth + 1))"
        default: return "\"dependentSchemas\":{\(named(&self, Self.names))},\"required\":[\"a\"]"
        }
    }
}
