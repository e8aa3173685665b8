// Addresses: IPv4, IPv6, e-mail.

enum NetworkFormats {
    /// Four decimal numbers up to 255, without leading zeros (RFC 2673, section 3.2).
    static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard (1...3).contains(part.count), part.allSatisfy(\.isASCIIDigit), part.count == 1 || part.first != 0x30 else {
                    return false
                }
                return part.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 255
            }
    }

    /// RFC 4291, section 2.2; no zone, no prefix length.
    static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
        var groups = bytes.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard groups.count >= 3 else { return false }
        // A pair of colons at an end shows as two empty groups there.
        if groups[0].isEmpty {
            guard groups[1].isEmpty else { return false }
            groups.removeFirst()
        }
        if groups[groups.count - 1].isEmpty {
            guard groups.count >= 2, groups[groups.count - 2].isEmpty else { return false }
            groups.removeLast()
        }
        var width = 0
        var isShortened = false
        for (position, group) in groups.enumerated() {
            if group.isEmpty {
                if isShortened { return false }
                isShortened = true
            } else if position == groups.count - 1, group.contains(0x2E) {
                guard isIPv4(group) else { return false }
                width += 2
            } else {
                guard group.count <= 4, group.allSatisfy({ $0.hexDigitValue != nil }) else { return false }
                width += 1
            }
        }
        return isShortened ? width < 8 : width == 8
    }

    /// A mailbox of RFC 5321, section 4.1.2; with RFC 6531's letters where `international`.
    static func isEmail(_ text: String, international: Bool) -> Bool {
        let bytes = Array(text.utf8)
        guard international || bytes.allSatisfy({ $0 < 0x80 }) else { return false }
        guard let at = separator(in: bytes) else { return false }
        let local = bytes[..<at]
        let domain = bytes[(at + 1)...]
        guard !local.isEmpty, local.count <= 64, isLocalPart(local) else { return false }
        if domain.first == 0x5B { return isAddressLiteral(domain) }
        let name = String(decoding: domain, as: UTF8.self)
        return international ? isMailDomain(name) : InternationalNames.isHostname(name)
    }

    // Mail servers take domains that are not normalized; what a label may hold is checked after normalization by whoever resolves it.
    private static func isMailDomain(_ name: String) -> Bool {
        if name.utf8.allSatisfy({ $0 < 0x80 }) { return InternationalNames.isHostname(name) }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            guard !label.isEmpty, label.utf8.first != 0x2D, label.utf8.last != 0x2D else { return false }
            return label.unicodeScalars.allSatisfy { scalar in
                if scalar.isASCII { return InternationalNames.isHostnameByte(UInt8(truncatingIfNeeded: scalar.value)) }
                return switch scalar.properties.generalCategory {
                case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark,
                    .decimalNumber:
                    true
                default: false
                }
            }
        }
    }

    private static func separator(in bytes: [UInt8]) -> Int? {
        guard bytes.first == 0x22 else { return bytes.firstIndex(of: 0x40) }
        // In a quoted local part the sign may occur; the one that separates follows the closing quote.
        var index = 1
        while index < bytes.count, bytes[index] != 0x22 { index += bytes[index] == 0x5C ? 2 : 1 }
        return index + 1 < bytes.count && bytes[index + 1] == 0x40 ? index + 1 : nil
    }

    private static func isLocalPart(_ local: ArraySlice<UInt8>) -> Bool {
        if local.first == 0x22 {
            guard local.count >= 2, local.last == 0x22 else { return false }
            return local.dropFirst().dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
        return local.split(separator: 0x2E, omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 >= 0x80 || Self.atomSigns.contains($0) }
        }
    }

    private static let atomSigns = Set("!#$%&'*+-/=?^_`{|}~".utf8)

    private static func isAddressLiteral(_ domain: ArraySlice<UInt8>) -> Bool {
        guard domain.last == 0x5D else { return false }
        let inner = domain.dropFirst().dropLast()
        let prefix = Array("ipv6:".utf8)
        if inner.count > prefix.count, inner.prefix(prefix.count).map({ $0 | 0x20 }).elementsEqual(prefix.map { $0 | 0x20 }) {
            return isIPv6(inner.dropFirst(prefix.count))
        }
        return isIPv4(inner)
    }
}
