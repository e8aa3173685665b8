// State machines: the states, the ways between them, and whether each can be reached and left.

import WorkflowModel

extension DefinitionReader {
    private static let machineKeys: Set<String> = ["initial", "maxTransitions", "unexpected"]

    // The ways out of a state, as they were read, with the places to report them at.
    private struct ReadState {
        let state: State
        let field: Field
        let keyMember: DocumentMember
        let targets: [(name: String, field: Field)]
        /// Whether an event or a timer can leave it.
        let waits: Bool
    }

    mutating func machine(_ field: Field, in surroundings: Surroundings) -> StateMachine? {
        guard let members = field.members else {
            wrongType(
                field, expected: "a mapping with `initial` and the states by name", fix: "write states: { initial: NAME, NAME: { … } }")
            return nil
        }
        let settings = members.filter { Self.machineKeys.contains($0.key) }
        let entries = Entries(field: field, vocabulary: .states, members: settings, parts: options.parts)
        let stateMembers = members.filter { !Self.machineKeys.contains($0.key) }
        var machine = StateMachine(initial: "", states: [])
        let names = stateMembers.map(\.key)
        let fix = names.first.map { "add initial: \($0)" } ?? "add initial: NAME"
        let initialField = required("initial", in: entries, "a state machine", fix: fix)
        if let initialField { machine.initial = name(initialField, .state) ?? "" }
        if let most = entries["maxTransitions"] { machine.maxTransitions = integer(most, in: 1...1_000_000) ?? machine.maxTransitions }
        if let unexpected = entries["unexpected"], let word = word(unexpected, StateMachine.UnexpectedEvents.self) {
            machine.unexpected = word
        }
        if stateMembers.isEmpty {
            report(.emptyBlock, "`states` has no states", at: field, fix: "add a state, such as done: { final: true }")
            return nil
        }
        var inside = surroundings
        inside.states = names
        let certainty = isCertain
        var states: [ReadState] = []
        for member in stateMembers {
            checkName(of: member, .state, in: field.path)
            isCertain = certainty && member.key == machine.initial
            if let state = state(member, field, inside) { states.append(state) }
        }
        isCertain = certainty
        machine.states = states.map(\.state)
        if let initialField, !machine.initial.isEmpty, !names.contains(machine.initial) {
            reportUnknownState(machine.initial, names, at: initialField)
        }
        for state in states {
            for target in state.targets where !names.contains(target.name) { reportUnknownState(target.name, names, at: target.field) }
        }
        if states.count == stateMembers.count { checkWays(states, initial: machine.initial, in: field) }
        return machine
    }

    private mutating func reportUnknownState(_ name: String, _ names: [String], at field: Field) {
        let meant = closest(to: name, among: names).map { "did you mean \"\($0)\"?" }
        report(.unknownState, "there is no state \(Wording.quoted(name))", at: field, fix: meant ?? "there are \(Wording.some(names))")
    }

    // MARK: One state

    private mutating func state(_ member: DocumentMember, _ machine: Field, _ surroundings: Surroundings) -> ReadState? {
        let field = machine.member(member)
        guard let entries = entries(field, .state) else { return nil }
        var state = State(name: member.key)
        var scope: BlockScope?
        if let block = entries["do"] {
            let read = innerBlock(block, in: surroundings)
            state.block = read?.block
            scope = read?.scope
        }
        let after = surroundings.at(scope.map { StepScope(block: $0, index: nil) } ?? surroundings.steps)
        var targets: [(name: String, field: Field)] = []
        if let next = entries["next"] { state.next = transitions(next, .state("next", after), &targets) }
        if let on = entries["on"] {
            guard let members = on.members else {
                wrongType(on, expected: "a mapping from events to transitions", fix: "write on: { EVENT: { to: STATE } }")
                return nil
            }
            for member in members {
                checkName(of: member, .event, in: on.path)
                let transitions = transitions(on.member(member), .state("on", after, extra: ["event"]), &targets)
                state.on.append(EventTransitions(event: member.key, transitions: transitions))
            }
        }
        if let timed = entries["after"] { state.after = timedTransitions(timed, .state("after", after), &targets) }
        if let final = entries["final"] { state.ending = ending(final) }
        if let output = entries["output"] { state.output = template(output, .state("output", after, extra: ["result"])) }
        if state.ending != nil {
            for key in ["next", "on", "after"] {
                guard let member = entries.member(key) else { continue }
                reportKey(
                    .conflictingKeys, "a final state has no way out, so its `\(key)` would never be used", member, in: field.path,
                    fix: "remove `\(key)`, or `final`")
            }
        }
        return ReadState(
            state: state, field: field, keyMember: member, targets: targets, waits: !state.on.isEmpty || !state.after.isEmpty)
    }

    private mutating func ending(_ field: Field) -> State.Ending? {
        switch field.node.content {
        case .scalar(.bool(true)): return .succeeded
        case .scalar(.bool(false)): return nil
        case .scalar, .sequence, .mapping:
            let words = State.Ending.allCases.map(\.rawValue)
            guard let text = field.string else {
                wrongType(field, expected: "true, \(Wording.either(words))")
                return nil
            }
            if let ending = State.Ending(rawValue: text) { return ending }
            unknownWord(text, of: words, at: field)
            return nil
        }
    }

    // One transition or a list of them.
    private mutating func transitions(
        _ field: Field, _ place: ExpressionPlace, _ targets: inout [(name: String, field: Field)]
    ) -> [Transition] {
        if let text = field.string {
            wrongType(field, expected: "a transition or a list of them", fix: "write { to: \(text) }")
            return []
        }
        let elements = field.elements ?? [field]
        if elements.isEmpty { report(.emptyBlock, "\(Self.subject(field)) has no transitions", at: field, fix: "add - to: STATE") }
        var transitions: [Transition] = []
        var isDecided = false
        for element in elements {
            guard let entries = entries(element, .transition) else { continue }
            if isDecided {
                report(
                    .unreachableTransition, "this transition is never tried: the one before it has no guard", at: element,
                    fix: "move it in front, or give the one before it an `if`")
            }
            var transition = Transition(target: "")
            if let condition = entries["if"] { transition.condition = self.condition(condition, place) } else { isDecided = true }
            if let to = required("to", in: entries, "a transition", fix: "add to: STATE"), let name = name(to, .state) {
                transition.target = name
                targets.append((name, to))
            }
            transitions.append(transition)
        }
        return transitions
    }

    private mutating func timedTransitions(
        _ field: Field, _ place: ExpressionPlace, _ targets: inout [(name: String, field: Field)]
    ) -> [TimedTransitions] {
        guard let members = field.members else {
            wrongType(field, expected: "a mapping from durations to transitions", fix: "write after: { 24h: { to: STATE } }")
            return []
        }
        var timed: [TimedTransitions] = []
        for member in members {
            let transitions = transitions(field.member(member), place, &targets)
            guard let delay = DurationText.parse(member.key), delay > .zero, delay.wholeMicroseconds % 1000 == 0 else {
                reportKey(
                    .invalidDuration, "\(Wording.quoted(member.key)) is no duration", member, in: field.path,
                    fix: "write one such as 30s, 24h or 7d")
                continue
            }
            if let same = timed.first(where: { $0.delay == delay }) {
                reportKey(
                    .duplicateName, "there are transitions after \(DurationText.format(same.delay)) already", member, in: field.path,
                    fix: "make a list of them: they are tried in order")
                continue
            }
            timed.append(TimedTransitions(delay: delay, transitions: transitions))
        }
        return timed
    }

    // MARK: Ways

    private mutating func checkWays(_ states: [ReadState], initial: String, in field: Field) {
        let places = Dictionary(states.enumerated().map { ($0.element.state.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
        guard let start = places[initial] else { return }
        let ways = states.map { state in state.targets.compactMap { places[$0.name] } }
        let reached = Self.closure(from: [start], ways)
        for (index, state) in states.enumerated() where !reached[index] {
            reportKey(
                .unreachableState, "no way leads to the state \(Wording.quoted(state.state.name))", state.keyMember, in: field.path,
                fix: "name it in a transition, or remove it")
        }
        var back = [[Int]](repeating: [], count: states.count)
        for (from, targets) in ways.enumerated() { for target in targets { back[target].append(from) } }
        let ends = states.indices.filter { states[$0].state.ending != nil }
        let ending = Self.closure(from: ends, back)
        for (index, state) in states.enumerated() where reached[index] && state.state.ending == nil {
            if state.targets.isEmpty {
                reportKey(
                    .deadEnd, "the state \(Wording.quoted(state.state.name)) has no way out", state.keyMember, in: field.path,
                    fix: "add `next`, `on` or `after`, or make it `final: true`")
            } else if !ending[index] {
                reportKey(
                    .deadEnd, "from the state \(Wording.quoted(state.state.name)) no way leads to a final state", state.keyMember,
                    in: field.path,
                    fix: ends.isEmpty ? "make a state `final: true`" : "add a transition towards \(Self.names(ends, states))")
            } else if !state.waits, state.state.next.allSatisfy({ $0.condition != nil }) {
                reportKey(
                    .mayGetStuck, "the state \(Wording.quoted(state.state.name)) fails the machine when none of its conditions holds",
                    state.keyMember, in: field.path, fix: "let the last transition of `next` be one without `if`")
            }
        }
    }

    private static func names(_ indices: [Int], _ states: [ReadState]) -> String {
        Wording.either(indices.prefix(4).map { Wording.quoted(states[$0].state.name) })
    }

    private static func closure(from starts: [Int], _ ways: [[Int]]) -> [Bool] {
        var reached = [Bool](repeating: false, count: ways.count)
        var open = starts
        for start in starts { reached[start] = true }
        while let next = open.popLast() {
            for target in ways[next] where !reached[target] {
                reached[target] = true
                open.append(target)
            }
        }
        return reached
    }
}
