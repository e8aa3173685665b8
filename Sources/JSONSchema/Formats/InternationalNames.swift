// Host names: RFC 1123, and with letters of all scripts RFC 5890 to 5893 (IDNA 2008).

import Foundation
import Patterns

enum InternationalNames {
    private static let longestLabel = 63
    private static let longestName = 253

    static func isHostnameByte(_ byte: UInt8) -> Bool { byte.isASCIILetter || byte.isASCIIDigit || byte == 0x2D }

    /// A host name in ASCII; labels that begin with `xn--` must stand for valid ones.
    static func isHostname(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 < 0x80 } && areLabels(text.unicodeScalars.split(separator: ".", omittingEmptySubsequences: false))
    }

    /// A host name with letters of all scripts. The full stops of East Asian scripts separate labels too.
    static func isInternationalHostname(_ text: String) -> Bool {
        areLabels(
            text.unicodeScalars.split(omittingEmptySubsequences: false) { scalar in
                switch scalar {
                case ".", "\u{3002}", "\u{FF0E}", "\u{FF61}": true
                default: false
                }
            })
    }

    private static func areLabels(_ labels: [Substring.UnicodeScalarView]) -> Bool {
        var length = labels.count - 1
        var names: [[Unicode.Scalar]] = []
        for label in labels {
            guard let (name, encodedLength) = checked(Array(label)) else { return false }
            names.append(name)
            length += encodedLength
            guard length <= longestName else { return false }
        }
        // One label that is written from right to left puts the whole name under the rules for these.
        let isRightToLeft = names.contains { BidiRule.isRightToLeft($0) }
        return !isRightToLeft || names.allSatisfy { BidiRule.isSatisfied(by: $0) }
    }

    // The label in its own letters, and its length in ASCII; nil where it is not valid.
    private static func checked(_ label: [Unicode.Scalar]) -> (name: [Unicode.Scalar], encodedLength: Int)? {
        // In ASCII a label is never shorter. What follows looks around every letter, so that long ones are not looked at.
        guard !label.isEmpty, label.count <= longestLabel, label.first != "-", label.last != "-" else { return nil }
        guard label.allSatisfy(\.isASCII) else {
            guard isUnicodeLabel(label), let encoded = Punycode.encoded(label), encoded.count + 4 <= longestLabel else { return nil }
            return (label, encoded.count + 4)
        }
        let bytes = label.map { UInt8($0.value) }
        guard bytes.count <= longestLabel, bytes.allSatisfy(isHostnameByte) else { return nil }
        guard bytes.count >= 4, bytes[0] | 0x20 == 0x78, bytes[1] | 0x20 == 0x6E, bytes[2] == 0x2D, bytes[3] == 0x2D else {
            return (label, bytes.count)
        }
        let written = bytes[4...].map { $0.isASCIILetter ? $0 | 0x20 : $0 }
        guard let name = Punycode.decoded(written), !name.allSatisfy(\.isASCII), isUnicodeLabel(name), Punycode.encoded(name) == written
        else {
            return nil
        }
        return (name, bytes.count)
    }

    // RFC 5891, section 5.4.
    private static func isUnicodeLabel(_ label: [Unicode.Scalar]) -> Bool {
        guard let first = label.first, first != "-", label.last != "-" else { return false }
        if label.count >= 4, label[2] == "-", label[3] == "-" { return false }
        switch first.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return false
        default: break
        }
        var text = ""
        text.unicodeScalars.append(contentsOf: label)
        guard text.precomposedStringWithCanonicalMapping.unicodeScalars.elementsEqual(label) else { return false }
        return label.indices.allSatisfy { position in
            switch CodePointClass(label[position]) {
            case .valid: true
            case .disallowed: false
            case .contextual: isInContext(position, of: label)
            }
        }
    }

    // RFC 5892, appendix A.
    private static func isInContext(_ position: Int, of label: [Unicode.Scalar]) -> Bool {
        let before = position > 0 ? label[position - 1] : nil
        let after = position + 1 < label.count ? label[position + 1] : nil
        let followsVirama = before?.properties.canonicalCombiningClass == .virama
        switch label[position].value {
        case 0x00B7: return before == "l" && after == "l"
        case 0x0375: return after.map { Script.greek.contains($0) } ?? false
        case 0x05F3, 0x05F4: return before.map { Script.hebrew.contains($0) } ?? false
        case 0x30FB: return label.contains { Script.japanese.contains($0) }
        case 0x0660...0x0669: return !label.contains { (0x06F0...0x06F9).contains($0.value) }
        case 0x06F0...0x06F9: return !label.contains { (0x0660...0x0669).contains($0.value) }
        case 0x200D: return followsVirama
        case 0x200C:
            if followsVirama { return true }
            guard let left = label[..<position].last(where: { !JoiningType.isTransparent($0) }),
                let right = label[(position + 1)...].first(where: { !JoiningType.isTransparent($0) })
            else { return false }
            return JoiningType.joinsForward(left) && JoiningType.joinsBackward(right)
        default: return false
        }
    }
}

/// What IDNA 2008 makes of a code point (RFC 5892, section 3).
private enum CodePointClass {
    case valid
    case disallowed
    case contextual

    init(_ scalar: Unicode.Scalar) {
        let properties = scalar.properties
        switch scalar.value {
        case 0x00DF, 0x03C2, 0x06FD, 0x06FE, 0x0F0B, 0x3007: self = .valid
        case 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB, 0x0660...0x0669, 0x06F0...0x06F9, 0x200C, 0x200D: self = .contextual
        case 0x0640, 0x07FA, 0x302E, 0x302F, 0x3031...0x3035, 0x303B: self = .disallowed
        case 0x2D, 0x30...0x39, 0x61...0x7A: self = .valid
        // Marks for symbols and music, and the parts that Hangul syllables are written with.
        case 0x20D0...0x20FF, 0x1D100...0x1D1FF, 0x1D200...0x1D24F, 0x1100...0x11FF, 0xA960...0xA97F, 0xD7B0...0xD7FF: self = .disallowed
        default:
            let isIgnorable = properties.isDefaultIgnorableCodePoint || properties.isWhitespace || properties.isNoncharacterCodePoint
            if properties.changesWhenNFKCCaseFolded || isIgnorable {
                self = .disallowed
                return
            }
            switch properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .decimalNumber:
                self = .valid
            default: self = .disallowed
            }
        }
    }
}

/// Scripts that the rules for single characters ask for; PCRE2 knows them.
private struct Script {
    static let greek = Script(of: "\\p{sc:Greek}")
    static let hebrew = Script(of: "\\p{sc:Hebrew}")
    static let japanese = Script(of: "[\\p{sc:Hiragana}\\p{sc:Katakana}\\p{sc:Han}]")

    private let pattern: Pattern?

    private init(of pattern: String) { self.pattern = try? Pattern(pattern) }

    func contains(_ scalar: Unicode.Scalar) -> Bool { (try? pattern?.matches(String(Character(scalar)))) ?? false }
}

/// The rule for names written from right to left (RFC 5893, section 2), by the bidirectional classes that PCRE2 knows.
private enum BidiRule {
    private static let anyRightToLeft = try? Pattern("[\\p{bc:R}\\p{bc:AL}\\p{bc:AN}]")

    private static let rightToLeftLabel = try? Pattern(
        """
        ^(?!.*\\p{bc:EN}.*\\p{bc:AN})(?!.*\\p{bc:AN}.*\\p{bc:EN})[\\p{bc:R}\\p{bc:AL}]\
        (?:[\\p{bc:R}\\p{bc:AL}\\p{bc:AN}\\p{bc:EN}\\p{bc:ES}\\p{bc:CS}\\p{bc:ET}\\p{bc:ON}\\p{bc:BN}\\p{bc:NSM}]*\
        [\\p{bc:R}\\p{bc:AL}\\p{bc:AN}\\p{bc:EN}])?\\p{bc:NSM}*$
        """)

    private static let leftToRightLabel = try? Pattern(
        """
        ^\\p{bc:L}(?:[\\p{bc:L}\\p{bc:EN}\\p{bc:ES}\\p{bc:CS}\\p{bc:ET}\\p{bc:ON}\\p{bc:BN}\\p{bc:NSM}]*[\\p{bc:L}\\p{bc:EN}])?\\p{bc:NSM}*$
        """)

    static func isRightToLeft(_ label: [Unicode.Scalar]) -> Bool { matches(label, anyRightToLeft) }

    static func isSatisfied(by label: [Unicode.Scalar]) -> Bool { matches(label, rightToLeftLabel) || matches(label, leftToRightLabel) }

    private static func matches(_ label: [Unicode.Scalar], _ pattern: Pattern?) -> Bool {
        var text = ""
        text.unicodeScalars.append(contentsOf: label)
        return (try? pattern?.matches(text)) ?? false
    }
}
