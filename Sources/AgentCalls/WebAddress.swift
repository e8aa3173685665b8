// The addresses that may be called: http and https, with a host, without credentials.
import WorkflowModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A checked address.
struct WebAddress: Sendable, Hashable {
    /// The longest address that is called, in bytes.
    static let longest = 8192

    /// The whole.
    let text: String
    /// Scheme, host and port: what a redirect must not leave.
    let origin: String

    /// Checks an address.
    init(_ text: String) throws(CallFailure) {
        func refusal(_ reason: String) -> CallFailure { CallFailure(.expression, .urlInvalid, "The agent's address \(reason).") }
        guard text.utf8.count <= Self.longest else { throw refusal("is longer than \(Self.longest) bytes") }
        guard text.utf8.allSatisfy({ byte in byte > 0x20 && byte != 0x7F && byte != 0x5C }) else {
            throw refusal("has a space, a backslash or a control character in it")
        }
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased() else { throw refusal("is not one") }
        guard scheme == "http" || scheme == "https" else { throw refusal("must begin with http:// or https://") }
        guard url.user == nil, url.password == nil, !Self.authority(of: text).contains("@") else {
            throw refusal("has credentials in it; they belong into a header field")
        }
        guard let host = url.host, !host.isEmpty else { throw refusal("has no host") }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { throw refusal("has a port that does not exist") }
        // What stands behind `#` is for readers of pages and is never sent.
        self.text = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first.map { String($0) } ?? text
        origin = "\(scheme)://\(host.lowercased()):\(port)"
    }

    /// Where a redirect leads; nil where `location` is no address.
    func following(_ location: String) -> WebAddress? {
        guard let base = URL(string: text), let target = URL(string: location, relativeTo: base) else { return nil }
        return try? WebAddress(target.absoluteString)
    }

    /// Whether `text` has its host already, so that what follows is path or query.
    static func isBehindHost(_ text: String) -> Bool {
        guard let start = text.range(ofAuthority: ()) else { return false }
        return text.utf8[start...].contains { byte in byte == 0x2F || byte == 0x3F || byte == 0x23 }
    }

    /// Whether `text` may be put into a host.
    static func isHostText(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F: true
                default: false
                }
            }
    }

    /// The text as one component of a path or a query: everything but letters, digits and `-._~` is encoded.
    static func percentEncoded(_ text: String) -> String {
        var out: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            default: out.append(contentsOf: [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        // A component of dots alone would be resolved away together with its neighbour.
        if out == [0x2E] || out == [0x2E, 0x2E] { return String(repeating: "%2E", count: out.count) }
        return String(decoding: out, as: UTF8.self)
    }

    private static func authority(of text: String) -> Substring {
        guard let start = text.range(ofAuthority: ()) else { return "" }
        return text[start...].prefix { character in character != "/" && character != "?" && character != "#" }
    }
}

extension String {
    // Where the authority begins: behind the first `://`.
    fileprivate func range(ofAuthority: Void) -> String.Index? {
        var index = utf8.startIndex
        let marker: [UInt8] = [0x3A, 0x2F, 0x2F]
        while index < utf8.endIndex {
            if utf8[index...].starts(with: marker) { return utf8.index(index, offsetBy: 3) }
            index = utf8.index(after: index)
        }
        return nil
    }
}

/// JSON's way to write a string, without the quotes.
enum JSONQuoting {
    static func escaped(_ text: String) -> String {
        String(JSONValue.string(text).compactText.dropFirst().dropLast())
    }
}
