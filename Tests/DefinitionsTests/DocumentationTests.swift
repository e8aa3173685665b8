// The documentation's examples are read by the decoder, and what it says about codes and parts is compared with the code.

import Definitions
import Foundation
import Testing

@Suite("Documentation")
struct DocumentationTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Definitions/Definitions.docc")

    private static var articles: [(name: String, text: String)] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().filter { $0.hasSuffix(".md") }.map {
                ($0, try String(contentsOf: directory.appending(path: $0), encoding: .utf8))
            }
        }
    }

    // The fenced blocks of a language.
    private static func blocks(_ text: String, _ language: String) -> [String] {
        var blocks: [String] = []
        var current: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let lines = current {
                if line.hasPrefix("```") {
                    blocks.append(lines.joined(separator: "\n") + "\n")
                    current = nil
                } else {
                    current = lines + [line]
                }
            } else if line == "```\(language)" {
                current = []
            }
        }
        return blocks
    }

    @Test("every example of the documentation is a valid workflow")
    func examples() throws {
        var count = 0
        for article in try Self.articles {
            for block in Self.blocks(article.text, "yaml") {
                let decoded = DefinitionDecoder.decode(
                    block, fileName: article.name, options: DecodingOptions(parts: Set(LanguagePart.allCases)))
                let findings = decoded.diagnostics.map { $0.rendered(file: article.name, source: block) }
                #expect(findings == [], "\(article.name): \(block.prefix(40))")
                count += 1
            }
        }
        #expect(count >= 18)
    }

    @Test("every verb, loop and modifier occurs in an example")
    func coverage() throws {
        let examples = try Self.articles.flatMap { Self.blocks($0.text, "yaml") }.joined()
        let words = [
            "agent", "workflow", "do", "parallel", "switch", "await", "approve", "sleep", "emit", "set", "validate", "fail", "succeed",
            "each",
            "while", "until", "states", "graph", "as", "batch", "maxParallel", "join", "collect", "maxIterations", "breakIf", "initial",
            "every",
            "if", "needs", "when", "with", "result", "output", "timeout", "totalTimeout", "retry", "onError", "onTimeout", "wait",
            "onSuccess",
            "onFailure", "onCancel", "on", "after", "next", "final", "match", "any", "key", "lookback",
        ]
        #expect(words.filter { !examples.contains("\($0):") } == [])
    }

    @Test("every link leads to an article")
    func links() throws {
        let articles = try Self.articles
        let names = Set(articles.map { String($0.name.dropLast(3)) })
        for article in articles {
            for part in article.text.components(separatedBy: "<doc:").dropFirst() {
                let name = String(part.prefix { $0 != ">" })
                #expect(names.contains(name), "\(article.name)")
            }
        }
    }
}
