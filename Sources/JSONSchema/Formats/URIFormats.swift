// URIs (RFC 3986), IRIs (RFC 3987) and URI templates (RFC 6570), checked by their grammars.

enum URIFormats {
    /// Whether `text` is a URI reference, or an IRI reference where `international`.
    static func isReference(_ text: String, international: Bool) -> Bool {
        guard characters(of: text, fit: international) else { return false }
        let parts = URIReference(text)
        // What comes before the first colon of a relative path would be taken for a scheme.
        if parts.scheme == nil, parts.authority == nil,
            let segment = parts.path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false).first,
            segment.contains(0x3A)
        {
            return false
        }
        if let authority = parts.authority, !isAuthority(Array(authority.utf8)[...]) { return false }
        let brackets: (UInt8) -> Bool = { $0 == 0x5B || $0 == 0x5D || $0 == 0x23 }
        return !parts.path.utf8.contains(where: brackets) && !(parts.query ?? "").utf8.contains(where: brackets)
            && !(parts.fragment ?? "").utf8.contains(where: brackets)
            && hasNoPrivateUse(outsideQueryOf: parts)
    }

    // Characters that may occur anywhere, and complete percent-encodings.
    private static func characters(of text: String, fit international: Bool) -> Bool {
        var iterator = text.unicodeScalars.makeIterator()
        while let scalar = iterator.next() {
            switch scalar {
            case "%":
                for _ in 0..<2 {
                    guard let digit = iterator.next(), digit.isASCII, UInt8(ascii: digit).hexDigitValue != nil else { return false }
                }
            case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~", ":", "/", "?", "#", "[", "]", "@", "!", "$", "&", "'", "(", ")", "*",
                "+",
                ",", ";", "=":
                break
            default: guard international, isInternational(scalar) || isPrivateUse(scalar) else { return false }
            }
        }
        return true
    }

    // `ucschar` of RFC 3987.
    private static func isInternational(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xA0...0xD7FF, 0xF900...0xFDCF, 0xFDF0...0xFFEF: true
        case 0x10000...0xEFFFF: scalar.value & 0xFFFF <= 0xFFFD && !(0xE0000...0xE0FFF).contains(scalar.value)
        default: false
        }
    }

    private static func isPrivateUse(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .privateUse }

    // RFC 3987 has private characters in the query only.
    private static func hasNoPrivateUse(outsideQueryOf parts: URIReference) -> Bool {
        [parts.authority ?? "", parts.path, parts.fragment ?? ""].allSatisfy { !$0.unicodeScalars.contains(where: isPrivateUse) }
    }

    private static func isAuthority(_ authority: ArraySlice<UInt8>) -> Bool {
        var host = authority
        if let at = authority.firstIndex(of: 0x40) {
            guard !authority[..<at].contains(where: { $0 == 0x5B || $0 == 0x5D }) else { return false }
            host = authority[(at + 1)...]
        }
        if host.contains(0x40) { return false }
        if host.first == 0x5B {
            guard let close = host.firstIndex(of: 0x5D), isLiteral(host[(host.startIndex + 1)..<close]) else { return false }
            let port = host[(close + 1)...]
            return port.isEmpty || (port.first == 0x3A && port.dropFirst().allSatisfy(\.isASCIIDigit))
        }
        guard !host.contains(where: { $0 == 0x5B || $0 == 0x5D }) else { return false }
        guard let colon = host.firstIndex(of: 0x3A) else { return true }
        return host[(colon + 1)...].allSatisfy(\.isASCIIDigit)
    }

    // An IPv6 address, or an address of a version to come: `v1.fe80`.
    private static func isLiteral(_ literal: ArraySlice<UInt8>) -> Bool {
        guard let first = literal.first, first | 0x20 == 0x76 else { return NetworkFormats.isIPv6(literal) }
        let parts = literal.dropFirst().split(separator: 0x2E, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return false }
        return parts[0].allSatisfy { $0.hexDigitValue != nil }
            && parts[1].allSatisfy { $0 < 0x80 && $0 != 0x25 && $0 != 0x2F && $0 != 0x3F && $0 != 0x23 && $0 != 0x40 }
    }

    // MARK: Templates

    /// Whether `text` is a URI template.
    static func isTemplate(_ text: String) -> Bool {
        var rest = Substring(text).unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar {
            case "{":
                guard let close = rest.firstIndex(of: "}"), isExpression(rest[..<close]) else { return false }
                rest = rest[rest.index(after: close)...]
            case "%":
                for _ in 0..<2 {
                    guard let digit = rest.popFirst(), digit.isASCII, UInt8(ascii: digit).hexDigitValue != nil else { return false }
                }
            case "}", "\"", "<", ">", "\\", "^", "`", "|": return false
            default:
                let isLiteral =
                    scalar.isASCII ? scalar.value > 0x20 && scalar.value != 0x7F : isInternational(scalar) || isPrivateUse(scalar)
                guard isLiteral else { return false }
            }
        }
        return true
    }

    private static func isExpression(_ expression: Substring.UnicodeScalarView) -> Bool {
        let operators: Set<Unicode.Scalar> = ["+", "#", ".", "/", ";", "?", "&", "=", ",", "!", "@", "|"]
        let body = expression.first.map { operators.contains($0) } == true ? expression.dropFirst() : expression
        return body.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { isVariable(Substring($0)) }
    }

    private static func isVariable(_ variable: Substring) -> Bool {
        var name = variable.utf8
        if name.last == 0x2A {
            name = name.dropLast()
        } else if let colon = name.firstIndex(of: 0x3A) {
            let length = name[name.index(after: colon)...]
            guard (1...4).contains(length.count), length.first != 0x30, length.allSatisfy(\.isASCIIDigit) else { return false }
            name = name[..<colon]
        }
        return name.split(separator: 0x2E, omittingEmptySubsequences: false).allSatisfy { part in
            var scanner = ByteScanner(Array(part)[...])
            while let byte = scanner.next() {
                if byte == 0x25 {
                    guard scanner.skip(if: { $0.hexDigitValue != nil }), scanner.skip(if: { $0.hexDigitValue != nil }) else { return false }
                } else {
                    guard byte.isASCIILetter || byte.isASCIIDigit || byte == 0x5F else { return false }
                }
            }
            return !part.isEmpty
        }
    }
}
