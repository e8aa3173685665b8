// Blocks and their steps.

import WorkflowModel

extension DefinitionReader {
    /// A block together with the order of its steps, for the expressions that look at it from outside.
    struct ScopedBlock {
        let block: Block
        let scope: BlockScope
    }

    /// The block under `steps` or `graph`, of which there must be one.
    mutating func body(_ entries: Entries, _ what: String, parent: StepScope?) -> ScopedBlock? {
        let given = entries.members.filter { ["steps", "graph", "states"].contains($0.key) }
        if given.count > 1 {
            let second = given[1]
            reportKey(
                .severalBodies, "\(what) has either `\(given[0].key)` or `\(second.key)`, not both", second, in: entries.field.path,
                fix: "nest one of them: a step with `do: { \(second.key): [ … ] }`")
        }
        if given.isEmpty {
            report(.missingKey, "\(what) needs `steps` or `graph`", at: entries.field, fix: "add steps: and a list of steps")
        }
        var first: ScopedBlock?
        for member in given where member.key != "states" {
            let block = self.block(entries.field.member(member), isGraph: member.key == "graph", parent: parent)
            if first == nil { first = block }
        }
        return first
    }

    private mutating func block(_ field: Field, isGraph: Bool, parent: StepScope?) -> ScopedBlock? {
        guard let elements = field.elements else {
            let fix = field.members == nil ? "write - id: NAME" : "write each step as a list entry: - id: NAME"
            wrongType(field, expected: "a list of steps", fix: fix)
            return nil
        }
        if elements.isEmpty {
            report(.emptyBlock, "\(Self.subject(field)) has no steps", at: field, fix: "add a step, or leave the block out")
        }
        let ids = elements.map { element in element.members?.first { $0.key == "id" }?.value.content.string }
        let needs = isGraph ? elements.map { Self.needs(of: $0) } : nil
        let scope = BlockScope(ids: ids, needs: needs, parent: parent)
        var seen: [String: SourcePosition] = [:]
        var steps: [Step] = []
        for (index, element) in elements.enumerated() {
            if let id = ids[index], let member = element.members?.first(where: { $0.key == "id" }) {
                if let first = seen[id] {
                    report(
                        .duplicateName, "the id \(Wording.quoted(id)) is taken by the step in line \(first.line)",
                        at: element.member(member),
                        fix: "ids are unique in their block")
                } else {
                    seen[id] = member.value.position
                }
            }
            if let step = self.step(element, StepScope(block: scope, index: index), isGraph: isGraph) { steps.append(step) }
        }
        reportCycles(scope, elements)
        return ScopedBlock(block: isGraph ? .graph(steps) : .steps(steps), scope: scope)
    }

    private static func needs(of element: Field) -> [String] {
        guard let member = element.members?.first(where: { $0.key == "needs" }), case .sequence(let nodes) = member.value.content else {
            return []
        }
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
            let member = element.members?.first { $0.key == "needs" }
            report(
                .cycle, "steps wait for each other: \(way.joined(separator: " → "))", at: member.map { element.member($0) } ?? element,
                fix: "remove one of these needs")
        }
    }

    // MARK: One step

    private mutating func step(_ field: Field, _ scope: StepScope, isGraph: Bool) -> Step? {
        guard let entries = entries(field, .step) else { return nil }
        var id = ""
        if let idField = required("id", in: entries, "a step", fix: "add id: \(suggestedID(entries))") { id = name(idField, .step) ?? "" }
        var inner: BlockScope?
        let verb = self.verb(entries, id, scope, &inner)
        var step = Step(id: id, verb: verb ?? .block(.steps([])))
        if let condition = entries["if"] { step.condition = self.condition(condition, .step("if", scope)) }
        if let needs = entries.member("needs") { step.needs = self.needs(needs, entries, id, scope, isGraph: isGraph) }
        let outputScope = inner.map { StepScope(block: $0, index: nil) } ?? scope
        if let output = entries["output"] { step.output = template(output, .stepOutput(outputScope)) }
        if let onError = entries["onError"] { step.onError = self.onError(onError) }
        if let with = entries["with"] { step.with = template(with, .step("with", scope)) }
        if let result = entries["result"] { step.resultSchema = schema(result) }
        if let timeout = entries["timeout"] { step.timeout = duration(timeout) }
        if let retry = entries["retry"] { step.retry = self.retry(retry) }
        if let queue = entries["queue"] { step.queue = name(queue, .queue) }
        if let priority = entries["priority"] { step.priority = integer(priority, in: Self.priorities) }
        if let verb { refuseModifiers(of: verb, entries) }
        return step
    }

    private func suggestedID(_ entries: Entries) -> String {
        let word = (entries["name"] ?? entries["agent"])?.string ?? ""
        return NamePattern.step.made(from: word) ?? "NAME"
    }

    private mutating func verb(_ entries: Entries, _ id: String, _ scope: StepScope, _ inner: inout BlockScope?) -> Verb? {
        let given = entries.members.filter { Vocabulary.verbs.contains($0.key) || Vocabulary.laterVerbs.contains($0.key) }
        let what = id.isEmpty ? "a step" : "step \(Wording.quoted(id))"
        if given.isEmpty {
            report(
                .noVerb, "\(what) does nothing: it has no verb", at: entries.field,
                fix: "add \(Wording.either(Vocabulary.verbs.map { "`\($0)`" }))")
            return nil
        }
        if given.count > 1 {
            let names = given.map { "`\($0.key)`" }
            reportKey(
                .severalVerbs, "\(what) has \(given.count) verbs: \(names.joined(separator: ", "))", given[1], in: entries.field.path,
                fix: "make a step of each")
        }
        var first: Verb?
        for member in given {
            let field = entries.field.member(member)
            var verb: Verb?
            switch member.key {
            case "agent": verb = agentReference(field).map { .agent($0) }
            case "set": verb = template(field, .step("set", scope)).map { .set($0) }
            case "do":
                let block = doBlock(field, scope)
                inner = block?.scope
                verb = block.map { .block($0.block) }
            default: continue
            }
            if first == nil { first = verb }
        }
        return first
    }

    private mutating func doBlock(_ field: Field, _ scope: StepScope) -> ScopedBlock? {
        if field.elements != nil { return block(field, isGraph: false, parent: scope) }
        guard field.members != nil else {
            wrongType(field, expected: "a list of steps, or a mapping with `steps` or `graph`")
            return nil
        }
        return entries(field, .block).flatMap { body($0, "a block", parent: scope) }
    }

    private mutating func agentReference(_ field: Field) -> AgentReference? {
        if field.members != nil { return agent(field).map { .inline($0) } }
        guard let name = field.string else {
            wrongType(field, expected: "the name of an agent or a mapping that describes one")
            return nil
        }
        guard source != nil else { return .named(name) }
        if name.contains("${{") {
            report(
                .misplacedExpression, "the agent of a step cannot be computed", at: field,
                fix: "write one step for each agent, with an `if`")
        } else if !agentNames.contains(name) {
            let exist = agentNames.isEmpty ? "there are none: describe it under `agents`" : "known agents: \(Wording.some(agentNames))"
            let meant = closest(to: name, among: agentNames).map { "did you mean \"\($0)\"?" }
            report(.unknownAgent, "the agent \(Wording.quoted(name)) does not exist", at: field, fix: meant ?? exist)
        }
        return .named(name)
    }

    // MARK: Modifiers

    private mutating func onError(_ field: Field) -> ErrorHandling {
        if field.members != nil {
            report(
                .notYet, "a catch block belongs to the language, but this release cannot run it yet", at: field,
                fix: "write onError: continue and look at steps.ID.error in the next step")
            return .fail
        }
        let words = ["fail", "continue"]
        switch field.string {
        case "fail": return .fail
        case "continue": return .continue
        case let text?: unknownWord(text, of: words, at: field)
        case nil: wrongType(field, expected: Wording.either(words))
        }
        return .fail
    }

    private mutating func needs(_ member: DocumentMember, _ entries: Entries, _ id: String, _ scope: StepScope, isGraph: Bool) -> [String] {
        let field = entries.field.member(member)
        if !isGraph {
            reportKey(
                .needsOutsideGraph, "`needs` belongs to the steps of a graph; these run one after another", member, in: entries.field.path,
                fix: "leave it out, or write `graph` instead of `steps`")
        }
        guard let elements = field.elements else {
            wrongType(field, expected: "a list of step ids", fix: field.string.map { "write [\($0)]" })
            return []
        }
        guard isGraph else { return [] }
        var names: [String] = []
        var seen: Set<String> = []
        for element in elements {
            guard let name = text(element) else { continue }
            if name == id {
                report(.selfReference, "step \(Wording.quoted(id)) needs itself", at: element, fix: "remove it")
            } else if !seen.insert(name).inserted {
                report(.duplicateNeed, "\(Wording.quoted(name)) is listed twice", at: element, fix: "remove one")
            } else if scope.block.index(of: name) == nil {
                if bag.isFull { continue }
                let others = scope.block.names
                let meant = closest(to: name, among: others).map { "did you mean \"\($0)\"?" }
                report(
                    .unknownStep, "step \(Wording.quoted(id)) needs \(Wording.quoted(name)), which does not exist", at: element,
                    fix: meant ?? "this graph has \(Wording.some(others))")
            }
            names.append(name)
        }
        return names
    }

    // What only a call of an agent can make use of.
    private static let agentModifiers = ["with", "result", "timeout", "retry", "queue", "priority"]

    private mutating func refuseModifiers(of verb: Verb, _ entries: Entries) {
        let fix: String
        switch verb {
        case .agent: return
        case .set: fix = "leave it out; a `set` step is computed at once"
        case .block: fix = "give it to the agent steps inside"
        case .workflow, .parallel, .switch, .await, .approve, .sleep, .emit, .validate, .fail, .succeed: return
        }
        for member in entries.members where Self.agentModifiers.contains(member.key) {
            reportKey(
                .misplacedModifier, "`\(member.key)` belongs to agent steps; this step has the verb `\(verb.name)`", member,
                in: entries.field.path, fix: fix)
        }
    }
}

extension DocumentNode.Content {
    /// The text, where this is one.
    var string: String? { if case .scalar(.string(let text)) = self { text } else { nil } }
}
