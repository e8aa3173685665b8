// Which keys and words of the language some files use, by the JSON Schema of the format: whatever a release takes is in it.

import Definitions
import Foundation
import JSONSchema
import WorkflowModel

/// What of the language is used, and what there is.
struct LanguageUse {
    /// Keys as `step.each`, and the words that they take as `step.collect: last`.
    private(set) var used: Set<String> = []
    /// All that there are.
    let known: Set<String>
    private let root: JSONValue
    private let definitions: JSONObject
    private var schemas: [String: CompiledSchema] = [:]

    init() throws {
        root = DefinitionSchema.json()
        guard let definitions = root["$defs"]?.objectValue else { throw HarnessError("the schema of the format has no constructs") }
        self.definitions = definitions
        var known: Set<String> = []
        // A construct that no key leads to is not released yet.
        var constructs: [String: JSONValue] = [:]
        var unread = [("file", root)]
        while let (name, construct) = unread.popLast() {
            guard constructs.updateValue(construct, forKey: name) == nil else { continue }
            let below = Self.references(name == "file" ? construct["properties"] ?? .null : construct)
            for other in below where constructs[other] == nil { unread.append((other, definitions[other] ?? .null)) }
        }
        for (name, construct) in constructs {
            for (key, property) in construct["properties"]?.objectValue?.members ?? JSONObject().members {
                known.insert("\(name).\(key)")
                for word in Self.words(property) { known.insert("\(name).\(key): \(word)") }
            }
        }
        self.known = known
    }

    // The constructs that a schema names.
    private static func references(_ schema: JSONValue) -> [String] {
        if let name = construct(schema) { return [name] }
        return (schema.arrayValue ?? []).flatMap(references) + (schema.objectValue?.members ?? JSONObject().members).flatMap { references($0.1) }
    }

    private static func construct(_ schema: JSONValue) -> String? {
        schema["$ref"]?.stringValue?.split(separator: "/").last.map(String.init)
    }

    private static func words(_ schema: JSONValue) -> [String] {
        (schema["enum"]?.arrayValue ?? []).compactMap(\.stringValue)
            + (schema["anyOf"]?.arrayValue ?? []).flatMap(words)
    }

    /// Notes what a file uses.
    mutating func read(_ file: JSONValue) throws { try read(file, root, "file") }

    // `place` is the construct, or the key of one, that the value belongs to.
    private mutating func read(_ value: JSONValue, _ schema: JSONValue, _ place: String) throws {
        if let name = Self.construct(schema), let construct = definitions[name] {
            return try read(value, construct, name)
        }
        for alternative in schema["anyOf"]?.arrayValue ?? [] where try takes(alternative, value) {
            return try read(value, alternative, place)
        }
        if let word = value.stringValue, schema["enum"]?.arrayValue?.contains(value) == true { used.insert("\(place): \(word)") }
        for item in value.arrayValue ?? [] { if let items = schema["items"] { try read(item, items, place) } }
        for (key, member) in value.objectValue?.members ?? JSONObject().members {
            if let property = schema["properties"]?[key] {
                used.insert("\(place).\(key)")
                try read(member, property, "\(place).\(key)")
            } else if let rest = schema["additionalProperties"], rest.objectValue != nil {
                try read(member, rest, place)
            }
        }
    }

    private mutating func takes(_ schema: JSONValue, _ value: JSONValue) throws -> Bool {
        let text = schema.compactText
        let compiled: CompiledSchema
        if let ready = schemas[text] {
            compiled = ready
        } else {
            compiled = try CompiledSchema(["allOf": [schema], "$defs": .object(definitions)])
            schemas[text] = compiled
        }
        return compiled.isValid(value)
    }
}
