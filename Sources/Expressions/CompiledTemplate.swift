// JSON whose strings may hold expressions.

public import WorkflowModel

/// A template: any JSON value, whose strings at any depth may hold `${{ … }}`.
///
/// A string that is exactly one expression becomes what the expression gives, of whatever type. Inside a longer text strings are
/// written as they are, numbers and booleans as JSON, lists and maps as compact JSON; null is an error. Keys are never templates, and
/// what an expression gives is never looked at again.
public struct CompiledTemplate: Sendable {
    private indirect enum Node: Sendable {
        case constant(JSONValue)
        case whole(CompiledExpression, place: Place)
        case text([Piece], place: Place)
        case array([Node])
        case object(keys: [String], nodes: [Node])
    }

    private enum Piece: Sendable {
        case literal(String)
        case expression(CompiledExpression, offset: Int)
    }

    private struct Place: Sendable {
        let path: String
        let offset: Int
    }

    private let root: Node
    private let limits: ExpressionLimits
    /// The data that the template reads, each with its location.
    public let references: [Reference]
    /// All expressions, in the order of the template, each with where it is.
    package let expressions: [Located]

    package struct Located: Sendable {
        package let expression: CompiledExpression
        package let path: String
        package let offset: Int
    }

    /// The deepest nesting of arrays and objects in a template.
    private static let maximumDepth = 400

    /// Compiles all expressions of a template. The error says where in the template it is.
    public init(_ template: JSONValue, limits: ExpressionLimits = .standard, mode: NumberMode = .promoting) throws(ExpressionError) {
        var builder = Builder(limits: limits, mode: mode)
        root = try builder.build(template, "", depth: 0)
        self.limits = limits
        expressions = builder.expressions
        references = builder.expressions.flatMap { located in
            located.expression.references.map {
                Reference(root: $0.root, path: $0.path, requiredCount: $0.requiredCount, offset: $0.offset, location: located.path)
            }
        }
    }

    /// Whether the template holds no expression at all.
    public var isConstant: Bool { expressions.isEmpty }

    /// The type of what the template gives. Expressions are asked for in the order of the template.
    func type(
        _ expressionType: (CompiledExpression, _ path: String, _ offset: Int, _ isPartOfText: Bool) -> StaticType
    ) -> StaticType {
        Self.type(root, expressionType)
    }

    private static func type(
        _ node: Node, _ expressionType: (CompiledExpression, _ path: String, _ offset: Int, _ isPartOfText: Bool) -> StaticType
    ) -> StaticType {
        switch node {
        case .constant(let value): return StaticType(constant: value)
        case .whole(let expression, let place): return expressionType(expression, place.path, place.offset, false)
        case .text(let pieces, let place):
            for case .expression(let expression, let offset) in pieces { _ = expressionType(expression, place.path, offset, true) }
            return .string
        case .array(let nodes): return StaticType.list(nodes.isEmpty ? .anything : .union(nodes.map { type($0, expressionType) })).bounded
        case .object(let keys, let nodes):
            let properties = zip(keys, nodes).map { ObjectType.Property($0, type($1, expressionType)) }
            return StaticType.object(ObjectType(properties, others: nil)).bounded(to: 4000)
        }
    }

    /// The template with the value of every expression in its place.
    public func render(_ scope: Scope) throws(ExpressionError) -> JSONValue {
        var meter = Meter(limits)
        return try Self.render(root, scope, &meter)
    }

    private static func render(_ node: Node, _ scope: Scope, _ meter: inout Meter) throws(ExpressionError) -> JSONValue {
        switch node {
        case .constant(let value): return value
        case .whole(let expression, let place):
            return try located(at: place) { () throws(ExpressionError) in
                try expression.json(try expression.evaluate(scope, &meter), &meter)
            }
        case .text(let pieces, let place): return .string(try text(pieces, place, scope, &meter))
        case .array(let nodes):
            var values: [JSONValue] = []
            values.reserveCapacity(nodes.count)
            for node in nodes { values.append(try render(node, scope, &meter)) }
            return .array(values)
        case .object(let keys, let nodes):
            var object = JSONObject()
            for (key, node) in zip(keys, nodes) { object.append(key, try render(node, scope, &meter)) }
            return .object(object)
        }
    }

    private static func text(
        _ pieces: [Piece], _ place: Place, _ scope: Scope, _ meter: inout Meter
    ) throws(ExpressionError) -> String {
        var result = ""
        for piece in pieces {
            switch piece {
            case .literal(let text): result += text
            case .expression(let expression, let offset):
                result += try located(at: Place(path: place.path, offset: offset)) { () throws(ExpressionError) in
                    let value = try expression.json(try expression.evaluate(scope, &meter), &meter)
                    let text: String
                    switch value {
                    case .string(let string): text = string
                    case .null:
                        throw ExpressionError(
                            kind: .type, message: "null cannot be part of a text; give it a value with .orValue('') or a conditional",
                            offset: 0, source: expression.source)
                    case .bool, .int, .double, .array, .object: text = value.compactText
                    }
                    do throws(Fault) { try meter.charge(bytes: text.utf8.count) } catch { throw error.error(in: expression.source) }
                    return text
                }
            }
        }
        return result
    }

    private static func located<Result>(
        at place: Place, _ body: () throws(ExpressionError) -> Result
    ) throws(ExpressionError) -> Result {
        do {
            return try body()
        } catch {
            var located = error
            located.path = place.path
            located.textOffset = place.offset
            throw located
        }
    }

    private struct Builder {
        let limits: ExpressionLimits
        let mode: NumberMode
        var expressions: [Located] = []

        mutating func build(_ value: JSONValue, _ path: String, depth: Int) throws(ExpressionError) -> Node {
            guard depth <= CompiledTemplate.maximumDepth else {
                throw ExpressionError(
                    kind: .limit, message: "the template is nested deeper than \(CompiledTemplate.maximumDepth) levels", offset: 0,
                    source: "", path: path)
            }
            switch value {
            case .null, .bool, .int, .double: return .constant(value)
            case .string(let text): return try build(text: text, path)
            case .array(let values):
                let before = expressions.count
                var nodes: [Node] = []
                for (index, element) in values.enumerated() { nodes.append(try build(element, "\(path)/\(index)", depth: depth + 1)) }
                return isConstant(nodes, since: before) ? .constant(value) : .array(nodes)
            case .object(let object):
                let before = expressions.count
                var nodes: [Node] = []
                for (key, element) in object.members {
                    let escaped = key.utf8.contains { $0 == 0x7E || $0 == 0x2F } ? Self.escaped(key) : key
                    nodes.append(try build(element, path + "/" + escaped, depth: depth + 1))
                }
                return isConstant(nodes, since: before) ? .constant(value) : .object(keys: object.keys, nodes: nodes)
            }
        }

        // As JSON pointers want it.
        private static func escaped(_ key: String) -> String {
            String(decoding: key.utf8.flatMap { $0 == 0x7E ? [0x7E, 0x30] : $0 == 0x2F ? [0x7E, 0x31] : [$0] }, as: UTF8.self)
        }

        // Texts with `$${{` change although they hold no expression.
        private func isConstant(_ nodes: [Node], since before: Int) -> Bool {
            expressions.count == before
                && nodes.allSatisfy {
                    switch $0 {
                    case .constant: true
                    case .whole, .text, .array, .object: false
                    }
                }
        }

        private mutating func build(text: String, _ path: String) throws(ExpressionError) -> Node {
            guard TemplateText.mayHoldExpressions(text) else { return .constant(.string(text)) }
            let place = Place(path: path, offset: 0)
            let cut = try CompiledTemplate.located(path: path) { () throws(ExpressionError) in try TemplateText(text) }
            var pieces: [Piece] = []
            for piece in cut.pieces {
                switch piece {
                case .literal(let literal): pieces.append(.literal(literal))
                case .expression(let source, let offset):
                    let expression = try CompiledTemplate.located(at: Place(path: path, offset: offset)) { () throws(ExpressionError) in
                        try CompiledExpression(source, limits: limits, mode: mode)
                    }
                    expressions.append(Located(expression: expression, path: path, offset: offset))
                    pieces.append(.expression(expression, offset: offset))
                }
            }
            if cut.isWhole, case .expression(let expression, let offset) = pieces[0] {
                return .whole(expression, place: Place(path: path, offset: offset))
            }
            return .text(pieces, place: place)
        }
    }

    private static func located<Result>(
        path: String, _ body: () throws(ExpressionError) -> Result
    ) throws(ExpressionError) -> Result {
        do {
            return try body()
        } catch {
            var located = error
            located.path = path
            throw located
        }
    }
}
