// The names of a schema's properties, made for looking up the members of an object in turn.

import WorkflowModel

/// Finds properties by name. Objects mostly list their members in the order of the schema, so a search starts where the last one ended.
struct PropertyTable: Sendable {
    /// The node of each property.
    let nodes: [Int]
    let names: [String]
    // The length and the first bytes of each name: enough to tell most of them apart.
    private let fingerprints: [UInt64]
    private let large: [KeyBytes: Int]
    private static let linearLimit = 32

    init(_ properties: [(name: String, node: Int)]) {
        names = properties.map(\.name)
        nodes = properties.map(\.node)
        fingerprints = names.map { Self.fingerprint(of: $0) }
        var large: [KeyBytes: Int] = [:]
        if names.count > Self.linearLimit {
            for (slot, name) in names.enumerated() { large[KeyBytes(name)] = slot }
        }
        self.large = large
    }

    var isEmpty: Bool { names.isEmpty }

    /// The slot of `name`, searched from `hint` on.
    func slot(of name: String, from hint: Int) -> Int? {
        let count = names.count
        if count == 0 { return nil }
        let wanted = Self.fingerprint(of: name)
        let start = hint < count ? hint : 0
        if fingerprints[start] == wanted, isSame(start, name) { return start }
        if count > Self.linearLimit { return large[KeyBytes(name)] }
        for slot in 0..<count where fingerprints[slot] == wanted && isSame(slot, name) { return slot }
        return nil
    }

    private func isSame(_ slot: Int, _ name: String) -> Bool {
        // Up to seven bytes the fingerprint is the name.
        name.utf8.count <= 7 || names[slot].hasSameBytes(as: name)
    }

    private static func fingerprint(of name: String) -> UInt64 {
        let fast = name.utf8.withContiguousStorageIfAvailable { fingerprint(of: $0) }
        return fast ?? fingerprint(of: name.utf8)
    }

    private static func fingerprint(of bytes: some Collection<UInt8>) -> UInt64 {
        var result = UInt64(truncatingIfNeeded: min(bytes.count, 255))
        for byte in bytes.prefix(7) { result = result << 8 | UInt64(byte) }
        return result
    }
}
