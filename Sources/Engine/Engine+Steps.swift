// How a step starts.

import Expressions
import JSONSchema
import WorkflowModel

extension Frame {
    mutating func start(_ instance: Instance) throws(Rejection) {
        let around = parent(of: instance)
        guard let scope = try scope(around) else { return }
        let node = program.nodes[instance.node]
        if let ending = scope.ending {
            guard case .failed = ending, node.isCleanup else { return try neverStarts(in: around, scope) }
            // Two steps that settle one after the other may both have found that it is time to clean up.
            switch facts(of: instance.path) {
            case nil, .notStarted: break
            case .live, .task, .settled: return
            }
        } else if node.when == .failure {
            return settle(instance, SettledFacts(status: .skipped, finishedAt: now), wasLive: false)
        }
        if let condition = node.condition {
            switch try decide(condition, at: instance) {
            case .success(let holds):
                try recordDecision(condition, holds, at: instance)
                if !holds { return settle(instance, SettledFacts(status: .skipped, finishedAt: now), wasLive: false) }
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        switch node.verb {
        case .agent: try startTask(instance, node, around, scope)
        case .nothing: try settle(instance, mapped: .null)
        case .set: try compute(instance) { .success($0) }
        case .validate(let schema): try compute(instance) { Self.check($0, schema) }
        case .emit(let plan): try emit(instance, plan)
        case .fail(let plan): try failByOrder(instance, plan)
        case .succeed: try succeedRun(instance)
        case .sleep(let plan): try startSleep(instance, plan)
        case .wait(let plan): try startWait(instance, plan)
        case .workflow: try startChild(instance, TaskFacts(phase: .leased), isFirst: true)
        case .block(let plan):
            enliven(instance, .block(BlockFacts(unsettled: plan.unsettledAtStart, startedAt: now)))
            agenda.append(.startBlock(instance))
        case .loop(let plan): try startLoop(instance, plan)
        case .parallel(let plan): startFork(instance, plan)
        case .choice(let plan): try startChoice(instance, plan)
        case .machine(let plan): startMachine(instance, plan)
        }
    }

    // A part that was counted when it was made, and whose scope has begun to end since.
    private mutating func neverStarts(in around: Instance?, _ scope: LiveStepFacts) throws(Rejection) {
        switch scope {
        case .block, .pending, .sleep, .wait, .child: return
        case .loop, .parallel, .choice, .caught, .machine:
            let left = scope.losingLive()
            keep(around, left)
            if left.live == 0 { agenda.append(.drained(around)) }
        }
    }

    private mutating func startTask(
        _ instance: Instance, _ node: Node, _ around: Instance?, _ scope: LiveStepFacts
    ) throws(Rejection) {
        let input: JSONText
        if let with = node.with {
            switch try evaluate(with, at: instance) {
            case .success(let text): input = text
            case .failure(let failure): return try fail(instance, failure)
            }
        } else {
            input = JSONText(trusted: "{}")
        }
        if case .block = scope { keep(around, scope.addingLive(1)) }
        setReady(instance.path, TaskFacts())
        commands.append(.enqueue(path: instance.path, node: instance.node, input: input))
        setTimers(instance)
    }

    // The step is live from now on. Blocks count what is live in them; everything else counted its parts when it made them.
    mutating func enliven(_ instance: Instance, _ facts: LiveStepFacts) {
        let around = parent(of: instance)
        if around == nil {
            run.root?.live += 1
        } else if let around, case .live(let scope) = self.facts(of: around.path), case .block = scope {
            keep(around, scope.addingLive(1))
        }
        keep(instance, facts)
        setTimers(instance)
    }

    private mutating func setTimers(_ instance: Instance) {
        if let total = program.nodes[instance.node].totalTimeout {
            commands.append(.setTimer(path: instance.path, kind: .totalTimeout, dueAt: now + total, isAbsolute: false))
        }
        if let timeout = program.nodes[instance.node].blockTimeout {
            var kind = TimerKind.timeout
            if case .wait = program.nodes[instance.node].verb { kind = .awaitTimeout }
            commands.append(.setTimer(path: instance.path, kind: kind, dueAt: now + timeout, isAbsolute: false))
        }
    }

    // MARK: Steps that end at once

    // Computes the step's value, looks at it, and settles the step with it.
    private mutating func compute(
        _ instance: Instance, _ look: (JSONText) -> Evaluated<JSONText>
    ) throws(Rejection) {
        guard let value = program.nodes[instance.node].with else {
            return try fail(instance, Failure(type: .expression, message: "the step has no value"))
        }
        switch try evaluate(value, at: instance) {
        case .success(let text):
            switch look(text) {
            case .success(let answer): try settle(instance, mapped: answer)
            case .failure(let failure): try fail(instance, failure)
            }
        case .failure(let failure): try fail(instance, failure)
        }
    }

    // Settles a step that was never live with an answer, mapped by its `output`.
    mutating func settle(_ instance: Instance, mapped answer: JSONText) throws(Rejection) {
        switch try map(answer, by: instance) {
        case .success(let output):
            settle(instance, SettledFacts(status: .succeeded, output: output, startedAt: now, finishedAt: now), wasLive: false)
        case .failure(let failure): try fail(instance, failure)
        }
    }

    static func check(_ value: JSONText, _ schema: CompiledSchema) -> Evaluated<JSONText> {
        let violations = schema.validate(value.value)
        if violations.isEmpty { return .success(value) }
        return .failure(Failure(type: .schema, message: "the value does not match the schema: \(Self.list(violations))"))
    }

    static func list(_ violations: [JSONSchema.Violation]) -> String {
        let shown = violations.prefix(20).map { "\($0)" }.joined(separator: "; ")
        return violations.count > 20 ? "\(shown) and \(violations.count - 20) more" : shown
    }

    private mutating func failByOrder(_ instance: Instance, _ plan: FailPlan) throws(Rejection) {
        switch try evaluate(plan.message, at: instance) {
        case .success(let text):
            let message = text.value.stringValue ?? text.text
            try fail(instance, Failure(type: .custom, code: plan.code, message: message))
        case .failure(let failure): try fail(instance, failure)
        }
    }

    private mutating func succeedRun(_ instance: Instance) throws(Rejection) {
        try compute(instance) { .success($0) }
        guard case .settled(let settled) = facts(of: instance.path), settled.status == .succeeded else { return }
        try endTree(.succeeded(by: instance.path), event: nil)
    }

    private mutating func startSleep(_ instance: Instance, _ plan: SleepPlan) throws(Rejection) {
        let dueAt: Timestamp
        var isAbsolute = false
        switch plan {
        case .duration(let duration): dueAt = now + duration
        case .computed(let evaluation):
            switch try evaluate(evaluation, at: instance) {
            case .success(let text):
                guard let duration = Self.duration(text.value), duration >= .zero else {
                    return try fail(instance, Self.unusable("`sleep.duration`", "a duration such as 90s or a number of seconds, 0 or more"))
                }
                dueAt = now + duration
            case .failure(let failure): return try fail(instance, failure)
            }
        case .until(let evaluation):
            switch try evaluate(evaluation, at: instance) {
            case .success(let text):
                guard let moment = text.value.stringValue.flatMap({ Timestamp($0) }) else {
                    return try fail(instance, Self.unusable("`sleep.until`", "a moment such as 2026-01-31T08:00:00Z"))
                }
                dueAt = moment
                isAbsolute = true
            case .failure(let failure): return try fail(instance, failure)
            }
        }
        guard dueAt > now else { return try settle(instance, mapped: .null) }
        enliven(instance, .sleep(SleepFacts(startedAt: now)))
        commands.append(.setTimer(path: instance.path, kind: .sleep, dueAt: dueAt, isAbsolute: isAbsolute))
    }

    private static func unusable(_ place: String, _ wanted: String) -> Failure {
        Failure(type: .expression, message: "\(place) does not give \(wanted)")
    }

    private static func duration(_ value: JSONValue) -> Duration? {
        switch value {
        case .string(let text): DurationText.parse(text)
        case .int(let seconds): abs(seconds) < 1 << 40 ? .seconds(seconds) : nil
        case .double(let seconds): abs(seconds) < 1e12 ? Duration(seconds: seconds) : nil
        case .null, .bool, .array, .object: nil
        }
    }

    private mutating func startChoice(_ instance: Instance, _ plan: ChoicePlan) throws(Rejection) {
        var taken = plan.otherwise
        for entry in plan.cases {
            guard let condition = entry.condition else { continue }
            switch try decide(condition, at: instance) {
            case .success(let holds):
                try recordDecision(condition, holds, at: instance, arm: program.nodes[entry.node].id)
                guard holds else { continue }
                taken = entry.node
            case .failure(let failure): return try fail(instance, failure)
            }
            break
        }
        guard let taken else {
            return try fail(
                instance, Failure(type: .expression, code: "noCase", message: "no case of the switch holds, and it has no `else`"))
        }
        enliven(instance, .choice(BlockFacts(unsettled: 0, live: 1, startedAt: now)))
        agenda.append(.start(child(taken, of: instance)))
    }

    // MARK: Settling

    // A step has failed for good: its failure is caught, or it settles with it.
    mutating func fail(
        _ instance: Instance, _ failure: Failure, wasLive: Bool = false, attempts: Int = 0, startedAt: Timestamp? = nil, losses: Int = 0
    ) throws(Rejection) {
        if try isCaught(instance) {
            if wasLive { clearTimers(instance) } else { countLive(instance) }
            return beginCatch(instance, failure, attempts: attempts, losses: losses, startedAt: startedAt ?? now)
        }
        let settled = SettledFacts(
            status: .failed, failure: failure, attempts: attempts, startedAt: startedAt ?? now, finishedAt: now)
        settle(instance, settled, wasLive: wasLive, losses: losses)
    }

    mutating func settle(
        _ instance: Instance, _ facts: SettledFacts, wasLive: Bool, losses: Int = 0, attempt: SettlingAttempt? = nil
    ) {
        var facts = facts
        if wasLive { clearTimers(instance) }
        if case .loop(let plan) = program.nodes[instance.node].verb {
            noteResults(of: instance, facts, wasLive: wasLive)
            // One that failed before its first iteration, or in its catch block, has no list.
            if facts.status == .failed, facts.collected == nil { facts.collected = CollectedOutput(count: 0, collect: plan.collect) }
        }
        commands.append(
            .recordStep(
                StepRecord(
                    path: instance.path, node: instance.node, sequence: nextSequence(), settled: facts, losses: losses, attempt: attempt)))
        var kept = facts
        if !program.nodes[instance.node].outputIsRead { kept.output = nil }
        set(instance.path, .settled(kept))
        agenda.append(.settled(instance, wasLive: wasLive))
    }

    // The results of a loop that ran are in the tables once this decision is; one that never ran has none.
    private mutating func noteResults(of loop: Instance, _ facts: SettledFacts, wasLive: Bool) {
        guard !wasLive, loopResults(loop.path) == nil else { return }
        let none = JSONText(trusted: "[]")
        add(results: LoopResults(output: facts.output ?? .null, ok: none, failed: none), of: loop.path)
    }

    // MARK: Answers

    // The answer of an attempt becomes the step's output: checked against its schema, then mapped.
    func accept(_ answer: JSONText, by instance: Instance) throws(Rejection) -> Evaluated<JSONText> {
        if let schema = program.nodes[instance.node].resultSchema {
            let violations = schema.validate(answer.value)
            if !violations.isEmpty {
                let shown = violations.prefix(5).map { "\($0)" }.joined(separator: "; ")
                let rest = violations.count > 5 ? " and \(violations.count - 5) more" : ""
                return .failure(Failure(type: .schema, message: "the answer does not match the step's `result` schema: \(shown)\(rest)"))
            }
        }
        return try map(answer, by: instance)
    }

    func map(_ answer: JSONText, by instance: Instance, event: JSONText? = nil) throws(Rejection) -> Evaluated<JSONText> {
        guard let mapping = program.nodes[instance.node].output else { return .success(answer) }
        return try evaluate(mapping, at: instance, Bindings(result: answer, event: event))
    }
}
