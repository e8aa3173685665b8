// Tables of wrong inputs and the exact answers to them, one file for each category.

package import Foundation
import Testing

/// One wrong input.
package struct BadCase: Sendable {
    /// The line that names it; it is the input itself where that is one line.
    package let title: String
    /// The lines between the title and the answer.
    package let body: String
    /// The answer that was agreed on.
    package let expected: String

    /// What is given: the body, or the title where there is none.
    package var input: String { body.isEmpty ? title : body }
}

/// A file of `Tests/BadInput/Cases`.
///
/// A case begins with `=== ` and its title; then comes the input, a line `---`, and the answer. Everything before the first case is for
/// people. With `SKEIN_UPDATE_FIXTURES` the answers are written anew: read the difference before keeping it.
package struct CaseFile: Sendable {
    package let name: String
    package let cases: [BadCase]
    private let head: String
    private let url: URL

    private static let updates = ProcessInfo.processInfo.environment["SKEIN_UPDATE_FIXTURES"] != nil

    /// The folder of all files.
    package static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "Cases")

    /// The names of all files.
    package static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false)).filter { $0.hasSuffix(".txt") }
            .map { String($0.dropLast(4)) }.sorted()
    }

    /// Reads a file.
    package init(_ name: String) throws {
        self.name = name
        url = Self.folder.appending(path: "\(name).txt")
        let text = try String(contentsOf: url, encoding: .utf8)
        var parts = ("\n" + text).components(separatedBy: "\n=== ")
        head = String(parts.removeFirst().dropFirst())
        cases = parts.map { part in
            let lines = part.components(separatedBy: "\n")
            let end = lines.firstIndex(of: "---") ?? lines.endIndex
            return BadCase(
                title: lines[0], body: lines[1..<end].joined(separator: "\n"),
                expected: lines[min(end + 1, lines.endIndex)...].joined(separator: "\n").trimmingCharacters(in: .newlines))
        }
    }

    /// Compares every answer with the one that was agreed on.
    package func check(_ answer: (BadCase) async throws -> String) async throws {
        var updated = head
        var wrong: [String] = []
        for item in cases {
            let given = try await answer(item).trimmingCharacters(in: .newlines)
            if Self.updates {
                updated += "\n=== \(item.title)\n" + (item.body.isEmpty ? "" : item.body + "\n") + "---\n" + given + "\n"
            } else if given != item.expected {
                wrong.append("\(item.title)\n\(item.body)\nwas answered with\n\(given)\nand not with\n\(item.expected)")
            }
        }
        if !wrong.isEmpty {
            Issue.record("\(name): \(wrong.count) of \(cases.count) answers differ; the first ones:\n\(wrong.prefix(5).joined(separator: "\n\n"))")
        }
        if Self.updates { try updated.write(to: url, atomically: true, encoding: .utf8) }
    }
}
