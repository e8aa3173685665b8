// Loads facts: for small runs all at once, for large ones those that the engine asks for.

import Engine
import Postgres
import WorkflowModel

extension RunStore {
    // Up to so many steps a definition's runs are loaded whole: one round trip instead of several small ones.
    private static let smallProgram = 64

    private static let stepColumns = "t.run_id, t.path, t.status::text, t.output, t.failure, t.attempt, t.started_at, t.finished_at"
    static let taskColumns = "t.run_id, t.path, t.state::text, t.attempt, t.losses, t.retry_state, t.step_started_at, t.is_unwanted"
    static let liveStepColumns =
        "t.run_id, t.path, t.kind, t.started_at, t.unmet, t.met, t.unsettled, t.live, t.block_ending, t.facts"

    private static let allSteps = SQL("select \(stepColumns) from skein.step t where t.run_id = any ($1)")
    private static let allTasks = SQL("select \(taskColumns) from skein.task t where t.run_id = any ($1)")
    private static let allLiveSteps = SQL("select \(liveStepColumns) from skein.live_step t where t.run_id = any ($1)")
    private static let inputs: SQL = "select run_id, input from skein.run where run_id = any ($1)"

    private static let someSteps = byKeys(stepColumns, of: "step")
    private static let someTasks = byKeys(taskColumns, of: "task")
    private static let someLiveSteps = byKeys(liveStepColumns, of: "live_step")
    // Under the rows' locks, in the order of the keys: a claim that is under way finishes first, and none begins.
    private static let lockedTasks = byKeys(taskColumns, of: "task", locking: "for update")
    // The same for whoever holds such locks already. Workers settle many tasks in one order, and this would come in another one: so nobody is waited
    // for, and the transaction begins again.
    private static let lockedTasksAtOnce = byKeys(taskColumns, of: "task", locking: "for update nowait")

    // The look-up depends on the key (`offset 0` keeps it so), so the keys always lead, whatever the planner believes of the table.
    private static func byKeys(_ columns: String, of table: String, locking: String = "") -> SQL {
        SQL(
            """
            select \(columns) from unnest($1, $2) as g (run_id, path)
                   cross join lateral (
                     select * from skein.\(table) k where k.run_id = g.run_id and k.path = g.path offset 0 \(locking)) as t
            """)
    }

    // A worker that has lost tasks may still come to settle them: in the order of their keys, holding those before the one that it waits for. What a
    // fold writes comes in another order, so these are locked in the workers' order first.
    func lockStrayed(
        _ keys: [(RunID, StepPath)], _ changes: inout ChangeSet, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        guard !keys.isEmpty else { return }
        let sorted = keys.sorted { $0 < $1 }
        _ = try db.query(
            changes.holdsTasks ? Self.lockedTasksAtOnce : Self.lockedTasks,
            [.uuidArray(sorted.map(\.0.pair)), .textArray(sorted.map(\.1.text))])
        changes.holdsTasks = true
    }

    func loadSmallRuns(_ folds: inout [RunFold], on db: isolated PostgresConnection) throws(PostgresError) {
        let indices = folds.indices.filter { index in
            let program = folds[index].change.version.program
            return !folds[index].isKnown && program.nodes.count <= Self.smallProgram && !program.isDynamic
        }
        guard !indices.isEmpty else { return }
        var positions: [RunID: Int] = [:]
        for index in indices { positions[folds[index].change.id] = index }
        let ids: [Parameter] = [.uuidArray(indices.map { folds[$0].change.id.pair })]
        let answers = try db.pipeline([(Self.allSteps, ids), (Self.allTasks, ids), (Self.allLiveSteps, ids), (Self.inputs, ids)])
        var facts: [RunID: [StepPath: StepFacts]] = [:]
        for row in answers[0] { facts[RunID(row.uuid(0)), default: [:]][StepPath(row.text(1))] = Self.settled(row) }
        for row in answers[1] { facts[RunID(row.uuid(0)), default: [:]][StepPath(row.text(1))] = Self.task(row, isLocked: false) }
        for row in answers[2] {
            let id = RunID(row.uuid(0))
            guard let index = positions[id] else { continue }
            facts[id, default: [:]][StepPath(row.text(1))] = try Self.liveStep(row, of: folds[index].change.version.program)
        }
        for row in answers[3] {
            let id = RunID(row.uuid(0))
            guard let index = positions[id] else { continue }
            var run = folds[index].frame.run
            run.input = try Self.checked(row.text(1), "The run's input")
            folds[index].frame = Frame(program: folds[index].frame.program, run: run, steps: facts[id] ?? [:], isComplete: true)
            folds[index].isKnown = true
        }
    }

    func load(
        _ missing: [(Int, MissingFacts)], into folds: inout [RunFold], _ changes: inout ChangeSet, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        var keys: [(Int, StepPath)] = []
        var locked: [(Int, StepPath)] = []
        var inputIndices: [Int] = []
        for (index, facts) in missing {
            keys += facts.steps.sorted().map { (index, $0) }
            locked += facts.lockedTasks.sorted().map { (index, $0) }
            if facts.input { inputIndices.append(index) }
        }
        var positions: [RunID: Int] = [:]
        for (index, _) in missing { positions[folds[index].change.id] = index }

        var batch: [(SQL, [Parameter])] = []
        let all = keys + locked
        if !all.isEmpty {
            let parameters = Self.parameters(all, folds)
            batch.append((Self.someSteps, parameters))
            batch.append((Self.someLiveSteps, parameters))
            batch.append((Self.someTasks, Self.parameters(keys, folds)))
            batch.append((changes.holdsTasks ? Self.lockedTasksAtOnce : Self.lockedTasks, Self.parameters(locked, folds)))
            if !locked.isEmpty { changes.holdsTasks = true }
        }
        if !inputIndices.isEmpty { batch.append((Self.inputs, [.uuidArray(inputIndices.map { folds[$0].change.id.pair })])) }
        if !batch.isEmpty {
            var answers = try db.pipeline(batch)[...]
            var found: [Int: [StepPath: StepFacts]] = [:]
            if !all.isEmpty {
                for (index, path) in all { found[index, default: [:]][path] = .notStarted }
                for row in answers.removeFirst() { Self.put(row, Self.settled(row), positions, &found) }
                for row in answers.removeFirst() {
                    guard let index = positions[RunID(row.uuid(0))] else { continue }
                    Self.put(row, try Self.liveStep(row, of: folds[index].change.version.program), positions, &found)
                }
                for row in answers.removeFirst() { Self.put(row, Self.task(row, isLocked: false), positions, &found) }
                for row in answers.removeFirst() { Self.put(row, Self.task(row, isLocked: true), positions, &found) }
            }
            for (index, facts) in found { folds[index].frame.add(facts.map { ($0.key, $0.value) }) }
            if !inputIndices.isEmpty {
                for row in answers.removeFirst() {
                    guard let index = positions[RunID(row.uuid(0))] else { continue }
                    folds[index].frame.add(input: try Self.checked(row.text(1), "The run's input"))
                }
            }
        }
        try loadLoops(missing, into: &folds, &changes, on: db)
    }

    static func parameters(_ keys: [(Int, StepPath)], _ folds: [RunFold]) -> [Parameter] {
        [.uuidArray(keys.map { folds[$0.0].change.id.pair }), .textArray(keys.map(\.1.text))]
    }

    private static func put(_ row: Row, _ facts: StepFacts, _ positions: [RunID: Int], _ found: inout [Int: [StepPath: StepFacts]]) {
        guard let index = positions[RunID(row.uuid(0))] else { return }
        found[index, default: [:]][StepPath(row.text(1))] = facts
    }

    // MARK: Rows

    // What was checked at the edge is JSON, unless somebody has edited the row.
    static func checked(_ text: String, _ name: String) throws(PostgresError) -> JSONText {
        do throws(JSONError) {
            return try JSONText(checking: text, limits: .unlimited)
        } catch {
            throw .unreadable("\(name) is no JSON: \(error).")
        }
    }

    private static func settled(_ row: Row) -> StepFacts {
        .settled(
            SettledFacts(
                status: StepStatus(rawValue: row.text(2)) ?? .failed, output: row.textOrNull(3).map { JSONText(trusted: $0) },
                failure: row.textOrNull(4).flatMap { try? JSONValue(parsing: $0) }.map { Failure(json: $0) },
                attempts: Int(row.int32(5)), startedAt: row.timestampOrNull(6).map { Timestamp(microseconds: $0) },
                finishedAt: Timestamp(microseconds: row.timestamp(7))))
    }

    static func task(_ row: Row, isLocked: Bool) -> StepFacts {
        var task = TaskFacts(
            attempt: Int(row.int32(3)), losses: Int(row.int32(4)),
            startedAt: row.timestampOrNull(6).map { Timestamp(microseconds: $0) }, isUnwanted: row.bool(7))
        task.readRetryState(row.textOrNull(5))
        switch row.text(2) {
        case "waiting": task.phase = .waiting
        case "settled": task.phase = .settled
        case "leased" where isLocked: task.phase = .leased
        case "ready" where isLocked: task.phase = .ready
        default: task.phase = .unknown
        }
        return .task(task)
    }

    // A kind that this release does not know was written by a newer one, and what cannot be true by somebody's hand: the run is set aside.
    static func liveStep(_ row: Row, of program: Program) throws(PostgresError) -> StepFacts {
        let stored = StoredLiveStep(
            kind: row.text(2), startedAt: row.timestampOrNull(3).map { Timestamp(microseconds: $0) }, unmet: row.int32(4), met: row.int32(5),
            unsettled: row.int32(6), live: row.int32(7), ending: row.textOrNull(8), facts: row.textOrNull(9))
        let path = StepPath(row.text(1))
        guard let facts = LiveStepFacts(stored: stored) else {
            throw .unreadable("The row of step \(path.text) cannot be read: kind \(stored.kind), facts \((stored.facts ?? "none").prefix(200)).")
        }
        if let contradiction = facts.contradiction(of: path, in: program) {
            throw .unreadable("The row of step \(path.text) cannot be true: \(contradiction).")
        }
        return .live(facts)
    }
}
