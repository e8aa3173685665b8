// Agents that always give the same answer to the same question, and a plain evaluation of a definition that knows nothing of the engine.

import Expressions
package import WorkflowModel

/// An agent whose answer depends on the step and on what it was given, and on nothing else.
package enum DeterministicAgent {
    /// Its answer.
    package static func answer(_ path: StepPath, _ input: JSONValue) -> JSONValue {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in (path.text + input.canonicalText).utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return ["value": .int(Int64(hash % 10)), "from": .string(path.text)]
    }
}

/// What a definition without failures gives: block by block, step by step, by recursion over the definition itself.
package struct PlainEvaluation {
    /// What became of a step.
    package struct Result: Equatable {
        package let status: StepStatus
        package let output: JSONValue
        package var ok: [JSONValue]?
    }

    /// The names that are in scope at some place, innermost last.
    struct Place {
        var steps: [[String: Result]] = [[:]]
        var names: [String: JSONValue] = [:]
    }

    let input: JSONValue
    private(set) var results: [StepPath: Result] = [:]

    /// The output of the whole run, and of every step and part.
    package static func run(_ definition: WorkflowDefinition, input: JSONValue) throws -> (output: JSONValue, results: [StepPath: Result]) {
        var evaluation = PlainEvaluation(input: input)
        var place = Place()
        var prefix = ""
        if case .states = definition.body { prefix = "state" }
        var output = try evaluation.block(definition.body, prefix: prefix, &place)
        if !prefix.isEmpty { evaluation.results[StepPath(prefix)] = Result(status: .succeeded, output: output) }
        if let template = definition.output { output = try evaluation.render(template, place) }
        return (output, evaluation.results)
    }

    // Runs a block whose steps are put into the innermost scope of `place`.
    private mutating func block(_ block: Block, prefix: String, _ place: inout Place) throws -> JSONValue {
        switch block {
        case .steps(let steps):
            var last = JSONValue.null
            for step in steps {
                let result = step.when == .failure ? Result(status: .skipped, output: .null) : try self.step(step, prefix + step.id, place)
                put(result, step.id, prefix + step.id, &place)
                last = result.output
            }
            return last
        case .graph(let steps):
            var open = steps
            while !open.isEmpty {
                guard let next = open.firstIndex(where: { $0.needs.allSatisfy { place.steps[place.steps.count - 1][$0] != nil } }) else {
                    throw Violation("definitions", "the needs go round in a circle")
                }
                let step = open.remove(at: next)
                let needs = step.needs.map { place.steps[place.steps.count - 1][$0]?.status }
                let isSkipped: Bool =
                    switch step.when {
                    case nil: !needs.isEmpty && needs.allSatisfy { $0 == .skipped }
                    case .success: needs.contains(.skipped)
                    case .failure: true
                    case .always: false
                    }
                let result = isSkipped ? Result(status: .skipped, output: .null) : try self.step(step, prefix + step.id, place)
                put(result, step.id, prefix + step.id, &place)
            }
            var map = JSONObject()
            for step in steps where !steps.contains(where: { $0.needs.contains(step.id) }) {
                map[step.id] = place.steps[place.steps.count - 1][step.id]?.output ?? .null
            }
            return .object(map)
        case .states(let machine): return try run(machine, prefix: prefix, place)
        }
    }

    private mutating func put(_ result: Result, _ id: String, _ path: String, _ place: inout Place) {
        place.steps[place.steps.count - 1][id] = result
        results[StepPath(path)] = result
    }

    // A block in a scope of its own. Its path is that of the part.
    private mutating func inner(_ block: Block, _ path: String, _ place: Place, mapping: JSONValue? = nil) throws -> JSONValue {
        var place = place
        place.steps.append([:])
        var output: JSONValue
        var prefix = path + "."
        if case .states = block { prefix = path }
        output = try self.block(block, prefix: prefix, &place)
        if let mapping { output = try render(mapping, place, ["result": output]) }
        results[StepPath(path)] = Result(status: .succeeded, output: output)
        return output
    }

    private mutating func step(_ step: Step, _ path: String, _ place: Place) throws -> Result {
        if let condition = step.condition, try !holds(condition, place) { return Result(status: .skipped, output: .null) }
        guard let loop = step.loop else { return Result(status: .succeeded, output: try verb(step, path, place)) }
        var outputs: [JSONValue] = []
        func iteration(_ index: Int, _ item: JSONValue?, _ previous: JSONValue) -> Place {
            var inner: Place = place
            if let item { inner.names[loop.variable] = item }
            inner.names["index"] = .int(Int64(index))
            inner.names[loop.variable + "_index"] = .int(Int64(index))
            inner.names["previous"] = previous
            return inner
        }
        switch loop.source {
        case .each(let template):
            var items = try render(template, place).arrayValue ?? []
            if let batch = loop.batch {
                items = stride(from: 0, to: items.count, by: batch).map { .array(Array(items[$0..<min($0 + batch, items.count)])) }
            }
            for (index, item) in items.enumerated() {
                outputs.append(try verb(step, "\(path)[\(index)]", iteration(index, item, .null)))
                results[StepPath("\(path)[\(index)]")] = Result(status: .succeeded, output: outputs[index])
            }
        case .while(let condition):
            var previous = try loop.initial.map { try render($0, place) } ?? .null
            while try holds(condition, iteration(outputs.count, nil, previous)) {
                previous = try verb(step, "\(path)[\(outputs.count)]", iteration(outputs.count, nil, previous))
                results[StepPath("\(path)[\(outputs.count)]")] = Result(status: .succeeded, output: previous)
                outputs.append(previous)
            }
        case .until(let condition):
            var previous = try loop.initial.map { try render($0, place) } ?? .null
            repeat {
                previous = try verb(step, "\(path)[\(outputs.count)]", iteration(outputs.count, nil, previous))
                results[StepPath("\(path)[\(outputs.count)]")] = Result(status: .succeeded, output: previous)
                outputs.append(previous)
            } while try !holds(condition, iteration(outputs.count - 1, nil, previous))
        }
        let output: JSONValue =
            switch loop.collect {
            case .list: .array(outputs)
            case .last: outputs.last ?? .null
            case .none: .null
            }
        return Result(status: .succeeded, output: output, ok: outputs)
    }

    private mutating func verb(_ step: Step, _ path: String, _ place: Place) throws -> JSONValue {
        let answer: JSONValue
        switch step.verb {
        case .agent: answer = DeterministicAgent.answer(StepPath(path), try step.with.map { try render($0, place) } ?? [:])
        case .workflow(let call):
            let input = try step.with.map { try render($0, place) } ?? [:]
            answer = call.isAwaited ? DeterministicAgent.answer(StepPath(path), input) : .null
        case .set(let template): answer = try render(template, place)
        case .validate(let validation): answer = try render(validation.value, place)
        case .block(let block): return try inner(block, path, place, mapping: step.output)
        case .parallel(let parallel):
            var outputs = JSONObject()
            for branch in parallel.branches { outputs[branch.name] = try inner(branch.block, "\(path).\(branch.name)", place) }
            answer = .object(outputs)
        case .switch(let choice):
            var taken: JSONValue?
            for (index, entry) in choice.cases.enumerated() where try holds(entry.condition, place) {
                taken = try inner(entry.block, "\(path)/case\(index + 1)", place)
                break
            }
            if taken == nil, let block = choice.otherwise { taken = try inner(block, "\(path)/else", place) }
            answer = taken ?? .null
        case .sleep: answer = .null
        case .emit(let emission):
            var object = JSONObject()
            object["event"] = .string(emission.event)
            if let key = emission.key { object["key"] = try render(.string(key), place) }
            answer = .object(object)
        case .await, .approve, .fail, .succeed: throw Violation("definitions", "\(path) is not for a plain evaluation")
        }
        return try step.output.map { try render($0, place, ["result": answer]) } ?? answer
    }

    private mutating func run(_ machine: StateMachine, prefix: String, _ place: Place) throws -> JSONValue {
        var visits: [String: Int] = [:]
        var name = machine.initial
        while let state = machine.state(name) {
            visits[name, default: 0] += 1
            let path = "\(prefix)/\(name)#\(visits[name] ?? 0)"
            var here = place
            here.steps.append([:])
            var output = JSONValue.null
            if let block = state.block { output = try self.block(block, prefix: path + ".", &here) }
            if let template = state.output { output = try render(template, here) }
            results[StepPath(path)] = Result(status: .succeeded, output: output)
            guard state.ending == nil else { return output }
            guard let next = try state.next.first(where: { try $0.condition.map { try holds($0, here) } ?? true }) else {
                throw Violation("definitions", "\(path) has no way out")
            }
            name = next.target
        }
        throw Violation("definitions", "there is no state \(name)")
    }

    // MARK: Expressions

    private func scope(_ place: Place, _ more: [String: JSONValue]) -> Scope {
        var steps = JSONObject()
        for block in place.steps {
            for (id, result) in block.sorted(by: { $0.key < $1.key }) {
                var value = JSONObject()
                value["status"] = .string(result.status.rawValue)
                value["output"] = result.output
                value["error"] = .null
                value["ok"] = .array(result.ok ?? [])
                value["failed"] = []
                steps[id] = .object(value)
            }
        }
        var scope = Scope()
        scope["input"] = Value(input)
        scope["steps"] = Value(.object(steps))
        for (name, value) in place.names.merging(more, uniquingKeysWith: { $1 }) { scope[name] = Value(value) }
        return scope
    }

    private func holds(_ condition: String, _ place: Place) throws -> Bool {
        try CompiledExpression(condition).evaluateCondition(scope(place, [:]))
    }

    private func render(_ template: JSONValue, _ place: Place, _ more: [String: JSONValue] = [:]) throws -> JSONValue {
        try CompiledTemplate(template).render(scope(place, more))
    }
}
