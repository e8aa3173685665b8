// Random workflows with an oracle: every step is made together with what must come of it, so the expected output is known without the engine.

import WorkflowModel

/// A whole number that a workflow can compute: as an expression, and as the oracle computes it.
struct Operand: Sendable {
    /// What the oracle knows: the run's number, and the item of each loop around, from the outside in.
    struct Surroundings: Sendable {
        var number: Int
        var items: [Int] = []
    }

    let text: String
    let value: @Sendable (Surroundings) -> Int

    static func constant(_ value: Int) -> Operand { Operand(text: "\(value)") { _ in value } }
    static let input = Operand(text: "input.n") { $0.number }
}

/// A step and what comes of it. Nil: nothing that anybody could go on with.
struct MadeStep: Sendable {
    var step: JSONObject
    var result: Operand?
}

/// Makes workflows from a seed.
struct WorkflowGenerator {
    var random: SeededGenerator
    let agent: String
    let hasBadAgents: Bool
    var children: [(name: String, value: @Sendable (Int) -> Int)] = []
    var signals = 0
    // Inner names would hide outer ones: every step of a file has one of its own.
    private var steps = 0

    init(seed: UInt64, agent: String, hasBadAgents: Bool) {
        random = SeededGenerator(seed: seed &+ 7)
        self.agent = agent
        self.hasBadAgents = hasBadAgents
    }

    /// Where a step stands.
    struct Place {
        var depth = 0
        /// How many loops are around it.
        var loops = 0
        /// Whether one step comes after the other all the way from the top, so that the order of signals is known.
        var isInOrder = false
    }

    private static let deepest = 3
    /// Numbers stay below this.
    static let modulus = 1000

    mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    // MARK: Workflows

    /// A workflow that others start.
    mutating func child(_ number: Int) -> WorkflowKind {
        let name = "random-child-\(number)"
        let (steps, result) = block(.input, length: pick(1...3), Place(depth: 2))
        let value = result.value
        children.append((name, { value(.init(number: $0)) }))
        return WorkflowKind(name: name, source: file(name, ["steps": .array(steps), "output": Self.expression(result.text)]), isStartedByOthers: true)
    }

    /// A workflow that is started by itself: of some the last step fails for some inputs.
    mutating func workflow(_ number: Int) -> WorkflowKind {
        let name = "random-\(number)"
        signals = 0
        var (steps, result) = block(.input, length: pick(3...7), Place(isInOrder: true))
        let value = result.value
        let fails = pick(0...5) == 0
        if fails {
            steps.append(["id": "end", "if": .string("\(result.text) % 2 == 0"), "fail": ["message": "as it must be", "code": "E_EVEN"]])
        }
        var kind = WorkflowKind(name: name, source: file(name, ["steps": .array(steps), "output": Self.expression(result.text)]))
        kind.signals = signals
        kind.ending = { number in
            let found = value(.init(number: number))
            return fails && found % 2 == 0 ? Ending("failed") : Ending("succeeded", .int(Int64(found)))
        }
        return kind
    }

    private func file(_ name: String, _ body: KeyValuePairs<String, JSONValue>) -> String {
        var file = JSONObject()
        file["workflow"] = .string(name)
        file["agents"] = ["loom": ["kind": "http", "url": .string(agent)]]
        for (key, value) in body { file[key] = value }
        return JSONValue.object(file).compactText
    }

    static func expression(_ text: String) -> JSONValue { .string("${{ \(text) }}") }

    // MARK: Blocks

    /// A sequence: each step may go on with what one before it has found. The last one, `out`, is a number made of all.
    mutating func block(_ operand: Operand, length: Int, _ place: Place) -> (steps: [JSONValue], result: Operand) {
        var steps: [JSONValue] = []
        var known = [operand]
        for _ in 0..<length {
            let given = known[pick(0...known.count - 1)]
            self.steps += 1
            let made = step("s\(self.steps)", given, place)
            steps.append(.object(made.step))
            if let result = made.result { known.append(result) }
        }
        let parts = known
        let text = "(" + parts.map(\.text).joined(separator: " + ") + ") % \(Self.modulus)"
        steps.append(["id": "out", "set": Self.expression(text)])
        return (steps, Operand(text: "steps.out.output") { around in parts.reduce(0) { $0 + $1.value(around) } % Self.modulus })
    }

    /// A step of any kind that the place allows.
    private mutating func step(_ id: String, _ operand: Operand, _ place: Place) -> MadeStep {
        var inner = place
        inner.depth += 1
        inner.isInOrder = false
        let mayNest = place.depth < Self.deepest
        switch pick(0...24) {
        case 0...3: return call(id, operand)
        case 4 where hasBadAgents, 5 where hasBadAgents: return troubledCall(id, operand)
        case 6: return caughtRefusal(id, operand)
        case 7: return value(id, operand)
        case 8: return sleep(id)
        case 9 where mayNest: return nested(id, operand, inner)
        case 10 where mayNest: return graph(id, operand)
        case 11 where mayNest: return fork(id, operand, inner)
        case 12 where mayNest: return choice(id, operand, inner)
        case 13 where mayNest && place.loops < 2, 14 where mayNest && place.loops < 2: return loop(id, operand, inner)
        case 15: return until(id)
        case 16 where !children.isEmpty: return subWorkflow(id, operand)
        case 17 where place.isInOrder: return signal(id)
        case 18 where place.loops == 0 && mayNest: return mailbox(id, operand)
        case 19 where mayNest: return pick(0...1) == 0 ? machine(id, operand) : race(id, operand)
        case 20: return checked(id, operand)
        case 21: return countdown(id, operand)
        case 22: return lenient(id)
        case 23 where mayNest: return tidied(id, operand, inner)
        case 24 where mayNest && place.loops < 2: return tolerant(id, operand, inner)
        default: return call(id, operand)
        }
    }
}
