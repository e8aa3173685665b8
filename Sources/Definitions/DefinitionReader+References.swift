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
    /// Names of parts of the language that this release cannot run.
    private static let laterRoots = ["error", "event", "previous", "index", "item", "branches", "output", "states"]

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
        } else if reference.root == "run", let member = reference.path.first, !Self.runMembers.contains(member) {
            let meant = closest(to: member, among: Self.runMembers).map { "did you mean \"\($0)\"?" }
            report(
                .unknownMember, "`run` has no \(Wording.quoted(member))", atByte: offset, length: length(1), in: field,
                fix: meant ?? "run has \(Wording.either(Self.runMembers))")
        }
    }

    private mutating func fix(forRoot root: String, _ place: ExpressionPlace) -> String {
        switch place {
        case .agent, .agentSuccess:
            if ["input", "steps", "run"].contains(root) { return "hand it over in the step's `with`, and write with.NAME here" }
        case .step, .stepOutput, .workflowOutput:
            if root == "result" { return "`result` is in scope in a step's own `output`; elsewhere write steps.ID.output" }
            if ["with", "status", "headers"].contains(root) { return "`\(root)` is in scope in an agent's own settings" }
            if place.steps?.visible.contains(root) == true { return "write steps.\(root).output" }
        }
        if Self.laterRoots.contains(root) { return "`\(root)` belongs to parts of the language that this release cannot run yet" }
        if let meant = closest(to: root, among: place.roots) { return "did you mean \"\(meant)\"?" }
        return "there \(place.roots.count == 1 ? "is" : "are") \(place.roots.joined(separator: ", "))"
    }

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
        switch scope.look(up: id) {
        case .settled: break
        case .itself:
            let isOwn = if case .stepOutput = place { true } else { false }
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
        let member = reference.path[1]
        if !Self.stepMembers.contains(member) {
            let meant = closest(to: member, among: Self.stepMembers).map { "did you mean \"\($0)\"?" }
            report(
                .unknownMember, "a step has no \(Wording.quoted(member)); it has \(Wording.either(Self.stepMembers))", atByte: offset,
                length: length(2), in: field, fix: meant ?? "for a part of its result write steps.\(id).output.\(member)")
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
        switch place {
        case .agent(secrets: true):
            if reference.path.count != 1 {
                refuse("a secret is named directly", "write ${{ secrets.NAME }}")
            } else if expression.source != "secrets.\(reference.path[0])" {
                refuse(
                    "a secret cannot be computed with: its value is put in after everything has been evaluated",
                    "let ${{ secrets.NAME }} stand by itself")
            }
        case .agent(secrets: false):
            refuse("arguments of a process can be seen by everybody on its machine", "hand the secret over in `environment` or `stdin`")
        case .step, .stepOutput, .workflowOutput, .agentSuccess:
            refuse("a secret may not stand in \(place.words), which is stored or compared", allowed)
        }
    }
}
