// The workflow files beside these tests.

import Definitions
import Foundation
import Testing

/// A file of a fixture directory.
struct FixtureFile: Sendable, CustomTestStringConvertible {
    let url: URL

    var name: String { url.lastPathComponent }
    var testDescription: String { name }
    var text: String { get throws { try String(contentsOf: url, encoding: .utf8) } }
    /// Files whose names begin with `not-yet` are read as a release does that runs no part of the language; all others as one that runs all.
    var options: DecodingOptions { DecodingOptions(parts: name.hasPrefix("not-yet") ? [] : Set(LanguagePart.allCases)) }
    /// The findings that are expected, in the file beside it.
    var golden: URL { url.appendingPathExtension("expected") }
}

enum Fixtures {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    private static let examplesRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appending(path: "deploy/examples")

    static let good = files(in: root.appending(path: "good"))
    static let broken = files(in: root.appending(path: "broken"))
    static let examples = files(in: examplesRoot) + files(in: examplesRoot.appending(path: "patterns"))

    private static func files(in directory: URL) -> [FixtureFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        // What an example's execution is compared with stands beside it.
        let workflows = names.sorted().filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".json")) && !$0.hasSuffix(".expected.json") }
        return workflows.map {
            FixtureFile(url: directory.appending(path: $0))
        }
    }
}
