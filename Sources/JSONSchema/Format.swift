// The formats that `format` names, checked where they are asserted. A format that is not known here accepts everything, as the draft says.

/// A known format.
enum Format: String, Sendable {
    case dateTime = "date-time"
    case date
    case time
    case duration
    case email
    case idnEmail = "idn-email"
    case hostname
    case idnHostname = "idn-hostname"
    case ipv4
    case ipv6
    case uri
    case uriReference = "uri-reference"
    case iri
    case iriReference = "iri-reference"
    case uriTemplate = "uri-template"
    case uuid
    case jsonPointer = "json-pointer"
    case relativeJSONPointer = "relative-json-pointer"
    case regex

    /// Whether `text` has the format.
    func accepts(_ text: String) -> Bool {
        switch self {
        case .dateTime: TimeFormats.isDateTime(text)
        case .date: TimeFormats.isDate(text)
        case .time: TimeFormats.isTime(text)
        case .duration: TimeFormats.isDuration(text)
        case .email: NetworkFormats.isEmail(text, international: false)
        case .idnEmail: NetworkFormats.isEmail(text, international: true)
        case .hostname: InternationalNames.isHostname(text)
        case .idnHostname: InternationalNames.isInternationalHostname(text)
        case .ipv4: NetworkFormats.isIPv4(Array(text.utf8)[...])
        case .ipv6: NetworkFormats.isIPv6(Array(text.utf8)[...])
        case .uri: URIFormats.isReference(text, international: false) && URIReference(text).scheme != nil
        case .uriReference: URIFormats.isReference(text, international: false)
        case .iri: URIFormats.isReference(text, international: true) && URIReference(text).scheme != nil
        case .iriReference: URIFormats.isReference(text, international: true)
        case .uriTemplate: URIFormats.isTemplate(text)
        case .uuid: Self.isUUID(text)
        case .jsonPointer: JSONPointer.tokens(of: text) != nil
        case .relativeJSONPointer: Self.isRelativePointer(text)
        case .regex: Self.isRegex(text)
        }
    }

    /// What messages call it.
    var phrase: String {
        switch self {
        case .dateTime: "a date and time such as 2026-03-01T08:30:00Z"
        case .date: "a date such as 2026-03-01"
        case .time: "a time with its offset such as 08:30:00Z"
        case .duration: "an ISO 8601 duration such as P1DT12H"
        case .email, .idnEmail: "an e-mail address"
        case .hostname, .idnHostname: "a host name"
        case .ipv4: "an IPv4 address"
        case .ipv6: "an IPv6 address"
        case .uri: "an absolute URI"
        case .uriReference: "a URI reference"
        case .iri: "an absolute IRI"
        case .iriReference: "an IRI reference"
        case .uriTemplate: "a URI template"
        case .uuid: "a UUID"
        case .jsonPointer: "a JSON pointer"
        case .relativeJSONPointer: "a relative JSON pointer"
        case .regex: "a regular expression (ECMA-262)"
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        guard text.utf8.count == 36 else { return false }
        for (position, byte) in text.utf8.enumerated() {
            switch position {
            case 8, 13, 18, 23: guard byte == 0x2D else { return false }
            default: guard byte.hexDigitValue != nil else { return false }
            }
        }
        return true
    }

    // An integer without leading zeros, then a JSON pointer or a `#`.
    private static func isRelativePointer(_ text: String) -> Bool {
        let digits = text.utf8.prefix { $0.isASCIIDigit }
        guard let first = digits.first, digits.count == 1 || first != 0x30 else { return false }
        let rest = String(text.utf8.dropFirst(digits.count)) ?? ""
        return rest == "#" || JSONPointer.tokens(of: rest) != nil
    }

    private static func isRegex(_ text: String) -> Bool {
        do throws(ECMAPatternError) {
            _ = try ECMAPattern.translate(text, strictly: true)
            return true
        } catch {
            return false
        }
    }
}
