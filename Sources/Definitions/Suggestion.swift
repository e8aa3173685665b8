// "Did you mean": the nearest word of a list.

package enum Suggestion {
    private static let lengthLimit = 64

    /// The candidate that `word` was most likely meant to be; nil where none is near.
    package static func closest(to word: String, among candidates: some Sequence<String>) -> String? {
        let letters = Array(word.utf8)
        guard !letters.isEmpty, letters.count <= lengthLimit else { return nil }
        let folded = fold(word)
        var best: (distance: Int, candidate: String)?
        for candidate in candidates where candidate != word {
            if fold(candidate) == folded { return candidate }
            let other = Array(candidate.utf8)
            let bound = max(1, min(letters.count, other.count) / 3)
            guard abs(other.count - letters.count) <= bound, other.count <= lengthLimit else { continue }
            let distance = distance(letters, other)
            if distance <= bound, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.candidate
    }

    // `max_attempts`, `max-attempts` and `MaxAttempts` are all `maxAttempts` to a reader.
    private static func fold(_ word: String) -> [UInt8] {
        word.utf8.filter { $0 != 0x5F && $0 != 0x2D }.map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 0x20 : $0 }
    }

    // Edits between two words; a swap of neighbours counts as one.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: right.count + 1)
        var previous = Array(0...right.count)
        for row in 1...max(1, left.count) {
            var current = [Int](repeating: row, count: right.count + 1)
            for column in stride(from: 1, through: right.count, by: 1) {
                let same = left[row - 1] == right[column - 1]
                current[column] = min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (same ? 0 : 1))
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    current[column] = min(current[column], beforePrevious[column - 2] + 1)
                }
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
