// Loops, and the policies by which parts that run side by side are joined.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// A loop and the names that its body sees.
    struct ReadLoop {
        let loop: Loop
        let variables: [String]
        /// What is known of their types.
        let types: [String: StaticType]
        /// Whether there may be no iteration at all.
        let mayBeEmpty: Bool
    }

    /// How many parts a join has.
    enum JoinTotal {
        /// So many.
        case known(Int)
        /// As many as there are items.
        case counted
        /// Nobody knows before the loop has ended.
        case unknown
    }

    // What goes with `each` only, and what with `while` and `until` only.
    private static let eachSettings = ["as", "batch", "maxParallel"]
    private static let conditionSettings = ["initial", "every"]

    /// The loop around a step's verb; nil where there is none.
    mutating func loop(_ entries: Entries, _ id: String, _ surroundings: Surroundings) -> ReadLoop? {
        let given = entries.members.filter { Vocabulary.loops.contains($0.key) }
        guard let member = given.first else {
            for member in entries.members where Vocabulary.loopSettings.contains(member.key) && entries[member.key] != nil {
                let isJoin = member.key == "join" && entries.member("parallel") != nil
                reportKey(
                    .misplacedLoopSetting, "`\(member.key)` belongs to loops, and this step is none", member, in: entries.field.path,
                    fix: isJoin ? "move it below `parallel`" : "add each: ${{ … }}, or remove it")
            }
            return nil
        }
        if given.count > 1 {
            reportKey(
                .severalLoops, "a step has either `\(given[0].key)` or `\(given[1].key)`, not both", given[1], in: entries.field.path,
                fix: member.key == "each" ? "to end an `each` loop early use breakIf" : "put one condition into the other: a && b")
        }
        guard let field = entries[member.key] else { return nil }
        let isEach = member.key == "each"
        refuseSettings(of: member.key, isEach: isEach, entries)
        let variable = variable(entries, isEach: isEach, surroundings)
        let variables = isEach ? [variable, "index", "\(variable)_index"] : ["index", "previous"]
        var types: [String: StaticType] = isEach ? ["index": .int, "\(variable)_index": .int] : ["index": .int]
        guard let source = loopSource(member.key, field, surroundings, surroundings.adding(variables), &types[variable]) else { return nil }
        var loop = Loop(source: source, variable: variable)
        if let initial = entries["initial"] { loop.initial = template(initial, .step("initial", surroundings)) }
        if let every = entries["every"] { loop.every = duration(every) }
        if let batch = entries["batch"] {
            loop.batch = integer(batch, in: 1...10_000)
            types[variable] = types[variable].map { .list($0) }
        }
        let inside = surroundings.adding(variables, types: types)
        if let most = entries["maxParallel"] { loop.maxParallel = maxParallel(most) }
        if let join = entries["join"] { loop.join = self.join(join, total: isEach ? .counted : .unknown) }
        if let collect = entries["collect"], let word = word(collect, Loop.Collection.self) { loop.collect = word }
        if let most = entries["maxIterations"] {
            loop.maxIterations = integer(most, in: 1...1_000_000_000)
        } else if !isEach {
            reportKey(
                .unboundedLoop, "a `\(member.key)` loop needs a bound: nothing else ends it when its condition never changes", member,
                in: entries.field.path, fix: "add maxIterations: 100")
        }
        if let condition = entries["breakIf"] {
            loop.breakIf = self.condition(condition, .step("breakIf", inside, extra: ["output"]))
        }
        return ReadLoop(loop: loop, variables: variables, types: types, mayBeEmpty: member.key != "until")
    }

    private mutating func loopSource(
        _ key: String, _ field: Field, _ surroundings: Surroundings, _ inside: Surroundings, _ itemType: inout StaticType?
    ) -> Loop.Source? {
        switch key {
        case "each":
            guard let items = collection(field, .step("each", surroundings)) else { return nil }
            itemType = Self.itemType(items.type)
            return .each(items.json)
        case "while": return condition(field, .step("while", inside)).map { .while($0) }
        default: return condition(field, .step("until", inside, extra: ["output"])).map { .until($0) }
        }
    }

    // An item of a list. What the items of a map are is the engine's business.
    private static func itemType(_ collection: StaticType) -> StaticType {
        if case .list(let element) = collection { element } else { .anything }
    }

    private mutating func refuseSettings(of loop: String, isEach: Bool, _ entries: Entries) {
        for member in entries.members {
            let isWrong = (isEach ? Self.conditionSettings : Self.eachSettings).contains(member.key)
            guard isWrong, entries[member.key] != nil else { continue }
            reportKey(
                .misplacedLoopSetting, "`\(member.key)` belongs to \(isEach ? "`while` and `until`" : "`each`") loops; this is `\(loop)`",
                member, in: entries.field.path, fix: "remove it")
        }
    }

    // The names that mean something else already, or that no expression could say.
    private static let reservedNames: Set<String> = [
        "input", "steps", "run", "index", "previous", "result", "output", "error", "event", "branches", "states", "secrets", "with",
        "status",
        "headers", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
        "loop",
        "package", "namespace", "return", "var", "void", "while", "int", "uint", "double", "bool", "string", "bytes", "list", "map", "type",
    ]

    private mutating func variable(_ entries: Entries, isEach: Bool, _ surroundings: Surroundings) -> String {
        let standard = "item"
        guard isEach, let field = entries["as"] else {
            if isEach, surroundings.variables.contains(standard), let member = entries.member("each") {
                reportHidden(standard, at: entries.field.member(member))
            }
            return standard
        }
        guard let name = name(field, .variable) else { return standard }
        if Self.reservedNames.contains(name) || name.hasSuffix("_index") {
            report(
                .reservedName, "\(Wording.quoted(name)) means something else in expressions", at: field, fix: "for example as: the_\(name)")
        } else if surroundings.variables.contains(name) {
            reportHidden(name, at: field)
        }
        return name
    }

    private mutating func reportHidden(_ name: String, at field: Field) {
        report(
            .hiddenVariable, "this loop's \(Wording.quoted(name)) hides that of the loop around it", at: field,
            fix: "name one of them: as: \(name == "item" ? "part" : "other")")
    }

    // Nil is all at once.
    private mutating func maxParallel(_ field: Field) -> Int? {
        if let text = field.string {
            if text == "unlimited" { return nil }
            unknownWord(text, of: ["a whole number", "unlimited"], at: field)
            return 1
        }
        guard let number = integer(field, in: 0...10_000) else { return 1 }
        return number == 0 ? nil : number
    }

    // MARK: Joins

    /// A join policy: a word, or a mapping.
    mutating func join(_ field: Field, total: JoinTotal) -> JoinPolicy {
        var policy = JoinPolicy()
        if field.members == nil {
            guard let rule = joinWord(field) else { return policy }
            policy.rule = rule
            checkRule(policy.rule, total, at: field)
            return policy
        }
        guard let entries = entries(field, .join) else { return policy }
        let rules = entries.members.filter { ["policy", "quorum", "ratio", "tolerate"].contains($0.key) }
        if rules.count > 1 {
            reportKey(
                .conflictingKeys, "a join policy has either `\(rules[0].key)` or `\(rules[1].key)`, not both", rules[1], in: field.path,
                fix: "remove one of them")
        }
        if let member = rules.first {
            let value = field.member(member)
            if let rule = joinRule(member.key, value) {
                policy.rule = rule
                checkRule(rule, total, at: value)
            }
        }
        if let onError = entries["onError"], let word = word(onError, JoinPolicy.ErrorHandling.self) { policy.onError = word }
        if let deadline = entries["deadline"] { policy.deadline = duration(deadline) }
        if let member = entries.member("onDeadline") {
            if let word = word(field.member(member), JoinPolicy.DeadlineHandling.self) { policy.onDeadline = word }
            if entries["deadline"] == nil {
                reportKey(
                    .conflictingKeys, "`onDeadline` without a `deadline` never happens", member, in: field.path, fix: "add deadline: 10m")
            }
        }
        return policy
    }

    private mutating func joinWord(_ field: Field) -> JoinPolicy.Rule? {
        switch field.string {
        case "all": return .all
        case "any": return .any
        case "first": return .first
        case let text?: unknownWord(text, of: Vocabulary.joinWords, at: field)
        case nil: wrongType(field, expected: "\(Wording.either(Vocabulary.joinWords)), or a mapping such as { tolerate: 10% }")
        }
        return nil
    }

    private mutating func joinRule(_ key: String, _ field: Field) -> JoinPolicy.Rule? {
        switch key {
        case "policy": return joinWord(field)
        case "quorum": return integer(field, in: 1...1_000_000).map { .quorum($0) }
        case "ratio":
            if field.string != nil { return share(field).map { .ratio($0) } }
            return number(field, in: 0...1).map { .ratio(Share(fraction: $0)) }
        default:
            if field.string != nil { return share(field).map { .tolerateShare($0) } }
            return integer(field, in: 0...1_000_000_000).map { .tolerate($0) }
        }
    }

    private mutating func checkRule(_ rule: JoinPolicy.Rule, _ total: JoinTotal, at field: Field) {
        switch (rule, total) {
        case (.ratio, .unknown), (.tolerateShare, .unknown):
            report(
                .shareWithoutTotal, "a share of what? Nobody knows how many iterations this loop will have", at: field,
                fix: "write a number: { tolerate: 3 }")
        case (.any, .unknown), (.first, .unknown), (.quorum, .unknown):
            report(
                .misplacedLoopSetting, "the iterations of this loop follow each other, so one of them cannot decide for the others",
                at: field,
                fix: "to end the loop early use breakIf, or the loop's own condition")
        case (.quorum(let least), .known(let count)) where least > count && count > 0:
            report(
                .joinNeverHolds, "\(least) of \(count) branches can never succeed", at: field, fix: "write a number up to \(count)")
        case (.tolerate(let most), .known(let count)) where most >= count && count > 0:
            report(
                .joinNeverHolds, "all \(count) branches may fail, so this join says nothing", at: field,
                fix: "write a number below \(count)")
        case (.all, _), (.any, _), (.first, _), (.quorum, _), (.ratio, _), (.tolerate, _), (.tolerateShare, _): break
        }
    }

    // `10%`
    private mutating func share(_ field: Field) -> Share? {
        let text = field.string ?? ""
        guard text.utf8.last == 0x25, let share = Share(percentage: text.dropLast()) else {
            report(.invalidShare, "\(Wording.quoted(text)) is no percentage", at: field, fix: "write one from 0% to 100%, such as 10%")
            return nil
        }
        return share
    }
}

extension Share {
    // Digits with at most four behind the point, 0 to 100.
    init?(percentage text: Substring) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { part in !part.isEmpty && part.utf8.count <= 4 && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        }
        guard isNumber, let whole = parts.first.flatMap({ Int($0) }) else { return nil }
        var fraction = parts.count > 1 ? String(parts[1]) : ""
        while fraction.utf8.count < 4 { fraction += "0" }
        let millionths = whole * 10_000 + (Int(fraction) ?? 0)
        guard millionths <= 1_000_000 else { return nil }
        self.init(partsPerMillion: millionths)
    }

    /// The share as a percentage, as the file writes it.
    var percentage: String {
        let whole = partsPerMillion / 10_000
        var fraction = String(partsPerMillion % 10_000)
        while fraction.utf8.count < 4 { fraction = "0" + fraction }
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return fraction.isEmpty ? "\(whole)%" : "\(whole).\(fraction)%"
    }
}
