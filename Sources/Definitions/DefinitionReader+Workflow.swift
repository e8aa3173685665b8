// The top of a workflow file.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// How far tasks may stand before or behind others.
    static let priorities = -100...100
    /// The longest value of a label.
    private static let labelLimit = 256

    /// Reads a whole document. The result is complete only where nothing was reported.
    mutating func workflow(_ field: Field) -> WorkflowDefinition? {
        guard let entries = entries(field, .file) else { return nil }
        var definition = WorkflowDefinition(name: "", body: .steps([]))
        if let name = required("workflow", in: entries, "a workflow file", fix: "begin it with workflow: NAME") {
            definition.name = self.name(name, .workflow) ?? ""
        }
        if let summary = entries["description"] { definition.summary = text(summary) }
        if let input = entries["input"] {
            definition.inputSchema = schema(input)
            if source != nil, let schema = definition.inputSchema { inputType = StaticType(schema: schema) }
            warnOfDefaults(in: input)
        }
        if let defaults = entries["defaults"] { definition.defaults = self.defaults(defaults) }
        if let agents = entries["agents"] { definition.agents = self.agents(agents) }
        agentNames += options.registeredAgents
        if let timeout = entries["timeout"] { definition.timeout = duration(timeout) }
        if let labels = entries["labels"] { definition.labels = self.labels(labels) }
        if let priority = entries["priority"] { definition.priority = integer(priority, in: Self.priorities) ?? 0 }
        if let queue = entries["queue"] { definition.queue = name(queue, .queue) ?? "" }
        let body = self.body(entries, "a workflow", in: Surroundings())
        if let body { definition.body = body.block }
        if let output = entries["output"] {
            let scope = body?.scope.map { StepScope(block: $0, index: nil) }
            definition.output = template(output, .workflowOutput(Surroundings(steps: scope)))
        }
        definition.onSuccess = chains("onSuccess", entries, ["output"])
        definition.onFailure = chains("onFailure", entries, ["error"])
        definition.onCancel = chains("onCancel", entries, [])
        return definition
    }

    private mutating func chains(_ key: String, _ entries: Entries, _ names: [String]) -> [Chain] {
        guard let field = entries[key] else { return [] }
        guard let elements = field.elements else {
            wrongType(field, expected: "a list of workflows", fix: field.string.map { "write [ { workflow: \($0) } ]" })
            return []
        }
        return elements.compactMap { element in
            guard let entries = self.entries(element, .chain) else { return nil }
            var chain = Chain(workflow: "")
            let isCertain = key == "onSuccess" && entries["if"] == nil
            if let workflow = required("workflow", in: entries, "a chained workflow", fix: "add workflow: NAME") {
                chain.workflow = workflowName(workflow, isCertain: isCertain) ?? ""
            }
            if let with = entries["with"] {
                let value = typedTemplate(with, .chain(key, extra: names))
                chain.with = value.json
                if !chain.workflow.isEmpty { note(value.type, at: with) }
            }
            if let condition = entries["if"] { chain.condition = self.condition(condition, .chain(key, extra: names)) }
            return chain
        }
    }

    private mutating func defaults(_ field: Field) -> StepDefaults {
        guard let entries = entries(field, .defaults) else { return StepDefaults() }
        return StepDefaults(timeout: entries["timeout"].flatMap { duration($0) }, retry: entries["retry"].flatMap { self.retry($0) })
    }

    mutating func labels(_ field: Field) -> [String: String] {
        guard let members = field.members else {
            wrongType(field, expected: "a mapping of names to texts")
            return [:]
        }
        var labels: [String: String] = [:]
        for member in members {
            if !NamePattern.label.matches(member.key) {
                reportKey(
                    .invalidName, "\(Wording.quoted(member.key)) cannot be a label: it takes \(NamePattern.label.rule)", member,
                    in: field.path)
            }
            let value = field.member(member)
            guard let text = text(value) else { continue }
            if text.utf8.count > Self.labelLimit {
                report(.outOfRange, "the value of a label has at most \(Self.labelLimit) bytes", at: value)
            }
            if text.contains("${{") {
                report(
                    .misplacedExpression, "labels are not evaluated", at: value,
                    fix: "give labels that depend on data when a run is submitted")
            }
            labels[member.key] = text
        }
        return labels
    }
}
