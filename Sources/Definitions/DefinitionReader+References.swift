// The names that an expression uses: whether they exist where it stands, and whether there can be a value by then.

import Expressions
import WorkflowModel

extension DefinitionReader {
    /// What there is to know about a step.
    private static let stepMembers = ["output", "status", "error", "attempts", "startedAt", "finishedAt"]
    /// What there is to know about the run.
    private static let runMembers = [
        "id", "workflow", "version", "startedAt", "scheduledAt", "attempt", "depth", "parent", "trigger", "labels", "now",
    ]
    /// What there is to know about a loop beside.
    private static let loopMembers = ["ok", "failed"]

    mutating func check(
        _ reference: Reference, of expression: CompiledExpression, at start: Int, in field: Field, _ place: ExpressionPlace
    ) {
        let offset = start + reference.offset
        func length(_ count: Int) -> Int {
            ([reference.root] + reference.path.prefix(count)).reduce(-1) { $0 + $1.unicodeScalars.count + 1 }
        }
        if reference.root == "secrets" {
            checkSecret(reference, of: expression, offset, in: field, place, length: length(reference.path.count))
        } else if !place.roots.contains(reference.root) {
            report(
                .unknownName, "there is no \(Wording.quoted(reference.root)) in \(place.words)", atByte: offset, length: length(0),
                in: field,
                fix: fix(forRoot: reference.root, place))
        } else if reference.root == "steps", let scope = place.steps {
            checkStep(reference, offset, in: field, scope, place, length: length)
        } else if reference.root == "branches", place.extra.contains("branches") {
            checkBranch(reference, offset, in: field, place, length: length)
        } else if reference.root == "states", let states = place.surroundings.states {
            checkState(reference, offset, in: field, states, length: length)
        } else if reference.root == "run", let member = reference.path.first, !Self.runMembers.contains(member) {
            let meant = closest(to: member, among: Self.runMembers).map { "did you mean \"\($0)\"?" }
            report(
                .unknownMember, "`run` has no \(Wording.quoted(member))", atByte: offset, length: length(1), in: field,
                fix: meant ?? "run has \(Wording.either(Self.runMembers))")
        }
    }

    private mutating func fix(forRoot root: String, _ place: ExpressionPlace) -> String {
        switch place.kind {
        case .agent, .agentSuccess:
            if ["input", "steps", "run"].contains(root) { return "hand it over in the step's `with`, and write with.NAME here" }
        case .chain:
            if root == "steps" { return "the run has ended by then: put what is needed into the workflow's `output`" }
            if root == "output" || root == "error" { return "`\(root)` is in scope in \(root == "output" ? "onSuccess" : "onFailure")" }
        case .run:
            if place.steps?.visible.contains(root) == true { return "write steps.\(root).output" }
            if let words = Self.placesOfNames[root] { return words }
        }
        if let meant = closest(to: root, among: place.roots) { return "did you mean \"\(meant)\"?" }
        return "there \(place.roots.count == 1 ? "is" : "are") \(place.roots.joined(separator: ", "))"
    }

    // Where the names are in scope that are not everywhere.
    private static let placesOfNames: [String: String] = [
        "result": "`result` is in scope in a step's own `output`; elsewhere write steps.ID.output",
        "with": "`with` is in scope in an agent's own settings", "status": "`status` is in scope in an agent's own settings",
        "headers": "`headers` is in scope in an agent's own settings",
        "output": "`output` is in scope in `until`, `breakIf` and `onSuccess`; elsewhere write steps.ID.output",
        "error": "`error` is in scope in a catch block; elsewhere write steps.ID.error",
        "event": "`event` is in scope in `match`, in `on`, and in the `output` of an `await` step",
        "branches": "`branches` is in scope in the `output` of `parallel`; elsewhere write steps.ID.output",
        "previous": "`previous` is in scope in `while` and `until` loops", "index": "`index` is in scope in a loop's body",
        "item": "`item` is in scope in the body of an `each` loop", "states": "`states` is in scope inside of a state machine",
    ]

    // MARK: Steps

    private mutating func checkStep(
        _ reference: Reference, _ offset: Int, in field: Field, _ scope: StepScope, _ place: ExpressionPlace, length: (Int) -> Int
    ) {
        guard let id = reference.path.first else {
            report(
                .unknownMember, "`steps` by itself is no value", atByte: offset, length: length(0), in: field,
                fix: "name a step: steps.ID.output")
            return
        }
        let step = Wording.quoted(id)
        let isLoop: Bool
        switch scope.look(up: id) {
        case .settled(let loops): isLoop = loops
        case .itself:
            let isOwn = place.isOwnOutput
            report(
                .selfReference, "this is a part of step \(step), which has no outcome yet", atByte: offset, length: length(1), in: field,
                fix: isOwn ? "its answer is called `result` here" : "look at a step that comes before it")
            return
        case .later:
            report(
                .stepNotBefore, "step \(step) comes later and has not run by then", atByte: offset, length: length(1), in: field,
                fix: "move it in front, or look at an earlier step")
            return
        case .unordered:
            report(
                .stepNotBefore, "step \(step) need not have run by then", atByte: offset, length: length(1), in: field,
                fix: "add needs: [\(id)]")
            return
        case .unknown:
            let meant = closest(to: id, among: scope.visible).map { "did you mean \"\($0)\"?" }
            report(
                .unknownStep, "there is no step \(step) here", atByte: offset, length: length(1), in: field,
                fix: meant ?? "steps inside of another step are seen through its `output` only")
            return
        }
        guard reference.path.count > 1 else {
            report(
                .unknownMember, "a step by itself is no value", atByte: offset, length: length(1), in: field,
                fix: "write steps.\(id).output")
            return
        }
        checkMember(
            reference.path[1], isLoop: isLoop, at: offset, in: field, length: length(2), part: "steps.\(id).output.\(reference.path[1])")
    }

    private mutating func checkMember(
        _ member: String, isLoop: Bool, at offset: Int, in field: Field, length: Int, part: String
    ) {
        let members = Self.stepMembers + (isLoop ? Self.loopMembers : [])
        guard !members.contains(member) else { return }
        let isMissingLoop = Self.loopMembers.contains(member)
        let meant = closest(to: member, among: members).map { "did you mean \"\($0)\"?" }
        report(
            .unknownMember,
            isMissingLoop
                ? "only loops have \(Wording.quoted(member))"
                : "a \(isLoop ? "loop" : "step") has no \(Wording.quoted(member)); it has \(Wording.either(members))", atByte: offset,
            length: length, in: field,
            fix: isMissingLoop ? "write \(part) or give the step an `each`" : meant ?? "for a part of its result write \(part)")
    }

    // MARK: Branches and states

    // `branches.NAME.STEP.output` in an aggregation.
    private mutating func checkBranch(
        _ reference: Reference, _ offset: Int, in field: Field, _ place: ExpressionPlace, length: (Int) -> Int
    ) {
        guard let name = reference.path.first else { return }
        guard let branch = place.branches.first(where: { $0.name == name }) else {
            let names = place.branches.map(\.name)
            let meant = closest(to: name, among: names).map { "did you mean \"\($0)\"?" }
            return report(
                .unknownStep, "there is no branch \(Wording.quoted(name))", atByte: offset, length: length(1), in: field,
                fix: meant ?? "there are \(Wording.some(names))")
        }
        guard let scope = branch.scope, reference.path.count > 1 else { return }
        let id = reference.path[1]
        guard let index = scope.index(of: id) else {
            let meant = closest(to: id, among: scope.names).map { "did you mean \"\($0)\"?" }
            return report(
                .unknownStep, "the branch \(Wording.quoted(name)) has no step \(Wording.quoted(id))", atByte: offset, length: length(2),
                in: field, fix: meant ?? "it has \(Wording.some(scope.names))")
        }
        guard reference.path.count > 2 else { return }
        checkMember(
            reference.path[2], isLoop: scope.isLoop(index), at: offset, in: field, length: length(3),
            part: "branches.\(name).\(id).output.\(reference.path[2])")
    }

    // `states.NAME.output` inside of a machine.
    private mutating func checkState(_ reference: Reference, _ offset: Int, in field: Field, _ states: [String], length: (Int) -> Int) {
        guard let name = reference.path.first else { return }
        if !states.contains(name) {
            let meant = closest(to: name, among: states).map { "did you mean \"\($0)\"?" }
            report(
                .unknownState, "there is no state \(Wording.quoted(name))", atByte: offset, length: length(1), in: field,
                fix: meant ?? "there are \(Wording.some(states))")
        } else if reference.path.count > 1, reference.path[1] != "output" {
            report(
                .unknownMember, "a state has no \(Wording.quoted(reference.path[1])); it has output", atByte: offset, length: length(2),
                in: field, fix: "write states.\(name).output, which is null before the first visit")
        }
    }

    // MARK: Secrets

    private mutating func checkSecret(
        _ reference: Reference, of expression: CompiledExpression, _ offset: Int, in field: Field, _ place: ExpressionPlace, length: Int
    ) {
        func refuse(_ message: String, _ fix: String) {
            report(.misplacedSecret, message, atByte: offset, length: length, in: field, fix: fix)
        }
        let allowed = "secrets may stand in the url, headers, body, stdin and environment of an agent"
        switch place.kind {
        case .agent(secrets: true):
            if let part = place.secretsPart, !options.parts.contains(part) {
                report(
                    .notYet, "secrets of processes belong to the language, but this release cannot hand them over yet", atByte: offset,
                    length: length, in: field, fix: "let the program read its secret from a file, or call it by http")
            } else if reference.path.count != 1 {
                refuse("a secret is named directly", "write ${{ secrets.NAME }}")
            } else if expression.source != "secrets.\(reference.path[0])" {
                refuse(
                    "a secret cannot be computed with: its value is put in after everything has been evaluated",
                    "let ${{ secrets.NAME }} stand by itself")
            }
        case .agent(secrets: false):
            refuse("arguments of a process can be seen by everybody on its machine", "hand the secret over in `environment` or `stdin`")
        case .run, .chain, .agentSuccess:
            refuse("a secret may not stand in \(place.words), which is stored or compared", allowed)
        }
    }
}
