// A definition seen once more, without the engine: which step is where, what it waits for, and which steps its expressions may read.

import Engine
import Expressions
import WorkflowModel

/// The steps of a definition, in file order, a block's step before the steps inside it.
final class Outline: Sendable {
    struct Entry: Sendable {
        let index: Int
        let path: StepPath
        let step: Step
        let parent: Int?
        let ordinal: Int
        var needs: [Int] = []
        var children: [Int] = []

        var isBlock: Bool { if case .block = step.verb { true } else { false } }
        var isAgent: Bool { if case .agent = step.verb { true } else { false } }
        var isGraph: Bool { if case .block(.graph) = step.verb { true } else { false } }
    }

    let definition: WorkflowDefinition
    let entries: [Entry]
    let roots: [Int]
    private let conditions: [Int: CompiledExpression]

    init(_ definition: WorkflowDefinition) throws {
        self.definition = definition
        var entries: [Entry] = []
        func add(_ block: Block, parent: Int?, prefix: StepPath?) -> [Int] {
            var children: [Int] = []
            var indices: [String: Int] = [:]
            for (ordinal, step) in block.steps.enumerated() {
                let path = prefix?.child(step.id) ?? StepPath(step.id)
                let index = entries.count
                entries.append(Entry(index: index, path: path, step: step, parent: parent, ordinal: ordinal))
                children.append(index)
                indices[step.id] = index
                if case .block(let inner) = step.verb { entries[index].children = add(inner, parent: index, prefix: path) }
            }
            switch block {
            case .steps: for (before, after) in zip(children, children.dropFirst()) { entries[after].needs = [before] }
            case .graph(let steps):
                for (position, step) in steps.enumerated() { entries[children[position]].needs = step.needs.compactMap { indices[$0] } }
            case .states: break
            }
            return children
        }
        roots = add(definition.body, parent: nil, prefix: nil)
        self.entries = entries
        var conditions: [Int: CompiledExpression] = [:]
        for entry in entries {
            if let source = entry.step.condition { conditions[entry.index] = try CompiledExpression(source) }
        }
        self.conditions = conditions
    }

    /// The retry policy that counts: the step's, the agent's, or the file's.
    func retry(of entry: Entry) -> [RetryEntry] {
        let agent: AgentDefinition? =
            switch entry.step.verb {
            case .agent(.inline(let agent)): agent
            case .agent(.named(let name)): definition.agents.first { $0.name == name }?.agent
            case .set, .block, .workflow, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed: nil
            }
        return (entry.step.retry ?? agent?.retry ?? definition.defaults.retry)?.entries ?? []
    }

    /// The entry of the step's policy that a failure falls under; nil when it is not tried again whatever was counted.
    func retryIndex(of entry: Entry, for failure: Failure) -> Int? {
        let mayPass: Set<FailureType> = [.timeout, .connect, .tls, .serverError, .rateLimited, .protocolError, .exit, .signal, .custom]
        return retry(of: entry).firstIndex { policy in
            guard let names = policy.on else { return mayPass.contains(failure.type) }
            return names.contains { $0 == failure.type.rawValue || $0 == failure.code || ($0 == "*" && mayPass.contains(failure.type)) }
        }
    }

    func index(of path: StepPath) -> Int? { entries.firstIndex { $0.path == path } }

    func children(of block: Int?) -> [Int] { block.map { entries[$0].children } ?? roots }

    func isGraph(_ block: Int?) -> Bool {
        if let block { return entries[block].isGraph }
        if case .graph = definition.body { return true }
        return false
    }

    /// Whether the step's condition holds; nil when it cannot be evaluated.
    func conditionHolds(_ index: Int, _ scope: Scope) -> Bool? {
        guard let condition = conditions[index] else { return true }
        return try? condition.evaluateCondition(scope)
    }

    /// What expressions see in a block: the settled steps of it and of the blocks around it, the inner ones first.
    func scope(in block: Int?, input: JSONValue, settled: (Int) -> JSONValue?) -> Scope {
        var steps = JSONObject()
        var hidden: Set<String> = []
        var here = block
        while true {
            for child in children(of: here) where hidden.insert(entries[child].step.id).inserted {
                if let value = settled(child) { steps[entries[child].step.id] = value }
            }
            guard let inside = here else { break }
            here = entries[inside].parent
        }
        var scope = Scope()
        scope["input"] = Value(input)
        scope["steps"] = Value(.object(steps))
        return scope
    }
}
