// Blocks: sequences, graphs, and where state machines begin.

import WorkflowModel

extension DefinitionReader {
    /// A block together with the order of its steps, for the expressions that look at it from outside.
    struct ScopedBlock {
        let block: Block
        /// The steps; nil in a state machine, whose steps are seen by its states only.
        let scope: BlockScope?
    }

    /// The block under `steps`, `graph` or `states`, of which there must be one.
    mutating func body(_ entries: Entries, _ what: String, in surroundings: Surroundings) -> ScopedBlock? {
        let given = entries.members.filter { Vocabulary.bodies.contains($0.key) }
        if given.count > 1 {
            let second = given[1]
            let content = second.key == "states" ? "{ … }" : "[ … ]"
            reportKey(
                .severalBodies, "\(what) has either `\(given[0].key)` or `\(second.key)`, not both", second, in: entries.field.path,
                fix: "nest one of them: a step with `do: { \(second.key): \(content) }`")
        }
        if given.isEmpty {
            let bodies = entries.vocabulary.names(in: options.parts).filter { Vocabulary.bodies.contains($0) }.map { "`\($0)`" }
            report(.missingKey, "\(what) needs \(Wording.either(bodies))", at: entries.field, fix: "add steps: and a list of steps")
        }
        var first: ScopedBlock?
        for member in given {
            guard let field = entries[member.key] else { continue }
            let block: ScopedBlock? =
                switch member.key {
                case "states": machine(field, in: surroundings).map { ScopedBlock(block: .states($0), scope: nil) }
                case "graph": self.block(field, isGraph: true, in: surroundings)
                default: self.block(field, isGraph: false, in: surroundings)
                }
            if first == nil { first = block }
        }
        return first
    }

    /// A block below a verb or a case: a list of steps, or a mapping that says which kind of block it is.
    mutating func innerBlock(_ field: Field, in surroundings: Surroundings) -> ScopedBlock? {
        if field.elements != nil { return block(field, isGraph: false, in: surroundings) }
        guard field.members != nil else {
            wrongType(field, expected: "a list of steps, or a mapping with `steps` or `graph`")
            return nil
        }
        return entries(field, .block).flatMap { body($0, "a block", in: surroundings) }
    }

    private mutating func block(_ field: Field, isGraph: Bool, in surroundings: Surroundings) -> ScopedBlock? {
        guard let elements = field.elements else {
            let fix = field.members == nil ? "write - id: NAME" : "write each step as a list entry: - id: NAME"
            wrongType(field, expected: "a list of steps", fix: fix)
            return nil
        }
        if elements.isEmpty {
            report(.emptyBlock, "\(Self.subject(field)) has no steps", at: field, fix: "add a step, or leave the block out")
        }
        let ids = elements.map { $0.value(of: "id")?.string }
        let loops = elements.indices.filter { index in
            elements[index].members?.contains { Vocabulary.loops.contains($0.key) } ?? false
        }
        let needs = isGraph ? elements.map { Self.needs(of: $0) } : nil
        let scope = BlockScope(ids: ids, loops: Set(loops), needs: needs, parent: surroundings.steps)
        var seen: [String: SourcePosition] = [:]
        var steps: [Step] = []
        let certainty = isCertain
        var ending: (id: String, verb: String)?
        for (index, element) in elements.enumerated() {
            if let id = ids[index], let field = element.value(of: "id") {
                if let first = seen[id] {
                    report(
                        .duplicateName, "the id \(Wording.quoted(id)) is taken by the step in line \(first.line)", at: field,
                        fix: "ids are unique in their block")
                } else {
                    seen[id] = field.node.position
                }
            }
            let here = surroundings.at(StepScope(block: scope, index: index))
            guard let step = self.step(element, here, isGraph: isGraph) else { continue }
            steps.append(step)
            if isGraph { continue }
            reportUnreachable(step, after: ending, at: element)
            if step.mayWaitForOthers { isCertain = false }
            if ending == nil, step.endsItsBlock { ending = (step.id, step.verb.name) }
        }
        isCertain = certainty
        reportCycles(scope, elements)
        return ScopedBlock(block: isGraph ? .graph(steps) : .steps(steps), scope: scope)
    }

    private mutating func reportUnreachable(_ step: Step, after ending: (id: String, verb: String)?, at element: Field) {
        guard let ending, step.when == nil || step.when == .success else { return }
        report(
            .unreachableStep,
            "step \(Wording.quoted(step.id)) never runs: step \(Wording.quoted(ending.id)) always ends the block before it",
            at: element, fix: "give \(Wording.quoted(ending.id)) an `if`, or remove what comes after it")
    }

    private static func needs(of element: Field) -> [String] {
        guard case .sequence(let nodes)? = element.value(of: "needs")?.node.content else { return [] }
        return nodes.compactMap(\.content.string)
    }

    private mutating func reportCycles(_ scope: BlockScope, _ elements: [Field]) {
        let shown = 12
        for cycle in scope.cycles {
            if bag.isFull { return }
            let names = cycle.map { scope.ids[$0] ?? "?" }
            var way = names.prefix(shown)
            if names.count > shown { way.append("… (\(names.count) steps)") }
            way.append(names[0])
            let element = elements[cycle[0]]
            report(
                .cycle, "steps wait for each other: \(way.joined(separator: " → "))", at: element.value(of: "needs") ?? element,
                fix: "remove one of these needs")
        }
    }
}

extension Step {
    // Whether it always ends the block that it stands in.
    fileprivate var endsItsBlock: Bool {
        guard condition == nil, loop == nil, when == nil else { return false }
        switch verb {
        case .succeed: return true
        case .fail: return onError == .fail
        case .agent, .workflow, .block, .parallel, .switch, .await, .approve, .sleep, .emit, .set, .validate: return false
        }
    }

    // Whether what comes after it happens only when somebody outside does something.
    fileprivate var mayWaitForOthers: Bool {
        switch verb {
        case .await, .approve: true
        case .agent, .workflow, .block, .parallel, .switch, .sleep, .emit, .set, .validate, .fail, .succeed: false
        }
    }
}
