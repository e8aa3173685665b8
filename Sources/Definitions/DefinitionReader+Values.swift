// Single values: text, numbers, durations, sizes, words, names.

import WorkflowModel

extension DefinitionReader {
    mutating func text(_ field: Field) -> String? {
        if let text = field.string { return text }
        var fix: String?
        if case .scalar(let value) = field.node.content, value != .null { fix = "put it in quotes: \"\(field.node.text)\"" }
        wrongType(field, expected: "text", fix: fix)
        return nil
    }

    mutating func boolean(_ field: Field) -> Bool? {
        if case .scalar(.bool(let value)) = field.node.content { return value }
        let words = ["yes": "true", "on": "true", "no": "false", "off": "false"]
        wrongType(field, expected: "true or false", fix: words[field.string?.lowercased() ?? ""].map { "write \($0)" })
        return nil
    }

    mutating func integer(_ field: Field, in range: ClosedRange<Int>) -> Int? {
        guard case .scalar(.int(let value)) = field.node.content else {
            wrongType(field, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard let number = Int(exactly: value), range.contains(number) else {
            report(
                .outOfRange, "\(Self.subject(field)) goes from \(range.lowerBound) to \(range.upperBound); \(value) is outside", at: field)
            return nil
        }
        return number
    }

    mutating func number(_ field: Field, in range: ClosedRange<Double>) -> Double? {
        guard case .scalar(let scalar) = field.node.content, let value = scalar.doubleValue else {
            wrongType(field, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard range.contains(value) else {
            report(
                .outOfRange, "\(Self.subject(field)) goes from \(range.lowerBound) to \(range.upperBound); \(value) is outside", at: field)
            return nil
        }
        return value
    }

    /// A duration in whole milliseconds.
    mutating func duration(_ field: Field, allowZero: Bool = false) -> Duration? {
        let expected = "a duration such as 250ms, 5s, 2m, 48h or 7d"
        guard let text = field.string else {
            var fix: String?
            if case .scalar(.int(let value)) = field.node.content, value >= 0 { fix = "name the unit: \(value)s" }
            wrongType(field, expected: expected, fix: fix)
            return nil
        }
        if text.contains("${{") {
            report(.misplacedExpression, "\(Self.subject(field)) is not evaluated", at: field, fix: "write \(expected)")
            return nil
        }
        guard let duration = DurationText.parse(text) else {
            report(
                .invalidDuration, "\(Wording.quoted(text)) is no duration", at: field,
                fix:
                    "write \(expected), a sum such as 1h30m, or ISO 8601 such as PT5M; at most \(DurationText.format(DurationText.longest))"
            )
            return nil
        }
        if duration == .zero, !allowZero {
            report(
                .outOfRange, "\(Self.subject(field)) must be longer than zero", at: field, fix: "leave it out if there is to be no limit")
            return nil
        }
        guard duration.wholeMicroseconds % 1000 == 0 else {
            report(
                .invalidDuration, "\(Wording.quoted(text)) is finer than a millisecond", at: field, fix: "round it to whole milliseconds")
            return nil
        }
        return duration
    }

    /// A number of bytes: a whole number, or text with a unit.
    mutating func size(_ field: Field) -> Int? {
        let largest = 1 << 30
        var value: Int?
        switch field.node.content {
        case .scalar(.int(let number)): value = Int(exactly: number)
        case .scalar(.string(let text)):
            guard let size = SizeText.parse(text) else {
                report(
                    .invalidSize, "\(Wording.quoted(text)) is no size", at: field,
                    fix: SizeText.decimalUnit(text) ? "units are powers of 1024: KiB, MiB, GiB" : "write a size such as 512B, 64KiB or 1MiB"
                )
                return nil
            }
            value = size
        case .scalar, .sequence, .mapping:
            wrongType(field, expected: "a size such as 64KiB")
            return nil
        }
        guard let value, (1...largest).contains(value) else {
            report(.outOfRange, "\(Self.subject(field)) goes from 1B to 1GiB", at: field)
            return nil
        }
        return value
    }

    /// One of a closed list of words.
    mutating func word<Word: RawRepresentable & CaseIterable>(_ field: Field, _ type: Word.Type) -> Word? where Word.RawValue == String {
        let words = Word.allCases.map(\.rawValue)
        guard let text = field.string else {
            wrongType(field, expected: Wording.either(words))
            return nil
        }
        if let word = Word(rawValue: text) { return word }
        unknownWord(text, of: words, at: field)
        return nil
    }

    mutating func unknownWord(_ text: String, of words: [String], at field: Field) {
        report(
            .unknownWord, "\(Self.subject(field)) is \(Wording.either(words)), not \(Wording.quoted(text))", at: field,
            fix: closest(to: text, among: words).map { "did you mean \"\($0)\"?" })
    }

    /// Text that is formed as a name.
    mutating func name(_ field: Field, _ pattern: NamePattern) -> String? {
        guard let text = field.string else {
            wrongType(field, expected: "\(pattern.what): \(pattern.rule)")
            return nil
        }
        guard pattern.matches(text) else {
            let made = pattern.made(from: text)
            report(
                .invalidName, "\(Wording.quoted(text)) cannot be \(pattern.what): it takes \(pattern.rule)", at: field,
                fix: made.map { "for example \($0)" })
            return nil
        }
        return text
    }
}

/// Sizes as the workflow file writes them: `512B`, `64KiB`, `1MiB`, `2GiB`.
enum SizeText {
    private static let units: [(String, Int)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)]

    /// The number of bytes. Nil for anything else.
    static func parse(_ text: String) -> Int? {
        for (unit, size) in units where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count)
            guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let count = Int(digits) else { return nil }
            let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
            return overflow ? nil : bytes
        }
        return nil
    }

    /// Whether the text ends in a unit that others use for powers of 1000 or 1024.
    static func decimalUnit(_ text: String) -> Bool {
        ["kb", "mb", "gb", "k", "m", "g"].contains { text.lowercased().hasSuffix($0) }
    }
}

/// How names are formed.
enum NamePattern {
    case workflow, step, agent, queue, label, branch, state, variable, event

    /// What the name is for.
    var what: String {
        switch self {
        case .workflow: "the name of a workflow"
        case .step: "the id of a step"
        case .agent: "the name of an agent"
        case .queue: "the name of a queue"
        case .label: "a label"
        case .branch: "the name of a branch"
        case .state: "the name of a state"
        case .variable: "the name of a variable"
        case .event: "the name of an event"
        }
    }

    /// The rule in words.
    var rule: String {
        switch self {
        case .workflow: "a-z first, then a-z, 0-9 and -, up to 64 characters"
        case .step, .branch, .state, .variable: "a-z first, then a-z, 0-9 and _, up to 64 characters"
        case .event: "letters, digits, ., -, _, : and /, up to 128 characters"
        case .agent: "a-z first, then a-z, 0-9, - and _, up to 64 characters"
        case .queue: "a-z first, then a-z, 0-9, -, _ and ., up to 64 characters"
        case .label: "letters, digits, -, _, . and /, up to 64 characters"
        }
    }

    /// The most characters.
    var limit: Int { self == .event ? 128 : 64 }

    /// The names as a regular expression.
    var pattern: String {
        switch self {
        case .workflow: "^[a-z][a-z0-9-]{0,63}$"
        case .step, .branch, .state, .variable: "^[a-z][a-z0-9_]{0,63}$"
        case .agent: "^[a-z][a-z0-9_-]{0,63}$"
        case .queue: "^[a-z][a-z0-9._-]{0,63}$"
        case .label: "^[A-Za-z0-9._/-]{1,64}$"
        case .event: "^[A-Za-z0-9._:/-]{1,128}$"
        }
    }

    private func allows(_ byte: UInt8) -> Bool {
        switch self {
        case .workflow: Self.isLower(byte) || byte == 0x2D
        case .step, .branch, .state, .variable: Self.isLower(byte) || byte == 0x5F
        case .agent: Self.isLower(byte) || byte == 0x2D || byte == 0x5F
        case .queue: Self.isLower(byte) || byte == 0x2D || byte == 0x5F || byte == 0x2E
        case .label: Self.isLower(byte) || Self.isUpper(byte) || byte == 0x5F || (0x2D...0x2F).contains(byte)
        case .event: Self.isLower(byte) || Self.isUpper(byte) || byte == 0x5F || (0x2D...0x2F).contains(byte) || byte == 0x3A
        }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }

    func matches(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= limit else { return false }
        return (self == .label || self == .event || (first >= 0x61 && first <= 0x7A)) && text.utf8.allSatisfy(allows)
    }

    /// A name near to the text.
    func made(from text: String) -> String? {
        let joint: UInt8 = allows(0x2D) ? 0x2D : 0x5F
        var bytes: [UInt8] = []
        for byte in text.lowercased().utf8 {
            if allows(byte) {
                bytes.append(byte)
            } else if let last = bytes.last, last != joint {
                bytes.append(joint)
            }
        }
        while let first = bytes.first, !(first >= 0x61 && first <= 0x7A) { bytes.removeFirst() }
        while bytes.last == joint { bytes.removeLast() }
        return bytes.isEmpty ? nil : String(decoding: bytes.prefix(64), as: UTF8.self)
    }
}
