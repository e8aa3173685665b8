// Statuses and times as people read them: a glyph and the word, and durations that fit a column.

package import Foundation
import WorkflowModel

extension Console {
    /// A status with its glyph, in its colour. Words that are not known are shown as they are.
    package func status(_ word: String) -> String {
        let (glyph, ascii, style) = Self.dress(word)
        return styled("\(isPlainASCII ? ascii : glyph) \(Self.printable(word))", style)
    }

    /// A status's glyph, in its colour.
    package func glyph(_ word: String) -> String {
        let (glyph, ascii, style) = Self.dress(word)
        return styled(isPlainASCII ? ascii : glyph, style)
    }

    private static func dress(_ word: String) -> (glyph: String, ascii: String, style: Style) {
        switch word {
        case "succeeded", "alive", "good": ("✓", "+", .green)
        case "failed", "lost", "expired", "bad": ("✗", "x", .red)
        case "timed_out": ("⏱", "x", .red)
        case "cancelled", "skipped", "dead", "released": ("⊘", "-", .dim)
        case "running": ("◐", ">", .blue)
        case "waiting", "draining": ("◷", "~", .yellow)
        case "paused": ("‖", "=", .yellow)
        case "warning": ("!", "!", .yellow)
        default: ("·", ".", .dim)
        }
    }
}

/// Times and durations for tables.
package enum HumanTime {
    /// `0.4s`, `12.4s`, `2m10s`, `1h05m`, `3d4h`.
    package static func duration(_ seconds: Double) -> String {
        let seconds = max(0, seconds)
        if seconds < 59.95 { return seconds < 0.0005 ? "0s" : tenths(seconds) + "s" }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60)m\(padded(whole % 60))s" }
        if whole < 86400 { return "\(whole / 3600)h\(padded(whole % 3600 / 60))m" }
        return "\(whole / 86400)d\(whole % 86400 / 3600)h"
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    // Below a tenth of a second milliseconds matter, above a second tenths are enough.
    private static func tenths(_ seconds: Double) -> String {
        let digits = seconds < 0.1 ? 3 : seconds < 1 ? 2 : 1
        let scale: Double = digits == 3 ? 1000 : digits == 2 ? 100 : 10
        let scaled = Int((seconds * scale).rounded())
        let fraction = String(scaled % Int(scale))
        return "\(scaled / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    /// How long ago a moment was, from its RFC 3339 text.
    package static func age(of moment: String?, now: Date = Date()) -> String {
        guard let moment, let timestamp = Timestamp(moment) else { return "" }
        return duration(now.timeIntervalSince1970 - Double(timestamp.microseconds) / 1_000_000)
    }
}
