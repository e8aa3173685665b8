// The order in which steps are shown: what is inside after what it is inside of, siblings as they began, iterations by number.

package import WorkflowModel

/// Steps in the order of a tree.
package enum StepTree {
    // One level of a path among its siblings.
    private struct Level: Comparable {
        let number: Int
        let startedAt: String
        let sequence: Int64
        let text: Substring

        static func < (left: Level, right: Level) -> Bool {
            (left.number, left.startedAt, left.sequence, left.text) < (right.number, right.startedAt, right.sequence, right.text)
        }
    }

    /// Sorts the rows of steps.
    package static func ordered(_ steps: [JSONValue]) -> [JSONValue] {
        var rows: [Substring: JSONValue] = [:]
        for step in steps { rows[(step["step"]?.stringValue ?? "")[...]] = step }
        let keyed = steps.map { step in (step, key(of: step["step"]?.stringValue ?? "", among: rows)) }
        return keyed.sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
    }

    private static func key(of path: String, among rows: [Substring: JSONValue]) -> [Level] {
        var levels: [Level] = []
        var start = path.startIndex
        var index = start
        while index < path.endIndex {
            index = path.index(after: index)
            guard index == path.endIndex || "./[".contains(path[index]) else { continue }
            let part = path[start..<index]
            let row = rows[path[..<index]]
            levels.append(
                Level(
                    number: number(in: part), startedAt: row?["started_at"]?.stringValue ?? "~", sequence: row?["seq"]?.intValue ?? .max,
                    text: part))
            start = index
        }
        return levels
    }

    // `[17]`: iterations come in the order of the collection.
    private static func number(in part: Substring) -> Int {
        guard part.first == "[", part.last == "]" else { return 0 }
        return Int(part.dropFirst().dropLast()) ?? 0
    }
}
