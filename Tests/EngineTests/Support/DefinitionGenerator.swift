// Random definitions: blocks within blocks, conditions, references, retries, error handling.

import WorkflowModel

struct DefinitionGenerator {
    /// What definitions may contain.
    enum Flavour {
        /// Everything.
        case any
        /// Nothing that can fail for good when the agents answer.
        case faultless
    }

    var random: SeededGenerator
    let flavour: Flavour
    private var stepsLeft = 0

    static let stepLimit = 25
    static let depthLimit = 4

    init(seed: UInt64, flavour: Flavour) {
        random = SeededGenerator(seed: seed)
        self.flavour = flavour
    }

    // The steps that can be seen from somewhere: the nearest block first, each with all its ids and those that have surely settled.
    private typealias Sight = [(ids: Set<String>, settled: [String])]

    mutating func definition() -> WorkflowDefinition {
        // Most are small: they run through more of their life in the same time.
        stepsLeft = 1 + min(random.below(Self.stepLimit), random.below(Self.stepLimit))
        let body = block(depth: 1, around: [])
        var definition = WorkflowDefinition(name: "random", body: body)
        if random.chance(30) {
            let ids = body.steps.map(\.id)
            definition.output = template([(Set(ids), ids)])
        }
        if flavour == .any {
            if random.chance(15) { definition.timeout = .seconds(2 + random.below(200)) }
            if random.chance(15) { definition.defaults.retry = policy() }
        }
        return definition
    }

    private mutating func block(depth: Int, around: Sight) -> Block {
        let count = min(stepsLeft, 1 + random.below(random.chance(20) ? 10 : 4))
        stepsLeft -= count
        // Ids repeat from block to block, so that inner ones hide outer ones.
        let ids = (0..<count).map { "s\($0)" }
        guard random.chance(50) else {
            var steps: [Step] = []
            for index in 0..<count { steps.append(step(ids[index], depth, [(Set(ids), Array(ids[..<index]))] + around)) }
            return .steps(steps)
        }
        var steps: [Step] = []
        var reached: [Set<Int>] = []
        for index in 0..<count {
            var needs: Set<Int> = []
            if index > 0, random.chance(75) { for _ in 0...random.below(3) { needs.insert(random.below(index)) } }
            let all = needs.reduce(into: needs) { $0.formUnion(reached[$1]) }
            reached.append(all)
            var made = step(ids[index], depth, [(Set(ids), all.sorted().map { ids[$0] })] + around)
            made.needs = needs.sorted().map { ids[$0] }
            steps.append(made)
        }
        if random.chance(50) { steps.shuffle(using: &random) }
        return .graph(steps)
    }

    private mutating func step(_ id: String, _ depth: Int, _ sight: Sight) -> Step {
        var step: Step
        let draw = random.below(100)
        if draw < 25, depth < Self.depthLimit, stepsLeft > 0 {
            let inner = block(depth: depth + 1, around: sight)
            step = Step(id: id, verb: .block(inner))
            if random.chance(25) {
                let ids = inner.steps.map(\.id)
                step.output = template([(Set(ids), ids)] + sight)
            }
        } else if draw < 40 {
            step = Step(id: id, verb: .set(template(sight)))
        } else {
            step = Step(id: id, verb: .agent(.inline(AgentDefinition(kind: .noop))))
            if random.chance(60) { step.with = template(sight) }
            if random.chance(20) { step.output = ["mapped": "${{ result }}"] }
            if random.chance(40) { step.retry = policy() }
            if flavour == .any {
                if random.chance(5) { step.output = "${{ result.absent }}" }
                if random.chance(15) { step.resultSchema = ["type": "object", "required": ["value"]] }
            }
        }
        if random.chance(30) { step.condition = condition(sight) }
        if flavour == .any, random.chance(30) { step.onError = .continue }
        return step
    }

    // MARK: Expressions

    private func visible(_ sight: Sight) -> [String] {
        var hidden: Set<String> = []
        var visible: [String] = []
        for block in sight {
            visible += block.settled.filter { !hidden.contains($0) }
            hidden.formUnion(block.ids)
        }
        return visible
    }

    private mutating func condition(_ sight: Sight) -> String {
        if flavour == .any, random.chance(6) { return random.pick(["input.absent", "input.n", "1 / 0 == 1"]) }
        let steps = visible(sight)
        if steps.isEmpty || random.chance(40) { return random.pick(["true", "false", "input.n > 0", "input.n < 0", "input.n in [1, 2]"]) }
        let step = random.pick(steps)
        return random.pick([
            "steps.\(step).status == 'succeeded'", "steps.\(step).status != 'skipped'", "steps.\(step).output == null",
            "steps.\(step).error == null",
        ])
    }

    private mutating func template(_ sight: Sight) -> JSONValue {
        if flavour == .any, random.chance(3) { return ["bad": "${{ input.absent }}"] }
        let steps = visible(sight)
        var object = JSONObject()
        object["n"] = "${{ input.n }}"
        if !steps.isEmpty {
            // One output at most, so that values grow no faster than the definition.
            object["from"] = .string("${{ steps.\(random.pick(steps)).output }}")
            object["status"] = .string("it ${{ steps.\(random.pick(steps)).status }}")
        }
        if random.chance(20) { object["fixed"] = [1, ["two", nil], false] }
        return .object(object)
    }

    // MARK: Retries

    private mutating func policy() -> RetryPolicy {
        RetryPolicy(entries: (0...random.below(2)).map { _ in entry() })
    }

    private mutating func entry() -> RetryEntry {
        var entry = RetryEntry(
            maxAttempts: 1 + random.below(4), backoff: random.pick(RetryEntry.Backoff.allCases),
            delay: .milliseconds(random.pick([0, 1, 250, 1000, 90_000])), factor: random.pick([1, 1.5, 2, 10]),
            maxDelay: .seconds(random.pick([1, 60])), jitter: random.pick(RetryEntry.Jitter.allCases))
        if random.chance(40) { entry.on = random.pick([["timeout"], ["5xx", "E_BUSY"], ["*"], ["schema", "4xx"], ["connect", "exit"]]) }
        if flavour == .any, random.chance(15) { entry.maxElapsed = .seconds(random.pick([0, 5, 100])) }
        return entry
    }
}
