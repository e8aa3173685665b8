// Numbers the steps of a definition and the parts inside them.

import Expressions
import JSONSchema
import WorkflowModel

struct ProgramBuilder {
    let definition: WorkflowDefinition
    var nodes: [NodeDraft] = []
    // The node of the machine that is the whole workflow.
    var rootMachine: Int?
    // The steps of each block by id, keyed by the block's node (nil: the root).
    var idsByBlock: [Int?: [String: Int]] = [:]
    // What each node's expressions are made from; nil for parts.
    private(set) var sources: [Source] = []

    enum Source {
        // The step, where the node is no loop around it.
        case step(Step)
        // The loop around a step's verb, and the verb itself.
        case loop(Step, Loop)
        case body(Step)
        case part
        case visit(State)
    }

    init(definition: WorkflowDefinition) { self.definition = definition }

    mutating func addRoot(_ body: Block) throws(ProgramError) -> BlockPlan {
        guard case .states(let machine) = body else { return try add(steps: body, parent: nil, prefix: nil) }
        let path = StepPath("state")
        let index = nodes.count
        append(part(id: "state", path: path, parent: nil, ordinal: 0, placement: .step, verbName: "states"), .part)
        rootMachine = index
        nodes[index].verb = .machine(try add(machine, parent: index, prefix: path))
        idsByBlock[nil] = [:]
        return BlockPlan(kind: .sequence, children: [index])
    }

    private mutating func append(_ node: NodeDraft, _ source: Source) {
        nodes.append(node)
        sources.append(source)
    }

    // A node that is no step of the file: a branch, an iteration, a case, a handler, a visit.
    private func part(
        id: String, path: StepPath, parent: Int?, ordinal: Int, placement: Node.Placement, verbName: String
    ) -> NodeDraft {
        NodeDraft(
            index: nodes.count, id: id, path: path, parent: parent, ordinal: ordinal, placement: placement,
            isStatic: placement.isStatic && (parent.map { nodes[$0].isStatic } ?? true), verb: .nothing, verbName: verbName, retry: .none,
            timeout: EngineDefaults.attemptTimeout, queue: definition.queue, priority: definition.priority, resultSchema: nil)
    }

    // MARK: Blocks

    private mutating func add(_ block: Block, parent: Int, prefix: StepPath) throws(ProgramError) -> NodeVerb {
        switch block {
        case .steps, .graph: .block(try add(steps: block, parent: parent, prefix: prefix))
        case .states(let machine): .machine(try add(machine, parent: parent, prefix: prefix))
        }
    }

    private mutating func add(steps block: Block, parent: Int?, prefix: StepPath?) throws(ProgramError) -> BlockPlan {
        var children: [Int] = []
        var ids: [String: Int] = [:]
        for (ordinal, step) in block.steps.enumerated() {
            let path = prefix?.child(step.id) ?? StepPath(step.id)
            if ids.updateValue(nodes.count, forKey: step.id) != nil {
                throw ProgramError(place: path.text, message: "the id occurs twice in its block")
            }
            children.append(nodes.count)
            try add(step, path: path, parent: parent, ordinal: ordinal)
        }
        guard !children.isEmpty else {
            throw ProgramError(place: prefix?.text ?? "steps", message: "the block has no steps")
        }
        idsByBlock[parent] = ids
        let hasCleanup = children.contains { nodes[$0].isCleanup }
        guard case .graph(let steps) = block else { return BlockPlan(kind: .sequence, children: children, hasCleanup: hasCleanup) }
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
        return BlockPlan(
            kind: .graph, children: children, sinks: children.filter { !needed.contains($0) }, hasCleanup: hasCleanup,
            idle: children.filter { nodes[$0].needs.isEmpty && nodes[$0].when == .failure })
    }

    // A block that is a part of a step.
    private mutating func add(
        part id: String, _ block: Block, path: StepPath, parent: Int, ordinal: Int, placement: Node.Placement, verbName: String
    ) throws(ProgramError) -> Int {
        let index = nodes.count
        append(part(id: id, path: path, parent: parent, ordinal: ordinal, placement: placement, verbName: verbName), .part)
        nodes[index].verb = try add(block, parent: index, prefix: path)
        return index
    }

    // MARK: Steps

    private mutating func add(_ step: Step, path: StepPath, parent: Int?, ordinal: Int) throws(ProgramError) {
        let index = nodes.count
        if let loop = step.loop {
            append(
                part(id: step.id, path: path, parent: parent, ordinal: ordinal, placement: .step, verbName: loop.source.word),
                .loop(step, loop))
            let body = nodes.count
            try add(verbOf: step, path: StepPath(path.text + "[]"), parent: index, ordinal: 0, placement: .iteration, isBody: true)
            nodes[index].verb = .loop(
                LoopPlan(
                    body: body, source: nil, variable: loop.variable, every: loop.every, batch: loop.batch, maxParallel: loop.maxParallel,
                    join: loop.join, collect: loop.collect, maxIterations: loop.maxIterations))
            var isTestedAfter = loop.breakIf != nil
            if case .until = loop.source { isTestedAfter = true }
            nodes[body].outputIsRead = isTestedAfter
        } else {
            try add(verbOf: step, path: path, parent: parent, ordinal: ordinal, placement: .step, isBody: false)
        }
        nodes[index].when = step.when
        nodes[index].totalTimeout = step.totalTimeout
        switch step.onError {
        case .fail: break
        case .continue: nodes[index].continuesOnError = true
        case .catch(let block):
            nodes[index].catchNode = try add(
                part: "catch", block, path: StepPath(path.text + "/catch"), parent: index, ordinal: 0, placement: .handler,
                verbName: "catch")
        }
        // A wait's own time-out: of each iteration, where it is a loop.
        let waiting = step.loop == nil ? index : index + 1
        switch step.onTimeout {
        case .fail: break
        case .continue: nodes[waiting].continuesOnTimeout = true
        case .catch(let block):
            nodes[waiting].timeoutNode = try add(
                part: "timeout", block, path: StepPath(nodes[waiting].path.text + "/timeout"), parent: waiting, ordinal: 1,
                placement: .handler, verbName: "catch")
        }
    }

    // The node that carries out a step's verb: the step itself, or each iteration of its loop.
    private mutating func add(
        verbOf step: Step, path: StepPath, parent: Int?, ordinal: Int, placement: Node.Placement, isBody: Bool
    ) throws(ProgramError) {
        let index = nodes.count
        guard step.startTimeout == nil else {
            throw ProgramError(place: path.text + ".startTimeout", message: "`startTimeout` is not run by this release; use `totalTimeout`")
        }
        let agent = try agentDefinition(of: step, at: path)
        var node = NodeDraft(
            index: index, id: step.id, path: path, parent: parent, ordinal: ordinal, placement: placement,
            isStatic: placement.isStatic && (parent.map { nodes[$0].isStatic } ?? true), verb: .nothing, verbName: step.verb.name,
            retry: step.retry ?? agent?.retry ?? (step.verb.mayRetry ? definition.defaults.retry : nil) ?? .none,
            timeout: step.timeout ?? agent?.timeout ?? definition.defaults.timeout ?? EngineDefaults.attemptTimeout,
            queue: step.queue ?? definition.queue, priority: step.priority ?? definition.priority,
            resultSchema: try schema(step.resultSchema, at: path.text + ".result"))
        if !step.verb.runsOnWorker { node.blockTimeout = step.timeout }
        append(node, isBody ? .body(step) : .step(step))
        nodes[index].verb = try verb(of: step, index: index, path: path, agent: agent)
    }

    private mutating func verb(
        of step: Step, index: Int, path: StepPath, agent: AgentDefinition?
    ) throws(ProgramError) -> NodeVerb {
        switch step.verb {
        case .agent:
            guard let agent else { throw ProgramError(place: path.text, message: "the agent is unknown") }
            return .agent(agent)
        case .workflow(let call): return .workflow(call)
        case .block(let block): return try add(block, parent: index, prefix: path)
        case .parallel(let parallel):
            var branches: [Int] = []
            for (ordinal, branch) in parallel.branches.enumerated() {
                branches.append(
                    try add(
                        part: branch.name, branch.block, path: path.child(branch.name), parent: index, ordinal: ordinal, placement: .branch,
                        verbName: "branch"))
            }
            guard !branches.isEmpty else { throw ProgramError(place: path.text, message: "there are no branches") }
            return .parallel(ParallelPlan(branches: branches, join: parallel.join))
        case .switch(let choice):
            var cases: [(condition: Condition?, node: Int)] = []
            for (ordinal, entry) in choice.cases.enumerated() {
                let name = "case\(ordinal + 1)"
                cases.append(
                    (
                        nil,
                        try add(
                            part: name, entry.block, path: StepPath(path.text + "/" + name), parent: index, ordinal: ordinal,
                            placement: .arm,
                            verbName: "case")
                    ))
            }
            var otherwise: Int?
            if let block = choice.otherwise {
                otherwise = try add(
                    part: "else", block, path: StepPath(path.text + "/else"), parent: index, ordinal: cases.count, placement: .arm,
                    verbName: "case")
            }
            return .choice(ChoicePlan(cases: cases, otherwise: otherwise))
        case .set: return .set
        case .validate(let validation):
            guard let schema = try schema(validation.schema, at: path.text + ".validate.schema") else { return .set }
            return .validate(schema)
        case .succeed: return .succeed
        // Made when expressions are.
        case .await, .sleep, .emit, .fail: return .nothing
        case .approve:
            throw ProgramError(place: path.text, message: "`approve` is not run by this release; wait for an event with `await` instead")
        }
    }

    private mutating func add(_ machine: StateMachine, parent: Int, prefix: StepPath) throws(ProgramError) -> MachinePlan {
        var states: [StatePlan] = []
        for (ordinal, state) in machine.states.enumerated() {
            let path = StepPath(prefix.text + "/" + state.name + "#")
            let index = nodes.count
            append(
                part(id: state.name, path: path, parent: parent, ordinal: ordinal, placement: .visit, verbName: "state"), .visit(state))
            if let block = state.block { nodes[index].verb = try add(block, parent: index, prefix: path) }
            nodes[index].outputIsRead = state.ending != nil
            states.append(StatePlan(name: state.name, visit: index, ending: state.ending))
        }
        guard let initial = machine.states.firstIndex(where: { $0.name == machine.initial }) else {
            throw ProgramError(place: prefix.text, message: "the initial state \"\(machine.initial)\" does not exist")
        }
        return MachinePlan(
            initial: initial, maxTransitions: machine.maxTransitions, unexpected: machine.unexpected, states: states)
    }

    // MARK: What nodes are made from

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

    private func schema(_ document: JSONValue?, at place: String) throws(ProgramError) -> CompiledSchema? {
        guard let document else { return nil }
        do throws(SchemaError) {
            return try CompiledSchema(document, options: .workflow)
        } catch {
            throw ProgramError(place: place, message: "\(error)")
        }
    }
}

// A node while the program is being made; see `Node` for what its parts mean.
struct NodeDraft {
    let index: Int
    let id: String
    let path: StepPath
    let parent: Int?
    let ordinal: Int
    let placement: Node.Placement
    let isStatic: Bool
    var verb: NodeVerb
    let verbName: String
    var continuesOnError = false
    var catchNode: Int?
    var timeoutNode: Int?
    var continuesOnTimeout = false
    var when: RunRule?
    let retry: RetryPolicy
    let timeout: Duration
    var blockTimeout: Duration?
    var totalTimeout: Duration?
    let queue: String
    let priority: Int
    var needs: [Int] = []
    var dependents: [Int] = []
    var condition: Condition?
    var with: Evaluation?
    var output: Evaluation?
    let resultSchema: CompiledSchema?
    var outputIsRead = false

    var isCleanup: Bool { when == .failure || when == .always }
}

extension Node.Placement {
    var isStatic: Bool {
        switch self {
        case .step, .branch, .arm, .handler: true
        case .iteration, .visit: false
        }
    }
}

extension Loop.Source {
    // The word by which the file calls it.
    var word: String {
        switch self {
        case .each: "each"
        case .while: "while"
        case .until: "until"
        }
    }
}

extension Verb {
    var runsOnWorker: Bool {
        switch self {
        case .agent: true
        case .workflow, .block, .parallel, .switch, .await, .approve, .sleep, .emit, .set, .validate, .fail, .succeed: false
        }
    }

    // Whether the file's `defaults` for retries are for it.
    var mayRetry: Bool {
        switch self {
        case .agent, .workflow: true
        case .block, .parallel, .switch, .await, .approve, .sleep, .emit, .set, .validate, .fail, .succeed: false
        }
    }
}
