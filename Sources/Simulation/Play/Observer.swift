// The promises, looked at from outside: what a commit has touched after that commit, and everything at the end. The names are those of
// PROMISES, and of sql/checks.

import Engine
import WorkflowModel

/// Sees every commit, and says which promise it breaks.
final class Observer {
    let tables: Tables
    var report: (String, String) -> Void = { _, _ in }
    /// Is told what happens to events.
    var note: (@autoclosure () -> String) -> Void = { _ in }
    var now: () -> Timestamp = { .distantPast }

    // What this commit has touched.
    private var touched: Set<RunID> = []
    private var gone: [(before: TaskRow, run: RunID)] = []
    private var hasSettled = false
    // The highest fence that was granted for a step: ever, and in the history that is left after failovers.
    private var highestEver: [StepKey: Fence] = [:]
    private var highest: [StepKey: Fence] = [:]
    private var granted: Set<Fence> = []
    // Leases whose workers are told that they are no longer wanted.
    private var told: Set<Fence> = []
    // Leases whose settlement is committed.
    private var settled: Set<Fence> = []
    private(set) var recorded: Set<Fence> = []
    // How many rows the history of a run has.
    private var history: [RunID: Int] = [:]
    private var numbers: [RunID: Set<Int>] = [:]
    // What clients were told.
    private(set) var accepted: [String: RunID] = [:]
    private(set) var kept: [Fence: Settlement] = [:]
    private var keys: [StepKey: String] = [:]
    private var registered: Set<SessionID> = []
    // What waits to be claimed or folded: since which commit, and since when.
    var waiting: [StepKey: (commit: Int, at: Timestamp)] = [:]
    /// How many commits were looked at.
    private(set) var commits = 0

    init(_ tables: Tables) {
        self.tables = tables
        tables.tasks.changed = { [unowned self] in taskChanged($0, $1) }
        tables.steps.changed = { [unowned self] in stepChanged($0, $1) }
        tables.attempts.changed = { [unowned self] in attemptChanged($0, $1) }
        tables.runEvents.changed = { [unowned self] in eventChanged($0, $1) }
        tables.endedRuns.changed = { [unowned self] in endingChanged($0, $1) }
        tables.runs.changed = { [unowned self] in runChanged($0, $1) }
        tables.liveSteps.changed = { [unowned self] in touch($0?.run ?? $1?.run) }
        tables.timers.changed = { [unowned self] in timerChanged($0, $1) }
        tables.inbox.changed = { [unowned self] in touch($0?.run ?? $1?.run) }
        tables.waits.changed = { [unowned self] in touch($0?.run ?? $1?.run) }
        tables.matches.changed = { [unowned self] before, after in if let run = before?.run ?? after?.run { touch(run) } }
        tables.sessions.changed = { [unowned self] in sessionChanged($0, $1) }
        tables.notices.changed = { [unowned self] before, after in if before == nil, let after { told.insert(after.key.fence) } }
        tables.events.changed = { [unowned self] in incomingChanged($0, $1) }
        tables.lowWater.changed = { [unowned self] in markChanged($1) }
        tables.database.committed = { [unowned self] _ in committed() }
    }

    private func touch(_ run: RunID?) { if let run { touched.insert(run) } }

    /// The runs that have not ended.
    var liveRuns: [RunID] { tables.runs.committedRows.map(\.id) }

    // MARK: What people and agents have seen

    func wasAccepted(_ key: String, _ run: RunID) {
        if let first = accepted[key], first != run { report("I3", "\(key) gave \(first), and then \(run)") }
        accepted[key] = run
    }

    func wasKept(_ settlement: Settlement) {
        if !settled.contains(settlement.fence) {
            report("I6", "\(settlement.key.path): a result under \(settlement.fence) was kept, and the task was not held under it")
        }
        kept[settlement.fence] = settlement
    }

    func wasRegistered(_ session: SessionID) {
        if !registered.insert(session).inserted { report("I34", "the number \(session) is given to a second worker: they keep each other's leases") }
    }

    func wasCalled(_ step: StepKey, _ key: String) {
        if let first = keys.updateValue(key, forKey: step), first != key { report("I8", "\(step.path) is called under \(first), and under \(key)") }
    }

    // MARK: Rows

    private func taskChanged(_ before: TaskRow?, _ after: TaskRow?) {
        touch(before?.run ?? after?.run)
        noteWaiting(before, after)
        if let before, before.state == .leased, after?.state != .leased || after?.fence != before.fence || after?.path != before.path {
            leaseEnded(before, after)
        }
        guard let after, after.state == .leased, let fence = after.fence, before?.fence != fence else { return }
        // A claim.
        let key = after.key
        if let last = highestEver[key], fence <= last { report("I5", "\(key.path) is granted \(fence) after \(last)") }
        if !granted.insert(fence).inserted { report("I5", "\(fence) is granted twice") }
        highestEver[key] = fence
        highest[key] = fence
        if before?.held == true { report("I10", "\(key.path) is claimed, and was held") }
        guard let run = tables.runs.committedRow(after.run) else { return report("I9", "\(key.path) of a run that is not live is claimed") }
        if run.pausedAt != nil { report("I10", "\(key.path) starts while its run is paused") }
        if run.cancelRequestedAt != nil { report("I11", "\(key.path) starts after the cancel of its run") }
        if let session = after.session, let died = tables.sessions.committedRow(session)?.deadAt, let at = after.claimedAt,
            at - died > Self.slack
        {
            report("I6", "\(key.path) is claimed by session \(session), which is dead")
        }
        checkNeeds(key, after.node, after.version, fence)
    }

    // A claim that is under way while its session is declared dead is nobody's fault: it is reaped like the others.
    private static let slack: Duration = .seconds(1)

    private func leaseEnded(_ before: TaskRow, _ after: TaskRow?) {
        guard let after, after.state == .settled, after.fence == before.fence, after.session == before.session else {
            return report("I6", "the lease \(String(describing: before.fence)) of \(before.path) ends without an outcome")
        }
        if let fence = after.fence { settled.insert(fence) }
        // Nobody loses a lease that is kept alive: only a session that was declared dead.
        if after.outcome == .lost, let session = after.session, tables.sessions.committedRow(session)?.deadAt == nil {
            report("I36", "\(after.path) is lost, and session \(session) is alive")
        }
    }

    // I7
    private func checkNeeds(_ key: StepKey, _ index: Int, _ version: VersionID, _ fence: Fence) {
        let program = tables.version(version).program
        for need in program.nodes[index].needs {
            let sibling = key.path.sibling(program.nodes[need].id)
            guard let row = tables.steps.committedRow(StepKey(run: key.run, path: sibling)) else {
                report("I7", "\(key.path) starts before \(sibling) has settled")
                continue
            }
            if let earlier = row.record.attempt?.fence, earlier > fence { report("I7", "\(key.path) starts under \(fence), its need ran under \(earlier)") }
        }
    }

    private func numbered(_ run: RunID, _ number: Int) {
        touch(run)
        history[run, default: 0] += 1
        if !numbers[run, default: []].insert(number).inserted { report("I28", "number \(number) is twice in the history of \(run)") }
    }

    private func stepChanged(_ before: StepRow?, _ after: StepRow?) {
        guard before == nil, let after else { return report("I4", "the result of \(before?.record.path.text ?? "") changes") }
        numbered(after.run, after.record.sequence)
        guard let attempt = after.record.attempt else { return }
        if highest[after.key] != attempt.fence {
            report("I5", "\(after.record.path) settles under \(attempt.fence), the last lease is \(String(describing: highest[after.key]))")
        }
        record(attempt.fence, of: after.record.path)
        if told.contains(attempt.fence), after.record.settled.status == .succeeded {
            report("I11", "\(after.record.path) succeeds by an attempt that was no longer wanted")
        }
        if let claim = kept[attempt.fence], claim.status != .succeeded, after.record.settled.status == .succeeded,
            after.record.settled.failure == nil
        {
            report("I6", "\(after.record.path) succeeds, and its worker said \(claim.status)")
        }
    }

    private func record(_ fence: Fence, of path: StepPath) {
        if !recorded.insert(fence).inserted { report("I12", "the attempt \(fence) of \(path) is recorded twice") }
        if !settled.contains(fence) { report("I6", "the attempt \(fence) of \(path) is recorded, and has not settled") }
    }

    private func attemptChanged(_ before: AttemptRow?, _ after: AttemptRow?) {
        guard before == nil, let after else { return report("I12", "an attempt of \(before?.record.path.text ?? "") changes") }
        numbered(after.run, after.record.sequence)
        let outcome = after.record.outcome
        record(outcome.fence, of: after.record.path)
        // What its own worker gives back is what it has not reported.
        if outcome.status == .released, let said = kept[outcome.fence]?.status, said != .released {
            report("I12", "\(after.record.path) was reported as \(said) under \(outcome.fence), and is given back")
        }
    }

    private func eventChanged(_ before: RunEventRow?, _ after: RunEventRow?) {
        guard before == nil, let after else { return report("I28", "the history changes") }
        numbered(after.run, after.sequence)
    }

    private func endingChanged(_ before: EndedRunRow?, _ after: EndedRunRow?) {
        guard before == nil, let after else { return report("I2", "an ending changes") }
        touch(after.id)
    }

    private func runChanged(_ before: RunRow?, _ after: RunRow?) {
        touch(before?.id ?? after?.id)
        if let after, before == nil, tables.endedRuns.committedRow(after.id) != nil { report("I2", "\(after.id) is live again") }
        if let before, after == nil { touch(before.relatives.parent) }
        if after?.quarantine != nil { report("quarantine", "\(String(describing: after?.id)) is set aside") }
    }

    private func timerChanged(_ before: TimerRow?, _ after: TimerRow?) {
        touch(before?.run ?? after?.run)
        // I18: it goes with what it was for, or when it is due.
        guard let before, after == nil, before.dueAt > now(), before.kind == .backoff || before.kind == .sleep else { return }
        early.append(before)
    }

    private var early: [TimerRow] = []

    private func incomingChanged(_ before: EventRow?, _ after: EventRow?) {
        touch(after?.run)
        if let after {
            note("event \(after.id) \(after.name) is \(after.state)\(after.takenPath.map { " \($0)" } ?? "")\(after.takenBy.map { " of \($0)" } ?? "")")
        }
        guard let before, let after else { return }
        switch (before.state, after.state) {
        case (.consumed, _), (.refused, _), (.dropped, _), (.expired, _):
            report("I19", "event \(before.id) was \(before.state), and is \(after.state)")
        case (.buffered, _), (.offered, _): break
        }
        touch(before.takenBy)
        touch(after.takenBy)
    }

    private func sessionChanged(_ before: SessionRow?, _ after: SessionRow?) {
        if let before, before.deadAt != nil, after?.deadAt == nil { report("I36", "session \(before.id) was dead, and is not any more") }
    }

    /// A coordinator has looked at the leases on the present timeline.
    func leasesWereLookedAt() {
        let timeline = tables.database.timeline
        for session in tables.sessions.committedRows where session.deadAt == nil && session.timeline < timeline {
            report("I34", "session \(session.id) is of timeline \(session.timeline), and alive on \(timeline)")
        }
    }

    // MARK: Commits

    private func committed() {
        guard !touched.isEmpty else { return }
        commits += 1
        let runs = touched.sorted()
        touched = []
        for timer in early { checkEarly(timer) }
        early = []
        for run in runs { check(run) }
    }

    private func checkEarly(_ timer: TimerRow) {
        guard let run = tables.runs.committedRow(timer.run), run.cancelRequestedAt == nil else { return }
        switch timer.kind {
        case .backoff:
            if let task = tables.tasks.committedRow(StepKey(run: timer.run, path: timer.path)), task.state == .ready {
                report("I18", "\(timer.path) is tried again before its time")
            }
        case .sleep:
            if let step = tables.steps.committedRow(StepKey(run: timer.run, path: timer.path)), step.record.settled.status == .succeeded,
                // One that has run out of time has succeeded by its handler, which has steps below it.
                !tables.steps.committedRows(of: timer.run).contains(where: { $0.record.path.text.hasPrefix(timer.path.text + "/") })
            {
                report("I18", "\(timer.path) wakes up before its time")
            }
        case .deadline, .timeout, .totalTimeout, .every, .joinDeadline, .after, .awaitTimeout: break
        }
    }

    /// All promises about a run that its rows show.
    func check(_ id: RunID) {
        let tasks = tables.tasks.committedRows(of: id)
        let live = tables.liveSteps.committedRows(of: id)
        let timers = tables.timers.committedRows(of: id)
        let waits = tables.waits.committedRows(of: id)
        let ended = tables.endedRuns.committedRow(id)
        guard let run = tables.runs.committedRow(id) else {
            for path in tasks.map(\.path) + live.map(\.path) + timers.map(\.path) + waits.map(\.path) {
                report("I9", "\(path) is left of \(id), which is not live")
            }
            if let ended { checkHistory(id, ended.historyLength, isEnded: true) }
            return
        }
        if ended != nil { report("I2", "\(id) has ended and is live") }
        for path in tasks.map(\.path) + live.map(\.path) where tables.steps.committedRow(StepKey(run: id, path: path)) != nil {
            report("I4", "\(path) has settled and is live")
        }
        checkHistory(id, run.historyLength, isEnded: false)
        check(run, tasks, live, timers, waits)
    }

    private func checkHistory(_ run: RunID, _ length: Int, isEnded: Bool) {
        // The submission has a number and no row, and so has the ending.
        let rows = length - (isEnded ? 2 : 1)
        if history[run, default: 0] != rows { report("I28", "the history of \(run) has \(history[run, default: 0]) rows and counts \(rows)") }
        if let highest = numbers[run]?.max(), highest > length { report("I28", "the history of \(run) ends with \(highest) and counts \(length)") }
    }

    private func check(_ run: RunRow, _ tasks: [TaskRow], _ live: [LiveStepRow], _ timers: [TimerRow], _ waits: [WaitRow]) {
        if let root = run.root, run.isBegun {
            let counted = tasks.count { $0.path.isTopLevel } + live.count { $0.path.isTopLevel && !$0.facts.isPending }
            if root.live != counted { report("I29", "\(run.id) counts \(root.live) live steps and has \(counted)") }
        }
        for task in tasks {
            if task.losses > EngineDefaults.lossLimit { report("I15", "\(task.path) has lost \(task.losses) workers") }
            let hasTimer = timers.contains { $0.path == task.path && $0.kind == .backoff }
            if (task.state == .waiting) != hasTimer { report("I18", "\(task.path) is \(task.state), and has \(hasTimer ? "a" : "no") timer") }
            guard task.state == .ready, !task.held else { continue }
            if run.pausedAt != nil { report("I10", "\(task.path) of a paused run could be claimed") }
            if run.cancelRequestedAt != nil { report("I11", "\(task.path) of a cancelled run could be claimed") }
        }
        if run.pausedAt != nil {
            for order in tables.inbox.committedRows(of: run.id) where !order.held {
                if case .event(let path, _) = order.kind { report("I10", "\(path) of a paused run could be given an event") }
            }
        }
        if run.pausedAt != nil, let timer = timers.first(where: { !$0.held }) {
            report("I10", "the timer \(timer.kind) of \(timer.path) goes on while its run is paused")
        }
        for timer in timers where timer.kind != .deadline && timer.kind != .backoff {
            if !live.contains(where: { $0.path == timer.path }), !tasks.contains(where: { $0.path == timer.path }) {
                report("I18", "the timer \(timer.kind) of \(timer.path) has nothing to wake")
            }
        }
        checkMoves(run, tasks, timers, waits)
        for wait in waits { checkOverlooked(wait) }
    }

    // I35: something will move it.
    private func checkMoves(_ run: RunRow, _ tasks: [TaskRow], _ timers: [TimerRow], _ waits: [WaitRow]) {
        guard run.pausedAt == nil, run.quarantine == nil else { return }
        let orders = tables.inbox.committedRows(of: run.id)
        let moves = tasks.contains { task in
            switch task.state {
            case .ready: !task.held
            case .leased: true
            case .settled: !task.held
            case .waiting: timers.contains { $0.path == task.path && $0.kind == .backoff && !$0.held }
            }
        }
        if moves || orders.contains(where: { !$0.held }) || timers.contains(where: { $0.kind != .deadline && !$0.held }) || !waits.isEmpty { return }
        if tables.runs.committedRows.contains(where: { $0.relatives.parent == run.id && $0.relatives.isAwaited }) { return }
        report("I35", "\(run.id) is stuck: nothing will move it")
    }

    // MARK: Failover

    /// The last commits are gone: what was learned from them is, too. After a failover that is the loss window; a crash loses nothing that
    /// anybody relies on.
    func reload(isFailover: Bool) {
        touched = []
        early = []
        highest = [:]
        settled = []
        recorded = []
        history = [:]
        numbers = [:]
        if isFailover { kept = [:] }
        waiting = [:]
        told = Set(tables.notices.committedRows.map(\.key.fence))
        func count(_ run: RunID, _ number: Int) {
            history[run, default: 0] += 1
            numbers[run, default: []].insert(number)
        }
        for row in tables.steps.committedRows {
            count(row.run, row.record.sequence)
            if let fence = row.record.attempt?.fence { note(row.key, fence, isRecorded: true) }
        }
        for row in tables.attempts.committedRows {
            count(row.run, row.record.sequence)
            note(StepKey(run: row.run, path: row.record.path), row.record.outcome.fence, isRecorded: true)
        }
        for row in tables.runEvents.committedRows { count(row.run, row.sequence) }
        for row in tables.tasks.committedRows {
            if row.waits { waiting[row.key] = (tables.database.commits, now()) }
            guard let fence = row.fence else { continue }
            note(row.key, fence, isRecorded: false)
            if row.state == .settled { settled.insert(fence) }
        }
        if isFailover { accepted = accepted.filter { tables.runs.committedRow($0.value) != nil || tables.endedRuns.committedRow($0.value) != nil } }
    }

    private func note(_ step: StepKey, _ fence: Fence, isRecorded: Bool) {
        highest[step] = max(highest[step] ?? fence, fence)
        guard isRecorded else { return }
        recorded.insert(fence)
        settled.insert(fence)
    }
}

extension LiveStepFacts {
    var isPending: Bool { if case .pending = self { true } else { false } }
}
