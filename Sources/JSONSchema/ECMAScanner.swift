// Reads the characters of an ECMA-262 pattern: escapes, names and numbers.

struct ECMAScanner {
    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    var isAtEnd: Bool { position == scalars.count }
    var peek: Unicode.Scalar? { peek(at: 0) }
    var previous: Unicode.Scalar? { position > 0 ? scalars[position - 1] : nil }

    func peek(at offset: Int) -> Unicode.Scalar? {
        position + offset < scalars.count ? scalars[position + offset] : nil
    }

    mutating func next() -> Unicode.Scalar? {
        guard position < scalars.count else { return nil }
        position += 1
        return scalars[position - 1]
    }

    mutating func skip() { position += 1 }

    mutating func skip(if scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    /// A decimal number; one that is too large to be meant is cut off.
    mutating func decimal() -> Int {
        var number = 0
        while let digit = peek, digit >= "0", digit <= "9" {
            number = min(number * 10 + Int(digit.value - 0x30), 1_000_000)
            position += 1
        }
        return number
    }

    /// What is between the braces of a repetition, if this is one. Stands after the opening brace.
    mutating func repetition() -> (low: Int, high: Int?, text: String)? {
        let start = position
        guard let first = peek, first >= "0", first <= "9" else { return nil }
        let low = decimal()
        var high: Int? = low
        if skip(if: ",") {
            high = nil
            if let digit = peek, digit >= "0", digit <= "9" { high = decimal() }
        }
        let end = position
        guard skip(if: "}") else { return nil }
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars[start..<end])
        return (low, high, text)
    }

    /// A name up to the closing angle bracket.
    mutating func groupName() throws(ECMAPatternError) -> String {
        var name = ""
        while let next = next(), next != ">" {
            let isLetter = next == "$" || next == "_" || next.properties.isIDStart
            guard isLetter || (!name.isEmpty && next.properties.isIDContinue) else {
                throw ECMAPatternError(message: "the name of a group contains \"\(next)\"")
            }
            name.unicodeScalars.append(next)
        }
        guard previous == ">", !name.isEmpty else { throw ECMAPatternError(message: "the name of a group is missing or not closed") }
        return name
    }

    /// How many groups capture, and the numbers of those with a name.
    func groups() throws(ECMAPatternError) -> (count: Int, names: [String: Int]) {
        var scanner = self
        var count = 0
        var names: [String: Int] = [:]
        var inClass = false
        while let next = scanner.next() {
            switch next {
            case "\\": scanner.skip()
            case "[": inClass = true
            case "]": inClass = false
            case "(" where !inClass:
                guard scanner.skip(if: "?") else {
                    count += 1
                    continue
                }
                guard scanner.peek == "<", scanner.peek(at: 1) != "=", scanner.peek(at: 1) != "!" else { continue }
                scanner.skip()
                count += 1
                let name = try scanner.groupName()
                guard names.updateValue(count, forKey: name) == nil else {
                    throw ECMAPatternError(message: "two groups are named \"\(name)\"")
                }
            default: break
            }
        }
        return (count, names)
    }

    // MARK: Escapes

    /// What follows a backslash, but for assertions and references to groups.
    mutating func escape(isStrict: Bool, inClass: Bool) throws(ECMAPatternError) -> ECMAEscape {
        guard let letter = next() else { throw ECMAPatternError(message: "the pattern ends in a backslash") }
        switch letter {
        case "d", "D", "w", "W": return .set(.item("\\\(Character(letter))"))
        case "s": return .set(.space)
        case "S": return .set(.nonSpace)
        case "t": return .scalar("\t")
        case "n": return .scalar("\n")
        case "v": return .scalar("\u{B}")
        case "f": return .scalar("\u{C}")
        case "r": return .scalar("\r")
        case "b" where inClass: return .scalar("\u{8}")
        case "c":
            guard let control = next(), control.isASCII, control.properties.isAlphabetic else {
                throw ECMAPatternError(message: "\\c must be followed by a letter")
            }
            return .scalar(Unicode.Scalar(UInt8(control.value % 32)))
        case "0":
            if let digit = peek, digit >= "0", digit <= "9" { throw ECMAPatternError(message: "octal escapes are not allowed") }
            return .scalar("\0")
        case "x": return .scalar(Unicode.Scalar(try hexadecimal(digits: 2, after: "\\x")) ?? "\0")
        case "u": return try unicodeEscape()
        case "p", "P": return .set(.item("\\\(letter)\(try UnicodeProperty.read(from: &self))"))
        case "^", "$", "\\", ".", "*", "+", "?", "(", ")", "[", "]", "{", "}", "|", "/": return .scalar(letter)
        case "-" where inClass: return .scalar(letter)
        default:
            // Other modes take any escaped character for itself; letters and digits are kept for what may come.
            let isWord = letter.isASCII && (letter.properties.isAlphabetic || letter.properties.numericType != nil)
            guard !isStrict, !isWord else { throw ECMAPatternError(message: "\\\(letter) has no meaning in ECMA-262") }
            return .scalar(letter)
        }
    }

    private mutating func hexadecimal(digits: Int, after prefix: String) throws(ECMAPatternError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = next(), digit.isASCII, let part = UInt8(ascii: digit).hexDigitValue else {
                throw ECMAPatternError(message: "\(prefix) must be followed by \(digits) hexadecimal digits")
            }
            value = value << 4 | UInt32(part)
        }
        return value
    }

    private mutating func unicodeEscape() throws(ECMAPatternError) -> ECMAEscape {
        if skip(if: "{") {
            var value: UInt32 = 0
            var count = 0
            while let digit = peek, digit.isASCII, let part = UInt8(ascii: digit).hexDigitValue {
                value = min(value << 4 | UInt32(part), 0x110000)
                count += 1
                skip()
            }
            guard count > 0, value < 0x110000, skip(if: "}") else {
                throw ECMAPatternError(message: "\\u{…} must hold a code point in hexadecimal digits")
            }
            return Unicode.Scalar(value).map { .scalar($0) } ?? .nothing
        }
        let unit = try hexadecimal(digits: 4, after: "\\u")
        guard (0xD800..<0xDC00).contains(unit), peek == "\\", peek(at: 1) == "u" else {
            return Unicode.Scalar(unit).map { .scalar($0) } ?? .nothing
        }
        var ahead = self
        ahead.skip()
        ahead.skip()
        if ahead.peek != "{", case let low = try ahead.hexadecimal(digits: 4, after: "\\u"), (0xDC00..<0xE000).contains(low) {
            self = ahead
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)).map { .scalar($0) } ?? .nothing
        }
        return .nothing
    }
}

/// `{…}` after `\p` or `\P`: names as ECMA-262 knows them, turned into those of PCRE2.
enum UnicodeProperty {
    static func read(from scanner: inout ECMAScanner) throws(ECMAPatternError) -> String {
        guard scanner.skip(if: "{") else { throw ECMAPatternError(message: "\\p must be followed by a property in braces") }
        var text = ""
        while let next = scanner.next(), next != "}" {
            guard next.isASCII, next.properties.isAlphabetic || next == "_" || next == "=" || (next >= "0" && next <= "9") else {
                throw ECMAPatternError(message: "\\p{…} is not closed")
            }
            text.unicodeScalars.append(next)
        }
        guard scanner.previous == "}" else { throw ECMAPatternError(message: "\\p{…} is not closed") }
        let parts = text.split(separator: "=", omittingEmptySubsequences: false).map { String($0) }
        if parts.count == 2, !parts[1].isEmpty {
            switch parts[0] {
            case "General_Category", "gc": if let category = category(parts[1]) { return "{\(category)}" }
            case "Script", "sc": return "{sc:\(parts[1])}"
            case "Script_Extensions", "scx": return "{scx:\(parts[1])}"
            default: break
            }
        } else if parts.count == 1 {
            if let category = category(text) { return "{\(category)}" }
            if binary.contains(text) { return text == "Assigned" ? "{^Cn}" : "{\(text)}" }
        }
        throw ECMAPatternError(message: "\\p{\(text)} names no property")
    }

    private static func category(_ name: String) -> String? {
        guard let short = categories.first(where: { $0.names.contains(name) })?.short else { return nil }
        return short == "LC" ? "L&" : short
    }

    private static let categories: [(short: String, names: [String])] = [
        ("C", ["C", "Other"]), ("Cc", ["Cc", "Control", "cntrl"]), ("Cf", ["Cf", "Format"]), ("Cn", ["Cn", "Unassigned"]),
        ("Co", ["Co", "Private_Use"]), ("Cs", ["Cs", "Surrogate"]), ("L", ["L", "Letter"]), ("LC", ["LC", "Cased_Letter"]),
        ("Ll", ["Ll", "Lowercase_Letter"]), ("Lm", ["Lm", "Modifier_Letter"]), ("Lo", ["Lo", "Other_Letter"]),
        ("Lt", ["Lt", "Titlecase_Letter"]), ("Lu", ["Lu", "Uppercase_Letter"]), ("M", ["M", "Mark", "Combining_Mark"]),
        ("Mc", ["Mc", "Spacing_Mark"]), ("Me", ["Me", "Enclosing_Mark"]), ("Mn", ["Mn", "Nonspacing_Mark"]), ("N", ["N", "Number"]),
        ("Nd", ["Nd", "Decimal_Number", "digit"]), ("Nl", ["Nl", "Letter_Number"]), ("No", ["No", "Other_Number"]),
        ("P", ["P", "Punctuation", "punct"]), ("Pc", ["Pc", "Connector_Punctuation"]), ("Pd", ["Pd", "Dash_Punctuation"]),
        ("Pe", ["Pe", "Close_Punctuation"]), ("Pf", ["Pf", "Final_Punctuation"]), ("Pi", ["Pi", "Initial_Punctuation"]),
        ("Po", ["Po", "Other_Punctuation"]), ("Ps", ["Ps", "Open_Punctuation"]), ("S", ["S", "Symbol"]), ("Sc", ["Sc", "Currency_Symbol"]),
        ("Sk", ["Sk", "Modifier_Symbol"]), ("Sm", ["Sm", "Math_Symbol"]), ("So", ["So", "Other_Symbol"]), ("Z", ["Z", "Separator"]),
        ("Zl", ["Zl", "Line_Separator"]), ("Zp", ["Zp", "Paragraph_Separator"]), ("Zs", ["Zs", "Space_Separator"]),
    ]

    private static let binary: Set<String> = [
        "ASCII", "ASCII_Hex_Digit", "AHex", "Alphabetic", "Alpha", "Any", "Assigned", "Bidi_Control", "Bidi_C", "Bidi_Mirrored", "Bidi_M",
        "Case_Ignorable", "CI", "Cased", "Changes_When_Casefolded", "CWCF", "Changes_When_Casemapped", "CWCM", "Changes_When_Lowercased",
        "CWL", "Changes_When_NFKC_Casefolded", "CWKCF", "Changes_When_Titlecased", "CWT", "Changes_When_Uppercased", "CWU", "Dash",
        "Default_Ignorable_Code_Point", "DI", "Deprecated", "Dep", "Diacritic", "Dia", "Emoji", "Emoji_Component", "EComp",
        "Emoji_Modifier", "EMod", "Emoji_Modifier_Base", "EBase", "Emoji_Presentation", "EPres", "Extended_Pictographic", "ExtPict",
        "Extender", "Ext", "Grapheme_Base", "Gr_Base", "Grapheme_Extend", "Gr_Ext", "Hex_Digit", "Hex", "IDS_Binary_Operator", "IDSB",
        "IDS_Trinary_Operator", "IDST", "ID_Continue", "IDC", "ID_Start", "IDS", "Ideographic", "Ideo", "Join_Control", "Join_C",
        "Logical_Order_Exception", "LOE", "Lowercase", "Lower", "Math", "Noncharacter_Code_Point", "NChar", "Pattern_Syntax", "Pat_Syn",
        "Pattern_White_Space", "Pat_WS", "Quotation_Mark", "QMark", "Radical", "Regional_Indicator", "RI", "Sentence_Terminal", "STerm",
        "Soft_Dotted", "SD", "Terminal_Punctuation", "Term", "Unified_Ideograph", "UIdeo", "Uppercase", "Upper", "Variation_Selector",
        "VS", "White_Space", "space", "XID_Continue", "XIDC", "XID_Start", "XIDS",
    ]
}
