// What is different between two versions of a workflow, by structure: steps are compared by their ids, not by their lines.

public import WorkflowModel

/// One difference between two versions.
public struct DefinitionChange: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// It is only in the second one.
        case added
        /// It is only in the first one.
        case removed
        /// It stands at another place.
        case moved
        /// It says something else.
        case changed
    }

    /// What happened.
    public let kind: Kind
    /// The path of the step or the key: `review.timeout`, `enrich.legal.check`.
    public let path: String
    /// Whether the path names a step as a whole.
    public let isStep: Bool
    /// What was there; nil where it was added. Of a step that has moved, the place that it left.
    public let before: JSONValue?
    /// What is there now; nil where it was removed. Of a step that has moved, its new place.
    public let after: JSONValue?
    /// Why those who submit runs may be refused now; nil where they are not.
    public let incompatibility: String?

    init(
        _ kind: Kind, _ path: String, isStep: Bool = false, before: JSONValue? = nil, after: JSONValue? = nil,
        incompatibility: String? = nil
    ) {
        self.kind = kind
        self.path = path
        self.isStep = isStep
        self.before = before
        self.after = after
        self.incompatibility = incompatibility
    }

    /// The difference for programs.
    public var json: JSONValue {
        var object = JSONObject()
        object["change"] = .string(kind.rawValue)
        object["path"] = .string(path)
        object["step"] = .bool(isStep)
        object["before"] = before
        object["after"] = after
        object["incompatible"] = incompatibility.map { .string($0) }
        return .object(object)
    }

    /// The difference in one line.
    public var summary: String {
        let what = isStep ? "step \(path)" : path
        func short(_ value: JSONValue?) -> String { value.map { WorkflowGraph.short($0.compactText, 60) } ?? "nothing" }
        var line: String
        switch kind {
        case .added: line = isStep ? "added    \(what)" : "added    \(what): \(short(after))"
        case .removed: line = isStep ? "removed  \(what)" : "removed  \(what): was \(short(before))"
        case .moved: line = "moved    \(what): \(before?.stringValue ?? "") → \(after?.stringValue ?? "")"
        case .changed: line = "changed  \(what): \(short(before)) → \(short(after))"
        }
        if let incompatibility { line += "\n         breaks callers: \(incompatibility)" }
        return line
    }
}

/// Compares two versions of a workflow.
public enum DefinitionDiff {
    /// The differences, in the order of the second version; what was removed stands behind what is left of its block.
    public static func changes(from first: WorkflowDefinition, to second: WorkflowDefinition) -> [DefinitionChange] {
        var comparison = Comparison()
        comparison.compare(DefinitionEncoder.json(first), DefinitionEncoder.json(second), at: "")
        return comparison.joined
    }
}

private struct Comparison {
    private var changes: [DefinitionChange] = []

    // A step that left one block and came into another, otherwise the same, has moved.
    var joined: [DefinitionChange] {
        var result = changes
        for added in changes where added.kind == .added && added.isStep {
            guard
                let removed = result.firstIndex(where: {
                    $0.kind == .removed && $0.isStep && $0.before == added.after && $0.path != added.path
                }),
                let place = result.firstIndex(of: added)
            else { continue }
            result[place] = DefinitionChange(
                .moved, added.path, isStep: true, before: .string(result[removed].path), after: .string(added.path))
            result.remove(at: removed)
        }
        return result
    }

    private static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    // Where blocks begin, their key is no part of the path: a step is named as everywhere else.
    private static let blockKeys: Set<String> = ["steps", "graph", "do", "parallel", "branches", "states"]

    mutating func compare(_ first: JSONValue, _ second: JSONValue, at path: String) {
        if first == second { return }
        guard case .object(let old) = first, case .object(let new) = second else {
            return changes.append(DefinitionChange(.changed, path, before: first, after: second))
        }
        let oldBlock = Self.block(old)
        let newBlock = Self.block(new)
        if let oldBlock, let newBlock {
            if oldBlock.key != newBlock.key {
                changes.append(
                    DefinitionChange(.changed, path.isEmpty ? "steps" : path, before: .string(oldBlock.key), after: .string(newBlock.key)))
            }
            compareSteps(oldBlock.steps, newBlock.steps, at: path)
        }
        for (key, value) in new.members where Self.isField(key, oldBlock, newBlock) {
            let place = Self.blockKeys.contains(key) ? path : Self.join(path, key)
            guard let before = old[key] else {
                changes.append(
                    DefinitionChange(.added, Self.join(path, key), after: value, incompatibility: Self.breach(path, key, nil, value)))
                continue
            }
            if before == value { continue }
            if Self.isSchema(path, key) {
                changes.append(
                    DefinitionChange(
                        .changed, place, before: before, after: value, incompatibility: Self.breach(path, key, before, value)))
            } else {
                compare(before, value, at: place)
            }
        }
        for (key, value) in old.members where new[key] == nil && Self.isField(key, oldBlock, newBlock) {
            changes.append(DefinitionChange(.removed, Self.join(path, key), before: value))
        }
    }

    private static func isField(_ key: String, _ old: (key: String, steps: [JSONValue])?, _ new: (key: String, steps: [JSONValue])?) -> Bool
    {
        old == nil || new == nil || (key != old?.key && key != new?.key)
    }

    private static func isSchema(_ path: String, _ key: String) -> Bool { (path.isEmpty && key == "input") || key == "result" }

    private static func breach(_ path: String, _ key: String, _ old: JSONValue?, _ new: JSONValue) -> String? {
        path.isEmpty && key == "input" ? SchemaCompatibility.breach(from: old ?? true, to: new) : nil
    }

    private static func block(_ object: JSONObject) -> (key: String, steps: [JSONValue])? {
        for key in ["steps", "graph"] { if case .array(let steps)? = object[key] { return (key, steps) } }
        return nil
    }

    // MARK: Steps

    private mutating func compareSteps(_ old: [JSONValue], _ new: [JSONValue], at path: String) {
        func id(_ step: JSONValue) -> String { step["id"]?.stringValue ?? "?" }
        let oldPlaces = Dictionary(old.enumerated().map { (id($0.element), $0.offset) }, uniquingKeysWith: { first, _ in first })
        let kept = new.compactMap { oldPlaces[id($0)] }
        let inOrder = Self.longestRise(kept)
        for (place, step) in new.enumerated() {
            let stepPath = Self.join(path, id(step))
            guard let oldPlace = oldPlaces[id(step)] else {
                changes.append(DefinitionChange(.added, stepPath, isStep: true, after: step))
                continue
            }
            if !inOrder.contains(oldPlace) {
                changes.append(
                    DefinitionChange(
                        .moved, stepPath, isStep: true, before: Self.neighbour(old, oldPlace, id), after: Self.neighbour(new, place, id)))
            }
            compare(old[oldPlace], step, at: stepPath)
        }
        let names = Set(new.map(id))
        for step in old where !names.contains(id(step)) {
            changes.append(DefinitionChange(.removed, Self.join(path, id(step)), isStep: true, before: step))
        }
    }

    private static func neighbour(_ steps: [JSONValue], _ place: Int, _ id: (JSONValue) -> String) -> JSONValue {
        place == 0 ? "first" : .string("after \(id(steps[place - 1]))")
    }

    // The largest set of steps whose order is the same in both.
    private static func longestRise(_ places: [Int]) -> Set<Int> {
        var ends: [Int] = []
        var previous = [Int](repeating: -1, count: places.count)
        for (index, place) in places.enumerated() {
            var low = 0
            var high = ends.count
            while low < high {
                let middle = (low + high) / 2
                if places[ends[middle]] < place { low = middle + 1 } else { high = middle }
            }
            previous[index] = low > 0 ? ends[low - 1] : -1
            if low == ends.count { ends.append(index) } else { ends[low] = index }
        }
        var result: Set<Int> = []
        var next = ends.last ?? -1
        while next >= 0 {
            result.insert(places[next])
            next = previous[next]
        }
        return result
    }
}
