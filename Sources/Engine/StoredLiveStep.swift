// A live step as its row: counters in columns, and what is seldom written in one small JSON text.

public import WorkflowModel

/// The columns of a live step's row. The store writes and reads them as they are.
public struct StoredLiveStep: Sendable, Hashable {
    /// What the step is: `pending block loop parallel switch catch machine sleep wait child`.
    public var kind: String
    /// When it began.
    public var startedAt: Timestamp?
    /// Needs that have not settled; of a join: parts that failed.
    public var unmet: Int32
    /// Needs that settled otherwise than skipped; of a join: parts that succeeded; of a machine: transitions.
    public var met: Int32
    /// Steps or branches that have not settled; of a loop: iterations that were made.
    public var unsettled: Int32
    /// Steps in it that have started and not settled.
    public var live: Int32
    /// Why it starts nothing more: JSON.
    public var ending: String?
    /// What else there is to know: a small JSON object.
    public var facts: String?

    /// A row.
    public init(
        kind: String, startedAt: Timestamp? = nil, unmet: Int32 = 0, met: Int32 = 0, unsettled: Int32 = 0, live: Int32 = 0,
        ending: String? = nil, facts: String? = nil
    ) {
        self.kind = kind
        self.startedAt = startedAt
        self.unmet = unmet
        self.met = met
        self.unsettled = unsettled
        self.live = live
        self.ending = ending
        self.facts = facts
    }
}

extension LiveStepFacts {
    /// The step as its row.
    public var stored: StoredLiveStep {
        switch self {
        case .pending(let pending):
            StoredLiveStep(kind: "pending", unmet: Int32(clamping: pending.unmet), met: Int32(clamping: pending.met))
        case .block(let block): Self.row("block", block)
        case .choice(let block): Self.row("switch", block)
        case .loop(let loop):
            StoredLiveStep(
                kind: "loop", startedAt: loop.startedAt, unmet: Int32(clamping: loop.failed), met: Int32(clamping: loop.succeeded),
                unsettled: Int32(clamping: loop.created), live: Int32(clamping: loop.live), ending: loop.ending?.json.compactText,
                facts: Self.facts(of: loop))
        case .parallel(let parallel):
            StoredLiveStep(
                kind: "parallel", startedAt: parallel.startedAt, unmet: Int32(clamping: parallel.failed),
                met: Int32(clamping: parallel.succeeded), unsettled: Int32(clamping: parallel.unsettled),
                live: Int32(clamping: parallel.live), ending: parallel.ending?.json.compactText,
                facts: parallel.failure.map { Self.text(of: $0) })
        case .caught(let caught):
            Self.row("catch", caught.block, facts: Self.facts(of: caught))
        case .machine(let machine): Self.row(machine)
        case .sleep(let sleep): StoredLiveStep(kind: "sleep", startedAt: sleep.startedAt)
        case .wait(let wait): StoredLiveStep(kind: "wait", startedAt: wait.startedAt)
        case .child(let child):
            StoredLiveStep(
                kind: "child", startedAt: child.task.startedAt, live: child.task.phase == .waiting ? 0 : 1,
                ending: child.ending?.json.compactText,
                facts: JSONValue.object(Self.facts(of: child.task)).compactText)
        }
    }

    /// Reads what `stored` wrote; nil for anything else.
    public init?(stored row: StoredLiveStep) {
        let ending = row.ending.flatMap { try? JSONValue(parsing: $0) }.flatMap { BlockEnding(json: $0) }
        let parsed = row.facts.flatMap { try? JSONValue(parsing: $0) }
        // What is there and cannot be read is not the same as nothing.
        guard (row.ending == nil) == (ending == nil), row.facts == nil || parsed?.objectValue != nil else { return nil }
        let facts = parsed ?? .null
        let block = BlockFacts(unsettled: Int(row.unsettled), live: Int(row.live), ending: ending, startedAt: row.startedAt)
        switch row.kind {
        case "pending": self = .pending(PendingFacts(unmet: Int(row.unmet), met: Int(row.met)))
        case "block": self = .block(block)
        case "switch": self = .choice(block)
        case "loop":
            let changed = facts["adjustment"]
            self = .loop(
                LoopFacts(
                    created: Int(row.unsettled), live: Int(row.live), succeeded: Int(row.met), failed: Int(row.unmet), ending: ending,
                    startedAt: row.startedAt, total: facts["total"]?.integer,
                    adjustment: changed.map {
                        LoopAdjustment(
                            maxParallel: $0["maxParallel"]?.integer, tolerance: $0["tolerance"]?.integer,
                            toleranceShare: $0["toleranceShare"]?.integer.map { Share(partsPerMillion: $0) })
                    }, failure: facts["failure"].map { Failure(json: $0) }, isPausing: facts["isPausing"]?.boolValue ?? false))
        case "parallel":
            self = .parallel(
                ParallelFacts(
                    unsettled: Int(row.unsettled), live: Int(row.live), succeeded: Int(row.met), failed: Int(row.unmet), ending: ending,
                    startedAt: row.startedAt, failure: facts["failure"].map { Failure(json: $0) }))
        case "catch":
            guard let failure = facts["failure"] else { return nil }
            self = .caught(
                CatchFacts(
                    failure: Failure(json: failure), isTimeout: facts["isTimeout"]?.boolValue ?? false,
                    attempts: facts["attempts"]?.integer ?? 0, losses: facts["losses"]?.integer ?? 0, block: block))
        case "machine":
            guard let state = facts["state"]?.integer, let visits = facts["visits"]?.arrayValue,
                let entered = facts["enteredAt"]?.intValue
            else { return nil }
            self = .machine(
                MachineFacts(
                    state: state, visits: visits.map { $0.integer ?? 0 }, enteredAt: Timestamp(microseconds: entered),
                    transitions: Int(row.met), isWaiting: facts["isWaiting"]?.boolValue ?? false,
                    nextTimeout: facts["nextTimeout"]?.integer ?? 0, block: block))
        case "sleep": self = .sleep(SleepFacts(startedAt: row.startedAt))
        case "wait": self = .wait(WaitFacts(startedAt: row.startedAt))
        case "child":
            let isWaiting = facts["isWaiting"]?.boolValue ?? false
            self = .child(
                ChildFacts(
                    task: TaskFacts(
                        attempt: facts["attempt"]?.integer ?? 1,
                        retryCounts: facts["retryCounts"]?.arrayValue?.map { $0.integer ?? 0 } ?? [],
                        lastDelay: Duration(seconds: facts["lastDelay"]?.doubleValue ?? 0), startedAt: row.startedAt,
                        phase: isWaiting ? .waiting : .leased), ending: ending))
        default: return nil
        }
    }

    private static func row(_ kind: String, _ block: BlockFacts, facts: JSONObject? = nil) -> StoredLiveStep {
        StoredLiveStep(
            kind: kind, startedAt: block.startedAt, unsettled: Int32(clamping: block.unsettled), live: Int32(clamping: block.live),
            ending: block.ending?.json.compactText, facts: facts.map { JSONValue.object($0).compactText })
    }

    private static func row(_ machine: MachineFacts) -> StoredLiveStep {
        var facts = JSONObject()
        facts["state"] = .int(Int64(machine.state))
        facts["visits"] = .array(machine.visits.map { .int(Int64($0)) })
        facts["enteredAt"] = .int(machine.enteredAt.microseconds)
        facts["isWaiting"] = .bool(machine.isWaiting)
        facts["nextTimeout"] = .int(Int64(machine.nextTimeout))
        var row = row("machine", machine.block, facts: facts)
        row.met = Int32(clamping: machine.transitions)
        return row
    }

    private static func text(of failure: Failure) -> String {
        var object = JSONObject()
        object["failure"] = failure.json
        return JSONValue.object(object).compactText
    }

    private static func facts(of caught: CatchFacts) -> JSONObject {
        var facts = JSONObject()
        facts["failure"] = caught.failure.json
        facts["isTimeout"] = .bool(caught.isTimeout)
        facts["attempts"] = .int(Int64(caught.attempts))
        facts["losses"] = .int(Int64(caught.losses))
        return facts
    }

    private static func facts(of task: TaskFacts) -> JSONObject {
        var facts = JSONObject()
        facts["attempt"] = .int(Int64(task.attempt))
        facts["retryCounts"] = .array(task.retryCounts.map { .int(Int64($0)) })
        facts["lastDelay"] = .double(task.lastDelay.seconds)
        facts["isWaiting"] = .bool(task.phase == .waiting)
        return facts
    }

    // Written with every iteration, so it is made without a tree where there is only a number in it.
    private static func facts(of loop: LoopFacts) -> String? {
        guard loop.adjustment != nil || loop.failure != nil || loop.isPausing else { return loop.total.map { "{\"total\":\($0)}" } }
        var object = JSONObject()
        if let total = loop.total { object["total"] = .int(Int64(total)) }
        if let failure = loop.failure { object["failure"] = failure.json }
        if loop.isPausing { object["isPausing"] = true }
        if let adjustment = loop.adjustment {
            var changed = JSONObject()
            if let maxParallel = adjustment.maxParallel { changed["maxParallel"] = .int(Int64(maxParallel)) }
            if let tolerance = adjustment.tolerance { changed["tolerance"] = .int(Int64(tolerance)) }
            if let share = adjustment.toleranceShare { changed["toleranceShare"] = .int(Int64(share.partsPerMillion)) }
            object["adjustment"] = .object(changed)
        }
        return JSONValue.object(object).compactText
    }
}

extension JSONValue {
    fileprivate var integer: Int? { intValue.map { Int(clamping: $0) } }
}
