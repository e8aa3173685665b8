// A request before it is sent: address, header fields, body. What could smuggle something past the agent's author is refused here.
import NIOHTTP1
import WorkflowModel

/// A request, ready to be sent.
struct PlannedRequest: Sendable {
    struct Body: Sendable {
        let bytes: [UInt8]
        let contentType: String
    }

    var method: String
    var address: WebAddress
    var fields: RequestFields
    var body: Body?
    let redaction: Redaction
}

/// The header fields of a request. Names are compared without regard to case; the last value of a name wins.
struct RequestFields: Sendable {
    private(set) var headers = HTTPHeaders()

    // Fields that frame the message or steer the connection belong to the client; those that prove the attempt belong to the engine.
    private static let reserved: Set<String> = [
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    mutating func set(_ name: String, _ value: String) { headers.replaceOrAdd(name: name, value: value) }

    mutating func remove(_ name: String) { headers.remove(name: name) }

    /// Sets a field that came out of a template.
    mutating func setChecked(_ name: String, _ value: String) throws(CallFailure) {
        let lower = name.lowercased()
        guard !lower.isEmpty, lower.utf8.allSatisfy(Self.isTokenCharacter) else {
            throw CallFailure(.expression, .headerInvalid, "A header field's name has characters that may not stand there.")
        }
        guard !Self.reserved.contains(lower), !lower.hasPrefix("x-skein-") else {
            throw CallFailure(.expression, .headerInvalid, "An agent may not set the header field \(lower).")
        }
        // The value is not named: it may be a secret.
        guard value.utf8.allSatisfy({ byte in byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }) else {
            throw CallFailure(.expression, .headerInvalid, "The header field \(lower) has a control character in its value.")
        }
        set(lower, value)
    }

    /// Text for a field of our own: whatever is not printable ASCII becomes `?`.
    static func asciiOnly(_ text: String) -> String {
        String(decoding: text.utf8.map { byte in byte >= 0x20 && byte < 0x7F ? byte : 0x3F }, as: UTF8.self)
    }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }
}

/// Takes secrets out of whatever comes back, by their value: as it is, as JSON writes it, and percent-encoded.
struct Redaction: Sendable {
    /// What stands in a secret's place.
    static let dots = "•••"
    /// Shorter secrets are not looked for: they occur by chance.
    static let shortestSecret = 8

    private let forms: [[UInt8]]

    init(_ secrets: [String]) {
        var forms: [[UInt8]] = []
        for secret in secrets where secret.utf8.count >= Self.shortestSecret {
            let quoted = Array(JSONQuoting.escaped(secret).utf8)
            for form in [Array(secret.utf8), quoted, Array(WebAddress.percentEncoded(secret).utf8)] where !forms.contains(form) {
                forms.append(form)
            }
        }
        self.forms = forms
    }

    /// The bytes without the secrets.
    func applied(to bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for form in forms where bytes.count >= form.count {
            var out: [UInt8] = []
            var position = 0
            var copied = 0
            while position + form.count <= bytes.count {
                if bytes[position] == form[0], bytes[position..<position + form.count].elementsEqual(form) {
                    out.append(contentsOf: bytes[copied..<position])
                    out.append(contentsOf: Self.dots.utf8)
                    position += form.count
                    copied = position
                } else {
                    position += 1
                }
            }
            guard copied > 0 else { continue }
            out.append(contentsOf: bytes[copied...])
            bytes = out
        }
        return bytes
    }

    /// The text without the secrets.
    func applied(to text: String) -> String {
        forms.isEmpty ? text : String(decoding: applied(to: Array(text.utf8)), as: UTF8.self)
    }
}
