// Command lines and settings that cannot work, in this process: the same parser, the same commands.

import ArgumentParser
import BadInput
import CommandLine
import Foundation
import Programs
import ServerSettings
import Testing

@testable import skein

@Suite("Wrong command lines and settings", .serialized)
struct BadArgumentTests {
    @Test("a command line that cannot work is answered with its exit code and what stands on standard error")
    func commandLines() async throws {
        try await CaseFile("arguments").check { item in
            let words = Self.words(item.input)
            do {
                var command = try SkeinCommand.parseAsRoot(words)
                if let command = command as? any Executable {
                    let status = try await command.execute(Console(isTerminal: false))
                    return "\(status.rawValue)"
                }
                try command.run()
                return "0"
            } catch let failure as CommandFailure {
                let parts = failure.status == .usage ? [([failure.message] + failure.details + [failure.fix].compactMap { $0 }).joined(separator: "; ")]
                    : [failure.message] + failure.details.map { "  \($0)" } + (failure.fix.map { ["  fix: \($0)"] } ?? [])
                return "\(failure.status.rawValue)\nerror: \(parts.joined(separator: "\n"))"
            } catch {
                guard let line = CommandLineEntry.refusal(SkeinCommand.self, error, of: words) else {
                    return "\(SkeinCommand.exitCode(for: error).rawValue)\n\(SkeinCommand.fullMessage(for: error).prefix(60))…"
                }
                return "64\n\(line)"
            }
        }
    }

    @Test("a setting that cannot be used stops the start with its key, what it may be, and where the value came from")
    func settings() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "skein-settings-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "skein.json")
        try await CaseFile("configuration").check { item in
            func line(_ name: String) -> String? {
                item.body.split(separator: "\n", omittingEmptySubsequences: false).first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
            }
            let all = line("program") == "worker" ? Setting.ofWorker : Setting.ofCoordinator
            var options: [(Setting, String?)] = []
            if let option = line("option")?.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false),
                let setting = Setting.all.first(where: { $0.key == option[0] })
            {
                options.append((setting, String(option[1])))
            }
            if let text = line("file") {
                try text.write(to: file, atomically: true, encoding: .utf8)
                options.append((.config, file.path(percentEncoded: false)))
            }
            do {
                let settings = try await Settings(of: all, options: options)
                return "no error\n" + settings.shown().split(separator: "\n").filter { !$0.hasSuffix("default") }.joined(separator: "\n")
            } catch let error as SettingsError {
                return "\(error.exitCode.rawValue)\n\(error.description.replacing(file.path(percentEncoded: false), with: "FILE"))"
            }
        }
    }

    // As a shell would take it apart: blanks, and quotes around what has some.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in line {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }
}
