// The kinds of steps that random workflows are made of.

import WorkflowModel

extension WorkflowGenerator {
    private static func object(_ id: String, _ fields: KeyValuePairs<String, JSONValue>) -> JSONObject {
        var step = JSONObject()
        step["id"] = .string(id)
        for (key, value) in fields { step[key] = value }
        return step
    }

    private static func called(_ operand: Operand) -> @Sendable (Operand.Surroundings) -> Int {
        let value = operand.value
        return { Mixture.value(value($0)) }
    }

    // MARK: Calls

    mutating func call(_ id: String, _ operand: Operand) -> MadeStep {
        var given: JSONValue = ["n": Self.expression(operand.text)]
        if hasBadAgents, pick(0...9) == 0 { given = ["n": Self.expression(operand.text), "slowly": true] }
        return MadeStep(
            step: Self.object(id, ["agent": "loom", "with": given]),
            result: Operand(text: "steps.\(id).output.value", value: Self.called(operand)))
    }

    /// A call that comes to nothing once or twice, each time in the same way.
    mutating func troubledCall(_ id: String, _ operand: Operand) -> MadeStep {
        let trouble = Trouble.passing[pick(0...Trouble.passing.count - 1)]
        let times = pick(1...2)
        let step = Self.object(
            id,
            [
                "agent": "loom",
                "with": ["n": Self.expression(operand.text), "trouble": .string(trouble.rawValue), "times": .int(Int64(times))],
                "result": ["type": "object", "required": ["value"], "properties": ["value": ["type": "integer"]]],
                // A machine that does many things at once may be slow as well: there are attempts to spare.
                "timeout": .string(trouble == .hang ? "\(Trouble.patienceSeconds)s" : "20s"),
                "retry": [
                    "on": ["timeout", "connect", "5xx", "rateLimited", "schema", "protocol"], "maxAttempts": .int(Int64(times + 4)),
                    "delay": "50ms", "maxDelay": "200ms",
                ],
            ])
        return MadeStep(step: step, result: Operand(text: "steps.\(id).output.value", value: Self.called(operand)))
    }

    /// A failure for good, which a catch block knows how to mend.
    mutating func caughtRefusal(_ id: String, _ operand: Operand) -> MadeStep {
        let isBottomless = hasBadAgents && pick(0...2) == 0
        let given: JSONValue = isBottomless ? ["n": 0, "trouble": "bottomless", "times": 1] : ["n": 0, "refuse": true]
        let mend: [JSONValue] = [
            ["id": "mend", "agent": "loom", "with": ["n": Self.expression(operand.text)]],
            ["id": "out", "set": Self.expression("steps.mend.output.value + (error.type == '\(isBottomless ? "unstorable" : "4xx")' ? 1 : 0)")],
        ]
        let value = Self.called(operand)
        return MadeStep(
            step: Self.object(id, ["agent": "loom", "with": given, "onError": ["do": .array(mend)]]),
            result: Operand(text: "steps.\(id).output") { value($0) + 1 })
    }

    // MARK: Values and time

    mutating func value(_ id: String, _ operand: Operand) -> MadeStep {
        let (factor, value) = (pick(2...9), operand.value)
        return MadeStep(
            step: Self.object(id, ["set": Self.expression("(\(operand.text) * \(factor) + 1) % \(Self.modulus)")]),
            result: Operand(text: "steps.\(id).output") { (value($0) * factor + 1) % Self.modulus })
    }

    /// A check, which some values do not pass.
    mutating func checked(_ id: String, _ operand: Operand) -> MadeStep {
        let (divisor, value) = (pick(1...3), operand.value)
        let check: JSONValue = ["value": Self.expression(operand.text), "schema": ["type": "integer", "multipleOf": .int(Int64(divisor))]]
        return MadeStep(
            step: Self.object(
                id, ["validate": check, "onError": ["do": [["id": "wrong", "set": Self.expression("error.type == 'schema' ? 1 : 0")]]]]),
            result: Operand(text: "steps.\(id).output") { value($0) % divisor == 0 ? value($0) : 1 })
    }

    /// A failure that is passed over.
    mutating func lenient(_ id: String) -> MadeStep {
        MadeStep(
            step: Self.object(id, ["agent": "loom", "with": ["n": 0, "refuse": true], "onError": "continue"]),
            result: Operand(text: "(steps.\(id).status == 'failed' ? 3 : 0)") { _ in 3 })
    }

    mutating func sleep(_ id: String) -> MadeStep {
        MadeStep(step: Self.object(id, ["sleep": ["duration": .string("\(pick(20...700))ms")]]), result: nil)
    }

    // MARK: Blocks

    mutating func nested(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        let (steps, result) = block(operand, length: pick(1...3), place)
        return MadeStep(step: Self.object(id, ["do": .array(steps)]), result: Operand(text: "steps.\(id).output", value: result.value))
    }

    /// Steps that need some of those before them; what nobody needs is summed up.
    mutating func graph(_ id: String, _ operand: Operand) -> MadeStep {
        var steps: [JSONValue] = []
        var results: [Operand] = []
        for index in 0..<pick(3...6) {
            let needs = results.indices.filter { _ in pick(0...2) == 0 }
            let given = needs.last.map { results[$0] } ?? operand
            var made = call("g\(index)", given)
            if !needs.isEmpty { made.step["needs"] = .array(needs.map { .string("g\($0)") }) }
            steps.append(.object(made.step))
            if let result = made.result { results.append(result) }
        }
        let parts = results
        steps.append([
            "id": "out", "needs": .array(parts.indices.map { .string("g\($0)") }), "set": Self.expression(parts.map(\.text).joined(separator: " + ")),
        ])
        return MadeStep(
            step: Self.object(id, ["do": ["graph": .array(steps)], "output": Self.expression("steps.out.output % \(Self.modulus)")]),
            result: Operand(text: "steps.\(id).output") { around in parts.reduce(0) { $0 + $1.value(around) } % Self.modulus })
    }

    mutating func fork(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        var branches = JSONObject()
        var results: [Operand] = []
        for index in 0..<pick(2...3) {
            let (steps, result) = block(operand, length: pick(1...2), place)
            branches["b\(index)"] = .array(steps)
            results.append(result)
        }
        let parts = results
        let text = parts.indices.map { "branches.b\($0).out.output" }.joined(separator: " + ")
        return MadeStep(
            step: Self.object(id, ["parallel": ["branches": .object(branches), "output": Self.expression("(\(text)) % \(Self.modulus)")]]),
            result: Operand(text: "steps.\(id).output") { around in parts.reduce(0) { $0 + $1.value(around) } % Self.modulus })
    }

    mutating func choice(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        let (first, second) = (block(operand, length: pick(1...2), place), block(operand, length: pick(1...2), place))
        let (divisor, value) = (pick(2...3), operand.value)
        let (yes, no) = (first.result.value, second.result.value)
        return MadeStep(
            step: Self.object(
                id,
                [
                    "switch": [
                        ["if": .string("\(operand.text) % \(divisor) == 0"), "do": .array(first.steps)], ["else": .array(second.steps)],
                    ]
                ]),
            result: Operand(text: "steps.\(id).output") { value($0) % divisor == 0 ? yes($0) : no($0) })
    }

    mutating func loop(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        var inside = place
        inside.loops += 1
        let name = "item\(place.loops)"
        let (index, least, value) = (place.loops, pick(1...2), operand.value)
        let item = Operand(text: name) { $0.items[index] }
        let (steps, result) = block(item, length: 1, inside)
        let inner = result.value
        let step = Self.object(
            id,
            [
                "each": Self.expression("range(0, \(least) + \(operand.text) % 3)"), "as": .string(name),
                "maxParallel": .int(Int64(pick(0...2))), "do": .array(steps),
            ])
        return MadeStep(
            step: step,
            result: Operand(text: "sum(steps.\(id).output)") { around in
                (0..<least + value(around) % 3).reduce(0) { sum, item in
                    var inside = around
                    inside.items = Array(around.items.prefix(index)) + [item]
                    return sum + inner(inside)
                }
            })
    }

    mutating func until(_ id: String) -> MadeStep {
        let (bound, count) = [(1, 1), (2, 2), (5, 3), (10, 4)][pick(0...3)]
        let step = Self.object(
            id,
            [
                "until": Self.expression("previous.value >= \(bound)"), "maxIterations": 10, "agent": "loom",
                "with": ["n": Self.expression("index")],
            ])
        return MadeStep(step: step, result: Operand(text: "size(steps.\(id).output)") { _ in count })
    }

    /// Counts up until it has what it wants: none, one, or some iterations.
    mutating func countdown(_ id: String, _ operand: Operand) -> MadeStep {
        let (bound, value) = (pick(2...4), operand.value)
        let step = Self.object(
            id,
            [
                "while": .string("previous < \(operand.text) % \(bound)"), "initial": 0, "maxIterations": 9,
                "set": Self.expression("previous + 1"),
            ])
        return MadeStep(step: step, result: Operand(text: "size(steps.\(id).output)") { value($0) % bound })
    }

    /// A loop of which one iteration fails, and may.
    mutating func tolerant(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        var inside = place
        inside.loops += 1
        let (name, index, count) = ("item\(place.loops)", place.loops, pick(2...4))
        let made = call("ask", Operand(text: name) { $0.items[index] })
        var steps: [JSONValue] = [.object(made.step)]
        steps.append(["id": "stop", "if": .string("\(name) == 1"), "fail": "one of them must"])
        steps.append(["id": "out", "set": Self.expression("steps.ask.output.value")])
        let step = Self.object(
            id,
            [
                "each": Self.expression("range(0, \(count))"), "as": .string(name), "maxParallel": .int(Int64(pick(0...2))),
                "join": ["tolerate": 1], "do": .array(steps),
            ])
        let sum = (0..<count).reduce(0) { $0 + ($1 == 1 ? 0 : Mixture.value($1)) }
        return MadeStep(step: step, result: Operand(text: "sum(steps.\(id).ok)") { _ in sum })
    }

    /// A block that fails half-way and is tidied up all the same; what it was to do is done instead.
    mutating func tidied(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        let (instead, result) = block(operand, length: 1, place)
        let inner: [JSONValue] = [
            ["id": "stop", "fail": ["message": "on purpose", "code": "E_STOP"]],
            .object(call("passed", operand).step),
            ["id": "tidy", "when": "always", "agent": "loom", "with": ["n": Self.expression(operand.text)]],
        ]
        return MadeStep(
            step: Self.object(id, ["do": .array(inner), "onError": ["do": .array(instead)]]),
            result: Operand(text: "steps.\(id).output", value: result.value))
    }

    // MARK: Others

    mutating func subWorkflow(_ id: String, _ operand: Operand) -> MadeStep {
        let child = children[pick(0...children.count - 1)]
        let (value, inner) = (operand.value, child.value)
        return MadeStep(
            step: Self.object(id, ["workflow": .string(child.name), "with": ["n": Self.expression(operand.text)]]),
            result: Operand(text: "steps.\(id).output") { inner(value($0)) })
    }

    mutating func signal(_ id: String) -> MadeStep {
        signals += 1
        let number = signals
        return MadeStep(
            step: Self.object(id, ["await": ["event": .string(Workload.signal)], "output": Self.expression("event.k")]),
            result: Operand(text: "steps.\(id).output") { _ in number })
    }

    /// An event and the wait for it, at the same time: neither may miss the other.
    mutating func mailbox(_ id: String, _ operand: Operand) -> MadeStep {
        let key: JSONValue = .string("${{ run.id }}-\(id)-\(pick(0...9999))")
        let nap: JSONValue = ["id": "nap", "sleep": ["duration": .string("\(pick(1...200))ms")]]
        let tell: JSONValue = ["id": "tell", "emit": ["event": "letter", "key": key, "data": ["k": Self.expression(operand.text)]]]
        let hear: JSONValue = ["id": "hear", "await": ["event": "letter", "key": key], "output": Self.expression("event.k")]
        let isEarly = pick(0...1) == 0
        let branches: JSONValue = ["post": isEarly ? [tell] : [nap, tell], "box": isEarly ? [nap, hear] : [hear]]
        return MadeStep(
            step: Self.object(id, ["parallel": ["branches": branches, "output": Self.expression("branches.box.hear.output")]]),
            result: Operand(text: "steps.\(id).output", value: operand.value))
    }

    mutating func machine(_ id: String, _ operand: Operand) -> MadeStep {
        let made = call("ask", operand)
        let value = Self.called(operand)
        let ask: [JSONValue] = [.object(made.step), ["id": "out", "set": Self.expression("steps.ask.output.value")]]
        let states: JSONValue = [
            "initial": "asking",
            "asking": ["do": .array(ask), "next": [["if": Self.expression("steps.out.output % 2 == 0"), "to": "even"], ["to": "odd"]]],
            "even": ["final": true, "output": Self.expression("states.asking.output")],
            "odd": ["final": true, "output": Self.expression("states.asking.output + 1")],
        ]
        return MadeStep(
            step: Self.object(id, ["do": ["states": states]]),
            result: Operand(text: "steps.\(id).output") { value($0) + value($0) % 2 })
    }

    /// Two of three are enough; the last one is cancelled, wherever it is by then.
    mutating func race(_ id: String, _ operand: Operand) -> MadeStep {
        var branches = JSONObject()
        for name in ["one", "two", "three"] { branches[name] = [.object(call("run", operand).step)] }
        return MadeStep(
            step: Self.object(id, ["parallel": ["branches": .object(branches), "join": ["quorum": 2]]]),
            result: Operand(text: "size(steps.\(id).output)") { _ in 3 })
    }
}
