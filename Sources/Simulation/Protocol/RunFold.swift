// One run in a fold: what reaches it, what is known of it, and what becomes of it.

import Engine
import WorkflowModel

/// One run in a fold.
struct RunFold {
    let revision: Int
    var frame: Frame
    var isKnown: Bool
    var inputs: [Input] = []
    var next = 0
    var isSuspended = false
    var change: RunChange

    init(_ row: RunRow, _ version: WorkflowVersion, frame: Frame, isKnown: Bool) {
        revision = row.revision
        self.frame = frame
        self.isKnown = isKnown
        change = RunChange(id: row.id, version: version, isNew: false, facts: frame.run, relatives: row.relatives)
    }

    /// A run that begins.
    init(starting new: NewRun, now: Timestamp, callees: [String: CalleeFacts]) {
        let facts = RunFacts(
            id: new.id, version: 1, historyLength: 1, submittedAt: now, trigger: new.trigger, input: new.input, callees: callees,
            depth: new.depth, lineage: new.lineage, parentID: new.relatives.parent)
        revision = -1
        frame = Frame(program: new.version.program, run: facts, isComplete: true)
        isKnown = true
        change = RunChange(id: new.id, version: new.version, isNew: true, facts: facts, relatives: new.relatives)
        inputs = [.start]
    }

    mutating func take(_ order: Server.Order) {
        switch order.row.kind {
        case .start: inputs.append(.start)
        case .cancel(let reason): inputs.append(.cancel(reason: reason))
        case .child(let path, let run, let refused):
            if let refused { return inputs.append(.childEnded(refused)) }
            guard let child = order.child else { return }
            inputs.append(
                .childEnded(
                    ChildEnding(
                        path: path, runID: run, attempt: child.relatives.parentAttempt, status: child.ending.status, output: child.output,
                        failure: child.ending.failure.map { Failure(json: $0.json) })))
        case .event(let path, _):
            guard let event = order.event else { return }
            inputs.append(
                .event(wait: path, EventFacts(id: event.id, name: event.name, key: event.correlation?.key, data: event.data, at: event.at)))
        case .adjust(let path, let adjustment): inputs.append(.adjust(path: path, adjustment))
        }
    }

    // The timer is gone with this, whatever is decided.
    mutating func take(_ timer: TimerRow) {
        let path = timer.path.text.isEmpty ? nil : timer.path
        change.setTimer(path, timer.kind, .remove)
        inputs.append(.timer(path: path, kind: timer.kind))
    }

    // A timer that was due, and that something before it in this fold has set anew: it is for something else now.
    func isSuperseded(_ input: Input) -> Bool {
        guard !isSuspended, case .timer(let path, let kind) = input else { return false }
        if case .set = change.timers[TimerRow.Key(run: change.id, path: path ?? StepPath(""), kind: kind)] { return true }
        return false
    }

    // A cancel that was acknowledged comes before everything that would start something.
    mutating func putCancelFirst() {
        guard frame.run.cancelRequested else { return }
        switch frame.run.root?.ending {
        // A run that fails may still be cleaning up, and a cancel ends that, too.
        case nil, .failed: break
        case .cancelled, .timedOut, .satisfied, .succeeded: return
        }
        inputs.removeAll { if case .cancel = $0 { true } else { false } }
        if frame.run.root == nil { inputs.removeAll() }
        inputs.insert(.cancel(reason: frame.run.cancelReason), at: 0)
    }
}

/// A run that is about to begin.
struct NewRun {
    var id: RunID
    var version: WorkflowVersion
    var input: JSONText
    var trigger: String
    var depth = 0
    var lineage: [String] = []
    var relatives = Relatives()
}

extension TaskRow {
    func facts(isLocked: Bool) -> TaskFacts {
        let phase: TaskFacts.Phase =
            switch state {
            case .waiting: .waiting
            case .settled: .settled
            case .leased: isLocked ? .leased : .unknown
            case .ready: isLocked ? .ready : .unknown
            }
        return TaskFacts(
            attempt: attempt, losses: losses, retryCounts: retryCounts, lastDelay: Duration(seconds: lastDelay.seconds),
            startedAt: stepStartedAt, phase: phase, isUnwanted: isUnwanted)
    }

    // Nil for a row that is not settled.
    var taskOutcome: TaskOutcome? {
        guard let outcome, let fence, let session, let claimedAt, let settledAt else { return nil }
        return TaskOutcome(
            path: path, fence: fence, session: session, status: outcome, output: output, failure: failure.map { Failure(json: $0.json) },
            claimedAt: claimedAt, settledAt: settledAt, task: facts(isLocked: true))
    }
}

extension StepRow {
    var facts: StepFacts {
        var settled = record.settled
        settled.failure = settled.failure.map { Failure(json: $0.json) }
        // What the tables have beside it is no fact of the step.
        if settled.collected != nil { settled.output = nil }
        settled.collected = nil
        return .settled(settled)
    }
}
