// What an agent sent back, as a value that can be stored; or why not.
import WorkflowModel

/// Turns bytes into answers.
enum Answer {
    /// One JSON document, without the space around it. Nothing at all is `null`.
    static func json(_ bytes: [UInt8], limit: Int) throws(CallFailure) -> JSONText {
        var document = bytes[...]
        if document.starts(with: [0xEF, 0xBB, 0xBF]) { document = document.dropFirst(3) }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
        document = document.drop(while: isSpace)
        while let last = document.last, isSpace(last) { document.removeLast() }
        guard !document.isEmpty else { return .null }
        do {
            return try JSONText(checking: document, limits: JSONLimits(bytes: limit, depth: JSONLimits.standard.depth))
        } catch {
            throw failure(of: error)
        }
    }

    /// Text as a JSON string.
    static func text(_ bytes: [UInt8], limit: Int) throws(CallFailure) -> JSONText {
        try checked(.string(try string(bytes)), limit: limit)
    }

    /// The lines of a text, without their line breaks (LF or CR LF). A line break at the end begins no further line.
    static func lines(_ bytes: [UInt8], limit: Int) throws(CallFailure) -> JSONText {
        let text = try string(bytes)
        var lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        let values = lines.map { line in
            JSONValue.string(String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self))
        }
        return try checked(.array(values), limit: limit)
    }

    /// Bytes without the line break at their end.
    static func withoutLastBreak(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.last == 0x0A else { return bytes }
        let shorter = bytes.dropLast()
        return Array(shorter.last == 0x0D ? shorter.dropLast() : shorter)
    }

    /// The beginning of a text for a message: printable, in one line, at most `length` characters.
    static func excerpt(_ bytes: some Collection<UInt8>, length: Int = 500) -> String {
        let text = String(decoding: bytes.prefix(length * 4 + 4), as: UTF8.self)
        var out = ""
        var count = 0
        var spaceBefore = true
        for scalar in text.unicodeScalars {
            guard count < length else { return out + "…" }
            let isSpace = scalar.value <= 0x20 || (0x7F...0xA0).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
            if isSpace && spaceBefore { continue }
            out.unicodeScalars.append(isSpace ? " " : scalar)
            spaceBefore = isSpace
            count += 1
        }
        while out.hasSuffix(" ") { out.removeLast() }
        return out
    }

    private static func string(_ bytes: [UInt8]) throws(CallFailure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CallFailure(.protocolError, .resultNotText, "The agent's answer is not text in UTF-8.")
        }
        return text
    }

    private static func checked(_ value: JSONValue, limit: Int) throws(CallFailure) -> JSONText {
        do {
            return try JSONText(checking: value.compactText, limits: JSONLimits(bytes: limit, depth: JSONLimits.standard.depth))
        } catch {
            throw failure(of: error)
        }
    }

    private static func failure(of error: JSONError) -> CallFailure {
        switch error.problem {
        case .syntax, .notUTF8:
            CallFailure(.protocolError, .resultNotJSON, "The agent's answer is not JSON: \(error).")
        case .duplicateKey, .nulCharacter, .loneSurrogate, .numberOutOfRange, .tooDeep:
            CallFailure(.unstorable, .resultUnstorable, "The agent's answer cannot be stored: \(error).")
        case .tooLarge(let limit):
            tooLarge(limit)
        }
    }

    static func tooLarge(_ limit: Int) -> CallFailure {
        CallFailure(.tooLarge, .resultTooLarge, "The agent's answer is larger than the \(limit >> 20 > 0 && limit % (1 << 20) == 0 ? "\(limit >> 20) MiB" : "\(limit) bytes") that an answer may have; let it store what is large elsewhere and answer with the address.")
    }
}
