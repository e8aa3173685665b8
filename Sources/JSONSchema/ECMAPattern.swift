// Patterns of JSON Schema are ECMA-262 regular expressions in Unicode mode. They are checked against that grammar and written anew for
// PCRE2, so that nothing that only PCRE2 knows slips through and everything means what ECMA-262 says.

/// Why a pattern is no ECMA-262 regular expression.
struct ECMAPatternError: Error, Hashable {
    let message: String
}

struct ECMAPattern {
    var scanner: ECMAScanner
    // Whether escapes and brackets that Unicode mode forbids, but other modes and most tools take, are errors.
    let isStrict: Bool
    var output = ""
    private var groupsSoFar = 0
    private var dotMatchesLineEnds = false
    private var looksAhead = false
    private let groupCount: Int
    private let groupNames: [String: Int]
    private static let deepestNesting = 100

    /// `source` in PCRE2's syntax (UTF mode, `$` at the very end only, no Unicode properties for `\d`, `\w` and `\b`).
    static func translate(_ source: String, strictly isStrict: Bool) throws(ECMAPatternError) -> String {
        var translation = try ECMAPattern(source, isStrict: isStrict)
        try translation.disjunction(depth: 0)
        guard translation.scanner.isAtEnd else { throw ECMAPatternError(message: "a closing parenthesis has no opening one") }
        // PCRE2 10.42 takes the `a` in `(?=a)b*a` for two different ones when it looks for places to start at; so it must not look.
        return translation.looksAhead ? "(*NO_START_OPT)\(translation.output)" : translation.output
    }

    private init(_ source: String, isStrict: Bool) throws(ECMAPatternError) {
        scanner = ECMAScanner(source)
        self.isStrict = isStrict
        (groupCount, groupNames) = try ECMAScanner(source).groups()
    }

    private func error(_ message: String) -> ECMAPatternError { ECMAPatternError(message: message) }

    // MARK: Structure

    private mutating func disjunction(depth: Int) throws(ECMAPatternError) {
        guard depth < Self.deepestNesting else { throw error("groups are nested deeper than \(Self.deepestNesting) levels") }
        while let next = scanner.peek, next != ")" {
            if next == "|" {
                scanner.skip()
                output += "|"
            } else {
                try term(depth: depth)
            }
        }
    }

    private mutating func term(depth: Int) throws(ECMAPatternError) {
        guard let next = scanner.next() else { return }
        switch next {
        case "^", "$":
            output.unicodeScalars.append(next)
            return
        case "(":
            guard try group(depth: depth) else { return }
        case ".": output += dotMatchesLineEnds ? "[\\s\\S]" : "[^\\n\\r\u{2028}\u{2029}]"
        case "[": try characterClass()
        case "\\":
            if scanner.skip(if: "b") {
                output += "\\b"
                return
            }
            if scanner.skip(if: "B") {
                output += "\\B"
                return
            }
            try atomEscape()
        case "*", "+", "?": throw error("\"\(next)\" has nothing to repeat")
        case "{":
            var ahead = scanner
            guard !isStrict, ahead.repetition() == nil else { throw error("\"{\" must be escaped here") }
            literal(next)
        case "}", "]":
            guard !isStrict else { throw error("\"\(next)\" must be escaped here") }
            literal(next)
        default: literal(next)
        }
        try quantifier()
    }

    private mutating func quantifier() throws(ECMAPatternError) {
        switch scanner.peek {
        case "*", "+", "?":
            if let mark = scanner.next() { output.unicodeScalars.append(mark) }
        case "{":
            var ahead = scanner
            ahead.skip()
            guard let (low, high, text) = ahead.repetition() else { return }
            if let high, high < low { throw error("the repetition {\(text)} counts down") }
            scanner = ahead
            output += "{\(text)}"
        default: return
        }
        if scanner.skip(if: "?") { output += "?" }
    }

    // Whether what was read may be repeated: groups may, assertions may not.
    private mutating func group(depth: Int) throws(ECMAPatternError) -> Bool {
        let before = dotMatchesLineEnds
        var repeatable = true
        if !scanner.skip(if: "?") {
            groupsSoFar += 1
            output += "("
        } else if scanner.skip(if: ":") {
            output += "(?:"
        } else if scanner.skip(if: "=") || scanner.skip(if: "!") {
            output += scanner.previous == "=" ? "(?=" : "(?!"
            repeatable = false
            looksAhead = true
        } else if scanner.skip(if: "<") {
            if scanner.skip(if: "=") || scanner.skip(if: "!") {
                output += scanner.previous == "=" ? "(?<=" : "(?<!"
                repeatable = false
            } else {
                _ = try scanner.groupName()
                groupsSoFar += 1
                output += "("
            }
        } else {
            try modifiers()
        }
        try disjunction(depth: depth + 1)
        guard scanner.skip(if: ")") else { throw error("a group is not closed") }
        output += ")"
        dotMatchesLineEnds = before
        return repeatable
    }

    // `(?i:` and `(?s-i:`, as of 2025; flags without a group of their own are not ECMA-262.
    private mutating func modifiers() throws(ECMAPatternError) {
        var seen: Set<Unicode.Scalar> = []
        var removes = false
        var text = ""
        while let next = scanner.next() {
            switch next {
            case "i", "m", "s":
                guard seen.insert(next).inserted else { throw error("a flag is given twice") }
                if next == "s" { dotMatchesLineEnds = !removes }
            case "-":
                guard !removes else { throw error("\"(?\" is followed by an unknown kind of group") }
                removes = true
            case ":":
                guard !seen.isEmpty else { throw error("\"(?-:\" names no flag") }
                output += "(?\(text):"
                return
            default: throw error("\"(?\" is followed by an unknown kind of group")
            }
            text.unicodeScalars.append(next)
        }
        throw error("a group is not closed")
    }

    // MARK: Atoms

    mutating func literal(_ scalar: Unicode.Scalar) {
        output += Self.escaped(scalar)
    }

    static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: String(Character(scalar))
        case 0x20...0x7E: "\\\(Character(scalar))"
        default: "\\x{\(String(scalar.value, radix: 16))}"
        }
    }

    private mutating func atomEscape() throws(ECMAPatternError) {
        if let digit = scanner.peek, digit >= "1", digit <= "9" {
            let number = scanner.decimal()
            guard number <= groupCount else { throw error("\\\(number) refers to a group that is not there") }
            backreference(number)
            return
        }
        if scanner.skip(if: "k") {
            guard scanner.skip(if: "<") else { throw error("\\k must be followed by a name in angle brackets") }
            let name = try scanner.groupName()
            guard let number = groupNames[name] else { throw error("\\k<\(name)> refers to a group that is not there") }
            backreference(number)
            return
        }
        switch try scanner.escape(isStrict: isStrict, inClass: false) {
        case .scalar(let scalar): literal(scalar)
        case .nothing: output += "(?!)"
        case .set(let set): output += set.isOneItem ? set.members : "[\(set.members)]"
        }
    }

    // A group that took no part matches the empty text in ECMA-262.
    private mutating func backreference(_ number: Int) { output += "(?(\(number))\\g{\(number)})" }

    // MARK: Classes

    private mutating func characterClass() throws(ECMAPatternError) {
        let isNegated = scanner.skip(if: "^")
        var members = ""
        while true {
            guard let next = scanner.next() else { throw error("a character class is not closed") }
            if next == "]" { break }
            let first = try classAtom(next)
            guard scanner.peek == "-", scanner.peek(at: 1) != "]", scanner.peek(at: 1) != nil else {
                members += first.members
                continue
            }
            scanner.skip()
            guard let following = scanner.next() else { throw error("a character class is not closed") }
            let second = try classAtom(following)
            switch (first, second) {
            case (.scalar(let low), .scalar(let high)):
                guard low <= high else { throw error("a range in a character class counts down") }
                members += "\(Self.escaped(low))-\(Self.escaped(high))"
            case (.nothing, _), (_, .nothing), (.set, _), (_, .set):
                guard !isStrict else { throw error("a range in a character class needs a character at both ends") }
                members += "\(first.members)\\-\(second.members)"
            }
        }
        if members.isEmpty {
            output += isNegated ? "[\\s\\S]" : "(?!)"
        } else {
            output += isNegated ? "[^\(members)]" : "[\(members)]"
        }
    }

    private mutating func classAtom(_ scalar: Unicode.Scalar) throws(ECMAPatternError) -> ECMAEscape {
        scalar == "\\" ? try scanner.escape(isStrict: isStrict, inClass: true) : .scalar(scalar)
    }
}

/// What an escape stands for.
enum ECMAEscape {
    case scalar(Unicode.Scalar)
    case set(ECMASet)
    /// Half of a surrogate pair, which no text contains.
    case nothing

    /// The members, as they are written within a class.
    var members: String {
        switch self {
        case .scalar(let scalar): ECMAPattern.escaped(scalar)
        case .set(let set): set.members
        case .nothing: ""
        }
    }
}

/// A set of characters in PCRE2's syntax.
struct ECMASet {
    /// As written within a class.
    let members: String
    /// Whether that is a single escape, which stands for itself outside of a class too.
    let isOneItem: Bool

    static func item(_ text: String) -> ECMASet { ECMASet(members: text, isOneItem: true) }

    /// White space and line terminators of ECMA-262; PCRE2's `\s` has only those of ASCII.
    static let space = ECMASet(
        members: "\\s\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}", isOneItem: false)
    static let nonSpace = ECMASet(
        members: "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\u{9F}\u{A1}-\u{167F}\u{1681}-\u{1FFF}\u{200B}-\u{2027}\u{202A}-\u{202E}\u{2030}-\u{205E}"
            + "\u{2060}-\u{2FFF}\u{3001}-\u{FEFE}\u{FF00}-\u{10FFFF}",
        isOneItem: false)
}
