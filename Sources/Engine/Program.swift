// A definition made ready to run: steps numbered, expressions compiled, references resolved. Made once for each version.

package import Expressions
package import JSONSchema
public import WorkflowModel

/// A workflow version in the form that the engine runs. Immutable and shared.
public final class Program: Sendable {
    /// The definition it was made from.
    public let definition: WorkflowDefinition
    /// All steps, in file order, a block's step before the steps inside it. A step's place here is its `step_index` everywhere.
    package let nodes: [Node]
    /// The root block.
    package let root: BlockPlan
    /// The template of the run's output.
    package let output: Evaluation?
    private let indexByPath: [StepPath: Int]

    /// Compiles a definition. A definition that the decoder accepted compiles; the error is for everything else.
    public init(_ definition: WorkflowDefinition) throws(ProgramError) {
        for (key, chains) in [
            ("onSuccess", definition.onSuccess), ("onFailure", definition.onFailure), ("onCancel", definition.onCancel),
        ] where !chains.isEmpty {
            throw ProgramError(place: key, message: "this release cannot start chained workflows yet")
        }
        var builder = ProgramBuilder(definition: definition)
        root = try builder.add(definition.body, parent: nil, prefix: nil)
        try builder.resolve()
        self.definition = definition
        if let template = definition.output {
            output = try builder.evaluation(of: template, in: nil, place: "output")
            builder.markReferenced(output)
        } else {
            output = nil
        }
        builder.markBlockOutputs(root)
        nodes = builder.nodes
        indexByPath = Dictionary(uniqueKeysWithValues: builder.nodes.map { ($0.path, $0.index) })
    }

    /// The step that a path names; nil when this version has none.
    package func node(at path: StepPath) -> Node? {
        indexByPath[path].map { nodes[$0] }
    }

    /// The steps as the store keeps them beside the version: number, path, verb, and what a worker must know.
    public var stepDescriptions: [StepDescription] {
        nodes.map { node in
            let agent: AgentDefinition? = if case .agent(let definition) = node.verb { definition } else { nil }
            return StepDescription(index: node.index, path: node.path, verb: node.verbName, agent: agent, timeout: node.timeout)
        }
    }
}

/// A step of a version, as the store keeps it for workers and views.
public struct StepDescription: Sendable {
    /// The step's number within its version.
    public let index: Int
    /// The path, without indexes of loops.
    public let path: StepPath
    /// The verb.
    public let verb: String
    /// The agent, for steps that run on a worker.
    public let agent: AgentDefinition?
    /// The time-out of one attempt.
    public let timeout: Duration
}

/// Why a definition cannot be made ready to run.
public struct ProgramError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The step, or `output`.
    public let place: String
    /// What is wrong.
    public let message: String

    /// The place and what is wrong there.
    public var description: String { "\(place): \(message)" }
}

// One step, ready to run.
package struct Node: Sendable {
    package let index: Int
    package let id: String
    package let path: StepPath
    // The step whose block this one is in; nil in the root block.
    package let parent: Int?
    // The place within the block.
    package let ordinal: Int
    package let verb: NodeVerb
    package let verbName: String
    package let onError: ErrorHandling
    package let retry: RetryPolicy
    package let timeout: Duration
    package let queue: String
    package let priority: Int
    package var needs: [Int] = []
    package var dependents: [Int] = []
    package var condition: Condition?
    package var with: Evaluation?
    package var output: Evaluation?
    package let resultSchema: CompiledSchema?
    // Whether any expression, or the output of a block, reads this step's output: only then a frame keeps it.
    package var outputIsRead = false
}

package enum NodeVerb: Sendable {
    case agent(AgentDefinition)
    case set
    case block(BlockPlan)
}

package struct BlockPlan: Sendable {
    package enum Kind: Sendable {
        case sequence
        case graph
    }

    package let kind: Kind
    package let children: [Int]
    // The steps that nobody needs: the output of a graph.
    package var sinks: [Int] = []
}

// A compiled template with the steps that it reads.
package struct Evaluation: Sendable {
    package let template: CompiledTemplate
    package let reads: Reads
}

package struct Condition: Sendable {
    package let expression: CompiledExpression
    package let reads: Reads
}

// What an expression reads: known from the definition, so that a frame can be loaded with no more than that.
package struct Reads: Sendable {
    // Which step each `steps.ID` means, innermost block first.
    package var steps: [(id: String, node: Int)] = []
    package var input = false
    package var run = false
}

/// What a step without any setting gets.
public enum EngineDefaults {
    /// The time-out of one attempt where nobody says anything: 10 minutes.
    public static let attemptTimeout: Duration = .seconds(600)
    /// How many workers may be lost with one step before it is dead as poison.
    public static let lossLimit = 5
}

struct ProgramBuilder {
    let definition: WorkflowDefinition
    var nodes: [Node] = []
    // The steps of each block by id, keyed by the block's step (nil: the root).
    private var idsByBlock: [Int?: [String: Int]] = [:]
    private var sources: [Step] = []

    init(definition: WorkflowDefinition) { self.definition = definition }

    mutating func add(_ block: Block, parent: Int?, prefix: StepPath?) throws(ProgramError) -> BlockPlan {
        var children: [Int] = []
        var ids: [String: Int] = [:]
        for (ordinal, step) in block.steps.enumerated() {
            let path = prefix?.child(step.id) ?? StepPath(step.id)
            let index = nodes.count
            if ids.updateValue(index, forKey: step.id) != nil {
                throw ProgramError(place: path.text, message: "the id occurs twice in its block")
            }
            children.append(index)
            let agent = try agentDefinition(of: step, at: path)
            nodes.append(try node(for: step, index: index, path: path, parent: parent, ordinal: ordinal, agent: agent, plan: nil))
            sources.append(step)
            if case .block(let inner) = step.verb {
                let plan = try add(inner, parent: index, prefix: path)
                let placeholder = nodes[index]
                nodes[index] = try node(
                    for: step, index: index, path: path, parent: parent, ordinal: ordinal, agent: placeholder.agentDefinition, plan: plan)
            }
        }
        idsByBlock[parent] = ids
        switch block {
        case .steps: return BlockPlan(kind: .sequence, children: children)
        case .graph(let steps):
            var needed: Set<Int> = []
            for (position, step) in steps.enumerated() {
                for need in step.needs {
                    guard let index = ids[need] else {
                        throw ProgramError(place: nodes[children[position]].path.text, message: "needs \"\(need)\", which does not exist")
                    }
                    nodes[children[position]].needs.append(index)
                    nodes[index].dependents.append(children[position])
                    needed.insert(index)
                }
            }
            return BlockPlan(kind: .graph, children: children, sinks: children.filter { !needed.contains($0) })
        case .states:
            throw ProgramError(place: prefix?.text ?? "states", message: "this release cannot run state machines yet")
        }
    }

    private func agentDefinition(of step: Step, at path: StepPath) throws(ProgramError) -> AgentDefinition? {
        guard case .agent(let reference) = step.verb else { return nil }
        switch reference {
        case .inline(let agent): return agent
        case .named(let name):
            guard let found = definition.agents.first(where: { $0.name == name }) else {
                throw ProgramError(place: path.text, message: "there is no agent \"\(name)\"")
            }
            return found.agent
        }
    }

    private func node(
        for step: Step, index: Int, path: StepPath, parent: Int?, ordinal: Int, agent: AgentDefinition?, plan: BlockPlan?
    ) throws(ProgramError) -> Node {
        let verb: NodeVerb
        switch step.verb {
        case .agent:
            guard let agent else { throw ProgramError(place: path.text, message: "the agent is unknown") }
            verb = .agent(agent)
        case .set: verb = .set
        case .block: verb = .block(plan ?? BlockPlan(kind: .sequence, children: []))
        case .workflow, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed:
            throw ProgramError(place: path.text, message: "this release cannot run `\(step.verb.name)` steps yet")
        }
        try refuseLaterModifiers(of: step, at: path)
        var schema: CompiledSchema?
        if let document = step.resultSchema {
            do throws(SchemaError) {
                schema = try CompiledSchema(document)
            } catch {
                throw ProgramError(place: path.text + ".result", message: "\(error)")
            }
        }
        return Node(
            index: index, id: step.id, path: path, parent: parent, ordinal: ordinal, verb: verb, verbName: step.verb.name,
            onError: step.onError, retry: step.retry ?? agent?.retry ?? definition.defaults.retry ?? .none,
            timeout: step.timeout ?? agent?.timeout ?? definition.defaults.timeout ?? EngineDefaults.attemptTimeout,
            queue: step.queue ?? definition.queue, priority: step.priority ?? definition.priority, resultSchema: schema)
    }

    private func refuseLaterModifiers(of step: Step, at path: StepPath) throws(ProgramError) {
        func refuse(_ key: String) throws(ProgramError) {
            throw ProgramError(place: path.text, message: "this release cannot run steps with `\(key)` yet")
        }
        switch step.loop?.source {
        case nil: break
        case .each: try refuse("each")
        case .while: try refuse("while")
        case .until: try refuse("until")
        }
        if step.when != nil { try refuse("when") }
        if step.totalTimeout != nil { try refuse("totalTimeout") }
        if step.startTimeout != nil { try refuse("startTimeout") }
        if step.effect != nil { try refuse("effect") }
        if case .catch = step.onError { throw ProgramError(place: path.text, message: "this release cannot run catch blocks yet") }
    }

    // Expressions are compiled once all ids are known.
    mutating func resolve() throws(ProgramError) {
        for (index, step) in sources.enumerated() {
            let place = nodes[index].path.text
            let parent = nodes[index].parent
            if let source = step.condition {
                let expression = try compile(source, place: place + ".if")
                nodes[index].condition = Condition(expression: expression, reads: reads(expression.references, in: parent))
            }
            switch step.verb {
            case .agent:
                if let with = step.with { nodes[index].with = try evaluation(of: with, in: parent, place: place + ".with") }
            case .set(let template): nodes[index].with = try evaluation(of: template, in: parent, place: place + ".set")
            case .block, .workflow, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed: break
            }
            if let output = step.output {
                // A block's own `output` sees the steps inside it.
                let scope: Int? = if case .block = step.verb { index } else { parent }
                nodes[index].output = try evaluation(of: output, in: scope, place: place + ".output")
            }
        }
        for index in nodes.indices {
            markReferenced(nodes[index].with)
            markReferenced(nodes[index].output)
            for (_, node) in nodes[index].condition?.reads.steps ?? [] { nodes[node].outputIsRead = true }
            if case .block(let plan) = nodes[index].verb { markBlockOutputs(plan) }
        }
    }

    mutating func markReferenced(_ evaluation: Evaluation?) {
        for (_, node) in evaluation?.reads.steps ?? [] { nodes[node].outputIsRead = true }
    }

    mutating func markBlockOutputs(_ plan: BlockPlan) {
        switch plan.kind {
        case .sequence: if let last = plan.children.last { nodes[last].outputIsRead = true }
        case .graph: for sink in plan.sinks { nodes[sink].outputIsRead = true }
        }
    }

    private func compile(_ source: String, place: String) throws(ProgramError) -> CompiledExpression {
        do throws(ExpressionError) {
            return try CompiledExpression(source)
        } catch {
            throw ProgramError(place: place, message: error.message)
        }
    }

    func evaluation(of template: JSONValue, in block: Int?, place: String) throws(ProgramError) -> Evaluation {
        do throws(ExpressionError) {
            let compiled = try CompiledTemplate(template)
            return Evaluation(template: compiled, reads: reads(compiled.references, in: block))
        } catch {
            throw ProgramError(place: place, message: error.message)
        }
    }

    private func reads(_ references: [Reference], in block: Int?) -> Reads {
        var reads = Reads()
        for reference in references {
            switch reference.root {
            case "input": reads.input = true
            case "run": reads.run = true
            case "steps":
                guard let id = reference.path.first, !reads.steps.contains(where: { $0.id == id }), let node = find(id, in: block) else {
                    continue
                }
                reads.steps.append((id, node))
            default: continue
            }
        }
        return reads
    }

    private func find(_ id: String, in block: Int?) -> Int? {
        var block = block
        while true {
            if let found = idsByBlock[block]?[id] { return found }
            guard let inside = block else { return nil }
            block = nodes[inside].parent
        }
    }
}

extension Node {
    fileprivate var agentDefinition: AgentDefinition? {
        if case .agent(let agent) = verb { agent } else { nil }
    }
}
