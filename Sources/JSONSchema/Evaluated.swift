// Which members of an object or elements of an array have been looked at by some keyword: what `unevaluatedProperties` and
// `unevaluatedItems` go by.

/// A set of positions in one object or array.
struct Evaluated {
    /// Whether anybody wants to know; where nobody does nothing is kept.
    let isWanted: Bool
    private var first: UInt64 = 0
    private var more: [UInt64] = []
    private var all = false

    /// For values whose positions nobody asks for.
    static var unwanted: Evaluated { Evaluated(isWanted: false) }

    init(isWanted: Bool) { self.isWanted = isWanted }

    mutating func insert(_ position: Int) {
        guard isWanted else { return }
        if position < 64 {
            first |= 1 << UInt64(position)
            return
        }
        let word = position / 64 - 1
        if word >= more.count { more.append(contentsOf: repeatElement(0, count: word + 1 - more.count)) }
        more[word] |= 1 << UInt64(position % 64)
    }

    mutating func insertAll() { all = true }

    mutating func insert(upTo count: Int) {
        guard isWanted else { return }
        for position in 0..<count { insert(position) }
    }

    func contains(_ position: Int) -> Bool {
        if all { return true }
        if position < 64 { return first & (1 << UInt64(position)) != 0 }
        let word = position / 64 - 1
        return word < more.count && more[word] & (1 << UInt64(position % 64)) != 0
    }

    mutating func formUnion(_ other: Evaluated) {
        guard isWanted else { return }
        all = all || other.all
        first |= other.first
        if more.count < other.more.count { more.append(contentsOf: repeatElement(0, count: other.more.count - more.count)) }
        for (word, bits) in other.more.enumerated() { more[word] |= bits }
    }
}
