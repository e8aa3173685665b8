// Measures the languages: what a condition, a template, a pattern and a schema cost, and how long a large file takes to be checked.

import ArgumentParser
import Definitions
import Expressions
import Foundation
import JSONSchema
import Patterns
import WorkflowModel

struct ExpressionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expressions",
        abstract: "Measures expressions, templates, patterns, schemas and the checking of files. Needs no database.",
        discussion: """
            Each figure is the median of several batches on one thread. What is typical: a condition over a step's output takes less than \
            1 us, the template of a step's input less than 10 us.
            """)

    @Option(help: "Seconds for each figure.")
    var seconds = 0.5

    @Option(help: "How many steps the file has whose checking is measured.")
    var steps = 1_000

    @Flag(help: "Print the figures as one JSON document.")
    var json = false

    func validate() throws {
        if seconds <= 0 { throw ValidationError("--seconds must be more than 0, not \(seconds)") }
        if steps < 1 { throw ValidationError("--steps must be 1 or more, not \(steps)") }
    }

    func run() async throws {
        var report = Report()
        let scope = try Samples.scope()
        for source in Samples.conditions {
            let expression = try CompiledExpression(source)
            report.figures.append(measure("cond", source, "ns") { try? expression.evaluateCondition(scope) })
        }
        for (name, source) in Samples.templates {
            let template = try CompiledTemplate(try JSONValue(parsing: source))
            report.figures.append(measure("tmpl", name, "ns") { try? template.render(scope) })
        }
        let condition = Samples.conditions[0]
        report.figures.append(measure("comp", "compile \(condition)", "ns") { try? CompiledExpression(condition) })
        let compiled = try CompiledExpression(condition)
        let check = TypeCheck(["steps": .anything, "input": StaticType(schema: try JSONValue(parsing: Samples.schema))])
        report.figures.append(measure("check", "check \(condition)", "ns") { check.check(compiled, expecting: .boolean).isValid })
        for (pattern, text) in Samples.patterns {
            let pattern = try Pattern(pattern)
            report.figures.append(measure("rgx", "\(pattern.source) on \(text.utf8.count) bytes", "ns") { try? pattern.matches(text) })
        }
        let schema = try CompiledSchema(try JSONValue(parsing: Samples.schema), options: SchemaOptions(assertFormat: true))
        let input = try JSONValue(parsing: Samples.input)
        guard schema.isValid(input) else { throw ValidationError("the sample does not fit its schema") }
        report.figures.append(measure("schm", "validate the input of an order with 10 items", "ns") { schema.isValid(input) })
        let file = Samples.file(steps: steps)
        guard DefinitionDecoder.decode(file, fileName: "bench.yaml").isValid else { throw ValidationError("the sample file is not valid") }
        var checked = measure("file", "decode and check a file of \(steps) steps", "ms") {
            DefinitionDecoder.decode(file, fileName: "bench.yaml").isValid
        }
        checked = Figure(workload: checked.workload, name: checked.name, value: checked.value / 1_000_000, unit: checked.unit)
        report.figures.append(checked)
        print(json ? report.json : report.text)
    }

    // The median of batches, in nanoseconds for each turn.
    private func measure<Result>(_ workload: String, _ name: String, _ unit: String, _ body: () -> Result) -> Figure {
        let clock = ContinuousClock()
        var turns = 1
        // As many turns as fill a tenth of the time.
        while true {
            let time = clock.measure { for _ in 0..<turns { consume(body()) } }
            if time > .seconds(seconds / 20) || turns > 100_000_000 { break }
            turns *= 2
        }
        let batches = (0..<9).map { _ in
            let time = clock.measure { for _ in 0..<turns { consume(body()) } }.components
            return (Double(time.seconds) * 1e9 + Double(time.attoseconds) / 1e9) / Double(turns)
        }
        return Figure(workload: workload, name: String(name.prefix(72)), value: batches.sorted()[4], unit: unit)
    }
}

// Keeps the optimizer from seeing that nobody looks at a result.
@inline(never)
private func consume<Result>(_ result: Result) {
    withExtendedLifetime(result) {}
}

/// What is measured: expressions as workflows have them, on the data of an order.
private enum Samples {
    static let conditions = [
        "steps.classify.output.score > 0.8 && input.tier == 'gold'",
        "has(input.customer.email) && input.customer.email.endsWith('@example.com')",
        "steps.classify.status == 'succeeded' || steps.classify.output.label in ['spam', 'scam']",
        "size(input.items) > 3 && input.total < 1000",
        "input.?discount.orValue(0) > 10",
        "input.items.exists(i, i.price > 100.0)",
        "input.customer.email.matches('^[a-z.]+@[a-z]+[.]com$')",
    ]
    static let templates: [(name: String, source: String)] = [
        (
            "a value and a text",
            #"{"customer": "${{ input.customer.name }}", "subject": "Order ${{ input.id }}: ${{ size(input.items) }} items"}"#
        ),
        (
            "the input of a step: 8 members, 2 of them computed over 10 items",
            """
            {"order": {"id": "${{ input.id }}", "skus": "${{ input.items.map(i, i.sku) }}", "currency": "EUR",
             "total": "${{ sum(input.items.map(i, i.price * double(i.count))) }}"}, "customer": "${{ input.customer }}",
             "label": "${{ steps.classify.output.label }} (${{ steps.classify.output.score }})", "options": {"retry": true, "limit": 10}}
            """
        ),
    ]
    static let patterns = [
        ("^[a-z.]+@[a-z]+[.]com$", "ada.lovelace@example.com"),
        ("\\berror\\b", String(repeating: "all is well, and there was no failure. ", count: 100)),
    ]
    static let input = """
        {"id": "A-1729", "tier": "gold", "total": 420.5, "ordered": "2026-03-01T08:30:00Z",
         "customer": {"name": "Ada Lovelace", "email": "ada.lovelace@example.com"},
         "items": [\((1...10).map { "{\"sku\": \"SKU-\($0)\", \"price\": \($0).25, \"count\": \($0)}" }.joined(separator: ", "))]}
        """
    static let schema = """
        {"type": "object", "required": ["id", "tier", "customer", "items"], "properties": {
            "id": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"}, "tier": {"enum": ["gold", "silver", "none"]},
            "total": {"type": "number", "minimum": 0}, "ordered": {"type": "string", "format": "date-time"},
            "customer": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "minLength": 1}, "email": {"type": "string", "format": "email"}}},
            "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}}},
         "$defs": {"item": {"type": "object", "required": ["sku", "price"], "additionalProperties": false, "properties": {
            "sku": {"type": "string"}, "price": {"type": "number", "exclusiveMinimum": 0}, "count": {"type": "integer", "minimum": 1}}}}}
        """

    static func scope() throws -> Scope {
        let steps = #"{"classify": {"status": "succeeded", "output": {"label": "spam", "score": 0.93}, "attempts": 1}}"#
        let run = #"{"id": "run-1", "workflow": "order", "version": 3}"#
        var scope = Scope()
        for (name, text) in [("input", input), ("steps", steps), ("run", run)] { scope.set(name, Value(try JSONValue(parsing: text))) }
        return scope
    }

    static func file(steps: Int) -> String {
        var text = "workflow: large\ninput: { type: object, properties: { text: { type: string }, limit: { type: number } } }\n"
        text += "agents:\n  reviewer: { kind: http, url: https://reviewer.example/score }\nsteps:\n"
        for number in 1...steps {
            text += "  - id: step\(number)\n    agent: reviewer\n"
            if number > 1 { text += "    if: ${{ steps.step\(number - 1).output.score > 0.5 && size(input.text) > 3 }}\n" }
            text += "    with: { text: \"${{ input.text }}\", number: \(number), note: \"step ${{ run.id }} of \(steps)\" }\n"
            text += "    retry: { maxAttempts: 3, backoff: exponential, delay: 1s }\n"
        }
        return text
    }
}
