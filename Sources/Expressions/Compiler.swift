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
    private var patterns: [Pattern] = []
    private var references: [Reference] = []
    private var problems: [Program.Problem] = []
    // The loop variables in scope; their index is their slot.
    private var locals: [String] = []
    private var slotCount = 0

    static func compile(_ source: String, limits: ExpressionLimits, mode: NumberMode) throws(Fault) -> Program {
        let tree = try Parser.parse(source, limits: limits)
        var compiler = Compiler(limits: limits)
        let root = try compiler.compile(tree)
        return Program(
            source: source, mode: mode, limits: limits, nodes: compiler.nodes, root: root, operands: compiler.operands,
            constants: compiler.constants, names: compiler.names, nameOffsets: compiler.nameOffsets, patterns: compiler.patterns,
            slotCount: compiler.slotCount,
            references: compiler.references, problems: compiler.problems)
    }

    private init(limits: ExpressionLimits) { self.limits = limits }

    // MARK: Parts

    private mutating func add(
        _ operation: Program.Operation, _ a: Int32 = 0, _ b: Int32 = 0, _ c: Int32 = 0, at offset: Int
    ) -> Int32 {
        nodes.append(Program.Node(operation: operation, a: a, b: b, c: c, offset: Int32(offset)))
        return Int32(nodes.count - 1)
    }

    private mutating func name(_ text: String) -> Int32 {
        if let index = nameIndices[KeyBytes(text)] { return index }
        names.append(text)
        nameOffsets.append(0)
        nameIndices[KeyBytes(text)] = Int32(names.count - 1)
        return Int32(names.count - 1)
    }

    private mutating func constant(_ value: Value, at offset: Int) -> Int32 {
        constants.append(value)
        return add(.constant, Int32(constants.count - 1), at: offset)
    }

    private mutating func append(_ list: [Program.Operand]) -> Int32 {
        operands.append(contentsOf: list)
        return Int32(operands.count - list.count)
    }

    private func operand(_ node: Int32, _ offset: Int, detail: Int32 = 0) -> Program.Operand {
        Program.Operand(node: node, detail: detail, offset: Int32(offset))
    }

    // A mistake that is known now and an error when its place is evaluated.
    private mutating func fail(_ kind: ExpressionError.Kind, _ message: String, at offset: Int) -> Int32 {
        problems.append(Program.Problem(kind: kind, message: message, offset: offset))
        return add(.fail, name(message), Self.kinds.firstIndex(of: kind).map { Int32($0) } ?? 0, at: offset)
    }

    static let kinds: [ExpressionError.Kind] = [.evaluation, .unknownName, .arity, .type, .syntax, .limit]

    private func slot(of name: String) -> Int32? {
        locals.lastIndex { $0.hasSameBytes(as: name) }.map { Int32($0) }
    }

    // MARK: Nodes

    private mutating func compile(_ tree: Syntax) throws(Fault) -> Int32 {
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
    private mutating func compileChain(_ tree: Syntax) throws(Fault) -> Int32 {
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

    private mutating func compileChainPart(_ tree: Syntax) throws(Fault) -> Int32 {
        // What is left of a computed index is a reference of its own; what is left of a constant key is part of the one already taken.
        switch tree.kind {
        case .identifier, .select, .index: try compileChain(tree)
        case .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            try compile(tree)
        }
    }

    private func staticPath(_ tree: Syntax) -> (root: String, keys: [(key: String, offset: Int)], offset: Int)? {
        var keys: [(key: String, offset: Int)] = []
        var current = tree
        while true {
            switch current.kind {
            case .select(let inner, let key, isOptional: false):
                keys.append((key, current.offset))
                current = inner
            case .index(let inner, let key, isOptional: false):
                guard case .literal(.string(let text)) = key.kind else { return nil }
                keys.append((text, current.offset))
                current = inner
            case .identifier(let name, let isAbsolute):
                guard isAbsolute || slot(of: name) == nil else { return nil }
                return (name, keys.reversed(), current.offset)
            case .select, .index, .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains,
                .conditional:
                return nil
            }
        }
    }

    // The longest constant path from the variable on. Selections after a computed index are not part of it.
    private func reference(_ tree: Syntax, testing tested: String?) -> Reference? {
        var steps: [(key: String, isOptional: Bool)] = tested.map { [($0, true)] } ?? []
        var current = tree
        while true {
            switch current.kind {
            case .select(let inner, let key, let isOptional):
                steps.append((key, isOptional))
                current = inner
            case .index(let inner, let key, let isOptional):
                if case .literal(.string(let text)) = key.kind {
                    steps.append((text, isOptional))
                } else {
                    steps = []
                }
                current = inner
            case .identifier(let name, let isAbsolute):
                guard isAbsolute || slot(of: name) == nil else { return nil }
                steps.reverse()
                return Reference(
                    root: name, path: steps.map(\.key), requiredCount: steps.firstIndex { $0.isOptional } ?? steps.count,
                    offset: current.offset)
            case .literal, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
                return nil
            }
        }
    }

    // MARK: Calls

    private mutating func compileCall(_ text: String, _ arguments: [Syntax], _ tree: Syntax) throws(Fault) -> Int32 {
        if text == "has", arguments.count == 1 { return try compileHas(arguments[0], tree) }
        guard let signature = Signature.all[text], let counts = signature.asCall else {
            try compileForChecks(arguments)
            let hint = Signature.all[text] == nil ? "" : "; it is called on a value: x.\(text)(…)"
            return fail(.unknownName, "there is no function \(text)(…)" + hint, at: tree.offset)
        }
        return try compile(text, signature.function, counts, arguments, receiver: nil, tree)
    }

    private mutating func compileMemberCall(
        _ target: Syntax, _ text: String, _ arguments: [Syntax], _ tree: Syntax
    ) throws(Fault) -> Int32 {
        if let namespace = target.dottedName, !isLocal(target) {
            let qualified = namespace + "." + text
            if qualified == "cel.bind", arguments.count == 3 { return try compileBind(arguments, tree) }
            if let signature = Signature.all[qualified], let counts = signature.asCall {
                return try compile(qualified, signature.function, counts, arguments, receiver: nil, tree)
            }
        }
        if let macro = try compileMacro(target, text, arguments, tree) { return macro }
        if arguments.count == 1, text == "or" || text == "orValue" {
            let receiver = try compile(target)
            return add(text == "or" ? .optionalOr : .optionalOrValue, receiver, try compile(arguments[0]), at: tree.offset)
        }
        guard let signature = Signature.all[text], let counts = signature.asMember else {
            try compileForChecks([target] + arguments)
            let hint = Signature.all[text] == nil ? "" : "; it is called as \(text)(…)"
            return fail(.unknownName, "there is no function .\(text)(…)" + hint, at: tree.offset)
        }
        return try compile(text, signature.function, counts, arguments, receiver: target, tree)
    }

    private func isLocal(_ tree: Syntax) -> Bool {
        switch tree.kind {
        case .identifier(let name, let isAbsolute): !isAbsolute && slot(of: name) != nil
        case .select(let inner, _, _): isLocal(inner)
        case .literal, .index, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            false
        }
    }

    // Arguments of a call that cannot be made: compiled for what they refer to and for their own mistakes.
    private mutating func compileForChecks(_ trees: [Syntax]) throws(Fault) {
        for tree in trees { _ = try compile(tree) }
    }

    private mutating func compile(
        _ text: String, _ function: Function, _ counts: ClosedRange<Int>, _ arguments: [Syntax], receiver: Syntax?, _ tree: Syntax
    ) throws(Fault) -> Int32 {
        let all = (receiver.map { [$0] } ?? []) + arguments
        guard counts.contains(all.count) else {
            try compileForChecks(all)
            let hidden = receiver == nil ? 0 : 1
            let lower = counts.lowerBound - hidden
            let upper = counts.upperBound - hidden
            let wanted = lower == upper ? "\(lower)" : upper > 1000 ? "at least \(lower)" : "\(lower) to \(upper)"
            return fail(.arity, "\(text) takes \(wanted) arguments, not \(arguments.count)", at: tree.offset)
        }
        if let folded = fold(function, all, tree) { return folded }
        var list: [Program.Operand] = []
        for argument in all { list.append(operand(try compile(argument), argument.offset)) }
        switch function {
        case .matches, .regexExtract, .regexExtractAll, .regexReplace:
            if case .literal(.string(let pattern)) = all[1].kind {
                do {
                    patterns.append(try Pattern(pattern))
                    list[0] = operand(list[0].node, Int(list[0].offset), detail: Int32(patterns.count))
                } catch {
                    return fail(.evaluation, "the pattern is wrong: \(error.message)", at: all[1].offset)
                }
            }
        default: break  // All other functions are compiled alike.
        }
        return add(.call, function.rawValue, append(list), Int32(list.count), at: tree.offset)
    }

    // Constants that the source spells out as texts.
    private mutating func fold(_ function: Function, _ arguments: [Syntax], _ tree: Syntax) -> Int32? {
        guard arguments.count == 1, case .literal(.string(let text)) = arguments[0].kind else { return nil }
        if function == .toTimestamp {
            guard let moment = Moment(text) else {
                return fail(.evaluation, "this is no timestamp of the years 1 to 9999 in RFC 3339", at: arguments[0].offset)
            }
            return constant(.timestamp(moment), at: tree.offset)
        }
        if function == .toDuration {
            guard let duration = DurationSeconds.parse(text) else {
                return fail(.evaluation, "this is no duration; it is written 90s, 1h30m or 1.5s", at: arguments[0].offset)
            }
            return constant(.duration(duration), at: tree.offset)
        }
        return nil
    }

    // MARK: Macros

    private mutating func compileHas(_ argument: Syntax, _ tree: Syntax) throws(Fault) -> Int32 {
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

    private mutating func compileBind(_ arguments: [Syntax], _ tree: Syntax) throws(Fault) -> Int32 {
        let variable = try variable(arguments[0])
        let value = try compile(arguments[1])
        let (slot, body) = try withLocals([variable]) { (compiler) throws(Fault) in try compiler.compile(arguments[2]) }
        return add(.bind, value, body, slot, at: tree.offset)
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
    private mutating func compileMacro(
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
            try compileForChecks([target])
            return fail(
                .arity, "\(text) does not take \(arguments.count) arguments; it is written \(Self.usage[text] ?? "")", at: tree.offset)
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
            return add(operation, collection, parts.body, slot, at: tree.offset)
        default:  // The loops over collections.
            let list = append([
                operand(parts.body, bodyTree.offset, detail: Int32(variableCount)), operand(parts.condition, bodyTree.offset),
            ])
            return add(operation, collection, list, slot, at: tree.offset)
        }
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
