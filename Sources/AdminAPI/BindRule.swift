// Where the API may listen: to this machine alone, or to others with keys.


/// Decides whether an address may be listened on.
public enum BindRule {
    /// Why an address may not be listened on; the description says what to do.
    public enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// Others than this machine could use the API without a key.
        case keysNotRequired(address: String)
        /// Keys are required, but there is none, so that nobody could use the API.
        case noKey(address: String)

        /// What is wrong and what to do.
        public var description: String {
            switch self {
            case .keysNotRequired(let address):
                "address \(address) can be reached from other machines, so API keys must be required. Leave out --no-require-api-keys, or listen on 127.0.0.1."
            case .noKey(let address):
                "address \(address) can be reached from other machines, and there is no valid API key yet. Make one first: skein key create NAME"
            }
        }
    }

    /// Whether only this machine can connect to the address.
    public static func isLoopback(_ address: String) -> Bool {
        if address == "localhost" || address == "::1" || address == "[::1]" { return true }
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Throws unless the address may be listened on.
    public static func check(_ address: String, requiresKeys: Bool, hasValidKey: Bool) throws(Refusal) {
        if isLoopback(address) { return }
        guard requiresKeys else { throw .keysNotRequired(address: address) }
        guard hasValidKey else { throw .noKey(address: address) }
    }
}
