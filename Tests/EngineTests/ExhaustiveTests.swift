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
                try visit(losses, cancels) { $0.settle(lease, .succeeded, output: JSONText(.int(Int64(node)))) }
                try visit(losses, cancels) { $0.settle(lease, .failed, failure: Failure(type: .exit, message: "no")) }
                if losses > 0 { try visit(losses - 1, cancels) { $0.reap(node) } }
            }
            if cancels > 0, !store.run.cancelRequested { try visit(losses, cancels - 1) { $0.cancel() } }
            if let timer = store.nextTimer, timer > store.now { try visit(losses, cancels) { $0.now = timer } }
        }
    }
}

extension ModelStore {
    /// What matters of the state: everything but moments and fences.
    fileprivate var picture: String {
        var text = "\(run.cancelRequested) \(orders) \(run.root?.ending?.json.compactText ?? "") \(ending?.status.rawValue ?? "")"
        for entry in outline.entries {
            let node = entry.index
            text += "\n"
            if let row = tasks[node] {
                let due = backoffs[node].map { $0 <= now ? "due" : "waits" } ?? ""
                text += "\(row.state) \(row.held) \(row.attempt) \(row.losses) \(row.outcome?.status.rawValue ?? "") \(due)"
            }
            switch liveSteps[node] {
            case .pending(let pending): text += "\(pending.unmet) \(pending.met)"
            case .block(let block): text += "block \(block.unsettled) \(block.live) \(block.ending?.json.compactText ?? "")"
            case nil: break
            }
            if let settled = steps[node]?.settled { text += "\(settled.status.rawValue) \(settled.attempts)" }
        }
        return text
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
