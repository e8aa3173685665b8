// The JSON Schema of the workflow file, made from the tables by which the reader refuses: the two cannot drift apart.

import JSONSchema
public import WorkflowModel

/// The format of workflow files as a JSON Schema, for editors.
///
/// Whatever the reader takes, the schema takes. It knows the keys, what each of them takes and which exclude each other; what depends on
/// more than one place of a file (ids, references, expressions, ways between states) only the reader can check.
public enum DefinitionSchema {
    /// The schema, with every construct under `$defs`.
    ///
    /// - Parameters:
    ///   - parts: the parts of the language that it knows.
    ///   - allowNoop: whether it knows agents of the kind `noop`.
    public static func json(parts: Set<LanguagePart> = LanguagePart.released, allowNoop: Bool = false) -> JSONValue {
        let writer = SchemaWriter(parts: parts, allowNoop: allowNoop)
        var definitions = JSONObject()
        for construct in Construct.allCases where construct != .file && (allowNoop || construct != .noopAgent) {
            definitions[construct.rawValue] = .object(writer.object(construct))
        }
        var schema = JSONObject()
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["$id"] = "urn:skein:workflow"
        schema["title"] = "Skein workflow"
        for (key, value) in writer.object(.file).members { schema[key] = value }
        schema["$defs"] = .object(definitions)
        return .object(schema)
    }

    /// A schema that is ready to check documents with.
    package struct Checker: Sendable {
        private let schema: CompiledSchema

        /// The schema for these parts of the language.
        package init(parts: Set<LanguagePart>, allowNoop: Bool) throws {
            schema = try CompiledSchema(DefinitionSchema.json(parts: parts, allowNoop: allowNoop))
        }

        /// Whether the schema takes a document.
        package func takes(_ document: JSONValue) -> Bool { schema.isValid(document) }
    }
}

private struct SchemaWriter {
    let parts: Set<LanguagePart>
    let allowNoop: Bool

    func object(_ construct: Construct) -> JSONObject {
        let vocabulary = construct.vocabulary
        let names = Set(vocabulary.names(in: parts))
        let keys = vocabulary.keys.filter { names.contains($0.name) }
        var object = JSONObject()
        object["type"] = "object"
        object["description"] = .string("The keys of \(vocabulary.what).")
        var properties = JSONObject()
        for key in keys {
            var property = shape(key.shape)
            property["description"] = .string(key.summary)
            properties[key.name] = .object(property)
        }
        object["properties"] = .object(properties)
        let required = keys.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { object["required"] = .array(required) }
        let alternatives = vocabulary.exactlyOne.filter { names.contains($0) }
        if !alternatives.isEmpty { object["oneOf"] = .array(alternatives.map { ["required": [.string($0)]] }) }
        if construct == .states {
            // Every other key is a state.
            object["propertyNames"] = ["anyOf": [["enum": .array(keys.map { .string($0.name) })], .object(shape(.name(.state)))]]
            object["additionalProperties"] = reference(.state)
            object["minProperties"] = 2
        } else {
            object["additionalProperties"] = false
        }
        return object
    }

    private func reference(_ construct: Construct) -> JSONValue { ["$ref": .string("#/$defs/\(construct.rawValue)")] }

    private func shape(_ shape: ValueShape) -> JSONObject {
        var object = JSONObject()
        switch shape {
        case .text, .templateText: object["type"] = "string"
        case .template: break
        case .condition: object["type"] = ["string", "boolean"]
        case .collection: object["type"] = ["string", "array"]
        case .integer(let range):
            object["type"] = "integer"
            object["minimum"] = .int(Int64(range.lowerBound))
            object["maximum"] = .int(Int64(range.upperBound))
        case .number(let range):
            object["type"] = "number"
            object["minimum"] = .double(range.lowerBound)
            object["maximum"] = .double(range.upperBound)
        case .boolean: object["type"] = "boolean"
        case .duration:
            object["type"] = "string"
            object["pattern"] = .string(Self.durationPattern)
        case .size:
            object["anyOf"] = [["type": "integer", "minimum": 1], ["type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$"]]
        case .percentage:
            object["type"] = "string"
            object["pattern"] = "^[0-9]{1,4}([.][0-9]{1,4})?%$"
        case .name(let pattern):
            object["type"] = "string"
            object["pattern"] = .string(pattern.pattern)
        case .word(let words): object["enum"] = .array(words.map { .string($0) })
        case .schema: object["type"] = ["object", "boolean"]
        case .list(let element, let atLeast):
            object["type"] = "array"
            object["items"] = .object(self.shape(element))
            if atLeast > 0 { object["minItems"] = .int(Int64(atLeast)) }
        case .map(let rule, let value, let atLeast):
            object["type"] = "object"
            switch rule {
            case .name(let pattern): object["propertyNames"] = .object(self.shape(.name(pattern)))
            case .duration: object["propertyNames"] = .object(self.shape(.duration))
            case .any: break
            }
            object["additionalProperties"] = .object(self.shape(value))
            if atLeast > 0 { object["minProperties"] = .int(Int64(atLeast)) }
        case .construct(let construct): object["$ref"] = .string("#/$defs/\(construct.rawValue)")
        case .either(let shapes):
            let known = shapes.filter { if case .construct(.noopAgent) = $0 { allowNoop } else { true } }
            let kept = known.filter { if case .construct(.catchBlock) = $0 { parts.contains(.catchBlocks) } else { true } }
            object["anyOf"] = .array(kept.map { .object(self.shape($0)) })
        }
        return object
    }

    // `1h30m`, `250ms`, `PT5M`.
    private static let durationPattern = "^([0-9]+([.][0-9]+)?(ms|s|m|h|d))+$|^P[0-9WDTHMS.]+$"
}
