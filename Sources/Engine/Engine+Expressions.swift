// What expressions see, and what becomes of their errors.

import Expressions
import WorkflowModel

extension Frame {
    func decide(_ condition: Condition) throws(Rejection) -> Evaluated<Bool> {
        let scope = try scope(for: condition.reads, result: nil)
        do throws(ExpressionError) {
            return .success(try condition.expression.evaluateCondition(scope))
        } catch {
            return .failure(Self.failure(error))
        }
    }

    func evaluate(_ evaluation: Evaluation, result: JSONText? = nil) throws(Rejection) -> Evaluated<JSONText> {
        let scope = try scope(for: evaluation.reads, result: result)
        do throws(ExpressionError) {
            guard let text = JSONText(storable: try evaluation.template.render(scope)) else { return .failure(Self.unstorable) }
            return .success(text)
        } catch {
            return .failure(Self.failure(error))
        }
    }

    // The names in scope: only those that the expression reads, so that nothing is loaded or converted in vain.
    private func scope(for reads: Reads, result: JSONText?) throws(Rejection) -> Scope {
        var missing = MissingFacts()
        if reads.input, run.input == nil { missing.input = true }
        for (_, index) in reads.steps where facts(of: program.nodes[index].path) == nil {
            missing.steps.insert(program.nodes[index].path)
        }
        if !missing.isEmpty { throw .incomplete(missing) }

        var scope = Scope()
        if reads.input, let input = run.input { scope["input"] = Value(input.value) }
        if !reads.steps.isEmpty { scope["steps"] = Value(.object(steps(reads.steps))) }
        if reads.run { scope["run"] = Value(runValue) }
        if let result { scope["result"] = Value(result.value) }
        return scope
    }

    private func steps(_ reads: [(id: String, node: Int)]) -> JSONObject {
        var object = JSONObject()
        for (id, index) in reads {
            guard case .settled(let settled) = facts(of: program.nodes[index].path) else { continue }
            var step = JSONObject()
            step["output"] = settled.output?.value ?? .null
            step["status"] = .string(settled.status.rawValue)
            step["error"] = settled.failure?.json ?? .null
            step["attempts"] = .int(Int64(settled.attempts))
            step["startedAt"] = settled.startedAt.map { .string($0.description) } ?? .null
            step["finishedAt"] = .string(settled.finishedAt.description)
            object[id] = .object(step)
        }
        return object
    }

    private var runValue: JSONValue {
        [
            "id": .string(run.id.description),
            "workflow": .string(program.definition.name),
            "version": .int(Int64(run.version)),
            "submittedAt": .string(run.submittedAt.description),
            "startedAt": run.startedAt.map { .string($0.description) } ?? .null,
            "trigger": .string(run.trigger),
            "labels": run.labels?.value ?? .object(JSONObject()),
            "now": .string(now.description),
        ]
    }

    private static let unstorable = Failure(
        type: .unstorable, code: "E_RESULT_UNSTORABLE", message: "the computed value holds the character U+0000, which cannot be stored")

    // The source and the reason, never the data.
    private static func failure(_ error: ExpressionError) -> Failure {
        Failure(type: .expression, message: "\(error.message) in `\(error.source)`")
    }
}

/// What an expression gave, or how it failed. A failure is data, never thrown.
enum Evaluated<Value> {
    case success(Value)
    case failure(Failure)
}
