// What expressions see, and what becomes of their errors.

import Expressions
import WorkflowModel

// Values that are there only where the expression stands.
struct Bindings {
    var result: JSONText?
    var event: JSONText?
    // Of a run that has ended, or of an iteration that has.
    var output: JSONText?
    var failure: Failure?
    // What `previous` is after an iteration.
    var previous: JSONText?
}

extension Frame {
    func decide(_ condition: Condition, at instance: Instance?, _ bindings: Bindings = Bindings()) throws(Rejection) -> Evaluated<Bool> {
        let names = try names(for: condition.reads, at: instance, bindings)
        do throws(ExpressionError) {
            return .success(try condition.expression.evaluateCondition(Self.scope(names)))
        } catch {
            return .failure(Self.failure(error))
        }
    }

    func evaluate(
        _ evaluation: Evaluation, at instance: Instance?, _ bindings: Bindings = Bindings()
    ) throws(Rejection) -> Evaluated<JSONText> {
        let names = try names(for: evaluation.reads, at: instance, bindings)
        do throws(ExpressionError) {
            guard let text = JSONText(storable: try evaluation.template.render(Self.scope(names))) else { return .failure(Self.unstorable) }
            return .success(text)
        } catch {
            return .failure(Self.failure(error))
        }
    }

    private static func scope(_ names: [(String, JSONValue)]) -> Scope {
        var scope = Scope()
        for (name, value) in names { scope[name] = Value(value) }
        return scope
    }

    // MARK: Names

    // The names in scope: only those that the expression reads, so that nothing is loaded or converted in vain. Everything that is
    // missing is asked for at once.
    func names(for reads: Reads, at instance: Instance?, _ bindings: Bindings) throws(Rejection) -> [(String, JSONValue)] {
        var missing = MissingFacts()
        var names: [(String, JSONValue)] = []
        if reads.input {
            if let input = run.input { names.append(("input", input.value)) } else { missing.input = true }
        }
        if !reads.steps.isEmpty {
            var object = JSONObject()
            for (id, node) in reads.steps {
                let block = program.nodes[node].parent.flatMap { enclosing($0, of: instance) }
                if let value = step(child(node, of: block), &missing) { object[id] = value }
            }
            names.append(("steps", .object(object)))
        }
        if !reads.branches.isEmpty { names.append(("branches", branches(reads.branches, at: instance, &missing))) }
        if !reads.states.isEmpty { names.append(("states", states(reads.states, at: instance, &missing))) }
        for (name, loop) in reads.indexes {
            names.append((name, index(in: loop, of: instance).map { .int(Int64($0)) } ?? .null))
        }
        for (name, loop) in reads.items {
            guard let index = index(in: loop, of: instance), let place = loopInstance(loop, of: instance) else { continue }
            if let item = item(index, of: place.path) {
                names.append((name, item.value))
            } else {
                missing.items[place.path, default: []].insert(index / LoopItems.sliceSize)
            }
        }
        if let loop = reads.previous { names.append(("previous", try previous(loop, at: instance, bindings, &missing))) }
        if let node = reads.error, let place = enclosing(node, of: instance) {
            switch facts(of: place.path) {
            case .live(.caught(let caught)): names.append(("error", caught.failure.value))
            case nil: missing.steps.insert(place.path)
            case .live, .notStarted, .task, .settled: names.append(("error", .null))
            }
        }
        if reads.run { names.append(("run", runValue)) }
        if reads.result { names.append(("result", bindings.result?.value ?? .null)) }
        if reads.event { names.append(("event", bindings.event?.value ?? .null)) }
        if reads.ending {
            names.append(("output", bindings.output?.value ?? .null))
            if reads.error == nil { names.append(("error", bindings.failure?.value ?? .null)) }
        }
        if !missing.isEmpty { throw .incomplete(missing) }
        return names
    }

    // A loop around an instance that is in one of its iterations.
    private func loopInstance(_ loop: Int, of instance: Instance?) -> Instance? { enclosing(loop, of: instance) }

    // A settled step as expressions see it; nil for one that has not settled, or is not known.
    private func step(_ instance: Instance, _ missing: inout MissingFacts) -> JSONValue? {
        switch facts(of: instance.path) {
        case nil:
            missing.steps.insert(instance.path)
            return nil
        case .notStarted, .live, .task: return nil
        case .settled(let settled):
            var step = JSONObject()
            step["output"] = settled.output?.value ?? .null
            step["status"] = .string(settled.status.rawValue)
            step["error"] = settled.failure?.value(at: instance.path) ?? .null
            step["attempts"] = .int(Int64(settled.attempts))
            step["startedAt"] = settled.startedAt.map { .string($0.description) } ?? .null
            step["finishedAt"] = .string(settled.finishedAt.description)
            guard program.nodes[instance.node].isLoop else { return .object(step) }
            step["ok"] = []
            step["failed"] = []
            if settled.hasResults {
                guard let results = loopResults(instance.path) else {
                    missing.results.insert(instance.path)
                    return nil
                }
                step["output"] = results.output.value
                step["ok"] = results.ok.value
                step["failed"] = results.failed.value
            }
            return .object(step)
        }
    }

    private func branches(
        _ reads: [(name: String, id: String, node: Int)], at fork: Instance?, _ missing: inout MissingFacts
    ) -> JSONValue {
        var object = JSONObject()
        for (name, id, node) in reads {
            let branch = program.nodes[node].parent.map { child($0, of: fork) }
            guard let value = step(child(node, of: branch), &missing) else { continue }
            var steps = object[name]?.objectValue ?? JSONObject()
            steps[id] = value
            object[name] = .object(steps)
        }
        return .object(object)
    }

    // The latest visit of each state that has settled.
    private func states(
        _ reads: [(name: String, machine: Int, state: Int)], at instance: Instance?, _ missing: inout MissingFacts
    ) -> JSONValue {
        var object = JSONObject()
        for (name, node, state) in reads {
            object[name] = ["output": nil]
            guard let place = enclosing(node, of: instance), case .machine(let plan) = program.nodes[node].verb else { continue }
            var visits = 0
            switch facts(of: place.path) {
            case .live(.machine(let machine)): visits = machine.visits[state]
            case nil: missing.steps.insert(place.path)
            case .live, .notStarted, .task, .settled: visits = lastVisits[place.path].map { $0[state] } ?? 0
            }
            while visits > 0 {
                let path = visit(visits, of: state, plan, in: place).path
                visits -= 1
                switch facts(of: path) {
                case nil: missing.steps.insert(path)
                case .settled(let settled): object[name] = ["output": settled.output?.value ?? .null]
                case .notStarted, .live, .task: continue
                }
                break
            }
        }
        return .object(object)
    }

    private func previous(
        _ loop: Int, at instance: Instance?, _ bindings: Bindings, _ missing: inout MissingFacts
    ) throws(Rejection) -> JSONValue {
        if let previous = bindings.previous { return previous.value }
        guard let place = enclosing(loop, of: instance), let index = index(in: loop, of: instance) else { return .null }
        let plan = try loopPlan(place)
        if index == 0 {
            guard let initial = plan.initial else { return .null }
            switch try evaluate(initial, at: place) {
            case .success(let text): return text.value
            case .failure: return .null
            }
        }
        let before = iteration(index - 1, of: place, plan)
        switch facts(of: before.path) {
        case nil:
            missing.steps.insert(before.path)
            return .null
        case .settled(let settled): return settled.output?.value ?? .null
        case .notStarted, .live, .task: return .null
        }
    }

    private var runValue: JSONValue {
        [
            "id": .string(run.id.description),
            "workflow": .string(program.definition.name),
            "version": .int(Int64(run.version)),
            "submittedAt": .string(run.submittedAt.description),
            // What is computed before anything has run, is the start.
            "startedAt": .string((run.startedAt ?? now).description),
            "scheduledAt": run.scheduledAt.map { .string($0.description) } ?? .null,
            "trigger": .string(run.trigger),
            "attempt": 1,
            "depth": .int(Int64(run.depth)),
            "parent": run.parentID.map { .string($0.description) } ?? .null,
            "labels": run.labels?.value ?? .object(JSONObject()),
            "now": .string(now.description),
        ]
    }

    // MARK: Decisions

    // A decision is kept with the values that it was taken on.
    mutating func recordDecision(_ condition: Condition, _ result: Bool, at instance: Instance, arm: String? = nil) throws(Rejection) {
        let names = try names(for: condition.reads, at: instance, Bindings())
        var body = JSONObject()
        if let arm { body["case"] = .string(arm) }
        body["condition"] = .string(condition.expression.source)
        body["result"] = .bool(result)
        body["values"] = .object(Self.values(condition.expression.references, names))
        recordEvent("decision", at: instance.path, .object(body))
    }

    static func values(_ references: [Reference], _ names: [(String, JSONValue)]) -> JSONObject {
        var values = JSONObject()
        for reference in references {
            guard var value = names.first(where: { $0.0 == reference.root })?.1 else { continue }
            var name = reference.root
            for key in reference.path {
                guard let inner = value[key] else { break }
                value = inner
                name += "." + key
            }
            let length = value.compactText.utf8.count
            values[name] = length <= EngineDefaults.decisionValueBytes ? value : .string("(\(length) bytes)")
        }
        return values
    }

    private static let unstorable = Failure(
        type: .unstorable, code: "E_RESULT_UNSTORABLE", message: "the computed value holds the character U+0000, which cannot be stored")

    // The source and the reason, never the data.
    private static func failure(_ error: ExpressionError) -> Failure {
        Failure(type: .expression, message: "\(error.message) in `\(error.source)`")
    }
}

extension Failure {
    // As expressions see it: always with all its names, so that reading one that has no value is no error.
    var value: JSONValue { value(at: nil) }

    // The same, of a step: what does not say where it happened, happened there.
    func value(at place: StepPath?) -> JSONValue {
        var object = JSONObject()
        object["type"] = .string(type.rawValue)
        object["code"] = code.map { .string($0) } ?? .null
        object["message"] = .string(message)
        object["path"] = (path ?? place).map { .string($0.text) } ?? .null
        object["attempt"] = .int(Int64(attempt))
        return .object(object)
    }
}

/// What an expression gave, or how it failed. A failure is data, never thrown.
enum Evaluated<Value> {
    case success(Value)
    case failure(Failure)
}
