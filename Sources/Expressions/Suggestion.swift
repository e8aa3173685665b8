// "Did you mean".

enum Suggestion {
    /// The name that was probably meant; nil when none is near.
    static func near(_ name: String, among names: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(longest + 1))
        guard wanted.count <= longest else { return nil }
        let most = wanted.count <= 3 ? 1 : wanted.count <= 7 ? 2 : 3
        var best: (name: String, distance: Int)?
        for candidate in names {
            let distance = distance(wanted, Array(candidate.lowercased().utf8), most: most)
            if distance <= most, distance < wanted.count, distance < (best?.distance ?? .max) { best = (candidate, distance) }
        }
        return best?.name
    }

    /// ` (did you mean "score"?)`, or nothing when no name is near.
    static func suffix(for near: String?) -> String { near.map { " (did you mean \"\($0)\"?)" } ?? "" }

    static func suffix(for name: String, among names: [String]) -> String { suffix(for: near(name, among: names)) }

    // Nobody means a longer name; comparing them would take long.
    private static let longest = 100

    // The number of insertions, deletions, replacements and swaps of neighbours.
    private static func distance(_ left: [UInt8], _ right: [UInt8], most: Int) -> Int {
        if abs(left.count - right.count) > most { return .max }
        var before: [Int] = []
        var previous = Array(0...right.count)
        for i in left.indices {
            var current = [i + 1]
            for j in right.indices {
                var best = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { best = min(best, before[j - 1] + 1) }
                current.append(best)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
