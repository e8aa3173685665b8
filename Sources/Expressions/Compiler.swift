// Makes a program of a tree: resolves loop variables to slots, expands macros, finds references, folds constants.

import Patterns
import WorkflowModel

struct Compiler {
    private let limits: ExpressionLimits
    private var nodes: [Program.Node] = []
    private var operands: [Program.Operand] = []
    private var constants: [Value] = []
    private var names: [String] = []
    private var nameOffsets: [Int32] = []
    private var nameIndices: [KeyBytes: Int32] = [:]
    var patterns: [Pattern] = []
    var references: [Reference] = []
    private(set) var problems: [Program.Problem] = []
    var variables: [Int32: [String]] = [:]
    // The loop variables in scope; their index is their slot.
    var locals: [String] = []
    var slotCount = 0

    static func compile(_ source: String, limits: ExpressionLimits, mode: NumberMode) throws(Fault) -> Program {
        let tree = try Parser.parse(source, limits: limits)
        var compiler = Compiler(limits: limits)
        let root = try compiler.compile(tree)
        return Program(
            source: source, mode: mode, limits: limits, nodes: compiler.nodes, root: root, operands: compiler.operands,
            constants: compiler.constants, names: compiler.names, nameOffsets: compiler.nameOffsets, patterns: compiler.patterns,
            slotCount: compiler.slotCount,
            references: compiler.references, problems: compiler.problems, variables: compiler.variables)
    }

    private init(limits: ExpressionLimits) { self.limits = limits }

    // MARK: Parts

    mutating func add(
        _ operation: Program.Operation, _ a: Int32 = 0, _ b: Int32 = 0, _ c: Int32 = 0, at offset: Int
    ) -> Int32 {
        nodes.append(Program.Node(operation: operation, a: a, b: b, c: c, offset: Int32(offset)))
        return Int32(nodes.count - 1)
    }

    mutating func name(_ text: String) -> Int32 {
        if let index = nameIndices[KeyBytes(text)] { return index }
        names.append(text)
        nameOffsets.append(0)
        nameIndices[KeyBytes(text)] = Int32(names.count - 1)
        return Int32(names.count - 1)
    }

    mutating func constant(_ value: Value, at offset: Int) -> Int32 {
        constants.append(value)
        return add(.constant, Int32(constants.count - 1), at: offset)
    }

    mutating func append(_ list: [Program.Operand]) -> Int32 {
        operands.append(contentsOf: list)
        return Int32(operands.count - list.count)
    }

    func operand(_ node: Int32, _ offset: Int, detail: Int32 = 0) -> Program.Operand {
        Program.Operand(node: node, detail: detail, offset: Int32(offset))
    }

    // A mistake that is known now and an error when its place is evaluated. The arguments are kept for what they refer to.
    mutating func fail(
        _ kind: ExpressionError.Kind, _ message: String, at offset: Int, arguments: [Int32] = [], suggestion: String? = nil
    ) -> Int32 {
        if problems.count < Self.mostProblems {
            problems.append(Program.Problem(kind: kind, message: message, offset: offset, suggestion: suggestion))
        }
        let first = arguments.isEmpty ? 0 : append(arguments.map { operand($0, offset, detail: Int32(arguments.count)) }) + 1
        return add(.fail, name(message), Self.kinds.firstIndex(of: kind).map { Int32($0) } ?? 0, first, at: offset)
    }

    // Nobody reads more of one expression.
    static let mostProblems = 50

    static let kinds: [ExpressionError.Kind] = [.evaluation, .unknownName, .unknownField, .arity, .type, .syntax, .limit]

    func slot(of name: String) -> Int32? {
        locals.lastIndex { $0.hasSameBytes(as: name) }.map { Int32($0) }
    }

    // MARK: Nodes

    mutating func compile(_ tree: Syntax) throws(Fault) -> Int32 {
        switch tree.kind {
        case .literal(let value):
            return constant(value, at: tree.offset)
        case .identifier, .select, .index:
            if let reference = reference(tree, testing: nil) { references.append(reference) }
            return try compileChain(tree)
        case .call(let name, let arguments):
            return try compileCall(name, arguments, tree)
        case .memberCall(let target, let name, let arguments):
            return try compileMemberCall(target, name, arguments, tree)
        case .list(let elements):
            var list: [Program.Operand] = []
            for element in elements {
                list.append(operand(try compile(element.value), element.value.offset, detail: element.isOptional ? 1 : 0))
            }
            return add(.list, append(list), Int32(list.count), at: tree.offset)
        case .map(let entries):
            var list: [Program.Operand] = []
            for entry in entries {
                list.append(operand(try compile(entry.key), entry.key.offset, detail: entry.isOptional ? 1 : 0))
                list.append(operand(try compile(entry.value), entry.value.offset))
            }
            return add(.map, append(list), Int32(list.count), at: tree.offset)
        case .not(let inner):
            return add(.not, try compile(inner), at: tree.offset)
        case .negate(let inner):
            return add(.negate, try compile(inner), at: tree.offset)
        case .arithmetic(let first, let terms):
            let start = try compile(first)
            var list: [Program.Operand] = []
            for term in terms { list.append(operand(try compile(term.operand), term.offset, detail: term.operation.rawValue)) }
            return add(.arithmetic, start, append(list), Int32(list.count), at: tree.offset)
        case .and(let parts):
            return try compileAll(parts, as: .and, tree)
        case .or(let parts):
            return try compileAll(parts, as: .or, tree)
        case .compare(let comparison, let left, let right):
            let first = try compile(left)
            return add(.compare, first, try compile(right), comparison.rawValue, at: tree.offset)
        case .contains(let element, let collection):
            let first = try compile(element)
            return add(.contains, first, try compile(collection), at: tree.offset)
        case .conditional(let condition, let yes, let no):
            let first = try compile(condition)
            let second = try compile(yes)
            return add(.conditional, first, second, try compile(no), at: tree.offset)
        }
    }

    private mutating func compileAll(_ parts: [Syntax], as operation: Program.Operation, _ tree: Syntax) throws(Fault) -> Int32 {
        var list: [Program.Operand] = []
        for part in parts { list.append(operand(try compile(part), part.offset)) }
        return add(operation, append(list), Int32(list.count), at: tree.offset)
    }

    // A name with selections. The parts do not count as references of their own; keys that are computed do.
    mutating func compileChain(_ tree: Syntax) throws(Fault) -> Int32 {
        if let path = staticPath(tree) {
            // Names are put one after the other, so that a path can be named by its first and its length.
            let first = Int32(names.count)
            for (key, offset) in path.keys {
                names.append(key)
                nameOffsets.append(Int32(offset))
                if nameIndices[KeyBytes(key)] == nil { nameIndices[KeyBytes(key)] = Int32(names.count - 1) }
            }
            return add(.path, name(path.root), first, Int32(path.keys.count), at: path.offset)
        }
        switch tree.kind {
        case .identifier(let text, let isAbsolute):
            if !isAbsolute, let slot = slot(of: text) { return add(.local, slot, at: tree.offset) }
            return add(.path, name(text), 0, 0, at: tree.offset)
        case .select(let inner, let key, let isOptional):
            let target = try compileChainPart(inner)
            return add(isOptional ? .optionalSelect : .select, target, name(key), at: tree.offset)
        case .index(let inner, let key, let isOptional):
            let target = try compileChainPart(inner)
            let keyNode = try compile(key)
            if !isOptional, case .literal(.string(let text)) = key.kind { return add(.select, target, name(text), at: tree.offset) }
            return add(isOptional ? .optionalIndex : .index, target, keyNode, at: tree.offset)
        case .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            return try compile(tree)
        }
    }

    mutating func compileChainPart(_ tree: Syntax) throws(Fault) -> Int32 {
        // What is left of a computed index is a reference of its own; what is left of a constant key is part of the one already taken.
        switch tree.kind {
        case .identifier, .select, .index: try compileChain(tree)
        case .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            try compile(tree)
        }
    }
}
