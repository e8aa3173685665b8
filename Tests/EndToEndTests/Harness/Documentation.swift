// What the documentation shows: fenced blocks, the commands in them, and what those print.

import EmbeddedPostgres
import Foundation

/// A fenced block of a Markdown file.
struct DocumentedBlock: Sendable {
    let language: String
    let lines: [String]
    /// Where it begins, for messages.
    let place: String

    var text: String { lines.joined(separator: "\n") + "\n" }

    /// The blocks of a file, in order.
    static func all(of file: URL) throws -> [DocumentedBlock] {
        var blocks: [DocumentedBlock] = []
        var open: (language: String, lines: [String], line: Int)?
        for (index, line) in try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.hasPrefix("```") {
                if let block = open {
                    blocks.append(
                        DocumentedBlock(language: block.language, lines: block.lines, place: "\(file.lastPathComponent):\(block.line)"))
                    open = nil
                } else {
                    open = (String(line.dropFirst(3)), [], index + 1)
                }
            } else {
                open?.lines.append(String(line))
            }
        }
        return blocks
    }

    /// The commands of a block in which they begin with a dollar sign, each with what is shown below it.
    var commands: [(command: String, shown: [String])] {
        var commands: [(command: String, shown: [String])] = []
        for line in lines {
            if line.hasPrefix("$ ") {
                commands.append((String(line.dropFirst(2)), []))
            } else if !commands.isEmpty {
                commands[commands.count - 1].shown.append(line)
            }
        }
        return commands
    }

    /// The articles of the catalogues beside the sources.
    static func articles(below sources: URL) throws -> [URL] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: sources.path(percentEncoded: false))
        return paths.filter { $0.contains(".docc/") && $0.hasSuffix(".md") }.sorted().map { sources.appending(path: $0) }
    }
}

/// Compares what is shown with what is printed. Numbers, times, ids and the width of columns differ from run to run; a line of `…` stands
/// for any lines.
struct ShownOutput {
    /// What is called differently where the documentation was written: text here, text there.
    let names: [(here: String, shown: String)]

    /// The first shown line that is not printed where it should be; nil when all are.
    func firstDifference(shown: [String], printed: String) -> String? {
        let printed = printed.split(separator: "\n").map { normal(String($0)) }.filter { !$0.isEmpty }
        var rest = printed[...]
        var mayskip = false
        for line in shown {
            let wanted = normal(line)
            if wanted.isEmpty { continue }
            if wanted == "…" {
                mayskip = true
                continue
            }
            guard let found = mayskip ? rest.firstIndex(of: wanted) : rest.first == wanted ? rest.startIndex : nil else { return line }
            rest = rest[(found + 1)...]
            mayskip = false
        }
        return rest.isEmpty || mayskip ? nil : "(the end, and not: \(rest.first ?? ""))"
    }

    private func normal(_ line: String) -> String {
        var text = line
        for (here, shown) in names { text = text.replacing(here, with: shown) }
        text = text.replacing(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/, with: "ID")
        text = text.replacing(/…[0-9a-f]{8}\b/, with: "ID")
        text = text.replacing(/\d{4}-\d\d-\d\dT[\d:.]+Z/, with: "TIME")
        text = text.replacing(/\b\d+(\.\d+)?(ms|s|m)\b/, with: "DURATION")
        text = text.replacing(/\d+(\.\d+)*/, with: "N")
        text = text.replacing(/-{2,}/, with: "-").replacing(/\s+/, with: " ")
        return text.trimmingCharacters(in: .whitespaces)
    }
}

/// A program that goes on while others run.
final class BackgroundProgram: Sendable {
    private let process: Process
    private let file: URL

    /// Starts a shell command.
    init(_ command: String, environment: [String: String], in directory: URL) throws {
        file = directory.appending(path: "output-\(UUID().uuidString)")
        try Data().write(to: file)
        let output = try FileHandle(forWritingTo: file)
        process = Process()
        (process.executableURL, process.arguments) = SpawningThread.command(
            URL(fileURLWithPath: "/bin/sh"), ["-c", "exec \(command)"], signalOnParentDeath: "KILL")
        process.environment = environment
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try SpawningThread.start(process)
    }

    var isRunning: Bool { process.isRunning }
    var processID: Int32 { process.processIdentifier }
    /// What it has printed so far.
    var printed: String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }
    /// How it ended, once it has.
    var code: Int32 { process.terminationStatus }

    func send(_ signal: Int32) {
        if process.isRunning { kill(process.processIdentifier, signal) }
    }
}
