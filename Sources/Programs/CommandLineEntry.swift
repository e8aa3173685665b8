// How every program reads its command line: wrong use is answered with one line on standard error, and exit code 64.

package import ArgumentParser
import Foundation

/// The way into a program.
package enum CommandLineEntry {
    /// Parses the command line, runs what it asks for, and ends the process with the result.
    ///
    /// The argument parser would answer wrong use with several lines. Whoever reads them in a log or a script wants one, that says what is
    /// wrong and where to read on.
    package static func run(_ root: any ParsableCommand.Type) async -> Never {
        do {
            var command = try root.parseAsRoot()
            if var later = command as? any AsyncParsableCommand {
                try await later.run()
            } else {
                try command.run()
            }
        } catch {
            end(root, error)
        }
        exit(EXIT_SUCCESS)
    }

    private static func end(_ root: any ParsableCommand.Type, _ error: any Error) -> Never {
        guard let line = refusal(root, error, of: CommandLine.arguments.dropFirst()) else { root.exit(withError: error) }
        FileHandle.standardError.write(Data((line + "\n").utf8))
        exit(ExitCode.validationFailure.rawValue)
    }

    /// The line that answers wrong use; nil when the error is something else.
    package static func refusal(_ root: any ParsableCommand.Type, _ error: any Error, of arguments: some Sequence<String>) -> String? {
        guard root.exitCode(for: error) == .validationFailure, !(error is ExitCode) else { return nil }
        let name = name(of: root, for: arguments)
        let message = root.message(for: error)
        return "\(name): \(dashedValue(message, Array(arguments)) ?? reason(message)) (see \(name) --help)"
    }

    // A value that begins with a dash is taken for an option, and the one that it was meant for is said to have none.
    private static func dashedValue(_ message: String, _ arguments: [String]) -> String? {
        guard message.contains("Missing value for '") else { return nil }
        for (option, value) in zip(arguments, arguments.dropFirst())
        where value.hasPrefix("-") && value.count > 1 && message.contains("Missing value for '\(option) ") {
            let isNumber = value.dropFirst().first.map { $0 >= "0" && $0 <= "9" } ?? false
            return isNumber
                ? "\(option) takes no negative value, and \(value) is one" : "\(option) needs a value; one that begins with a dash is written \(option)=\(value)"
        }
        return nil
    }

    // One line, without a full stop.
    private static func reason(_ message: String) -> String {
        let words = message.split { $0.isWhitespace }.joined(separator: " ")
        return words.hasSuffix(".") ? String(words.dropLast()) : words
    }

    // The subcommand that was meant: `skein run start`.
    private static func name(of root: any ParsableCommand.Type, for arguments: some Sequence<String>) -> String {
        var command = root
        var words = [root._commandName]
        for argument in arguments {
            let next = command.configuration.subcommands.first { candidate in
                candidate._commandName == argument || candidate.configuration.aliases.contains(argument)
            }
            guard let next else { break }
            words.append(next._commandName)
            command = next
        }
        return words.joined(separator: " ")
    }
}
