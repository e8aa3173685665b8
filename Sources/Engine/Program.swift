// A definition made ready to run: steps numbered, expressions compiled, references resolved. Made once for each version.

package import JSONSchema
public import WorkflowModel

/// A workflow version in the form that the engine runs. Immutable and shared.
public final class Program: Sendable {
    /// The definition it was made from.
    public let definition: WorkflowDefinition
    /// All steps, in file order, a step before the parts and steps inside it. A step's place here is its `step_index` everywhere.
    package let nodes: [Node]
    /// The root block; of a state machine that is the whole workflow, the sequence of the one step `state`.
    package let root: BlockPlan
    /// The template of the run's output.
    package let output: Evaluation?
    // The workflows that are started when a run has ended.
    let chains: [ChainStart.Trigger: [ChainPlan]]
    /// Whether a run can have more steps than the definition: it has a loop or a state machine. Such a run is never loaded whole.
    public let isDynamic: Bool
    // Whether the whole workflow is one state machine.
    let isMachine: Bool
    private let indexByPath: [StepPath: Int]

    /// Compiles a definition. A definition that the decoder accepted compiles; the error is for everything else.
    public init(_ definition: WorkflowDefinition) throws(ProgramError) {
        var builder = ProgramBuilder(definition: definition)
        root = try builder.addRoot(definition.body)
        try builder.resolve()
        self.definition = definition
        let here = builder.rootMachine
        isMachine = here != nil
        if let template = definition.output {
            output = try builder.evaluation(of: template, inside: here, place: "output")
            builder.mark(output?.reads)
        } else {
            output = nil
        }
        var chains: [ChainStart.Trigger: [ChainPlan]] = [:]
        for (trigger, list) in [
            (ChainStart.Trigger.onSuccess, definition.onSuccess), (.onFailure, definition.onFailure), (.onCancel, definition.onCancel),
        ] where !list.isEmpty {
            chains[trigger] = try builder.chains(list, trigger, inside: here)
        }
        self.chains = chains
        builder.markOutputs(of: root)
        nodes = builder.nodes.map { Node($0) }
        isDynamic = builder.nodes.contains { !$0.isStatic }
        indexByPath = Dictionary(builder.nodes.map { ($0.path, $0.index) }, uniquingKeysWith: { first, _ in first })
    }

    /// The step that a path names; nil when this version has none.
    package func node(at path: StepPath) -> Node? {
        if let index = indexByPath[path], nodes[index].isStatic { return nodes[index] }
        guard isDynamic, let pattern = path.withoutIndexes else { return nil }
        return indexByPath[pattern].map { nodes[$0] }
    }

    /// The steps as the store keeps them beside the version: number, path, verb, and what a worker must know.
    public var stepDescriptions: [StepDescription] {
        nodes.map { node in
            let agent: AgentDefinition? = if case .agent(let definition) = node.verb { definition } else { nil }
            return StepDescription(
                index: node.index, path: node.path, verb: node.verbName, agent: agent, timeout: node.timeout, needs: needs(of: node))
        }
    }

    // The ids of the steps of the same block that have settled before this one starts.
    private func needs(of node: Node) -> [String] {
        guard node.placement == .step, !node.isCleanup else { return [] }
        let plan: BlockPlan
        if let parent = node.parent {
            guard case .block(let inner) = nodes[parent].verb else { return [] }
            plan = inner
        } else {
            plan = root
        }
        switch plan.kind {
        case .graph: return node.needs.map { nodes[$0].id }
        case .sequence: return node.ordinal > 0 ? [nodes[plan.children[node.ordinal - 1]].id] : []
        }
    }

    /// The names of the workflows that a run may start as sub-workflows, sorted: what has to be resolved when it is submitted.
    public var callees: [String] {
        var names: Set<String> = []
        for node in nodes { if case .workflow(let call) = node.verb { names.insert(call.workflow) } }
        return names.sorted()
    }

    /// Whether a run may have a timer other than that of its own time-out.
    public var setsTimers: Bool {
        nodes.contains { node in
            if node.totalTimeout != nil || node.blockTimeout != nil { return true }
            return switch node.verb {
            case .agent, .workflow: !node.retry.entries.isEmpty
            case .sleep, .loop: true
            case .parallel(let plan): plan.join.deadline != nil
            case .machine(let plan): plan.states.contains { !$0.after.isEmpty }
            case .set, .nothing, .validate, .fail, .succeed, .emit, .wait, .block, .choice: false
            }
        }
    }
}

/// A step of a version, as the store keeps it for workers and views.
public struct StepDescription: Sendable {
    /// The step's number within its version.
    public let index: Int
    /// The path without indexes: `review[].score`, `order/paid#.charge`.
    public let path: StepPath
    /// The verb; of parts `branch`, `case`, `catch` or `state`; of a loop `each`, `while` or `until`, and its iterations have the verb.
    public let verb: String
    /// The agent, for steps that run on a worker.
    public let agent: AgentDefinition?
    /// The time-out of one attempt.
    public let timeout: Duration
    /// The ids of the steps of the same block instance that have settled before this one starts.
    public let needs: [String]
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

// One step, or one part of a step, ready to run. A class, because decisions pass it around by the million.
package final class Node: Sendable {
    // What the node is to its parent: it says how its path is made from the parent's, and what its settling means there.
    package enum Placement: Sendable {
        // A step of a block: `block.id`.
        case step
        // A branch of a fork: `fork.name`.
        case branch
        // An iteration of a loop: `loop[17]`.
        case iteration
        // A case of a switch: `choice/case1`.
        case arm
        // The block that handles a step's failure or time-out: `step/catch`, `step/timeout`.
        case handler
        // A visit of a state: `machine/paid#2`.
        case visit
    }

    package let index: Int
    package let id: String
    package let path: StepPath
    // The step or part that this one is in; nil in the root block.
    package let parent: Int?
    // The place within the parent.
    package let ordinal: Int
    package let placement: Placement
    // Whether there is at most one instance, whose path is `path`.
    package let isStatic: Bool
    package let verb: NodeVerb
    package let verbName: String
    package let continuesOnError: Bool
    // The block that catches a failure for good, and the one for a wait that took too long.
    package let catchNode: Int?
    package let timeoutNode: Int?
    package let continuesOnTimeout: Bool
    package let when: RunRule?
    package let retry: RetryPolicy
    package let timeout: Duration
    // The time-out of a step that no worker watches.
    package let blockTimeout: Duration?
    package let totalTimeout: Duration?
    package let queue: String
    package let priority: Int
    package let needs: [Int]
    package let dependents: [Int]
    package let condition: Condition?
    package let with: Evaluation?
    package let output: Evaluation?
    package let resultSchema: CompiledSchema?
    // Whether any expression, or the output of a block, reads this step's output: only then a frame keeps it.
    package let outputIsRead: Bool

    // A step that also runs when its block is failing.
    package var isCleanup: Bool { when == .failure || when == .always }
    /// Whether the step's output is put together from its iterations: the engine never reads it from the step's row.
    package var isLoop: Bool { if case .loop = verb { true } else { false } }

    init(_ draft: NodeDraft) {
        index = draft.index
        id = draft.id
        path = draft.path
        parent = draft.parent
        ordinal = draft.ordinal
        placement = draft.placement
        isStatic = draft.isStatic
        verb = draft.verb
        verbName = draft.verbName
        continuesOnError = draft.continuesOnError
        catchNode = draft.catchNode
        timeoutNode = draft.timeoutNode
        continuesOnTimeout = draft.continuesOnTimeout
        when = draft.when
        retry = draft.retry
        timeout = draft.timeout
        blockTimeout = draft.blockTimeout
        totalTimeout = draft.totalTimeout
        queue = draft.queue
        priority = draft.priority
        needs = draft.needs
        dependents = draft.dependents
        condition = draft.condition
        with = draft.with
        output = draft.output
        resultSchema = draft.resultSchema
        outputIsRead = draft.outputIsRead
    }
}

/// What a step without any setting gets, and limits of the engine.
public enum EngineDefaults {
    /// The time-out of one attempt where nobody says anything: 10 minutes.
    public static let attemptTimeout: Duration = .seconds(600)
    /// How many workers may be lost with one step before it is dead as poison.
    public static let lossLimit = 5
    /// How many runs may stand one above the other, as parents and chains.
    public static let depthLimit = 32
    /// How many iterations, of all loops of a run together, one transaction makes; the loops go on in the next one.
    public static let iterationsPerTransaction = 1000
    /// How long a value may be, in bytes of JSON, that is kept with a decision; of a longer one the length is kept.
    public static let decisionValueBytes = 512
}

extension StepPath {
    // The path without its indexes: `review[17].score` is `review[].score`, `order/paid#2.x` is `order/paid#.x`. Nil when it has none, or
    // when an index is not written as we write it.
    var withoutIndexes: StepPath? {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var digits = 0
        var inIndex = false
        var startsWithZero = false
        var found = false
        for byte in text.utf8 {
            if inIndex, byte >= 0x30, byte <= 0x39 {
                if digits == 0 { startsWithZero = byte == 0x30 }
                digits += 1
                continue
            }
            if inIndex {
                guard digits > 0, digits < 10, !startsWithZero || digits == 1 else { return nil }
                inIndex = false
            }
            result.append(byte)
            if byte == 0x5B || byte == 0x23 {
                inIndex = true
                digits = 0
                found = true
            }
        }
        if inIndex, digits == 0 || digits >= 10 || (startsWithZero && digits > 1) { return nil }
        return found ? StepPath(String(decoding: result, as: UTF8.self)) : nil
    }
}
