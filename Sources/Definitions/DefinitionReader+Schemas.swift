// JSON Schemas of inputs and answers: kept as they are, once it is known that they can be used.

import JSONSchema
import WorkflowModel

extension DefinitionReader {
    /// A JSON Schema.
    mutating func schema(_ field: Field) -> JSONValue? {
        switch field.node.content {
        case .mapping, .scalar(.bool): break
        case .scalar, .sequence:
            report(
                .invalidSchema,
                "\(Self.subject(field)) is a JSON Schema, which is a mapping or a boolean, but this is \(field.node.kindName)",
                at: field, fix: "for example { type: object, required: [text] }")
            return nil
        }
        let schema = field.node.json
        if source != nil {
            do throws(SchemaError) {
                _ = try CompiledSchema(schema)
            } catch {
                report(
                    .invalidSchema, "this is no valid JSON Schema: \(error.message)", at: Self.follow(error.pointer, from: field),
                    fix: "see JSON Schema 2020-12")
            }
        }
        return schema
    }

    /// Defaults of the input's members are not applied: whoever writes one has to say in an expression what stands in for what is absent.
    mutating func warnOfDefaults(in field: Field, _ path: String = "input") {
        guard let source, let properties = field.value(of: "properties") else { return }
        for member in properties.members ?? [] {
            let property = properties.member(member)
            if let value = property.value(of: "default"), !source.text.contains("?\(member.key)") {
                report(
                    .unusedDefault, "the default of \(Wording.quoted(member.key)) is not applied: an input is kept as it came", at: value,
                    fix: "read it with ${{ \(path).?\(member.key).orValue(…) }}")
            }
            warnOfDefaults(in: property, "\(path).\(member.key)")
        }
    }

    // The value that a JSON pointer names, or the nearest one around it.
    private static func follow(_ pointer: String, from field: Field) -> Field {
        var field = field
        for part in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let key = unescaped(part)
            if let member = field.members?.first(where: { $0.key == key }) {
                field = field.member(member)
            } else if let elements = field.elements, let index = Int(key), elements.indices.contains(index) {
                field = elements[index]
            } else {
                return field
            }
        }
        return field
    }

    private static func unescaped(_ part: Substring) -> String {
        part.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
            .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
    }
}
