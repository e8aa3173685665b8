// A schema in the form in which it is evaluated: one node for each subschema, references turned into the numbers of nodes.

import Patterns
import WorkflowModel

/// Everything that a validation needs. Immutable, and shared by all validations of a schema.
final class EvaluationPlan: Sendable {
    let nodes: [SchemaNode]
    let root: Int
    /// Whether the dynamic scope matters at all.
    let usesDynamicScope: Bool
    /// For each dynamic anchor that is referred to: its node in each resource that has one.
    let dynamicTargets: [[Int: Int]]
    let limits: SchemaLimits

    init(nodes: [SchemaNode], root: Int, usesDynamicScope: Bool, dynamicTargets: [[Int: Int]], limits: SchemaLimits) {
        self.nodes = nodes
        self.root = root
        self.usesDynamicScope = usesDynamicScope
        self.dynamicTargets = dynamicTargets
        self.limits = limits
    }
}

/// One subschema.
final class SchemaNode: Sendable {
    /// Where it is written.
    let location: String
    /// The keyword that holds it, for `false`.
    let keyword: String
    let resource: Int
    /// `false` as a schema: nothing is accepted.
    let refusesAll: Bool
    let types: JSONTypes?
    let constant: JSONValue?
    let enumeration: Enumeration?
    let numberRules: NumberRules?
    let stringRules: StringRules?
    let arrayRules: ArrayRules?
    let objectRules: ObjectRules?
    let combinators: [Combinator]
    let unevaluatedItems: Int?
    let unevaluatedProperties: Int?

    init(_ draft: SchemaNodeDraft) {
        location = draft.location
        keyword = draft.keyword
        resource = draft.resource
        refusesAll = draft.refusesAll
        types = draft.types
        constant = draft.constant
        enumeration = draft.enumeration
        numberRules = draft.numberRules
        stringRules = draft.stringRules
        arrayRules = draft.arrayRules
        objectRules = draft.objectRules
        combinators = draft.combinators
        unevaluatedItems = draft.unevaluatedItems
        unevaluatedProperties = draft.unevaluatedProperties
    }
}

/// A node while it is put together.
struct SchemaNodeDraft {
    var location = ""
    var keyword = ""
    var resource = 0
    var refusesAll = false
    var types: JSONTypes?
    var constant: JSONValue?
    var enumeration: Enumeration?
    var numberRules: NumberRules?
    var stringRules: StringRules?
    var arrayRules: ArrayRules?
    var objectRules: ObjectRules?
    var combinators: [Combinator] = []
    var unevaluatedItems: Int?
    var unevaluatedProperties: Int?
}

/// The types that `type` allows.
struct JSONTypes: OptionSet, Sendable {
    let rawValue: UInt8
    static let null = JSONTypes(rawValue: 1)
    static let boolean = JSONTypes(rawValue: 2)
    static let integer = JSONTypes(rawValue: 4)
    static let number = JSONTypes(rawValue: 8)
    static let string = JSONTypes(rawValue: 16)
    static let array = JSONTypes(rawValue: 32)
    static let object = JSONTypes(rawValue: 64)

    static let named: [(name: String, type: JSONTypes, phrase: String)] = [
        ("object", .object, "an object"), ("array", .array, "an array"), ("string", .string, "a string"),
        ("integer", .integer, "an integer"), ("number", .number, "a number"), ("boolean", .boolean, "a boolean"), ("null", .null, "null"),
    ]

    static let allNames = named.map(\.name).joined(separator: ", ")

    func allows(_ value: JSONValue) -> Bool {
        switch value {
        case .null: contains(.null)
        case .bool: contains(.boolean)
        case .int: !isDisjoint(with: [.integer, .number])
        case .double(let number): contains(.number) || contains(.integer) && number == number.rounded(.towardZero)
        case .string: contains(.string)
        case .array: contains(.array)
        case .object: contains(.object)
        }
    }
}

/// The values of `enum`. Many of them are hashed.
struct Enumeration: Sendable {
    let values: [JSONValue]
    private let hashed: Set<MathematicalValue>
    private static let linearLimit = 8

    init(_ values: [JSONValue]) {
        self.values = values
        hashed = values.count > Self.linearLimit ? Set(values.map { MathematicalValue(value: $0) }) : []
    }

    func contains(_ value: JSONValue) -> Bool {
        if values.count > Self.linearLimit { return hashed.contains(MathematicalValue(value: value)) }
        return values.contains { MathematicalValue.areEqual($0, value) }
    }
}

/// What is asked of numbers.
final class NumberRules: Sendable {
    let minimum: JSONNumber?
    let maximum: JSONNumber?
    let exclusiveMinimum: JSONNumber?
    let exclusiveMaximum: JSONNumber?
    let multipleOf: (number: JSONNumber, magnitude: DecimalMagnitude)?

    init(
        minimum: JSONNumber?, maximum: JSONNumber?, exclusiveMinimum: JSONNumber?, exclusiveMaximum: JSONNumber?,
        multipleOf: (number: JSONNumber, magnitude: DecimalMagnitude)?
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.exclusiveMinimum = exclusiveMinimum
        self.exclusiveMaximum = exclusiveMaximum
        self.multipleOf = multipleOf
    }
}

/// What is asked of strings. Lengths count code points.
final class StringRules: Sendable {
    let minLength: Int?
    let maxLength: Int?
    let pattern: CompiledPattern?
    let format: Format?

    init(minLength: Int?, maxLength: Int?, pattern: CompiledPattern?, format: Format?) {
        self.minLength = minLength
        self.maxLength = maxLength
        self.pattern = pattern
        self.format = format
    }
}

/// A pattern, as it was written and as it is matched.
struct CompiledPattern: Sendable {
    let source: String
    let pattern: Pattern
}

/// What is asked of arrays.
final class ArrayRules: Sendable {
    let minItems: Int?
    let maxItems: Int?
    let uniqueItems: Bool
    let prefixItems: [Int]
    let items: Int?
    let contains: (node: Int, minimum: Int, maximum: Int?)?

    init(
        minItems: Int?, maxItems: Int?, uniqueItems: Bool, prefixItems: [Int], items: Int?,
        contains: (node: Int, minimum: Int, maximum: Int?)?
    ) {
        self.minItems = minItems
        self.maxItems = maxItems
        self.uniqueItems = uniqueItems
        self.prefixItems = prefixItems
        self.items = items
        self.contains = contains
    }
}

/// What is asked of objects.
final class ObjectRules: Sendable {
    let minProperties: Int?
    let maxProperties: Int?
    let properties: PropertyTable
    let required: [RequiredProperty]
    let patternProperties: [(pattern: CompiledPattern, node: Int)]
    let additionalProperties: Int?
    let propertyNames: Int?
    let dependentRequired: [(property: String, required: [String])]
    let dependentSchemas: [(property: String, node: Int)]

    /// Whether every member has to be looked at.
    let looksAtMembers: Bool

    init(
        minProperties: Int?, maxProperties: Int?, properties: PropertyTable, required: [RequiredProperty],
        patternProperties: [(pattern: CompiledPattern, node: Int)], additionalProperties: Int?, propertyNames: Int?,
        dependentRequired: [(property: String, required: [String])], dependentSchemas: [(property: String, node: Int)]
    ) {
        self.minProperties = minProperties
        self.maxProperties = maxProperties
        self.properties = properties
        self.required = required
        self.patternProperties = patternProperties
        self.additionalProperties = additionalProperties
        self.propertyNames = propertyNames
        self.dependentRequired = dependentRequired
        self.dependentSchemas = dependentSchemas
        looksAtMembers = !properties.isEmpty || !patternProperties.isEmpty || additionalProperties != nil || propertyNames != nil
    }
}

/// A property that must be there.
struct RequiredProperty: Sendable {
    let name: String
    /// Its place in the table of properties, where the look at the members has noticed it; nil where it has to be looked for.
    let slot: Int?
}

/// A keyword whose subschemas apply to the same value.
enum Combinator: Sendable {
    case reference(Int)
    /// The outermost dynamic anchor with the name numbered `name`, or else `fallback`.
    case dynamicReference(name: Int, fallback: Int)
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case conditional(if: Int, then: Int?, else: Int?)

    /// The nodes that may apply to the value itself, but for those that only the dynamic scope decides.
    var targets: [Int] {
        switch self {
        case .reference(let node), .not(let node): [node]
        case .dynamicReference: []
        case .allOf(let nodes), .anyOf(let nodes), .oneOf(let nodes): nodes
        case .conditional(let condition, let then, let otherwise): [condition] + [then, otherwise].compactMap { $0 }
        }
    }
}
