// The workflows that a file starts, and the circles among several files.

import Expressions
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
    /// What the other workflow is given, as far as it is known.
    var given: GivenInput?

    init(workflow: String, isCertain: Bool, path: String, position: SourcePosition, length: Int) {
        self.workflow = workflow
        self.isCertain = isCertain
        self.path = path
        self.position = position
        self.length = length
    }

    /// What can be seen to be wrong with what the other workflow is given; nil where it may fit.
    func mismatch(with definition: WorkflowDefinition) -> Diagnostic? {
        guard let schema = definition.inputSchema, let given, let problem = given.type.mismatch(with: StaticType(schema: schema)) else {
            return nil
        }
        let parts = problem.pointer.split(separator: "/")
        let place = parts.first.flatMap { given.members[String($0)] } ?? given.place
        let subject = parts.isEmpty ? "`with`" : "`\(parts.joined(separator: "."))`"
        return Diagnostic(
            code: .inputMismatch, message: "\(subject) does not fit the input of \(Wording.quoted(workflow)): \(problem.message)",
            path: place.path, position: place.position, length: place.length, fix: "see the `input` of \(workflow)")
    }

    // `way` begins and ends with the file that holds this reference, which is named once.
    func recursion(along way: [String]) -> Diagnostic {
        let circle = (way + [way[0]]).joined(separator: " → ")
        return Diagnostic(
            code: .unconditionalRecursion, message: "these workflows start each other without end: \(circle)", path: path,
            position: position,
            length: length, fix: "give one of these steps an `if`, so that the circle can end")
    }
}

/// What a workflow is given when it is started.
struct GivenInput: Sendable, Hashable {
    struct Place: Sendable, Hashable {
        let path: String
        let position: SourcePosition
        let length: Int
    }

    let type: StaticType
    /// Where `with` stands, or the name of the workflow where there is none.
    let place: Place
    /// Where its members stand.
    let members: [String: Place]

    init(_ type: StaticType, at field: Field) {
        self.type = type
        place = Place(path: field.path.text, position: field.node.position, length: field.node.length)
        var members: [String: Place] = [:]
        for member in field.members ?? [] {
            let value = field.member(member)
            members[member.key] = Place(path: value.path.text, position: value.node.position, length: value.node.length)
        }
        self.members = members
    }
}

/// Checks that need several files.
public enum DefinitionSet {
    /// What is wrong with files that belong together beside what is wrong with each of them, aligned with `files`.
    ///
    /// Workflows that always start each other are an error at every place of the circle, and so is what a workflow is given that does not
    /// fit its input. What concerns one file alone has been found already.
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
            let circles = ways[index].compactMap { target, call -> Diagnostic? in
                guard target != index, let way = shortestWay(from: target, to: index, ways) else { return nil }
                return call.recursion(along: [index] + way, names)
            }
            let mismatches = files[index].calls.compactMap { call -> Diagnostic? in
                guard let target = places[call.workflow], target != index else { return nil }
                return files[target].definition.flatMap { call.mismatch(with: $0) }
            }
            return (circles + mismatches).enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
                .map(\.element)
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
