// Compiles calls of functions.

import Patterns
import WorkflowModel

extension Compiler {
    mutating func compileCall(_ text: String, _ arguments: [Syntax], _ tree: Syntax) throws(Fault) -> Int32 {
        if text == "has", arguments.count == 1 { return try compileHas(arguments[0], tree) }
        guard let signature = Signature.all[text], let counts = signature.asCall else {
            // The other arguments of a macro are its variables and what is made of them.
            let nodes = try compileForChecks(Self.usage[text] == nil ? arguments : Array(arguments.prefix(1)))
            if Signature.all[text] != nil || Self.usage[text] != nil {
                let usage = Self.usage[text] ?? "x.\(text)(…)"
                return fail(
                    .unknownName, "there is no function \(text)(…); it is called on a value: \(usage)", at: tree.offset, arguments: nodes)
            }
            return unknown("\(text)(…)", text, among: Self.calledNames, at: tree.offset, arguments: nodes)
        }
        return try compile(text, signature.function, counts, arguments, receiver: nil, tree)
    }

    mutating func compileMemberCall(
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
            if let namespace = target.dottedName, !isLocal(target), Self.namespaces.contains(namespace) {
                let nodes = try compileForChecks(arguments)
                let qualified = namespace + "." + text
                return unknown("\(qualified)(…)", qualified, among: Self.calledNames, at: target.offset, arguments: nodes)
            }
            let nodes = try compileForChecks([target] + arguments)
            if Signature.all[text] != nil {
                return fail(
                    .unknownName, "there is no function .\(text)(…); it is called as \(text)(…)", at: tree.offset, arguments: nodes)
            }
            return unknown(".\(text)(…)", text, among: Self.memberNames, at: tree.offset, arguments: nodes)
        }
        return try compile(text, signature.function, counts, arguments, receiver: target, tree)
    }

    private mutating func unknown(
        _ written: String, _ text: String, among names: [String], at offset: Int, arguments: [Int32]
    ) -> Int32 {
        let near = problems.count < Self.mostProblems ? Suggestion.near(text, among: names) : nil
        return fail(
            .unknownName, "there is no function \(written)" + Suggestion.suffix(for: near), at: offset, arguments: arguments,
            suggestion: near)
    }

    private static let calledNames: [String] =
        Signature.all.filter { $0.value.asCall != nil }.keys.sorted() + ["has", "cel.bind"]
    private static let memberNames: [String] =
        (Signature.all.filter { $0.value.asMember != nil }.keys + Array(usage.keys) + ["or", "orValue"]).sorted()
    // What stands before the point in the names of functions.
    private static let namespaces: Set<String> = Set(
        calledNames.compactMap { name in name.utf8.lastIndex(of: 0x2E).map { String(name[..<$0]) } })

    func isLocal(_ tree: Syntax) -> Bool {
        switch tree.kind {
        case .identifier(let name, let isAbsolute): !isAbsolute && slot(of: name) != nil
        case .select(let inner, _, _): isLocal(inner)
        case .literal, .index, .call, .memberCall, .list, .map, .not, .negate, .arithmetic, .and, .or, .compare, .contains, .conditional:
            false
        }
    }

    // Arguments of a call that cannot be made: compiled for what they refer to and for their own mistakes.
    mutating func compileForChecks(_ trees: [Syntax]) throws(Fault) -> [Int32] {
        var nodes: [Int32] = []
        for tree in trees { nodes.append(try compile(tree)) }
        return nodes
    }

    private mutating func compile(
        _ text: String, _ function: Function, _ counts: ClosedRange<Int>, _ arguments: [Syntax], receiver: Syntax?, _ tree: Syntax
    ) throws(Fault) -> Int32 {
        let all = (receiver.map { [$0] } ?? []) + arguments
        guard counts.contains(all.count) else {
            let nodes = try compileForChecks(all)
            let hidden = receiver == nil ? 0 : 1
            let lower = counts.lowerBound - hidden
            let upper = counts.upperBound - hidden
            let wanted = lower == upper ? "\(lower)" : upper > 1000 ? "at least \(lower)" : "\(lower) to \(upper)"
            let noun = lower == upper && lower == 1 ? "argument" : "arguments"
            return fail(
                .arity, "\(text) takes \(wanted) \(noun), not \(arguments.count)", at: tree.offset, arguments: nodes)
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
                    return fail(
                        .evaluation, "the pattern is wrong: \(error.message)", at: all[1].offset, arguments: list.map(\.node))
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
}
