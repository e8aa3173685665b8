// Evaluates a program. Every node costs a step, every value that is built is charged before it is built.

import Patterns
import WorkflowModel

struct Evaluator {
    let program: Program
    let scope: Scope
    var meter: Meter
    // Loop variables.
    var slots: [Value]
    // The last pattern that was no constant: a loop asks for the same one again and again.
    var lastPattern: Pattern?
    // Where a fault of the operation at hand is reported.
    var offset: Int32 = 0

    /// How deep values may be nested where something walks through them.
    static let valueDepth = 500

    init(_ program: Program, _ scope: Scope, _ meter: Meter) {
        self.program = program
        self.scope = scope
        self.meter = meter
        slots = program.slotCount == 0 ? [] : Array(repeating: .null, count: program.slotCount)
    }

    mutating func run() throws(Fault) -> Value {
        do {
            return try evaluate(program.root)
        } catch {
            // Limits are noticed far from any node.
            throw error.offset < 0 ? Fault(kind: error.kind, message: error.message, offset: Int(offset)) : error
        }
    }

    func fault(_ kind: ExpressionError.Kind, _ message: String) -> Fault {
        Fault(kind: kind, message: message, offset: Int(offset))
    }

    func operandNode(_ index: Int32) -> Int32 { program.operands[Int(index)].node }

    mutating func evaluate(_ index: Int32) throws(Fault) -> Value {
        try meter.step()
        let node = program.nodes[Int(index)]
        switch node.operation {
        case .constant: return program.constants[Int(node.a)]
        case .local: return slots[Int(node.a)]
        case .path: return try path(node)
        case .and: return .bool(try junction(node, decisive: false))
        case .or: return .bool(try junction(node, decisive: true))
        case .compare: return .bool(try compare(node))
        case .arithmetic: return try arithmetic(node)
        case .not, .negate: return try unary(node)
        case .conditional: return try evaluate(try condition(node.a) ? node.b : node.c)
        case .select, .optionalSelect, .has: return try selection(node)
        case .index, .optionalIndex: return try indexing(node)
        case .contains: return try membership(node)
        case .list: return try list(node)
        case .map: return try map(node)
        case .call: return try call(node)
        case .all, .exists, .existsOne, .transformList, .transformMap, .transformMapEntry, .filter, .sortBy: return try loop(node)
        case .bind:
            let value = try evaluate(node.a)
            slots[Int(node.c)] = value
            return try evaluate(node.b)
        case .optionalMap, .optionalFlatMap, .optionalOr, .optionalOrValue: return try optionalOperation(node)
        case .fail:
            offset = node.offset
            throw fault(Compiler.kinds[Int(node.b)], program.names[Int(node.a)])
        }
    }

    private mutating func condition(_ index: Int32) throws(Fault) -> Bool {
        let value = try evaluate(index)
        guard case .bool(let result) = value else {
            offset = program.nodes[Int(index)].offset
            throw fault(.type, "a condition is a boolean, not \(value.typeName.words)")
        }
        return result
    }

    // `&&` and `||`: an operand that decides wins over errors of the others.
    private mutating func junction(_ node: Program.Node, decisive: Bool) throws(Fault) -> Bool {
        var pending: Fault?
        for index in node.a..<node.a + node.b {
            do {
                if try condition(operandNode(index)) == decisive { return decisive }
            } catch {
                if error.kind == .limit { throw error }
                if pending == nil { pending = error }
            }
        }
        if let pending { throw pending }
        return !decisive
    }

    @inline(never)
    private mutating func unary(_ node: Program.Node) throws(Fault) -> Value {
        let value = try evaluate(node.a)
        offset = node.offset
        switch (node.operation, value) {
        case (.not, .bool(let operand)): return .bool(!operand)
        case (.negate, .int(let operand)):
            guard operand != .min else { throw fault(.evaluation, "the integer overflows") }
            return .int(-operand)
        case (.negate, .double(let operand)): return .double(-operand)
        default:  // Whatever else, for whichever of the two.
            let symbol = node.operation == .not ? "!" : "-"
            throw fault(.type, "\"\(symbol)\" does not take \(value.typeName.words)")
        }
    }

    @inline(never)
    private mutating func list(_ node: Program.Node) throws(Fault) -> Value {
        try meter.charge(values: Int(node.b))
        var elements: [Value] = []
        elements.reserveCapacity(Int(node.b))
        for index in node.a..<node.a + node.b {
            let operand = program.operands[Int(index)]
            let value = try evaluate(operand.node)
            if operand.detail == 0 {
                elements.append(value)
            } else {
                offset = operand.offset
                guard case .optional(let content) = value else {
                    throw fault(.type, "an element after \"?\" is an optional, not \(value.typeName.words)")
                }
                if let content { elements.append(content) }
            }
        }
        return .list(.values(elements))
    }

    @inline(never)
    private mutating func map(_ node: Program.Node) throws(Fault) -> Value {
        try meter.charge(values: 3 * Int(node.b))
        var builder = MapBuilder()
        for index in stride(from: node.a, to: node.a + node.b, by: 2) {
            let keyOperand = program.operands[Int(index)]
            let valueOperand = program.operands[Int(index) + 1]
            let key = try evaluate(keyOperand.node)
            offset = keyOperand.offset
            guard let mapKey = MapKey(key) else { throw fault(.type, "\(key.typeName.words) cannot be a key of a map") }
            var value = try evaluate(valueOperand.node)
            if keyOperand.detail != 0 {
                offset = valueOperand.offset
                guard case .optional(let content) = value else {
                    throw fault(.type, "the value of an entry after \"?\" is an optional, not \(value.typeName.words)")
                }
                guard let content else { continue }
                value = content
            }
            offset = keyOperand.offset
            try work(key: key)
            guard builder.insert(key, as: mapKey, value) else { throw fault(.evaluation, "a key occurs twice in the map") }
        }
        return builder.finish()
    }

    @inline(never)
    private mutating func optionalOperation(_ node: Program.Node) throws(Fault) -> Value {
        let target = try evaluate(node.a)
        offset = node.offset
        guard case .optional(let content) = target else {
            throw fault(.type, "an optional was expected, not \(target.typeName.words)")
        }
        switch node.operation {
        case .optionalOr:
            if content != nil { return target }
            let other = try evaluate(node.b)
            offset = node.offset
            guard case .optional = other else {
                throw fault(.type, "or() takes an optional, not \(other.typeName.words); orValue() takes any value")
            }
            return other
        case .optionalOrValue:
            if let content { return content }
            return try evaluate(node.b)
        default:  // optionalMap and optionalFlatMap
            guard let content else { return .optional(nil) }
            slots[Int(node.c)] = content
            let result = try evaluate(node.b)
            if node.operation == .optionalMap { return .optional(result) }
            offset = node.offset
            guard case .optional = result else { throw fault(.type, "optFlatMap() makes an optional, not \(result.typeName.words)") }
            return result
        }
    }
}
