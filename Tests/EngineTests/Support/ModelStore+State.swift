// The promises that hold after every fold.

import Engine
import Simulation
import WorkflowModel

extension ModelStore {
    func checkAll() throws(Violation) {
        if ending != nil { return try checkNothingIsLeft() }
        var counted: [StepPath?: Int] = [:]
        for path in tasks.keys { counted[Self.parent(of: path), default: 0] += 1 }
        for (path, row) in live where !row.facts.isPending { counted[Self.parent(of: path), default: 0] += 1 }
        guard let root = run.root else { throw Violation("counters", "the run is not under way") }
        try check(nil, .block(root), counted[nil] ?? 0)
        for (path, row) in live { try check(path, row.facts, counted[path] ?? 0) }
        try checkNotStuck()
        try checkKeptFrame()
    }

    // Counters equal what they count, and whatever is under way has something under way in it.
    private func check(_ path: StepPath?, _ facts: LiveStepFacts, _ count: Int) throws(Violation) {
        let name = path?.text ?? "the run"
        func expect(_ holds: Bool, _ promise: String, _ detail: String) throws(Violation) {
            guard holds else { throw Violation(promise, "\(name) \(detail): \(facts)") }
        }
        if let path, !facts.isPending, facts.ending == nil, isInEnding(path) {
            throw Violation("I9", "\(name) goes on although something around it is ending")
        }
        switch facts {
        case .pending(let pending):
            guard let path else { return }
            let needs = try node(path).needs.map { steps[sibling($0, of: path)]?.settled.status }
            let settled = needs.compactMap { $0 }
            try expect(
                pending.unmet == needs.count - settled.count && pending.met == settled.count { $0 != .skipped } && pending.unmet > 0,
                "counters", "counts its needs wrong")
        case .block(let block):
            try expect(block.live == count, "counters", "has \(count) live steps")
            try expect(count > 0, "I35", "has nothing under way, and has not settled")
            guard let plan = path.map({ program.node(at: $0) }) ?? nil else {
                if path == nil { try checkUnsettled(block, program.root, nil) }
                return
            }
            if case .block(let inner) = plan.verb { try checkUnsettled(block, inner, path) }
        case .choice(let block):
            try expect(block.live == 1 && count == 1, "counters", "has \(count) live parts")
        case .caught(let caught): try expect(caught.block.live == 1 && count == 1, "counters", "has \(count) live parts")
        case .parallel(let fork):
            guard let path else { return }
            try expect(fork.live == count && count > 0, "counters", "has \(count) live branches")
            guard case .parallel(let plan) = try node(path).verb else { return }
            let parts = plan.branches.compactMap { steps[path.child(program.nodes[$0].id)]?.settled.status }
            try expect(fork.unsettled == plan.branches.count - parts.count, "counters", "counts its unsettled branches wrong")
            if fork.ending == nil {
                try expect(
                    fork.succeeded == parts.count { $0 == .succeeded } && fork.failed == parts.count { $0 == .failed }, "counters",
                    "counts endings wrong")
            }
        case .loop(let loop):
            guard let path else { return }
            let parts = (iterations[path] ?? []).compactMap { steps[StepPath("\(path)[\($0)]")]?.settled.status }
            try expect(loop.live == count, "counters", "has \(count) live iterations")
            if loop.ending == nil {
                try expect(
                    loop.succeeded == parts.count { $0 == .succeeded } && loop.failed == parts.count { $0 == .failed }, "counters",
                    "counts endings wrong")
                try expect(loop.created == parts.count + count, "counters", "counts its iterations wrong")
                let timer = timers[TimerKey(path: path, kind: .every)]
                try expect(count > 0 || timer != nil, "I35", "has nothing under way and no timer")
                if let total = loop.total, case .loop(let plan) = try node(path).verb, timer == nil {
                    let slots = loop.adjustment?.maxParallel ?? plan.maxParallel ?? 0
                    if plan.every == nil {
                        try expect(loop.created == total || slots > 0, "slots", "leaves iterations unmade")
                        try expect(slots == 0 || count >= min(slots, total - parts.count), "slots", "leaves slots empty")
                    }
                    // An operator may have lowered the number while more ran.
                    if loop.adjustment?.maxParallel == nil { try expect(slots == 0 || count <= slots, "slots", "has too many at once") }
                }
            } else {
                try expect(count > 0, "I35", "is ending, and nothing of it is live")
            }
        case .machine(let machine):
            guard let path else { return }
            if machine.isWaiting {
                try expect(machine.block.live == 0 && count == 0, "counters", "waits and has something live")
                try expect(waits[path] != nil || timers[TimerKey(path: path, kind: .after)] != nil, "I35", "waits for nothing")
            } else {
                try expect(machine.block.live == 1 && count == 1, "counters", "has \(count) live states")
                try expect(waits[path] == nil, "leftovers", "waits for an event while it works")
            }
        case .sleep: try expect(path.map { timers[TimerKey(path: $0, kind: .sleep)] != nil } ?? false, "I35", "sleeps without a timer")
        case .wait: try expect(path.map { waits[$0] != nil } ?? false, "I35", "waits for no event")
        case .child(let child):
            guard let path else { return }
            if child.task.phase == .waiting {
                try expect(timers[TimerKey(path: path, kind: .backoff)] != nil, "I35", "waits for a next child without a timer")
            } else {
                try expect(children[path] != nil, "I35", "waits for a child that is not there")
                try expect(child.ending == nil || children[path]?.isCancelled == true, "I35", "waits for a child that nobody ends")
            }
        }
    }

    private func checkUnsettled(_ block: BlockFacts, _ plan: BlockPlan, _ path: StepPath?) throws(Violation) {
        guard plan.kind == .graph, block.ending == nil else { return }
        let settled = plan.children.count { child in
            let id = program.nodes[child].id
            return steps[path?.child(id) ?? StepPath(id)] != nil
        }
        guard block.unsettled == plan.children.count - settled else {
            throw Violation(
                "counters", "\(path?.text ?? "the run") has \(plan.children.count - settled) unsettled steps, and counts \(block.unsettled)"
            )
        }
    }

    // I35: every unfinished run has a ready or leased task, an unfolded outcome, a timer, a wait, a child, or an order.
    private func checkNotStuck() throws(Violation) {
        let moves = tasks.values.contains { !$0.held || $0.state == .settled }
        if !moves, timers.isEmpty, orders.isEmpty, waits.isEmpty, children.isEmpty { throw Violation("I35", "the run is stuck") }
        for (path, row) in tasks {
            if row.state == .waiting, timers[TimerKey(path: path, kind: .backoff)] == nil {
                throw Violation("I35", "\(path) waits without a timer")
            }
            guard isInEnding(path) else { continue }
            guard row.state == .leased || row.state == .settled else {
                throw Violation("I11", "\(path) is queued in something that is ending")
            }
            guard row.state == .settled || told.contains(path) else { throw Violation("cancel", "the worker of \(path) was not told") }
        }
        for key in timers.keys {
            guard let path = key.path else { continue }
            guard tasks[path] != nil || live[path] != nil else {
                throw Violation("timers", "there is a timer of \(path), which is not live")
            }
            if key.kind == .backoff, tasks[path] != nil, tasks[path]?.state != .waiting {
                throw Violation("timers", "there is a timer of \(path), which does not wait")
            }
        }
        for path in waits.keys where live[path] == nil { throw Violation("leftovers", "\(path) waits for an event and is not live") }
        for (path, child) in children where live[path] == nil && child.ending == nil {
            throw Violation("leftovers", "\(path) has a child and is not live")
        }
    }

    private func checkNothingIsLeft() throws(Violation) {
        for path in Array(tasks.keys) + Array(live.keys) + Array(waits.keys) {
            throw Violation("leftovers", "\(path) has rows although the run has ended")
        }
        for (path, child) in children where child.ending == nil {
            throw Violation("leftovers", "\(path) has a child although the run has ended")
        }
        for path in begun where steps[path] == nil { throw Violation("leftovers", "\(path) began and never settled") }
        guard let ending else { return }
        func isToBlame(_ index: Int) -> Bool {
            guard let settled = steps[StepPath(program.nodes[index].id)]?.settled, settled.status == .failed else { return false }
            return !program.nodes[index].continuesOnError
                && !(program.nodes[index].continuesOnTimeout && settled.failure?.code == "awaitTimeout")
        }
        switch ending.status {
        case .succeeded:
            guard output != nil, ending.failure == nil else { throw Violation("I2", "a success without an output") }
            guard !program.root.children.contains(where: isToBlame) || stepOrder.contains(where: endsRun) else {
                throw Violation("I2", "a success with a failure")
            }
            if !stepOrder.contains(where: endsRun) {
                for index in program.root.children where steps[StepPath(program.nodes[index].id)] == nil {
                    throw Violation("I7", "the run succeeded before \(program.nodes[index].path)")
                }
            }
        case .failed:
            guard ending.failure != nil, ending.output == nil else { throw Violation("I2", "a failure without a reason") }
            // Either a step is to blame, or the run's own output.
            if ending.failure?.path != nil, !program.root.children.contains(where: isToBlame) {
                throw Violation("I12", "the run fails, and no step is to blame")
            }
        case .timedOut: guard ending.failure?.type == .timeout else { throw Violation("I2", "a time-out without a reason") }
        case .cancelled:
            guard ending.failure?.type == .cancelled else { throw Violation("I2", "nobody cancelled the run") }
            guard run.cancelRequested || ending.failure?.path == StepPath("state") else {
                throw Violation("I2", "nobody cancelled the run")
            }
        case .queued, .running, .waiting, .paused: throw Violation("I2", "\(ending.status) is no ending")
        }
    }

    private func endsRun(_ path: StepPath) -> Bool {
        guard let record = steps[path], record.settled.status == .succeeded, case .succeed = program.nodes[record.node].verb else {
            return false
        }
        return true
    }

    // What a coordinator remembers is what the tables say.
    private func checkKeptFrame() throws(Violation) {
        guard let keptFrame else { return }
        for (path, kept) in keptFrame.steps {
            let row = facts(of: path, locked: false)
            switch (kept, row) {
            case (.notStarted, nil): continue
            case (.live(let left), .live(let right)) where left.rounded == right: continue
            case (.settled(let left), .settled(let right))
            where left.withoutOutput == right.withoutOutput && (left.output == nil || right.output == nil || left.output == right.output):
                continue
            case (.task(let left), .task(let right)) where left.fingerprint == right.fingerprint:
                // Whether a worker has it is the row's secret; what only a fold changes is known.
                guard left.phase == .waiting || right.phase == .waiting, left.phase != right.phase else { continue }
                throw Violation("frames", "\(path) is \(left.phase) in the frame and \(right.phase) in its row")
            case (.notStarted, _), (.live, _), (.task, _), (.settled, _):
                throw Violation("frames", "\(path) is \(kept) in the frame and \(String(describing: row)) in the tables")
            }
        }
        guard keptFrame.isComplete else { return }
        for path in Array(tasks.keys) + Array(live.keys) where keptFrame.steps[path] == nil {
            throw Violation("frames", "\(path) is live, and the frame that knows everything does not know it")
        }
    }
}
