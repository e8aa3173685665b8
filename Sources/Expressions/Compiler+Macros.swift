// Compiles macros.

import WorkflowModel

extension Compiler {
    mutating func compileHas(_ argument: Syntax, _ tree: Syntax) throws(Fault) -> Int32 {
        guard case .select(let target, let key, isOptional: let isOptional) = argument.kind else {
            throw Fault(kind: .syntax, message: "has() takes a field: has(a.b)", offset: argument.offset)
        }
        if let reference = reference(target, testing: key) { references.append(reference) }
        let operand = try compileChainPart(target)
        let tested = isOptional ? add(.optionalSelect, operand, name(key), at: argument.offset) : operand
        if isOptional {
            let list = append([self.operand(tested, argument.offset)])
            return add(.call, Function.optionalHasValue.rawValue, list, 1, at: tree.offset)
        }
        return add(.has, tested, name(key), at: tree.offset)
    }

    mutating func compileBind(_ arguments: [Syntax], _ tree: Syntax) throws(Fault) -> Int32 {
        let variable = try variable(arguments[0])
        let value = try compile(arguments[1])
        let (slot, body) = try withLocals([variable]) { (compiler) throws(Fault) in try compiler.compile(arguments[2]) }
        return binder([variable], add(.bind, value, body, slot, at: tree.offset))
    }

    private func variable(_ tree: Syntax) throws(Fault) -> String {
        guard case .identifier(let name, isAbsolute: false) = tree.kind else {
            throw Fault(kind: .syntax, message: "the name of a variable was expected", offset: tree.offset)
        }
        return name
    }

    private mutating func withLocals<Result>(
        _ variables: [String], _ body: (inout Compiler) throws(Fault) -> Result
    ) throws(Fault) -> (slot: Int32, result: Result) {
        let slot = locals.count
        locals.append(contentsOf: variables)
        slotCount = max(slotCount, locals.count)
        defer { locals.removeLast(variables.count) }
        return (Int32(slot), try body(&self))
    }

    // Nil when the call is no macro.
    mutating func compileMacro(
        _ target: Syntax, _ text: String, _ arguments: [Syntax], _ tree: Syntax
    ) throws(Fault) -> Int32? {
        let operation: Program.Operation
        var variableCount = 1
        var conditionIndex: Int?
        switch (text, arguments.count) {
        case ("all", 2): operation = .all
        case ("exists", 2): operation = .exists
        case ("exists_one", 2), ("existsOne", 2): operation = .existsOne
        case ("all", 3): (operation, variableCount) = (.all, 2)
        case ("exists", 3): (operation, variableCount) = (.exists, 2)
        case ("exists_one", 3), ("existsOne", 3): (operation, variableCount) = (.existsOne, 2)
        case ("map", 2): operation = .transformList
        case ("map", 3): (operation, conditionIndex) = (.transformList, 1)
        case ("filter", 2): operation = .filter
        case ("sortBy", 2): operation = .sortBy
        case ("transformList", 3): (operation, variableCount) = (.transformList, 2)
        case ("transformList", 4): (operation, variableCount, conditionIndex) = (.transformList, 2, 2)
        case ("transformMap", 3): (operation, variableCount) = (.transformMap, 2)
        case ("transformMap", 4): (operation, variableCount, conditionIndex) = (.transformMap, 2, 2)
        case ("transformMapEntry", 3): (operation, variableCount) = (.transformMapEntry, 2)
        case ("transformMapEntry", 4): (operation, variableCount, conditionIndex) = (.transformMapEntry, 2, 2)
        case ("optMap", 2): operation = .optionalMap
        case ("optFlatMap", 2): operation = .optionalFlatMap
        case ("all", _), ("exists", _), ("exists_one", _), ("existsOne", _), ("map", _), ("filter", _), ("sortBy", _), ("transformList", _),
            ("transformMap", _), ("transformMapEntry", _), ("optMap", _), ("optFlatMap", _):
            let noun = arguments.count == 1 ? "argument" : "arguments"
            return fail(
                .arity, "\(text) does not take \(arguments.count) \(noun); it is written \(Self.usage[text] ?? "")", at: tree.offset,
                arguments: try compileForChecks([target]))
        default: return nil
        }
        let collection = try compile(target)
        var variables: [String] = []
        for argument in arguments.prefix(variableCount) { variables.append(try variable(argument)) }
        if variables.count == 2, variables[0].hasSameBytes(as: variables[1]) {
            throw Fault(kind: .syntax, message: "both variables have the same name", offset: arguments[1].offset)
        }
        let bodyTree = arguments[arguments.count - 1]
        let (slot, parts) = try withLocals(variables) { (compiler) throws(Fault) -> (body: Int32, condition: Int32) in
            let condition: Int32
            if let conditionIndex { condition = try compiler.compile(arguments[conditionIndex]) } else { condition = -1 }
            return (try compiler.compile(bodyTree), condition)
        }
        switch operation {
        case .optionalMap, .optionalFlatMap:
            return binder(variables, add(operation, collection, parts.body, slot, at: tree.offset))
        default:  // The loops over collections.
            let list = append([
                operand(parts.body, bodyTree.offset, detail: Int32(variableCount)), operand(parts.condition, bodyTree.offset),
            ])
            return binder(variables, add(operation, collection, list, slot, at: tree.offset))
        }
    }

    // Keeps the names of the variables of a node, for messages about its body.
    private mutating func binder(_ names: [String], _ node: Int32) -> Int32 {
        variables[node] = names
        return node
    }

    /// How the macros are written, for messages.
    static let usage: [String: String] = [
        "all": "xs.all(x, condition)", "exists": "xs.exists(x, condition)", "exists_one": "xs.exists_one(x, condition)",
        "existsOne": "xs.existsOne(x, condition)", "map": "xs.map(x, value)", "filter": "xs.filter(x, condition)",
        "sortBy": "xs.sortBy(x, key)", "transformList": "xs.transformList(index, x, value)",
        "transformMap": "m.transformMap(key, x, value)", "transformMapEntry": "m.transformMapEntry(key, x, {newKey: value})",
        "optMap": "o.optMap(x, value)", "optFlatMap": "o.optFlatMap(x, optional)",
    ]
}
