// What the commands of a decision do to the tables, and what they must never do.

import Engine
import Simulation
import WorkflowModel

extension ModelStore {
    mutating func apply(_ decisions: [Decided], frame: Frame) throws {
        for decided in decisions {
            let input = decided.input
            rootAfter = decided.root
            var cancelled: [StepPath] = []
            switch input {
            case .timer(let path?, let kind): timers[TimerKey(path: path, kind: kind)] = nil
            case .timer(nil, _): deadline = nil
            case .childEnded(let ending): if case .refused = decided.decision { children[ending.path] = nil }
            case .event(let wait, let event):
                if case .commands = decided.decision, let number = waits[wait]?.number {
                    arrivals[Int(event.id) - 1].handedTo.insert(number)
                }
            case .start, .outcome, .cancel, .adjust: break
            }
            switch decided.decision {
            case .commands(let commands):
                for command in commands {
                    if ending != nil, !command.isChain { throw Violation("I2", "\(command.line) after the ending") }
                    journal.append(command.line)
                    try apply(command, isOver: decided.wasEnding)
                    if case .recordStep(let record) = command, record.settled.status == .cancelled { cancelled.append(record.path) }
                }
                if case .outcome(let outcome) = input { try checkSuccessor(of: outcome, commands) }
                if case .childEnded(let ending) = input, children[ending.path]?.ending?.attempt == ending.attempt {
                    children[ending.path] = nil
                }
            case .refused(let rejection):
                try checkRefusal(rejection, of: input)
            }
            run.root = decided.root
            for path in cancelled { try checkCancelled(path) }
        }
        orders = []
        let (requested, reason) = (run.cancelRequested, run.cancelReason)
        run = frame.run
        run.input = nil
        run.cancelRequested = requested || frame.run.cancelRequested
        run.cancelReason = reason
        if ending != nil {
            deadline = nil
            timers = [:]
        }
    }

    private mutating func apply(_ command: Command, isOver: Bool) throws {
        switch command {
        case .enqueue(let path, let index, let input):
            let node = try node(path)
            guard index == node.index else { throw Violation("numbering", "\(path) is \(node.index), not \(index)") }
            guard tasks[path] == nil, steps[path] == nil, live[path] == nil else { throw Violation("I4", "\(path) is enqueued twice") }
            try checkMayStart(path, node)
            tasks[path] = TaskRow(node: index, input: input)
            begun.insert(path)
        case .requeue(let path, let task): try putBack(path, task, .ready)
        case .backOff(let path, let task, let dueAt):
            guard dueAt > now else { throw Violation("I18", "the timer of \(path) is due already") }
            try putBack(path, task, .waiting)
            timers[TimerKey(path: path, kind: .backoff)] = Timer(dueAt: dueAt, isAbsolute: false)
        case .wake(let path):
            guard tasks[path]?.state == .waiting else { throw Violation("timers", "\(path) does not wait") }
            if isInEnding(path) { throw Violation("I11", "\(path) wakes in something that is ending") }
            tasks[path]?.state = .ready
        case .dequeue(let path, let hasTimer):
            guard let row = tasks[path] else { throw Violation("rows", "\(path) has no task to remove") }
            guard row.state != .leased else { throw Violation("I6", "the task of \(path) is removed while a worker has it") }
            let key = TimerKey(path: path, kind: .backoff)
            guard hasTimer == (timers[key] != nil) else { throw Violation("timers", "\(path): the timer is not what the engine thinks") }
            tasks[path] = nil
            timers[key] = nil
        case .tellWorker(let path):
            guard tasks[path]?.state == .leased || tasks[path]?.state == .settled else {
                throw Violation("rows", "no worker has \(path), and one is told")
            }
            tasks[path]?.isUnwanted = true
            tasks[path]?.outcome?.task.isUnwanted = true
            told.insert(path)
        case .setTimer(let path, let kind, let dueAt, let isAbsolute):
            timers[TimerKey(path: path, kind: kind)] = Timer(dueAt: dueAt, isAbsolute: isAbsolute)
        case .removeTimer(let path, let kind): timers[TimerKey(path: path, kind: kind)] = nil
        case .keepItems(let path, let all):
            guard items[path] == nil else { throw Violation("I4", "the collection of \(path) is kept twice") }
            items[path] = all
        case .startChild(let start):
            guard !isInEnding(start.path) else { throw Violation("I11", "\(start.path) starts a child in something that is ending") }
            guard !started.contains(where: { $0.runID == start.runID }) else {
                throw Violation("I4", "\(start.path) starts its child twice")
            }
            started.append(start)
            if start.isAwaited {
                guard children[start.path].map({ $0.ending != nil }) ?? true else {
                    throw Violation("I4", "\(start.path) has two children at once")
                }
                children[start.path] = ChildRow(start: start)
            }
        case .cancelChild(let path):
            guard children[path] != nil else { throw Violation("rows", "\(path) has no child to cancel") }
            children[path]?.isCancelled = true
        case .wait(let order):
            lastWait += 1
            waits[order.path] = WaitRow(order: order, number: lastWait)
        case .endWait(let path):
            guard waits[path] != nil else { throw Violation("rows", "\(path) waits for no event") }
            waits[path] = nil
        case .consume(let id, _): try decideEvent(id, .consumed)
        case .refuse(let id, _, let reason): try decideEvent(id, .refused(reason))
        case .dropEvent(let id, _): try decideEvent(id, .dropped)
        case .emit(let order): emitted.append(order)
        case .chain(let start):
            guard ending != nil else { throw Violation("chains", "\(start.workflow) starts before the ending") }
            chained.append(start)
        case .keep(let path, let index, let facts):
            let node = try node(path)
            guard index == node.index else { throw Violation("numbering", "\(path) is \(node.index), not \(index)") }
            guard steps[path] == nil, tasks[path] == nil else { throw Violation("rows", "\(path) is two things at once") }
            guard facts.rounded?.stored == facts.stored else {
                throw Violation("rows", "\(path) reads back as something else: \(facts) \(facts.stored)")
            }
            let isNew = live[path] == nil || live[path]?.facts.isPending == true
            if isNew, !facts.isPending, !begun.contains(path) { try checkMayStart(path, node) }
            if !facts.isPending { begun.insert(path) }
            live[path] = LiveRow(node: index, facts: facts)
        case .drop(let path):
            guard let row = live.removeValue(forKey: path) else { throw Violation("rows", "\(path) has no row among the live steps") }
            if case .child(let child) = row.facts, child.task.phase != .waiting, children[path]?.ending == nil {
                // It is left alone.
                children[path] = nil
            }
        case .recordStep(let record): try apply(record, isOver: isOver)
        case .recordAttempt(let record):
            try takeNumber(record.sequence)
            if attempts.contains(where: { $0.path == record.path && $0.outcome.fence == record.outcome.fence }) {
                throw Violation("I4", "attempt \(record.outcome.fence) of \(record.path) is recorded twice")
            }
            attempts.append(record)
        case .recordEvent(let record):
            try takeNumber(record.sequence)
            events.append(record)
        case .end(let ending):
            try takeNumber(run.historyLength + 1)
            self.ending = ending
            output = ending.output
            if let path = ending.outputFrom {
                guard let settled = steps[path]?.settled, ending.output == nil else { throw Violation("I2", "the output is of nothing") }
                output = settled.output
            }
        }
    }

    private mutating func decideEvent(_ id: Int64, _ state: EventRow.State) throws(Violation) {
        guard arrivals[Int(id) - 1].state == .open else { throw Violation("I19", "event \(id) is decided upon twice") }
        arrivals[Int(id) - 1].state = state
    }

    private mutating func apply(_ record: StepRecord, isOver: Bool) throws {
        let node = try node(record.path)
        try takeNumber(record.sequence)
        guard record.node == node.index else { throw Violation("numbering", "\(record.path) is \(node.index), not \(record.node)") }
        guard steps[record.path] == nil else { throw Violation("I4", "\(record.path) settles twice") }
        guard record.settled.status.isSettled else { throw Violation("statuses", "\(record.path) settles as \(record.settled.status)") }
        guard tasks[record.path] == nil, live[record.path] == nil else {
            throw Violation("rows", "\(record.path) has settled and is live")
        }
        if let attempt = record.attempt, attempt.fence != fences[record.path] {
            throw Violation(
                "I5", "\(record.path) settles under \(attempt.fence), the highest fence is \(String(describing: fences[record.path]))")
        }
        if waits[record.path] != nil { throw Violation("leftovers", "\(record.path) has settled and waits for an event") }
        for key in timers.keys where key.path == record.path {
            throw Violation("timers", "\(record.path) has settled, not its timer \(key.kind)")
        }
        try checkAnswer(record, node)
        try checkJoin(record, node)
        if isInEnding(record.path) { try checkLateResult(record, node) }
        put(record)
    }

    private mutating func takeNumber(_ sequence: Int) throws(Violation) {
        guard sequence == run.historyLength + 1 else {
            throw Violation("I28", "number \(sequence) follows \(run.historyLength) in the history")
        }
        run.historyLength = sequence
    }

    // The row is free again, for the same or the next attempt.
    private mutating func putBack(_ path: StepPath, _ task: TaskFacts, _ state: TaskRow.State) throws(Violation) {
        guard let row = tasks[path], row.state == .settled else { throw Violation("rows", "\(path) has no settled task") }
        if isInEnding(path) { throw Violation("I11", "\(path) goes on in something that is ending") }
        try checkPolicy(try node(path), path, from: row, to: task)
        tasks[path] = TaskRow(
            node: row.node, state: state, attempt: task.attempt, losses: task.losses, retryCounts: task.retryCounts,
            lastDelay: task.lastDelay, startedAt: task.startedAt, input: row.input)
    }
}

extension Command {
    var isChain: Bool { if case .chain = self { true } else { false } }
}

extension LiveStepFacts {
    var isPending: Bool { if case .pending = self { true } else { false } }

    // As the tables keep it: failures without what is not stored.
    var rounded: LiveStepFacts? { LiveStepFacts(stored: stored) }
}
