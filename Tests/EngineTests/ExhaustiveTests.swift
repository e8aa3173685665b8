// Tiny definitions, and everything that can happen to them: every order of claims, outcomes, a lost worker, and a cancel.

import Engine
import Testing
import WorkflowModel

/// Walks through all states that a run can reach.
struct Exploration {
    private(set) var states = 0
    private(set) var endings: Set<RunStatus> = []
    private var seen: Set<String> = []

    mutating func explore(_ store: ModelStore, lossesLeft: Int = 1, cancelsLeft: Int = 1) throws {
        var open: [(ModelStore, Int, Int)] = [(store, lossesLeft, cancelsLeft)]
        while let (store, losses, cancels) = open.popLast() {
            guard seen.insert(store.picture + "\(losses)\(cancels)").inserted else { continue }
            states += 1
            if let ending = store.ending {
                endings.insert(ending.status)
                continue
            }
            func visit(_ losses: Int, _ cancels: Int, _ change: (inout ModelStore) throws -> Void) throws {
                var next = store
                try change(&next)
                open.append((next, losses, cancels))
            }
            // Either everything that is due is folded, or more happens before.
            if store.isDue { try visit(losses, cancels) { try $0.fold() } }
            for node in store.claimable { try visit(losses, cancels) { _ = $0.claim(node) } }
            for node in store.leased {
                guard let lease = store.tasks[node]?.lease else { continue }
                try visit(losses, cancels) { $0.settle(lease, .succeeded, output: JSONText(.int(Int64(node.text.utf8.count)))) }
                try visit(losses, cancels) { $0.settle(lease, .failed, failure: Failure(type: .exit, message: "no")) }
                if losses > 0 { try visit(losses - 1, cancels) { $0.reap(node) } }
            }
            for (path, child) in store.children.sorted(by: { $0.key < $1.key }) where child.ending == nil {
                try visit(losses, cancels) { $0.endChild(path, .succeeded, output: 1) }
                try visit(losses, cancels) { $0.endChild(path, .failed, failure: Failure(type: .exit, message: "no")) }
            }
            if !store.waits.isEmpty, store.arrivals.count < 2 { try visit(losses, cancels) { $0.signal("go") } }
            if cancels > 0, !store.run.cancelRequested { try visit(losses, cancels - 1) { $0.cancel() } }
            if let timer = store.nextTimer, timer > store.now { try visit(losses, cancels) { $0.now = timer } }
        }
    }
}

extension ModelStore {
    /// What matters of the state: everything but moments and fences.
    fileprivate var picture: String {
        var text = "\(run.cancelRequested) \(orders) \(run.root?.ending?.json.compactText ?? "") \(ending?.status.rawValue ?? "")"
        for path in Set(tasks.keys).union(live.keys).union(steps.keys).sorted() {
            text += "\n\(path) "
            if let row = tasks[path] {
                text += "\(row.state) \(row.held) \(row.attempt) \(row.losses) \(row.outcome?.status.rawValue ?? "")"
            }
            if let facts = live[path]?.facts { text += Self.picture(facts) }
            if let settled = steps[path]?.settled { text += "\(settled.status.rawValue) \(settled.attempts)" }
        }
        for (key, timer) in timers.sorted(by: {
            ($0.key.path?.text ?? "", $0.key.kind.rawValue) < ($1.key.path?.text ?? "", $1.key.kind.rawValue)
        }) {
            text += "\n\(key) \(timer.dueAt <= now ? "due" : "waits")"
        }
        for (path, child) in children.sorted(by: { $0.key < $1.key }) {
            text += "\n\(path) \(child.isCancelled) \(child.ending?.status.rawValue ?? "")"
        }
        text += "\n\(waits.keys.sorted()) \(arrivals.map { "\($0.facts.name) \($0.state) \($0.handedTo.count)" })"
        return text
    }

    // Without the moments.
    private static func picture(_ facts: LiveStepFacts) -> String {
        var row = facts.stored
        row.startedAt = nil
        if case .machine(var machine) = facts {
            machine.enteredAt = Timestamp(microseconds: 0)
            row.facts = LiveStepFacts.machine(machine).stored.facts
        }
        return "\(row)"
    }
}

@Suite struct ExhaustiveTests {
    static let retry = RetryEntry(maxAttempts: 2, jitter: .none)

    // Every graph of three steps whose needs point backwards.
    static let graphs: [Block] = [[], ["a"]].flatMap { (second: [String]) in
        [[], ["a"], ["b"], ["a", "b"]].map { (third: [String]) in
            .graph([.agent("a"), .agent("b", needs: second), .agent("c", needs: third)])
        }
    }

    static let others: [Block] = [
        .steps([.agent("a", retry: retry), .agent("b")]),
        .steps([.agent("a", onError: .continue), .agent("b", if: "steps.a.status == 'failed'"), .agent("c")]),
        .graph([.agent("a", retry: retry), .agent("b", onError: .continue), .agent("c", needs: ["a", "b"])]),
        .graph([.agent("a", if: "false"), .agent("b", needs: ["a"]), .agent("c")]),
        .graph([.agent("a", if: "false"), .agent("b"), .agent("c", needs: ["a", "b"], if: "steps.b.output == 1")]),
        .graph([.block("a", .steps([.agent("x"), .agent("y")])), .agent("b"), .agent("c", needs: ["a"])]),
        .steps([.block("a", .graph([.agent("x"), .agent("y")]), onError: .continue), .agent("b")]),
        .graph([.block("a", .graph([.agent("x", onError: .continue), .agent("y", needs: ["x"])])), .agent("b")]),
        .graph([.block("a", .graph([.agent("x"), .set("y", "${{ input.absent }}", needs: ["x"])])), .agent("b")]),
        .graph([.block("a", .steps([.block("b", .graph([.agent("x"), .agent("y")]))])), .agent("c")]),
        .steps([.parallel("f", [("a", .steps([.agent("x")])), ("b", .steps([.agent("y")]))], join: JoinPolicy(rule: .any)), .agent("z")]),
        .steps([
            .parallel(
                "f", [("a", .steps([.agent("x")])), ("b", .steps([.agent("y")]))], join: JoinPolicy(onError: .drain, deadline: .seconds(9)))
        ]),
        .steps([.agent("r", loop: .each([1, 2, 3], at: 2, join: JoinPolicy(rule: .tolerate(1))))]),
        .steps([.block("r", .steps([.agent("x"), .agent("y")]), loop: .each([1, 2], at: 2, join: JoinPolicy(rule: .first)))]),
        .steps([.agent("w", loop: Loop(source: .until("output == 4"), every: .seconds(1), maxIterations: 2)), .agent("z")]),
        .steps([.agent("a", onError: .catch(.steps([.agent("b")]))), .agent("c")]),
        .steps([.agent("a"), .agent("b", when: .failure), .agent("c", when: .always)]),
        .graph([.agent("a", total: .seconds(5)), .agent("b"), .agent("c", needs: ["a"], when: .always)]),
        .graph([.verb("c", .workflow(WorkflowCall(workflow: "w")), timeout: .seconds(5), retry: retry), .agent("b")]),
        .graph([.await("w", "go", timeout: .seconds(5), onTimeout: .catch(.steps([.agent("t")]))), .agent("b")]),
        .states(
            StateMachine(
                initial: "m",
                states: [
                    State(
                        name: "m", block: .steps([.agent("x", onError: .continue)]),
                        next: [Transition(condition: "steps.x.output == null", target: "lost")],
                        on: [EventTransitions(event: "go", transitions: [Transition(target: "m")])],
                        after: [TimedTransitions(delay: .seconds(7), transitions: [Transition(target: "end")])]),
                    State(name: "end", ending: .succeeded), State(name: "lost", ending: .failed),
                ])),
    ]

    @Test("everything that can happen to a tiny definition keeps every promise", arguments: (graphs + others).indices)
    func explore(index: Int) throws {
        var exploration = Exploration()
        try exploration.explore(try ModelStore(WorkflowDefinition(name: "tiny", body: (Self.graphs + Self.others)[index])))
        #expect(exploration.states > 30)
        #expect(exploration.endings.contains(.cancelled))
        // One of the definitions always fails.
        #expect(exploration.endings.contains(.succeeded) || exploration.endings.contains(.failed))
    }
}
