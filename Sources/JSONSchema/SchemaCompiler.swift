// From documents to an evaluation plan: walks all subschemas that can be reached, resolves their references, and checks every keyword.

import Patterns
import WorkflowModel

struct SchemaCompiler {
    let options: SchemaOptions
    var index: SchemaIndex
    private var drafts: [SchemaNode?] = []
    private var numbers: [SchemaLocation: Int] = [:]
    private var pending: [(number: Int, location: SchemaLocation, value: JSONValue, keyword: String)] = []
    private var usedResources: [Int] = []
    private var isUsed: Set<Int> = []
    private var dynamicNames: [KeyBytes: Int] = [:]
    private var dynamicTargets: [[Int: Int]] = []
    private var patterns: [KeyBytes: CompiledPattern] = [:]

    static func compile(
        _ schema: JSONValue, documents: [String: JSONValue], options: SchemaOptions
    ) throws(SchemaError) -> EvaluationPlan {
        var compiler = SchemaCompiler(
            options: options, index: try SchemaIndex(schema, documents: documents, limits: options.limits))
        return try compiler.plan(schema)
    }

    private init(options: SchemaOptions, index: SchemaIndex) {
        self.options = options
        self.index = index
    }

    private mutating func plan(_ schema: JSONValue) throws(SchemaError) -> EvaluationPlan {
        let root = try node(for: schema, at: SchemaLocation(document: 0, pointer: KeyBytes("")), keyword: "")
        for (location, value) in index.ownSubschemas { _ = try node(for: value, at: location, keyword: "") }
        try compilePending()
        try compileDynamicTargets()
        let nodes = drafts.compactMap { $0 }
        precondition(nodes.count == drafts.count, "every node that was asked for is compiled")
        try checkProgress(of: nodes)
        return EvaluationPlan(
            nodes: nodes, root: root, usesDynamicScope: dynamicTargets.contains { !$0.isEmpty }, dynamicTargets: dynamicTargets,
            limits: options.limits)
    }

    private mutating func compilePending() throws(SchemaError) {
        var next = 0
        while next < pending.count {
            let (number, location, value, keyword) = pending[next]
            drafts[number] = try compile(value, at: location, keyword: keyword)
            next += 1
        }
        pending = []
    }

    // Any resource that takes part may be in the dynamic scope, so each one's anchor of that name may be the target.
    private mutating func compileDynamicTargets() throws(SchemaError) {
        var done: Set<[Int]> = []
        var changed = true
        while changed {
            changed = false
            for (name, number) in dynamicNames.sorted(by: { $0.value < $1.value }) {
                for resource in usedResources where done.insert([number, resource]).inserted {
                    guard let location = index.resources[resource].dynamicAnchors[name] else { continue }
                    let target = try index.target(of: "#\(name.text)", from: resource, at: location, keyword: "$dynamicAnchor")
                    dynamicTargets[number][resource] = try node(for: target.value, at: target.location, keyword: "$dynamicRef")
                    changed = true
                }
            }
            try compilePending()
        }
    }

    // MARK: Nodes

    /// The number of the node for the subschema at `location`; it is compiled later, so that schemas may refer to each other freely.
    mutating func node(for value: JSONValue, at location: SchemaLocation, keyword: String) throws(SchemaError) -> Int {
        if let number = numbers[location] { return number }
        let number = drafts.count
        guard number < options.limits.subschemas else {
            throw error(at: location, "the schema has more than \(options.limits.subschemas) subschemas")
        }
        drafts.append(nil)
        numbers[location] = number
        pending.append((number, location, value, keyword))
        return number
    }

    private mutating func compile(_ value: JSONValue, at location: SchemaLocation, keyword: String) throws(SchemaError) -> SchemaNode {
        var draft = SchemaNodeDraft()
        draft.location = index.name(of: location)
        draft.keyword = keyword
        switch value {
        case .bool(let accepts): draft.refusesAll = !accepts
        case .object(let object):
            try index.adopt(value, at: location)
            draft.resource = index.resource(of: location)
            if isUsed.insert(draft.resource).inserted { usedResources.append(draft.resource) }
            try compileKeywords(of: SchemaSource(object: object, location: location, resource: draft.resource), into: &draft)
        case .null, .int, .double, .string, .array:
            throw error(at: location, "a schema must be an object or a boolean, not \(value.kindPhrase)")
        }
        if draft.refusesAll { draft.resource = index.resource(of: location) }
        return SchemaNode(draft)
    }

    private mutating func compileKeywords(of source: SchemaSource, into draft: inout SchemaNodeDraft) throws(SchemaError) {
        let dialect = index.resources[source.resource].dialect
        try compileReferences(of: source, into: &draft)
        if dialect.contains(.applicator) { try compileCombinators(of: source, into: &draft) }
        try compileAssertions(of: source, dialect: dialect, into: &draft)
        draft.arrayRules = try arrayRules(of: source, dialect: dialect)
        draft.objectRules = try objectRules(of: source, dialect: dialect)
        if dialect.contains(.unevaluated) {
            draft.unevaluatedItems = try subschema("unevaluatedItems", of: source)
            draft.unevaluatedProperties = try subschema("unevaluatedProperties", of: source)
        }
    }

    private mutating func compileReferences(of source: SchemaSource, into draft: inout SchemaNodeDraft) throws(SchemaError) {
        if let reference = try string("$ref", of: source) {
            let target = try index.target(of: reference, from: source.resource, at: source.location, keyword: "$ref")
            draft.combinators.append(.reference(try node(for: target.value, at: target.location, keyword: "$ref")))
        }
        guard let reference = try string("$dynamicRef", of: source) else { return }
        let target = try index.target(of: reference, from: source.resource, at: source.location, keyword: "$dynamicRef")
        let fallback = try node(for: target.value, at: target.location, keyword: "$dynamicRef")
        let name = KeyBytes(URIReference(reference).fragment ?? "")
        let owner = index.resources[index.resource(of: target.location)]
        // Only what leads to a dynamic anchor is dynamic; anything else is like `$ref`.
        guard owner.dynamicAnchors[name] == target.location else {
            draft.combinators.append(.reference(fallback))
            return
        }
        let number = dynamicNames[name] ?? dynamicNames.count
        if dynamicNames.updateValue(number, forKey: name) == nil { dynamicTargets.append([:]) }
        draft.combinators.append(.dynamicReference(name: number, fallback: fallback))
    }

    private mutating func compileCombinators(of source: SchemaSource, into draft: inout SchemaNodeDraft) throws(SchemaError) {
        if let nodes = try subschemas("allOf", of: source) { draft.combinators.append(.allOf(nodes)) }
        if let nodes = try subschemas("anyOf", of: source) { draft.combinators.append(.anyOf(nodes)) }
        if let nodes = try subschemas("oneOf", of: source) { draft.combinators.append(.oneOf(nodes)) }
        if let node = try subschema("not", of: source) { draft.combinators.append(.not(node)) }
        let condition = try subschema("if", of: source)
        let then = try subschema("then", of: source)
        let otherwise = try subschema("else", of: source)
        if let condition { draft.combinators.append(.conditional(if: condition, then: then, else: otherwise)) }
    }

    // MARK: Patterns

    mutating func pattern(_ text: String, at location: SchemaLocation) throws(SchemaError) -> CompiledPattern {
        if let known = patterns[KeyBytes(text)] { return known }
        guard text.utf8.count <= options.limits.patternBytes else {
            throw error(at: location, "the pattern is longer than \(options.limits.patternBytes) bytes")
        }
        let translated: String
        do throws(ECMAPatternError) {
            translated = try ECMAPattern.translate(text, strictly: false)
        } catch {
            throw self.error(at: location, "the pattern is malformed: \(error.message)")
        }
        do throws(PatternError) {
            let compiled = CompiledPattern(source: text, pattern: try Pattern(translated))
            patterns[KeyBytes(text)] = compiled
            return compiled
        } catch {
            throw self.error(at: location, "the pattern cannot be used: \(error)")
        }
    }

    // MARK: Endless references

    // A schema that applies to a value must not apply to the same value again by its own doing. What only the dynamic scope decides is
    // left to the limit on the depth of an evaluation.
    private func checkProgress(of nodes: [SchemaNode]) throws(SchemaError) {
        let targets = nodes.map { node in node.combinators.flatMap(\.targets) + (node.objectRules?.dependentSchemas.map(\.node) ?? []) }
        enum Mark { case new, open, done }
        var marks = [Mark](repeating: .new, count: nodes.count)
        for start in nodes.indices where marks[start] == .new {
            var path: [(node: Int, next: Int)] = [(start, 0)]
            marks[start] = .open
            while let (node, next) = path.last {
                guard next < targets[node].count else {
                    marks[node] = .done
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let target = targets[node][next]
                switch marks[target] {
                case .new:
                    marks[target] = .open
                    path.append((target, 0))
                case .open:
                    throw SchemaError(
                        pointer: nodes[node].location,
                        message: "the schema refers back to itself for the same value, which would never end")
                case .done: break
                }
            }
        }
    }

    func error(at location: SchemaLocation, _ message: String) -> SchemaError {
        SchemaError(pointer: index.name(of: location), message: message)
    }
}

/// A subschema that is an object, and where it stands.
struct SchemaSource {
    let object: JSONObject
    let location: SchemaLocation
    let resource: Int
}

extension JSONValue {
    /// What kind of value this is, with its article: `an object`, `null`.
    var kindPhrase: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int: "an integer"
        case .double(let number): number == number.rounded(.towardZero) ? "an integer" : "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
