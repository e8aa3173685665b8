// Verbs, and what stands below them.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// A verb and the steps that can be seen from its step's own `output`.
    struct ReadVerb {
        let verb: Verb
        var inner: BlockScope?
        /// The type of the value of `set`.
        var type: StaticType?
    }

    /// The verb of a step, of which there must be one. A time-out that stands below it is the step's.
    mutating func verb(_ entries: Entries, _ id: String, _ surroundings: Surroundings, _ timeout: inout Duration?) -> ReadVerb? {
        let given = entries.members.filter { Vocabulary.verbs.contains($0.key) }
        let what = id.isEmpty ? "a step" : "step \(Wording.quoted(id))"
        if given.isEmpty {
            // A verb that is misspelt has been reported.
            let isMisspelt = entries.members.contains { member in
                entries.vocabulary.key(member.key) == nil
                    && (entries.vocabulary.suggestion(for: member.key).map { Vocabulary.verbs.contains($0) } ?? false)
            }
            if isMisspelt { return nil }
            let verbs = entries.vocabulary.names(in: options.parts).filter { Vocabulary.verbs.contains($0) }
            report(
                .noVerb, "\(what) does nothing: it has no verb", at: entries.field, fix: "add \(Wording.either(verbs.map { "`\($0)`" }))")
            return nil
        }
        if given.count > 1 {
            let names = given.map { "`\($0.key)`" }
            reportKey(
                .severalVerbs, "\(what) has \(given.count) verbs: \(names.joined(separator: ", "))", given[1], in: entries.field.path,
                fix: "make a step of each")
        }
        var first: ReadVerb?
        for member in given {
            guard let field = entries[member.key] else { continue }
            let verb = self.verb(member.key, field, entries, surroundings, &timeout)
            if first == nil { first = verb }
        }
        return first
    }

    private mutating func verb(
        _ word: String, _ field: Field, _ entries: Entries, _ surroundings: Surroundings, _ timeout: inout Duration?
    ) -> ReadVerb? {
        switch word {
        case "agent": return agentReference(field).map { ReadVerb(verb: .agent($0)) }
        case "workflow": return workflowCall(field, entries).map { ReadVerb(verb: .workflow($0)) }
        case "do": return innerBlock(field, in: surroundings).map { ReadVerb(verb: .block($0.block), inner: $0.scope) }
        case "parallel": return parallel(field, surroundings).map { ReadVerb(verb: .parallel($0)) }
        case "switch": return choice(field, surroundings).map { ReadVerb(verb: .switch($0)) }
        case "await":
            return eventWait(field, surroundings, &timeout, isTimeoutGiven: entries["timeout"] != nil).map { ReadVerb(verb: .await($0)) }
        case "approve": return approval(field, surroundings).map { ReadVerb(verb: .approve($0)) }
        case "sleep": return sleep(field, surroundings).map { ReadVerb(verb: .sleep($0)) }
        case "emit": return emission(field, surroundings).map { ReadVerb(verb: .emit($0)) }
        case "set":
            let value = typedTemplate(field, .step("set", surroundings))
            return ReadVerb(verb: .set(value.json), type: value.type)
        case "validate": return validation(field, surroundings).map { ReadVerb(verb: .validate($0)) }
        case "fail": return failing(field, surroundings).map { ReadVerb(verb: .fail($0)) }
        case "succeed": return template(field, .step("succeed", surroundings)).map { ReadVerb(verb: .succeed($0)) }
        default: return nil
        }
    }

    // MARK: Calls

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

    /// The name of a workflow that is started, noted for the checks that look at several files.
    mutating func workflowName(_ field: Field, isCertain: Bool) -> String? {
        if let text = field.string, text.contains("${{") {
            report(
                .misplacedExpression, "the workflow cannot be computed", at: field,
                fix: "write one step for each workflow, with an `if` or in a `switch`")
            return nil
        }
        guard let name = name(field, .workflow) else { return nil }
        var call = WorkflowReference(
            workflow: name, isCertain: isCertain, path: field.path.text, position: field.node.position, length: field.node.length)
        // Without `with` it is given nothing.
        if source != nil { call.given = GivenInput(.closed([:]), at: field) }
        calls.append(call)
        return name
    }

    /// Notes what the workflow is given that was named last.
    mutating func note(_ input: StaticType, at field: Field) {
        guard source != nil, let index = calls.indices.last else { return }
        calls[index].given = GivenInput(input, at: field)
    }

    private mutating func workflowCall(_ field: Field, _ entries: Entries) -> WorkflowCall? {
        let isAwaited = entries["wait"].flatMap { boolean($0) } ?? true
        let end = entries["onParentEnd"].flatMap { word($0, WorkflowCall.ParentEnd.self) }
        return workflowName(field, isCertain: isCertain).map { WorkflowCall(workflow: $0, isAwaited: isAwaited, onParentEnd: end) }
    }

    // MARK: Branches and cases

    private mutating func parallel(_ field: Field, _ surroundings: Surroundings) -> Parallel? {
        guard let entries = entries(field, .parallel),
            let branchesField = required("branches", in: entries, "`parallel`", fix: "add branches: { NAME: [ … ] }")
        else { return nil }
        guard let members = branchesField.members else {
            wrongType(branchesField, expected: "a mapping from names to blocks", fix: "name each branch: { first: [ … ], second: [ … ] }")
            return nil
        }
        if members.isEmpty {
            report(.emptyBlock, "`branches` has no branches", at: branchesField, fix: "add a branch, or remove the step")
        }
        var parallel = Parallel(branches: [])
        var scopes: [(name: String, scope: BlockScope?)] = []
        for member in members {
            checkName(of: member, .branch, in: branchesField.path)
            let block = innerBlock(branchesField.member(member), in: surroundings)
            scopes.append((member.key, block?.scope))
            if let block { parallel.branches.append(Branch(name: member.key, block: block.block)) }
        }
        if let join = entries["join"] { parallel.join = self.join(join, total: .known(members.count)) }
        if let output = entries["output"] {
            let place = ExpressionPlace(
                kind: .run, words: "the `output` of `parallel`", surroundings: surroundings, extra: ["branches"], branches: scopes)
            parallel.output = template(output, place)
        }
        return parallel
    }

    private mutating func choice(_ field: Field, _ surroundings: Surroundings) -> Switch? {
        guard let elements = field.elements else {
            wrongType(field, expected: "a list of cases", fix: "write - if: CONDITION and do: [ … ]")
            return nil
        }
        if elements.isEmpty { report(.emptyBlock, "`switch` has no cases", at: field, fix: "add a case, or remove the step") }
        let certainty = isCertain
        isCertain = false
        defer { isCertain = certainty }
        var choice = Switch(cases: [])
        for (index, element) in elements.enumerated() {
            if let otherwise = element.value(of: "else") {
                if index < elements.count - 1 {
                    report(
                        .misplacedElse, "`else` comes last: what stands behind it would never be tried", at: element,
                        fix: "move it to the end")
                }
                guard entries(element, .switchElse) != nil else { continue }
                choice.otherwise = innerBlock(otherwise, in: surroundings)?.block
                continue
            }
            guard let entries = entries(element, .switchCase) else { continue }
            let condition = required("if", in: entries, "a case of `switch`", fix: "add if: CONDITION, or write it as { else: [ … ] }")
                .flatMap { self.condition($0, .step("switch", surroundings)) }
            let block = required("do", in: entries, "a case of `switch`", fix: "add do: and a list of steps")
                .flatMap { innerBlock($0, in: surroundings) }
            if let condition, let block { choice.cases.append(Switch.Case(condition: condition, block: block.block)) }
        }
        return choice
    }

    // MARK: Checks and endings

    private mutating func validation(_ field: Field, _ surroundings: Surroundings) -> Validation? {
        guard let entries = entries(field, .validation) else { return nil }
        let value = required("value", in: entries, "`validate`", fix: "add value: and what is checked")
            .flatMap { template($0, .step("validate", surroundings)) }
        let schema = required("schema", in: entries, "`validate`", fix: "add schema: and a JSON Schema").flatMap { self.schema($0) }
        guard let value, let schema else { return nil }
        return Validation(value: value, schema: schema)
    }

    private mutating func failing(_ field: Field, _ surroundings: Surroundings) -> Failing? {
        let place = ExpressionPlace.step("fail", surroundings)
        guard field.members != nil else {
            guard let message = text(field) else { return nil }
            check(field, message, place)
            return Failing(message: message)
        }
        guard let entries = entries(field, .failing) else { return nil }
        var failing = Failing(message: "")
        if let message = required("message", in: entries, "`fail`", fix: "add message: and a sentence"), let text = text(message) {
            check(message, text, place)
            failing.message = text
        }
        if let code = entries["code"], let text = text(code) {
            if text.isEmpty || text.utf8.count > 64 {
                report(.outOfRange, "the code of a failure has 1 to 64 characters", at: code, fix: "for example E_DECLINED")
            }
            if text.contains("${{") {
                report(
                    .misplacedExpression, "the code of a failure is not evaluated", at: code, fix: "put what depends on data into `message`"
                )
            }
            failing.code = text
        }
        return failing
    }
}
