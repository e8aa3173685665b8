// Workflow files that were changed at random: a short part of what `skein-bench fuzz` does at length.

import Definitions
import Foundation
import Testing

@Suite("Random workflow files")
struct DefinitionFuzzTests {
    private static let pieces = [
        "\n", "  ", "\t", "- ", ": ", "? ", "#", "&a ", "*a", "<<: *a", "!!binary ", "---\n", "|\n", ">-\n", "{", "}", "[", "]", ",", "'",
        "\"",
        "\\u0000", "\u{FEFF}", "\u{85}", "\r", "\u{0}", "${{", "}}", "yes", "1_000", "~", "1e999", "steps:\n", "states:\n", "  - id: x\n",
        "needs: [x]\n", "each: ${{ input.a }}", "- - - - ", "{a: ", "é", "🐱", "e\u{301}", "with: { a: \"${{ a.b( }}\" }\n",
    ]

    @Test("a good file with changes is decoded, or refused with findings at places that are in it")
    func mutations() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = (environment["SKEIN_FUZZ_SEED"] ?? environment["SKEIN_SEED"]).flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
        print("fuzz: SKEIN_FUZZ_SEED=\(seed)")
        var generator = Generator(seed: seed)
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/good")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
        let seeds = try files.map { Array(try Data(contentsOf: $0)) }
        #expect(!seeds.isEmpty)
        var valid = 0
        for _ in 0..<1500 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &generator)]
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let position = Int.random(in: 0...bytes.count, using: &generator)
                let end = min(bytes.count, position + Int.random(in: 0...30, using: &generator))
                switch Int.random(in: 0..<5, using: &generator) {
                case 0, 1:
                    bytes.insert(contentsOf: Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &generator)].utf8, at: position)
                case 2: bytes.removeSubrange(position..<end)
                case 3: bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
                default: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &generator) }
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let decoded = DefinitionDecoder.decode(text, fileName: "fuzz.yaml")
            if decoded.isValid { valid += 1 }
            #expect(decoded.isValid == decoded.errors.isEmpty, "SKEIN_FUZZ_SEED=\(seed): \(text.debugDescription)")
            for finding in decoded.diagnostics.prefix(3) { #expect(finding.rendered(file: "fuzz.yaml", source: text).contains("^")) }
        }
        print("fuzz: \(valid) of 1500 files were valid")
        #expect(valid > 0)
    }
}
