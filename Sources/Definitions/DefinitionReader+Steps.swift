// One step: its verb, its loop, and everything else that is said about it.

import Expressions
import WorkflowModel

extension DefinitionReader {
    mutating func step(_ field: Field, _ surroundings: Surroundings, isGraph: Bool) -> Step? {
        guard let entries = entries(field, .step) else { return nil }
        var id = ""
        if let idField = required("id", in: entries, "a step", fix: "add id: \(suggestedID(entries))") { id = name(idField, .step) ?? "" }
        let certainty = isCertain
        if entries["if"] != nil || ["success", "failure"].contains(entries["when"]?.string) { isCertain = false }

        var step = Step(id: id, verb: .block(.steps([])))
        if let condition = entries["if"] { step.condition = self.condition(condition, .step("if", surroundings)) }
        if let needs = entries.member("needs") { step.needs = self.needs(needs, entries, id, surroundings, isGraph: isGraph) }
        let loop = self.loop(entries, id, surroundings)
        step.loop = loop?.loop
        if loop?.mayBeEmpty == true { isCertain = false }
        let inside = surroundings.adding(loop?.variables ?? [], types: loop?.types ?? [:])
        var verbTimeout: Duration?
        let read = verb(entries, id, inside, &verbTimeout)
        if let read { step.verb = read.verb }
        let answer = source == nil ? .anything : entries["result"].map { StaticType(schema: $0.node.json) } ?? .anything
        var mapping: StaticType?
        if let output = entries["output"] {
            let scope = inside.at(read?.inner.map { StepScope(block: $0, index: nil) } ?? surroundings.steps)
            let isWait = if case .await? = read?.verb { true } else { false }
            var place = ExpressionPlace.stepOutput(scope, extra: isWait ? ["event"] : [])
            place.resultType = answer
            let value = typedTemplate(output, place)
            step.output = value.json
            mapping = value.type
        }
        if let when = entries["when"] { step.when = word(when, RunRule.self) }
        if let with = entries["with"] {
            let value = typedTemplate(with, .step("with", inside))
            step.with = value.json
            if case .workflow = step.verb { note(value.type, at: with) }
        }
        if let result = entries["result"] { step.resultSchema = schema(result) }
        step.timeout = entries["timeout"].flatMap { duration($0) } ?? verbTimeout
        if let timeout = entries["totalTimeout"] { step.totalTimeout = duration(timeout) }
        if let timeout = entries["startTimeout"] { step.startTimeout = duration(timeout) }
        if let retry = entries["retry"] { step.retry = self.retry(retry) }
        if let effect = entries["effect"] { step.effect = word(effect, Effect.self) }
        if let queue = entries["queue"] { step.queue = name(queue, .queue) }
        if let priority = entries["priority"] { step.priority = integer(priority, in: Self.priorities) }
        if let labels = entries["labels"] { step.labels = self.labels(labels) }
        isCertain = false
        if let onError = entries["onError"] { step.onError = handling(onError, surroundings) }
        if let onTimeout = entries["onTimeout"] { step.onTimeout = handling(onTimeout, inside) }
        isCertain = certainty
        if let read {
            refuseModifiers(of: read.verb, isLoop: loop != nil || entries.members.contains { Vocabulary.loops.contains($0.key) }, entries)
        }
        checkRetryOfUnsafe(step, entries)
        if source != nil, let here = surroundings.steps, let index = here.index {
            here.block.outputs[index] = outputType(of: step, mapping: mapping, answer: answer, value: read?.type)
        }
        return step
    }

    private func suggestedID(_ entries: Entries) -> String {
        let word = (entries["name"] ?? entries["agent"])?.string ?? ""
        return NamePattern.step.made(from: word) ?? "NAME"
    }

    // MARK: Modifiers

    // `fail`, `continue`, or a block that runs instead.
    private mutating func handling(_ field: Field, _ surroundings: Surroundings) -> ErrorHandling {
        if field.members != nil {
            guard options.parts.contains(.catchBlocks) else {
                report(
                    .notYet, "a catch block belongs to the language, but this release cannot run it yet", at: field,
                    fix: "write onError: continue and look at steps.ID.error in the next step")
                return .fail
            }
            guard let entries = entries(field, .catchBlock),
                let block = required("do", in: entries, "a catch block", fix: "add do: and a list of steps")
            else { return .fail }
            return innerBlock(block, in: surroundings.adding(["error"])).map { .catch($0.block) } ?? .fail
        }
        let words = ["fail", "continue"]
        switch field.string {
        case "fail": return .fail
        case "continue": return .continue
        case let text?: unknownWord(text, of: words, at: field)
        case nil:
            let fix = field.elements == nil ? nil : "write { do: [ … ] }"
            wrongType(field, expected: "\(Wording.either(words)), or a block under `do`", fix: fix)
        }
        return .fail
    }

    private mutating func needs(
        _ member: DocumentMember, _ entries: Entries, _ id: String, _ surroundings: Surroundings, isGraph: Bool
    ) -> [String] {
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
        guard isGraph, let block = surroundings.steps?.block else { return [] }
        var names: [String] = []
        var seen: Set<String> = []
        for element in elements {
            guard let name = text(element) else { continue }
            if name == id {
                report(.selfReference, "step \(Wording.quoted(id)) needs itself", at: element, fix: "remove it")
            } else if !seen.insert(name).inserted {
                report(.duplicateNeed, "\(Wording.quoted(name)) is listed twice", at: element, fix: "remove one")
            } else if block.index(of: name) == nil {
                if bag.isFull { continue }
                let others = block.names
                let meant = closest(to: name, among: others).map { "did you mean \"\($0)\"?" }
                report(
                    .unknownStep, "step \(Wording.quoted(id)) needs \(Wording.quoted(name)), which does not exist", at: element,
                    fix: meant ?? "this graph has \(Wording.some(others))")
            }
            names.append(name)
        }
        return names
    }

    // The verbs that can make use of a modifier; what is not listed belongs to all of them.
    private static let verbsOfModifiers: [(key: String, verbs: [String])] = [
        ("with", ["agent", "workflow"]), ("result", ["agent", "workflow"]), ("retry", ["agent", "workflow"]),
        ("priority", ["agent", "workflow"]), ("timeout", ["agent", "workflow", "await", "approve"]), ("queue", ["agent"]),
        ("startTimeout", ["agent"]), ("effect", ["agent"]), ("onTimeout", ["await", "approve"]), ("wait", ["workflow"]),
        ("onParentEnd", ["workflow"]), ("totalTimeout", ["agent", "workflow", "do", "parallel", "switch"]),
    ]

    private mutating func refuseModifiers(of verb: Verb, isLoop: Bool, _ entries: Entries) {
        for member in entries.members where entries[member.key] != nil {
            var verbs = Self.verbsOfModifiers.first { $0.key == member.key }?.verbs
            if member.key == "totalTimeout", isLoop { verbs = nil }
            if member.key == "output", ["fail", "succeed"].contains(verb.name) { verbs = ["agent"] }
            guard let verbs, !verbs.contains(verb.name) else { continue }
            let known = verbs.filter { entries.vocabulary.names(in: options.parts).contains($0) }
            reportKey(
                .misplacedModifier,
                member.key == "output"
                    ? "a `\(verb.name)` step has no output"
                    : "`\(member.key)` belongs to \(Wording.either(known.isEmpty ? verbs : known)) steps; this step has the verb `\(verb.name)`",
                member, in: entries.field.path, fix: Self.remedy(member.key, verb))
        }
    }

    private static func remedy(_ key: String, _ verb: Verb) -> String {
        switch verb {
        case .block, .parallel, .switch:
            if key == "timeout" { return "write totalTimeout, or give the steps inside a timeout" }
            return "give it to the agent steps inside"
        case .set: return "leave it out; a `set` step is computed at once"
        case .await, .approve, .sleep: return key == "totalTimeout" ? "how long it waits is its `timeout`" : "leave it out"
        case .emit: return key == "with" ? "what is sent is `data` below `emit`" : "leave it out"
        case .agent, .workflow: return key == "onTimeout" ? "a time-out is a failure here: use onError" : "leave it out"
        case .validate, .fail, .succeed: return "leave it out"
        }
    }

    // A request that does everything again must not be sent twice, unless it surely did not arrive.
    private mutating func checkRetryOfUnsafe(_ step: Step, _ entries: Entries) {
        guard step.effect == .unsafe, let retry = step.retry, let field = entries["retry"] else { return }
        let harmless = [FailureType.connect, .tls, .rateLimited].map(\.rawValue)
        let isHarmless = retry.entries.allSatisfy { entry in
            entry.maxAttempts == 1 || (entry.on.map { $0.allSatisfy(harmless.contains) } ?? false)
        }
        if isHarmless { return }
        report(
            .unsafeRetry, "this step is `unsafe`, and its retries could do everything a second time", at: field,
            fix: "retry only what never arrived, on: [\(harmless.joined(separator: ", "))], or make the agent idempotent")
    }
}

extension DocumentNode.Content {
    /// The text, where this is one.
    var string: String? { if case .scalar(.string(let text)) = self { text } else { nil } }
}
