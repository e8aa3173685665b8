// A workflow as a drawing shows it: boxes, boxes within boxes, and arrows between them.

import WorkflowModel

/// The boxes and arrows of a block.
struct WorkflowGraph {
    /// What a box stands for; drawings tell them apart.
    enum Kind {
        case agent, workflow, value, wait, container, final, initial
    }

    /// A step, a branch, a case, a state.
    struct Item {
        /// The name that arrows refer to, unique in the whole drawing.
        let path: String
        /// What the box says, one string a line.
        var lines: [String]
        var kind: Kind
        /// What is inside: the block of a `do`, each branch of a `parallel`.
        var inner: [WorkflowGraph] = []
    }

    /// An arrow from one item to another, by their places in `items`.
    struct Arrow: Hashable {
        let from: Int
        let to: Int
        var label: String?
        /// Whether it is taken only when something failed.
        var isOnFailure = false
    }

    /// What stands above the boxes: the name of a branch, the condition of a case.
    var title: String?
    var items: [Item]
    var arrows: [Arrow]

    /// The whole workflow.
    init(_ definition: WorkflowDefinition) {
        self.init(definition.body, title: nil, path: "")
        let ends = items.indices.filter { index in !arrows.contains { $0.from == index } }
        for (key, chains) in [
            ("onSuccess", definition.onSuccess), ("onFailure", definition.onFailure), ("onCancel", definition.onCancel),
        ] where !chains.isEmpty {
            let names = chains.map { $0.workflow + ($0.condition == nil ? "" : " (if …)") }
            items.append(Item(path: "/" + key, lines: [key, "start " + names.joined(separator: ", ")], kind: .workflow))
            for end in ends { arrows.append(Arrow(from: end, to: items.count - 1, isOnFailure: key != "onSuccess")) }
        }
    }

    /// A block.
    init(_ block: Block, title: String?, path: String) {
        self.title = title
        items = []
        arrows = []
        switch block {
        case .steps(let steps):
            items = steps.map { Item($0, in: path) }
            arrows = steps.indices.dropLast().map { index in
                Arrow(from: index, to: index + 1, isOnFailure: steps[index + 1].when == .failure)
            }
        case .graph(let steps):
            items = steps.map { Item($0, in: path) }
            let places = Dictionary(steps.enumerated().map { ($0.element.id, $0.offset) }, uniquingKeysWith: { first, _ in first })
            for (index, step) in steps.enumerated() {
                for need in step.needs {
                    guard let from = places[need] else { continue }
                    arrows.append(Arrow(from: from, to: index, isOnFailure: step.when == .failure))
                }
            }
        case .states(let machine): add(machine, path)
        }
    }

    private mutating func add(_ machine: StateMachine, _ path: String) {
        let places = Dictionary(machine.states.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
        for (index, state) in machine.states.enumerated() {
            let ending = state.ending.map { $0 == .succeeded ? " (final)" : " (\($0.rawValue))" } ?? ""
            let start = state.name == machine.initial ? "▸ " : ""
            var item = Item(
                path: Self.join(path, state.name), lines: [start + state.name + ending],
                kind: state.ending != nil ? .final : state.name == machine.initial ? .initial : .value)
            if let block = state.block { item.inner = [WorkflowGraph(block, title: nil, path: item.path)] }
            var loops: [String] = []
            func arrow(_ transition: Transition, _ word: String?) {
                let label = [word, transition.condition.map { "[\(Self.short($0))]" }].compactMap { $0 }.joined(separator: " ")
                guard let target = places[transition.target] else { return }
                if target == index {
                    loops.append("↻ " + (label.isEmpty ? "again" : label))
                } else {
                    arrows.append(Arrow(from: index, to: target, label: label.isEmpty ? nil : label))
                }
            }
            for transition in state.next { arrow(transition, nil) }
            for event in state.on { for transition in event.transitions { arrow(transition, event.event) } }
            for timed in state.after {
                for transition in timed.transitions { arrow(transition, "after " + DurationText.format(timed.delay)) }
            }
            item.lines += loops
            items.append(item)
        }
    }

    static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : path + "." + name }

    /// An expression as a drawing has room for it.
    static func short(_ text: String, _ limit: Int = 32) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.count <= limit ? words : words.prefix(limit - 1) + "…"
    }
}

extension WorkflowGraph.Item {
    fileprivate init(_ step: Step, in path: String) {
        let path = WorkflowGraph.join(path, step.id)
        var lines = [step.id]
        var kind = WorkflowGraph.Kind.container
        var inner: [WorkflowGraph] = []
        func block(_ block: Block, _ title: String?, _ name: String) {
            inner.append(WorkflowGraph(block, title: title, path: WorkflowGraph.join(path, name)))
        }
        switch step.verb {
        case .agent(.named(let name)): (lines[0], kind) = (name == step.id ? step.id : "\(step.id): agent \(name)", .agent)
        case .agent(.inline(let agent)): (lines[0], kind) = ("\(step.id): \(agent.kind.name) agent", .agent)
        case .workflow(let call):
            (lines[0], kind) = ("\(step.id): workflow \(call.workflow)\(call.isAwaited ? "" : ", not awaited")", .workflow)
        case .block(let inner): block(inner, nil, "do")
        case .parallel(let parallel):
            lines[0] = "\(step.id): parallel\(WorkflowGraph.words(parallel.join))"
            for branch in parallel.branches { block(branch.block, branch.name, branch.name) }
        case .switch(let choice):
            lines[0] = "\(step.id): switch"
            for (index, item) in choice.cases.enumerated() {
                block(item.block, "if " + WorkflowGraph.short(item.condition), "case\(index + 1)")
            }
            if let otherwise = choice.otherwise { block(otherwise, "else", "else") }
        case .await(let wait):
            (lines[0], kind) = ("\(step.id): await \(wait.patterns.map(\.event).joined(separator: " or "))", .wait)
        case .approve(let approval): (lines[0], kind) = ("\(step.id): approve by \(approval.by.joined(separator: ", "))", .wait)
        case .sleep(.duration(let length)): (lines[0], kind) = ("\(step.id): sleep \(DurationText.format(length))", .wait)
        case .sleep(.computed(let text)): (lines[0], kind) = ("\(step.id): sleep \(WorkflowGraph.short(text))", .wait)
        case .sleep(.until(let text)): (lines[0], kind) = ("\(step.id): sleep until \(WorkflowGraph.short(text))", .wait)
        case .emit(let emission): (lines[0], kind) = ("\(step.id): emit \(emission.event)", .value)
        case .set: (lines[0], kind) = ("\(step.id): set", .value)
        case .validate: (lines[0], kind) = ("\(step.id): validate", .value)
        case .fail: (lines[0], kind) = ("\(step.id): fail", .final)
        case .succeed: (lines[0], kind) = ("\(step.id): succeed", .final)
        }
        if let condition = step.condition { lines.append("if " + WorkflowGraph.short(condition)) }
        if let loop = step.loop { lines.append(WorkflowGraph.words(loop)) }
        if let when = step.when { lines.append("when \(when.rawValue)") }
        if step.onError == .continue { lines.append("on error: continue") }
        if case .catch(let handler) = step.onError { block(handler, "on error", "catch") }
        if case .catch(let handler) = step.onTimeout { block(handler, "on time-out", "timeout") }
        self.init(path: path, lines: lines, kind: inner.isEmpty ? kind : .container, inner: inner)
    }
}

extension WorkflowGraph {
    fileprivate static func words(_ loop: Loop) -> String {
        switch loop.source {
        case .each(let items):
            let source = if case .string(let text) = items { short(text.filter { $0 != "$" && $0 != "{" && $0 != "}" }) } else { "a list" }
            let width = loop.maxParallel.map { $0 == 1 ? "" : ", \($0) at once" } ?? ", all at once"
            return "each \(loop.variable) of \(source)\(width)\(words(loop.join))"
        case .while(let condition): return "while \(short(condition))"
        case .until(let condition): return "until \(short(condition))"
        }
    }

    fileprivate static func words(_ join: JoinPolicy) -> String {
        switch join.rule {
        case .all: ""
        case .any: ", any"
        case .first: ", first"
        case .quorum(let least): ", \(least) must succeed"
        case .ratio(let share): ", \(share.percentage) must succeed"
        case .tolerate(let most): ", \(most) may fail"
        case .tolerateShare(let share): ", \(share.percentage) may fail"
        }
    }
}
