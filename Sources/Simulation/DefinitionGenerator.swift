// Random definitions: blocks of all kinds within blocks, conditions, references, retries, error handling.

package import WorkflowModel

package struct DefinitionGenerator {
    /// What definitions may contain.
    package enum Flavour: Sendable {
        /// Everything.
        case any
        /// Nothing that can fail for good when the agents answer, and nothing that waits for others.
        case faultless
    }

    /// The source of everything random.
    package var random: SeededGenerator
    let flavour: Flavour
    private var stepsLeft = 0

    private let stepLimit: Int
    private let isForStory: Bool
    private let focus: Focus?

    /// How many steps a definition has at most, unless somebody says otherwise.
    package static let stepLimit = 20
    static let depthLimit = 4

    /// Under which keys events and waits meet.
    static let keys = ["k0", "k1"]

    /// The definition of a seed, with at most so many steps.
    ///
    /// - Parameters:
    ///   - isForStory: whether it is for the simulator of the protocol, where runs send each other events.
    ///   - focus: what most of its steps are, if they are something in particular.
    package init(seed: UInt64, flavour: Flavour, steps: Int = DefinitionGenerator.stepLimit, isForStory: Bool = false, focus: Focus? = nil) {
        random = SeededGenerator(seed: seed)
        self.flavour = flavour
        stepLimit = steps
        self.isForStory = isForStory
        self.focus = focus
    }

    // The steps that can be seen from somewhere: the nearest block first, each with all its ids and those that have surely settled; and
    // the variables of loops.
    private struct Sight {
        var blocks: [(ids: Set<String>, settled: [String])] = []
        var names: [String] = []

        func inside(_ ids: Set<String>, _ settled: [String]) -> Sight {
            var copy = self
            copy.blocks.insert((ids, settled), at: 0)
            return copy
        }
    }

    /// A definition.
    package mutating func definition() -> WorkflowDefinition {
        // Most are small: they run through more of their life in the same time.
        stepsLeft = 1 + min(random.below(stepLimit), random.below(stepLimit))
        let body = random.chance(12) ? machine(depth: 1, Sight()) : block(depth: 1, Sight())
        var definition = WorkflowDefinition(name: "random", body: body)
        if random.chance(30), !body.steps.isEmpty {
            let ids = body.steps.map(\.id)
            definition.output = template(Sight().inside(Set(ids), ids))
        }
        if flavour == .any {
            if random.chance(15) { definition.timeout = .seconds(2 + random.below(200)) }
            if random.chance(15) { definition.defaults.retry = policy() }
            if random.chance(30) { definition.onSuccess = [Chain(workflow: "next", with: ["o": "${{ output }}"])] }
            if random.chance(30) {
                definition.onFailure = [Chain(workflow: "sorry", with: ["e": "${{ error.type }}"], condition: "input.n > 0")]
            }
            if random.chance(30) { definition.onCancel = [Chain(workflow: "undo")] }
        }
        return definition
    }

    private mutating func block(depth: Int, _ around: Sight) -> Block {
        let count = max(1, min(stepsLeft, 1 + random.below(random.chance(20) ? 8 : 4)))
        stepsLeft -= count
        // Ids repeat from block to block, so that inner ones hide outer ones.
        let ids = (0..<count).map { "s\($0)" }
        guard random.chance(50) else {
            var steps: [Step] = []
            for index in 0..<count { steps.append(step(ids[index], depth, around.inside(Set(ids), Array(ids[..<index])))) }
            return .steps(steps)
        }
        var steps: [Step] = []
        var reached: [Set<Int>] = []
        for index in 0..<count {
            var needs: Set<Int> = []
            if index > 0, random.chance(75) { for _ in 0...random.below(3) { needs.insert(random.below(index)) } }
            let all = needs.reduce(into: needs) { $0.formUnion(reached[$1]) }
            reached.append(all)
            var made = step(ids[index], depth, around.inside(Set(ids), all.sorted().map { ids[$0] }))
            made.needs = needs.sorted().map { ids[$0] }
            steps.append(made)
        }
        if random.chance(50) { steps.shuffle(using: &random) }
        return .graph(steps)
    }

    // A block for a part of a step: now and then a machine.
    private mutating func part(_ depth: Int, _ sight: Sight) -> Block {
        random.chance(12) ? machine(depth: depth + 1, sight) : block(depth: depth + 1, sight)
    }

    private mutating func step(_ id: String, _ depth: Int, _ sight: Sight) -> Step {
        var loop: Loop?
        var sight = sight
        let outer = sight
        if random.chance(focus == .timers || focus == .failovers ? 50 : 18), depth < Self.depthLimit {
            let made = self.loop(sight)
            loop = made
            if case .each = made.source { sight.names.append(made.variable) }
            sight.names.append("index")
        }
        var step = Step(id: id, verb: verb(id, depth, sight), loop: loop)
        switch step.verb {
        case .agent, .workflow:
            if random.chance(60) { step.with = template(sight) }
            if random.chance(20) { step.output = ["mapped": "${{ result }}"] }
            if random.chance(40) { step.retry = policy() }
            if isForStory, random.chance(15) { step.priority = random.pick([-1, 1]) }
            if flavour == .any {
                if random.chance(5) { step.output = "${{ result.absent }}" }
                if random.chance(15) { step.resultSchema = ["type": "object", "required": ["value"]] }
            }
        case .block(let inner):
            let ids = inner.steps.map(\.id)
            if random.chance(20), !ids.isEmpty { step.output = template(sight.inside(Set(ids), ids)) }
        case .parallel, .switch, .await, .approve, .sleep, .emit, .set, .validate, .fail, .succeed: break
        }
        if random.chance(25) { step.condition = condition(outer) }
        if random.chance(12) { step.when = random.pick(RunRule.allCases) }
        if flavour == .any {
            if random.chance(25) { step.onError = .continue }
            if random.chance(15), depth < Self.depthLimit {
                var caught = outer
                caught.names.append("error.type")
                step.onError = .catch(block(depth: depth + 1, caught))
            }
            if random.chance(focus == .timers ? 40 : 12) { step.totalTimeout = .seconds(1 + random.below(focus == .timers ? 3 : 100)) }
            if random.chance(12) { setTimeout(&step, depth, sight) }
        }
        return step
    }

    private mutating func setTimeout(_ step: inout Step, _ depth: Int, _ sight: Sight) {
        switch step.verb {
        case .await:
            step.timeout = .seconds(1 + random.below(60))
            if random.chance(30) { step.onTimeout = .continue }
            if random.chance(30), depth < Self.depthLimit { step.onTimeout = .catch(block(depth: depth + 1, sight)) }
        case .workflow, .block, .parallel, .switch, .sleep: step.timeout = .seconds(1 + random.below(60))
        case .agent, .approve, .emit, .set, .validate, .fail, .succeed: break
        }
    }

    private mutating func verb(_ id: String, _ depth: Int, _ sight: Sight) -> Verb {
        let draw = drawOfFocus() ?? random.below(100)
        let mayNest = depth < Self.depthLimit && stepsLeft > 0
        switch draw {
        case 0..<16 where mayNest: return .block(part(depth, sight))
        case 16..<28 where mayNest:
            let branches = (0..<(1 + random.below(3))).map { "b\($0)" }
            return .parallel(
                Parallel(branches: branches.map { Branch(name: $0, block: part(depth, sight)) }, join: join(of: branches.count)))
        case 28..<36 where mayNest:
            let cases = (0..<(1 + random.below(2))).map { _ in Switch.Case(condition: condition(sight), block: part(depth, sight)) }
            let hasElse = flavour == .faultless || random.chance(70)
            return .switch(Switch(cases: cases, otherwise: hasElse ? part(depth, sight) : nil))
        case 36..<46: return .set(template(sight))
        case 46..<52: return .sleep(.duration(.seconds(random.below(3))))
        case 52..<55:
            var emission = Emission(event: "news", data: ["n": "${{ input.n }}"])
            if isForStory {
                emission.event = random.pick(["news", "go", "stop"])
                if random.chance(60) { emission.key = random.pick(Self.keys) }
            }
            return .emit(emission)
        case 55..<62: return .workflow(WorkflowCall(workflow: "child"))
        case 62..<65:
            let schema: JSONValue = flavour == .faultless || random.chance(50) ? ["type": "object"] : ["type": "string"]
            return .validate(Validation(value: template(sight), schema: schema))
        case 65..<68 where flavour == .any:
            return .workflow(WorkflowCall(workflow: "child", isAwaited: random.chance(50), onParentEnd: .abandon))
        case 68..<74 where flavour == .any:
            var wait = EventWait(patterns: [
                EventPattern(event: "go", match: random.chance(40) ? "event.n > 1" : nil), EventPattern(event: "stop"),
            ])
            if isForStory {
                if random.chance(50) { wait.key = .string(random.pick(Self.keys)) }
                if random.chance(30) { wait.lookback = .seconds(3600) }
                if random.chance(30) { wait.consume = .broadcast }
            }
            return .await(wait)
        case 74..<76 where flavour == .any: return .fail(Failing(message: "no: ${{ input.n }}", code: "E_NO"))
        case 76..<77 where flavour == .any: return .succeed(template(sight))
        default: return .agent(.inline(AgentDefinition(kind: .noop)))
        }
    }

    // What the story is about: steps that wait, or sub-workflows.
    private mutating func drawOfFocus() -> Int? {
        switch focus {
        case .events: random.chance(30) ? 68 : nil
        case .marks: random.chance(30) ? 55 : nil
        case .timers, .reports, .failovers, nil: nil
        }
    }

    // MARK: Loops and joins

    private mutating func loop(_ sight: Sight) -> Loop {
        if focus == .timers, !sight.names.contains("index") {
            return Loop(
                source: .each(.array((0..<6).map { .int(Int64($0)) })), variable: "item", every: .seconds(1 + random.below(2)),
                maxParallel: random.pick([2, 3, 4]), collect: .none)
        }
        // In stories loops in loops are short: a run's steps multiply.
        let count = random.pick(isForStory && sight.names.contains("index") ? [0, 1, 2, 3] : [0, 1, 2, 3, 5, 9])
        let once: Int? = random.pick([1, 1, 2, 3, nil])
        switch random.below(10) {
        case 0..<7:
            var loop = Loop(
                source: .each(.array((0..<count).map { .int(Int64($0)) })), variable: random.pick(["item", "doc"]),
                batch: random.chance(20) ? 2 : nil, maxParallel: once, collect: random.pick([.list, .list, .last, .none]))
            loop.join = join(of: loop.batch == nil ? count : (count + 1) / 2)
            if random.chance(10) { loop.every = .seconds(random.below(3)) }
            if flavour == .any {
                if random.chance(10) { loop.breakIf = "index == 2" }
                if random.chance(4) { loop.source = .each("${{ input.n }}") }
                if random.chance(5) { loop.maxIterations = 4 }
            }
            return loop
        case 7..<9:
            return Loop(
                source: .while("index < \(count) && (index == 0 || previous != null || true)"), initial: ["start": "${{ input.n }}"],
                every: random.chance(30) ? .seconds(1) : nil, collect: random.pick([.list, .last]),
                maxIterations: flavour == .any && random.chance(20) ? 2 : 20)
        default:
            return Loop(source: .until("index >= \(count)"), initial: 0, maxIterations: flavour == .any && random.chance(20) ? 2 : 20)
        }
    }

    private mutating func join(of count: Int) -> JoinPolicy {
        var join = JoinPolicy()
        guard flavour == .any else {
            join.rule = random.pick([.all, .all, .tolerate(1), .tolerateShare(Share(fraction: 0.5))])
            join.onError = random.pick(JoinPolicy.ErrorHandling.allCases)
            return join
        }
        join.rule = random.pick([
            .all, .all, .any, .first, .quorum(max(1, count / 2)), .ratio(Share(fraction: 0.5)), .tolerate(1),
            .tolerateShare(Share(fraction: 0.34)),
        ])
        join.onError = random.pick([.failFast, .failFast, .drain, .continue])
        if random.chance(20) {
            join.deadline = .seconds(1 + random.below(20))
            join.onDeadline = random.pick(JoinPolicy.DeadlineHandling.allCases)
        }
        return join
    }

    // MARK: Machines

    private mutating func machine(depth: Int, _ sight: Sight) -> Block {
        var states: [State] = []
        let count = 1 + random.below(3)
        for index in 0..<count {
            var state = State(name: "m\(index)")
            if depth < Self.depthLimit, stepsLeft > 0, random.chance(60) { state.block = block(depth: depth + 1, sight) }
            let next = index + 1 < count ? "m\(index + 1)" : "done"
            if flavour == .any, random.chance(55) {
                state.on = [
                    EventTransitions(
                        event: "go", transitions: [Transition(condition: "event.n > 0", target: next), Transition(target: "m0")]),
                    EventTransitions(event: "stop", transitions: [Transition(target: "lost")]),
                ]
                if random.chance(50) {
                    state.after = [TimedTransitions(delay: .seconds(1 + random.below(20)), transitions: [Transition(target: next)])]
                }
            } else if flavour == .any, random.chance(15) {
                state.next = [Transition(condition: "input.n > 0", target: next), Transition(target: "lost")]
            } else {
                state.next = [Transition(condition: "input.n > 1", target: next), Transition(target: next)]
            }
            states.append(state)
        }
        states.append(State(name: "done", ending: .succeeded, output: ["end": "${{ input.n }}"]))
        states.append(State(name: "lost", ending: random.pick([.failed, .cancelled])))
        return .states(
            StateMachine(
                initial: "m0", maxTransitions: random.pick([3, 1000, 1000]),
                unexpected: random.pick(StateMachine.UnexpectedEvents.allCases),
                states: states))
    }

    // MARK: Expressions

    private func visible(_ sight: Sight) -> [String] {
        var hidden: Set<String> = []
        var visible: [String] = []
        for block in sight.blocks {
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
            // One output at most, so that values grow no faster than the definition; and not in loops, where they would.
            let isRepeated = sight.names.contains("index")
            object["from"] = .string("${{ steps.\(random.pick(steps)).\(isRepeated ? "status" : "output") }}")
            object["status"] = .string("it ${{ steps.\(random.pick(steps)).status }}")
        }
        if !sight.names.isEmpty, random.chance(70) { object["here"] = .string("${{ \(random.pick(sight.names)) }}") }
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
