// Which vocabularies a schema speaks: its `$schema` names a meta-schema, and that says which keywords have a meaning.

import WorkflowModel

/// The vocabularies of draft 2020-12 that change what a schema accepts. The core is always spoken.
struct Dialect: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let applicator = Dialect(rawValue: 1)
    static let unevaluated = Dialect(rawValue: 2)
    static let validation = Dialect(rawValue: 4)
    static let formatAssertion = Dialect(rawValue: 8)

    /// What the draft's own meta-schema says.
    static let standard: Dialect = [.applicator, .unevaluated, .validation]

    private static let vocabularyPrefix = "https://json-schema.org/draft/2020-12/vocab/"

    /// The dialect that the meta-schema `document` defines through `$vocabulary`; the standard one where it says nothing.
    init(metaSchema document: JSONValue, uri: String) throws(SchemaError) {
        guard let vocabularies = document["$vocabulary"]?.objectValue else {
            self = .standard
            return
        }
        var dialect: Dialect = []
        for (name, required) in vocabularies.members {
            let known = name.hasPrefix(Self.vocabularyPrefix) ? String(name.dropFirst(Self.vocabularyPrefix.count)) : ""
            switch known {
            case "applicator": dialect.insert(.applicator)
            case "unevaluated": dialect.insert(.unevaluated)
            case "validation": dialect.insert(.validation)
            case "format-assertion": dialect.insert(.formatAssertion)
            case "core", "meta-data", "format-annotation", "content": break
            default:
                if required.boolValue == true {
                    throw SchemaError(pointer: "\(uri)#/$vocabulary", message: "the vocabulary \(name) is required but not known here")
                }
            }
        }
        self = dialect
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}
