// One run in a fold: what reaches it, what is known of it, and what becomes of it.

import Engine
import OrderedCollections
import Postgres
import WorkflowModel

/// One run in a fold.
struct RunFold: Sendable {
    let revision: Int64
    var frame: Frame
    var isKnown: Bool
    var inputs: [Input] = []
    var next = 0
    // Whether the decision about the next input has begun, and waits for what it has brought about itself.
    var isSuspended = false
    var change: RunChange

    init(id: RunID, revision: Int64, version: LoadedVersion, frame: (Frame, isKnown: Bool), root: RunID?) {
        self.revision = revision
        self.frame = frame.0
        isKnown = frame.isKnown
        change = RunChange(id: id, version: version, isNew: false, facts: frame.0.run, relatives: Relatives(root: root))
    }

    /// A run that begins.
    init(starting change: RunChange, frame: Frame) {
        revision = -1
        self.frame = frame
        isKnown = true
        self.change = change
        inputs = [.start]
    }

    // The first run of its tree.
    var root: RunID { change.relatives.root ?? change.id }

    mutating func takeOrder(_ row: Row) {
        let path = StepPath(row.textOrNull(3) ?? "")
        switch row.text(2) {
        case "start": inputs.append(.start)
        case "cancel": inputs.append(.cancel(reason: row.textOrNull(4)))
        case "child":
            guard let child = row.uuidOrNull(5) else { return }
            if let refused = row.textOrNull(4).flatMap({ try? JSONValue(parsing: $0) }) {
                inputs.append(
                    .childEnded(
                        ChildEnding(
                            path: path, runID: RunID(child), attempt: Int(clamping: refused["attempt"]?.intValue ?? 1), status: .failed,
                            failure: Failure(json: refused["failure"] ?? .null))))
            } else if let status = row.textOrNull(6).flatMap({ RunStatus(rawValue: $0) }) {
                inputs.append(
                    .childEnded(
                        ChildEnding(
                            path: path, runID: RunID(child), attempt: Int(row.int32OrNull(9) ?? 1), status: status,
                            output: row.textOrNull(7).map { JSONText(trusted: $0) },
                            failure: row.textOrNull(8).flatMap { try? JSONValue(parsing: $0) }.map { Failure(json: $0) })))
            }
        case "event":
            guard let id = row.int64OrNull(10), let name = row.textOrNull(11), let data = row.textOrNull(13) else { return }
            inputs.append(
                .event(
                    wait: path,
                    EventFacts(
                        id: id, name: name, key: row.textOrNull(12), data: JSONText(trusted: data), actor: row.textOrNull(14),
                        at: Timestamp(microseconds: row.timestamp(15)))))
        case "adjust":
            let body = row.textOrNull(4).flatMap { try? JSONValue(parsing: $0) }
            var adjustment = LoopAdjustment(maxParallel: body?["maxParallel"]?.intValue.map { Int(clamping: $0) })
            if let tolerated = body?["tolerate"]?.stringValue {
                if tolerated.hasSuffix("%") {
                    adjustment.toleranceShare = Int(tolerated.dropLast()).map { Share(partsPerMillion: min($0, 100) * 10_000) }
                } else {
                    adjustment.tolerance = Int(tolerated)
                }
            }
            inputs.append(.adjust(path: path, adjustment))
        default: return
        }
    }

    // The timer is gone with this, whatever is decided.
    mutating func takeTimer(_ key: TimerKey) {
        change.removeTimer(key)
        inputs.append(.timer(path: key.path.isEmpty ? nil : StepPath(key.path), kind: key.kind))
    }

    // A timer that was due, and that something before it in this fold has set anew: it is for something else now, whose time has not come.
    func isSuperseded(_ input: Input) -> Bool {
        guard !isSuspended, case .timer(let path, let kind) = input else { return false }
        if case .set = change.timers[TimerKey(path: path?.text ?? "", kind: kind)] { return true }
        return false
    }

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

/// What a fold leaves behind when its transaction has committed.
struct FoldResult: Sendable {
    var report = FoldReport()
    var folds: [RunFold] = []
    // How often the coordinator had forgotten everything when the transaction began.
    let generation: Int

    init(generation: Int) { self.generation = generation }

    mutating func count(_ runs: [RunChange], _ changes: ChangeSet) {
        report.stepsSettled = changes.steps.count + changes.written
        report.ordersLeft =
            runs.count { $0.ending != nil && $0.relatives.isAwaited } + changes.refusedChildren.count + changes.childCancels.count
        report.waitsToMatch = changes.events.count + changes.emits.count + runs.count { !$0.waits.isEmpty }
        for run in runs {
            if let ending = run.ending { report.ended[ending.status, default: 0] += 1 }
            if run.starts, run.deadline != nil { report.timersSet += 1 }
            for change in run.timers.values { if case .set = change { report.timersSet += 1 } }
            for change in run.tasks.values {
                switch change {
                case .insert, .ready, .wake: report.tasksReady += 1
                case .wait, .delete, .nothing: continue
                }
            }
        }
    }

    // After the commit: what was decided is what this coordinator knows.
    consuming func finished(by store: RunStore) -> FoldReport {
        for index in folds.indices where folds[index].change.ending == nil {
            // In place: a copy of the frame would cost as much as the run is long.
            folds[index].frame.committed()
            // A new run's row has revision 0.
            store.frames.put(folds[index].change.id, revision: folds[index].revision + 1, folds[index].frame, generation: generation)
        }
        return report
    }
}
