// The JSON Schema of the format against the reader: what the reader takes the schema takes, and what is wrong with keys both refuse.

import Foundation
import Testing
import WorkflowModel

@testable import Definitions

@Suite("JSON Schema of the format")
struct DefinitionSchemaTests {
    private static let everything = Set(LanguagePart.allCases)
    /// The most variations that one run looks at; each is read once and checked once.
    private static let variationLimit = 600

    private func tree(_ file: FixtureFile) throws -> JSONValue {
        var bag = DiagnosticBag()
        let source = SourceText(try file.text)
        let limits = DefinitionLimits()
        let node =
            file.name.hasSuffix(".json")
            ? JSONDocument.read(source, limits: limits, into: &bag) : YAMLDocument.read(source, limits: limits, into: &bag)
        return try #require(node).json
    }

    @Test("the schema takes every good file and every example", arguments: Fixtures.good + Fixtures.examples)
    func takesGoodFiles(file: FixtureFile) throws {
        let checker = try DefinitionSchema.Checker(parts: Self.everything, allowNoop: true)
        #expect(checker.takes(try tree(file)))
    }

    @Test("the schema takes the normal form", arguments: Fixtures.good)
    func takesNormalForms(file: FixtureFile) throws {
        let decoded = DefinitionDecoder.decode(
            try file.text, fileName: file.name, options: DecodingOptions(allowNoop: true, parts: Self.everything))
        let checker = try DefinitionSchema.Checker(parts: Self.everything, allowNoop: true)
        #expect(checker.takes(DefinitionEncoder.json(try #require(decoded.definition))))
    }

    @Test("a part that is not released is not in the schema", arguments: LanguagePart.allCases.filter { $0 != .processSecrets })
    func knowsParts(part: LanguagePart) throws {
        let without = DefinitionSchema.json(parts: Self.everything.subtracting([part])).compactText
        let with = DefinitionSchema.json(parts: Self.everything).compactText
        #expect(without.utf8.count < with.utf8.count)
    }

    // What is wrong with the keys and kinds of values, and not with what they say.
    private static let structural: Set<DiagnosticCode> = [
        .unknownKey, .missingKey, .noVerb, .severalVerbs, .severalBodies, .unknownWord, .emptyBlock,
    ]

    @Test("broken keys are refused by both", arguments: Fixtures.broken)
    func refusesBrokenKeys(file: FixtureFile) throws {
        let found = DefinitionDecoder.decode(try file.text, fileName: file.name, options: file.options)
        let unreadable: Set<DiagnosticCode> = [
            .syntax, .emptyFile, .severalDocuments, .tooLarge, .alias, .mergeKey, .tag, .keyNotText, .duplicateKey, .unstorable,
        ]
        guard !found.diagnostics.contains(where: { unreadable.contains($0.code) }) else { return }
        let checker = try DefinitionSchema.Checker(parts: file.options.parts, allowNoop: false)
        let isTaken = checker.takes(try tree(file))
        if let structural = found.errors.first(where: { Self.structural.contains($0.code) }) {
            #expect(!isTaken, "\(structural.message)")
        }
        if found.isValid { #expect(isTaken) }
    }

    @Test(
        "variations of good files: the schema refuses nothing that the reader takes, and takes no broken keys", arguments: [UInt64(1), 2])
    func variations(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let checker = try DefinitionSchema.Checker(parts: Self.everything, allowNoop: true)
        let trees = try (Fixtures.good + Fixtures.examples).map(tree)
        for number in 0..<Self.variationLimit / 2 {
            let original = trees[number % trees.count]
            var places: [[String]] = []
            Self.collect(original, [], &places)
            let place = places[Int(generator.next() % UInt64(places.count))]
            let change = Variation.allCases[Int(generator.next() % UInt64(Variation.allCases.count))]
            let varied = change.applied(to: original, at: place[...])
            let text = varied.compactText
            let read = DefinitionDecoder.decode(
                text, fileName: "varied.json", options: DecodingOptions(allowNoop: true, parts: Self.everything))
            let isTaken = checker.takes(varied)
            let what = "seed \(seed), number \(number): \(change) at \(place.joined(separator: "/"))"
            if read.isValid { #expect(isTaken, "\(what)") }
            if let finding = read.errors.first(where: { Self.structural.contains($0.code) }) {
                #expect(!isTaken, "\(what): \(finding.message)")
            }
        }
    }

    // Every place of a tree but the insides of JSON Schemas, which are no part of the format.
    private static func collect(_ value: JSONValue, _ path: [String], _ places: inout [[String]]) {
        if !path.isEmpty { places.append(path) }
        switch value {
        case .object(let object):
            for (key, member) in object.members where !["input", "result", "schema", "form"].contains(key) {
                collect(member, path + [key], &places)
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() { collect(element, path + [String(index)], &places) }
        case .null, .bool, .int, .double, .string: break
        }
    }

    /// A small change of a document.
    private enum Variation: CaseIterable {
        case removed, renamed, number, text, flag, emptyList, emptyMapping

        func applied(to value: JSONValue, at path: ArraySlice<String>) -> JSONValue {
            guard let key = path.first else { return value }
            switch value {
            case .object(let object):
                var changed = JSONObject()
                for (name, member) in object.members {
                    if name != key {
                        changed[name] = member
                    } else if path.count > 1 {
                        changed[name] = applied(to: member, at: path.dropFirst())
                    } else if self == .renamed {
                        changed["xyzzy"] = member
                    } else if let replacement {
                        changed[name] = replacement
                    }
                }
                return .object(changed)
            case .array(let elements):
                return .array(
                    elements.enumerated().compactMap { index, element in
                        if String(index) != key { return element }
                        if path.count > 1 { return applied(to: element, at: path.dropFirst()) }
                        return self == .renamed ? element : replacement
                    })
            case .null, .bool, .int, .double, .string: return value
            }
        }

        private var replacement: JSONValue? {
            switch self {
            case .removed, .renamed: nil
            case .number: 7
            case .text: "word"
            case .flag: true
            case .emptyList: []
            case .emptyMapping: [:]
            }
        }
    }
}
