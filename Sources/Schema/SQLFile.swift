// A file from sql/, and what its head says.

/// A file that was embedded when the program was built.
public struct SQLFile: Sendable, Hashable {
    /// The file's name without its folder.
    public let name: String
    /// The file.
    public let text: String

    /// A file from its parts.
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// The comment lines at the top, without their dashes.
    var header: [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { $0.hasPrefix("--") }
            .map { String($0.drop { $0 == "-" }.drop { $0 == " " }) }
    }

    /// What the header says after `key:`. Following lines that are no `key:` themselves continue it.
    func headerValue(_ key: String) -> String? {
        var value: String?
        for line in header {
            if line.hasPrefix(key + ":") {
                value = String(line.dropFirst(key.count + 1).drop { $0 == " " })
            } else if let begun = value {
                if line.isEmpty || line.prefix(while: { $0 != " " }).hasSuffix(":") { break }
                value = begun + " " + line
            }
        }
        return value
    }
}
