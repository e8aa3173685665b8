// The workflows that a file starts, and the circles among several files.

import WorkflowModel

/// A place at which a workflow starts another one.
public struct WorkflowReference: Sendable, Hashable {
    /// The workflow that is started.
    public let workflow: String
    /// Whether every run that gets so far starts it: no condition, choice, event or empty loop stands before it.
    public let isCertain: Bool
    /// The path of the key.
    public let path: String
    /// Where the name begins.
    public let position: SourcePosition
    /// How many characters it has.
    public let length: Int

    // `way` begins and ends with the file that holds this reference, which is named once.
    func recursion(along way: [String]) -> Diagnostic {
        let circle = (way + [way[0]]).joined(separator: " → ")
        return Diagnostic(
            code: .unconditionalRecursion, message: "these workflows start each other without end: \(circle)", path: path, position: position,
            length: length, fix: "give one of these steps an `if`, so that the circle can end")
    }
}

/// Checks that need several files.
public enum DefinitionSet {
    /// What is wrong with files that belong together beside what is wrong with each of them, aligned with `files`.
    ///
    /// Workflows that always start each other are an error at every place of the circle; circles of one file have been found already.
    public static func diagnostics(of files: [DecodedDefinition]) -> [[Diagnostic]] {
        let names = files.map { $0.definition?.name }
        let places = Dictionary(
            names.enumerated().compactMap { index, name in name.map { ($0, index) } }, uniquingKeysWith: { first, _ in first })
        let ways: [[(target: Int, call: WorkflowReference)]] = files.map { file in
            file.calls.compactMap { call in
                guard call.isCertain, let target = places[call.workflow] else { return nil }
                return (target, call)
            }
        }
        return files.indices.map { index in
            guard names[index] != nil else { return [] }
            return ways[index].compactMap { target, call in
                guard target != index, let way = shortestWay(from: target, to: index, ways) else { return nil }
                return call.recursion(along: [index] + way, names)
            }
        }
    }

    // The files from `start` up to the one before `end`.
    private static func shortestWay(from start: Int, to end: Int, _ ways: [[(target: Int, call: WorkflowReference)]]) -> [Int]? {
        var previous = [Int?](repeating: nil, count: ways.count)
        var reached = [Bool](repeating: false, count: ways.count)
        reached[start] = true
        var open = [start]
        var next = 0
        while next < open.count {
            let here = open[next]
            next += 1
            for (target, _) in ways[here] {
                if target == end {
                    var way = [here]
                    while let before = previous[way[0]] { way.insert(before, at: 0) }
                    return way
                }
                if reached[target] { continue }
                reached[target] = true
                previous[target] = here
                open.append(target)
            }
        }
        return nil
    }
}

extension WorkflowReference {
    fileprivate func recursion(along way: [Int], _ names: [String?]) -> Diagnostic {
        recursion(along: way.map { names[$0] ?? "?" })
    }
}
