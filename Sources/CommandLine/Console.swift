// Standard output and standard error: data on the one, everything else on the other; colour only where somebody sees it.

import Foundation

/// A colour or weight.
package enum Style: String, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
}

/// Where a command writes.
package struct Console: Sendable {
    /// Whether standard output is a terminal.
    package let isTerminal: Bool
    /// Whether colour is wanted on standard output.
    package let outputHasColour: Bool
    /// Whether colour is wanted on standard error.
    package let errorHasColour: Bool
    /// Whether glyphs outside of ASCII may be shown.
    package let isPlainASCII: Bool

    /// The console of this process.
    package static let standard = Console(environment: ProcessInfo.processInfo.environment)

    private init(environment: [String: String]) {
        isTerminal = isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb"
        let mayColour = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        outputHasColour = mayColour && isatty(STDOUT_FILENO) == 1
        errorHasColour = mayColour && isatty(STDERR_FILENO) == 1
        isPlainASCII = ["C", "POSIX"].contains(environment["LC_ALL"] ?? "")
    }

    /// A console for tests.
    package init(isTerminal: Bool, hasColour: Bool = false, isPlainASCII: Bool = false) {
        self.isTerminal = isTerminal
        outputHasColour = hasColour
        errorHasColour = hasColour
        self.isPlainASCII = isPlainASCII
    }

    /// Data: one line on standard output.
    package func print(_ line: String) { Self.write(line + "\n", to: STDOUT_FILENO) }

    /// Anything that is not data: one line on standard error.
    package func note(_ line: String) { Self.write(line + "\n", to: STDERR_FILENO) }

    /// A failure, with its fix, on standard error. Wrong use is one line.
    package func report(_ failure: CommandFailure) {
        if failure.status == .usage {
            let parts = [failure.message] + failure.details + (failure.fix.map { [$0] } ?? [])
            return note("\(styled("error:", .red, .bold, isError: true)) \(Self.printable(parts.joined(separator: "; ")))")
        }
        note("\(styled("error:", .red, .bold, isError: true)) \(Self.printable(failure.message))")
        for line in failure.details { note("  \(line)") }
        if let fix = failure.fix { note("\(styled("  fix:", .bold, isError: true)) \(fix)") }
    }

    /// Text in a style, where that is shown.
    package func styled(_ text: String, _ styles: Style..., isError: Bool = false) -> String {
        guard isError ? errorHasColour : outputHasColour, !styles.isEmpty else { return text }
        return "\u{1B}[\(styles.map(\.rawValue).joined(separator: ";"))m\(text)\u{1B}[0m"
    }

    /// Somebody else's text on one line: nothing in it moves the cursor.
    package static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: " "
                    default: scalar
                    }
                }))
    }

    /// The width of the terminal; 0 where there is none.
    package var width: Int { Self.terminalSize().columns }
    /// The height of the terminal; 0 where there is none.
    package var height: Int { Self.terminalSize().rows }

    private static func terminalSize() -> (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return (0, 0) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes all of it. When the reader has gone (`skein run list | head`), the program has nothing left to do and ends.
    package static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                offset += written
            } else if errno == EPIPE {
                exit(128 + SIGPIPE)
            } else if errno == EAGAIN {
                usleep(1000)
            } else if errno != EINTR {
                return
            }
        }
    }
}
