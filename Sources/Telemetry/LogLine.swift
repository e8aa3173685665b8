// How one log event becomes one line, for people or for machines.
import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How log lines look.
public enum LogFormat: String, Sendable, Hashable, CaseIterable {
    /// Text where standard error is a terminal, JSON everywhere else.
    case auto
    /// `2026-11-23T03:18:52.123456Z notice    Result dropped fence=12 run_id=…`
    case text
    /// `{"ts":"2026-11-23T03:18:52.123456Z","level":"notice","logger":"skein.worker","msg":"Result dropped","fence":"12"}`
    case json
}

/// Writes log events as lines. A line never contains a line break or another control character, whatever the event holds.
enum LogLine {
    /// The most characters of one metadata value that are kept; what is cut off is marked.
    static let longestValue = 8192
    /// The keys that the JSON form uses itself. Metadata of that name is written with an underscore before it.
    private static let ownKeys: Set<String> = ["ts", "level", "logger", "msg"]

    /// One line with its line break.
    static func bytes(
        format: LogFormat, time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        let keys = metadata.keys.sorted()
        switch format {
        case .json:
            out.append(contentsOf: "{\"ts\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":".utf8)
            appendQuoted(label, to: &out)
            out.append(contentsOf: ",\"msg\":".utf8)
            appendQuoted(message, to: &out)
            for key in keys {
                guard let value = metadata[key] else { continue }
                out.append(0x2C)
                appendQuoted(ownKeys.contains(key) ? "_" + key : key, to: &out)
                out.append(0x3A)
                appendJSON(value, to: &out)
            }
            out.append(0x7D)
        case .text, .auto:
            let padding = String(repeating: " ", count: max(0, 9 - level.rawValue.utf8.count))
            out.append(contentsOf: "\(time) \(level.rawValue)\(padding)".utf8)
            appendEscaped(message, to: &out)
            for key in keys {
                guard let value = metadata[key] else { continue }
                out.append(0x20)
                appendEscaped(key, to: &out)
                out.append(0x3D)
                let text = plain(value)
                if text.isEmpty || text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x22 }) {
                    appendQuoted(text, to: &out)
                } else {
                    appendEscaped(text, to: &out)
                }
            }
        }
        out.append(0x0A)
        return out
    }

    /// The system's clock in RFC 3339, UTC, to the microsecond.
    static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        var seconds = time.tv_sec
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let date = "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock).\(padded(Int(time.tv_nsec) / 1000, 6))Z"
    }

    private static func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .dictionary(let values):
            "{" + values.keys.sorted().map { key in "\(key)=\(values[key].map(plain) ?? "")" }.joined(separator: ",") + "}"
        case .array(let values): "[" + values.map(plain).joined(separator: ",") + "]"
        }
    }

    private static func appendJSON(_ value: Logger.MetadataValue, to out: inout [UInt8]) {
        switch value {
        case .string(let text): appendQuoted(text, to: &out)
        case .stringConvertible(let value):
            switch value {
            case let number as any BinaryInteger: out.append(contentsOf: String(number).utf8)
            case let number as Double where number.isFinite: out.append(contentsOf: number.description.utf8)
            case let flag as Bool: out.append(contentsOf: flag.description.utf8)
            default: appendQuoted(value.description, to: &out)
            }
        case .dictionary(let values):
            out.append(0x7B)
            for (index, key) in values.keys.sorted().enumerated() {
                if index > 0 { out.append(0x2C) }
                appendQuoted(key, to: &out)
                out.append(0x3A)
                if let member = values[key] { appendJSON(member, to: &out) }
            }
            out.append(0x7D)
        case .array(let values):
            out.append(0x5B)
            for (index, element) in values.enumerated() {
                if index > 0 { out.append(0x2C) }
                appendJSON(element, to: &out)
            }
            out.append(0x5D)
        }
    }

    private static func appendQuoted(_ text: String, to out: inout [UInt8]) {
        out.append(0x22)
        appendEscaped(text, to: &out, quoted: true)
        out.append(0x22)
    }

    // Control characters (C0, DEL, C1) and the line separators U+2028 and U+2029 are always written as escapes.
    private static func appendEscaped(_ text: String, to out: inout [UInt8], quoted: Bool = false) {
        var written = 0
        for scalar in text.unicodeScalars {
            guard written < longestValue else {
                out.append(contentsOf: "…".utf8)
                return
            }
            written += 1
            switch scalar.value {
            case 0x22 where quoted, 0x5C where quoted:
                out.append(0x5C)
                out.append(UInt8(truncatingIfNeeded: scalar.value))
            case 0x0A: out.append(contentsOf: "\\n".utf8)
            case 0x0D: out.append(contentsOf: "\\r".utf8)
            case 0x09: out.append(contentsOf: "\\t".utf8)
            case 0x00..<0x20, 0x7F..<0xA0, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                out.append(contentsOf: "\\u".utf8)
                out.append(contentsOf: String(repeating: "0", count: 4 - digits.utf8.count).utf8)
                out.append(contentsOf: digits.utf8)
            default: out.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
            }
        }
    }
}
