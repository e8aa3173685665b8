// What is fuzzed, and what is done with an input.

import Definitions
import Expressions
import JSONSchema
import Patterns
import WorkflowModel

/// An input: the text that is read, and data to use it on.
struct FuzzInput: CustomStringConvertible {
    var text: String
    var other = ""

    var description: String { other.isEmpty ? text : "\(text)\n--\n\(other)" }
}

/// A reader of what users write.
enum FuzzTarget: String, CaseIterable {
    case definitions, expressions, schemas, patterns

    func input(_ generator: inout FuzzGenerator) -> FuzzInput {
        switch self {
        case .definitions: FuzzInput(text: generator.text(FuzzCorpus.definitions, pieces: FuzzCorpus.definitionPieces))
        case .expressions: FuzzInput(text: generator.text(FuzzCorpus.expressions, pieces: FuzzCorpus.expressionPieces))
        case .schemas:
            FuzzInput(
                text: generator.chance(2)
                    ? generator.schema(depth: 0) : generator.text(FuzzCorpus.schemas, pieces: FuzzCorpus.schemaPieces),
                other: generator.json(depth: 0))
        case .patterns:
            FuzzInput(
                text: generator.text(FuzzCorpus.patterns, pieces: FuzzCorpus.patternPieces),
                other: generator.repeated(["a", "b", "ab", "aaaa", "é", "1", " ", "\n", "a\u{301}", "-", "@x.y"]))
        }
    }

    /// Reads an input and uses it; whether it was accepted.
    func read(_ input: FuzzInput, _ generator: inout FuzzGenerator) -> Bool {
        switch self {
        case .definitions:
            let decoded = DefinitionDecoder.decode(input.text, fileName: generator.chance(8) ? "fuzz.json" : "fuzz.yaml")
            for diagnostic in decoded.diagnostics.prefix(3) { _ = diagnostic.rendered(file: "fuzz.yaml", source: input.text) }
            precondition(decoded.isValid == decoded.errors.isEmpty, "a definition without errors, or with them and valid")
            return decoded.isValid
        case .expressions: return evaluate(input.text, mode: generator.chance(2) ? .promoting : .strict)
        case .schemas: return validate(input, assertFormat: generator.chance(2))
        case .patterns: return search(input)
        }
    }

    private func evaluate(_ text: String, mode: NumberMode) -> Bool {
        if let template = try? CompiledTemplate(.string("a ${{ \(text) }} b ${{"), mode: mode) {
            _ = try? template.render(FuzzCorpus.scope)
        }
        guard let expression = try? CompiledExpression(text, mode: mode) else { return false }
        let checked = FuzzCorpus.check.check(expression, expecting: .boolean)
        let value = try? expression.evaluate(FuzzCorpus.scope)
        if let value {
            let isSound = checked.type.alternatives.contains { $0.takes(value.typeName) }
            precondition(isSound, "the value of an expression is not of the type that was found for it")
        }
        if let value, let first = try? value.json().compactText, let again = try? expression.evaluateJSON(FuzzCorpus.scope).compactText {
            precondition(first == again, "the same expression had two values")
        }
        return value != nil
    }

    private func validate(_ input: FuzzInput, assertFormat: Bool) -> Bool {
        guard let schema = try? JSONValue(parsing: input.text) else { return false }
        _ = StaticType(schema: schema).words
        guard let compiled = try? CompiledSchema(schema, options: SchemaOptions(assertFormat: assertFormat)) else { return false }
        guard let instance = try? JSONValue(parsing: input.other) else { return false }
        let isValid = compiled.isValid(instance)
        precondition(compiled.validate(instance).isEmpty == isValid, "a value is valid with violations, or invalid without")
        return true
    }

    private func search(_ input: FuzzInput) -> Bool {
        let dialects: [Pattern.Dialect] = [.standard, .javaScript]
        var isAccepted = false
        for dialect in dialects {
            guard let pattern = try? Pattern(input.text, dialect: dialect) else { continue }
            isAccepted = true
            let matches = try? pattern.matches(input.other)
            if let match = try? pattern.firstMatch(in: input.other) {
                precondition(matches == true, "a match was found in what does not match")
                _ = match.captures
                _ = try? pattern.replacing(in: input.other, with: "<\\0>", count: 100)
            }
        }
        return isAccepted
    }
}
