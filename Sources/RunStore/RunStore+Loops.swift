// What the engine asks of loops: slices of their collections, their results, and what is live in one that is being cancelled.

import Engine
import Postgres
import WorkflowModel

extension RunStore {
    private static let someItems: SQL = """
        select t.run_id, t.path, t.slice, t.items
          from unnest($1, $2, $3) as g (run_id, path, slice)
               cross join lateral (
                 select * from skein.loop_slice k where k.run_id = g.run_id and k.path = g.path and k.slice = g.slice offset 0) as t
        """

    private static let someResults: SQL = """
        select g.run_id, g.path, r.output, r.ok, r.failed
          from unnest($1, $2) as g (run_id, path) cross join lateral skein.loop_results_v1(g.run_id, g.path) as r
        """

    // The keys in one order, each row under its lock: a claim that is under way finishes first, and none begins.
    private static let tasksUnder = tasksUnder(locking: "for update")
    // The same for whoever holds such locks already.
    private static let tasksUnderAtOnce = tasksUnder(locking: "for update nowait")

    private static func tasksUnder(locking: String) -> SQL {
        SQL(
            """
            select \(taskColumns), g.path
              from unnest($1, $2) as g (run_id, path)
                   cross join lateral (
                     select * from skein.task k
                      where k.run_id = g.run_id and k.path >= g.path || '[' and k.path < g.path || '\\' order by k.path offset 0 \(locking)) as t
            """)
    }
    private static let liveStepsUnder = SQL(
        """
        select \(liveStepColumns), g.path
          from unnest($1, $2) as g (run_id, path)
               cross join lateral (
                 select * from skein.live_step k
                  where k.run_id = g.run_id and k.path >= g.path || '[' and k.path < g.path || '\\' offset 0) as t
        """)

    func loadLoops(
        _ missing: [(Int, MissingFacts)], into folds: inout [RunFold], _ changes: inout ChangeSet, on db: isolated PostgresConnection
    ) throws(PostgresError) {
        var slices: [(Int, StepPath, Int)] = []
        var results: [(Int, StepPath)] = []
        var under: [(Int, StepPath)] = []
        for (index, facts) in missing {
            for (path, numbers) in facts.items.sorted(by: { $0.key < $1.key }) { slices += numbers.sorted().map { (index, path, $0) } }
            results += facts.results.sorted().map { (index, $0) }
            under += facts.liveUnder.sorted().map { (index, $0) }
        }
        guard !slices.isEmpty || !results.isEmpty || !under.isEmpty else { return }
        // What this transaction has decided but not written yet is read, too.
        var batch: [(SQL, [Parameter])] = []
        if !results.isEmpty {
            batch += changes.takeHistory()
            batch += changes.takeItems()
        }
        let written = batch.count
        if !slices.isEmpty {
            batch.append(
                (
                    Self.someItems,
                    [
                        .uuidArray(slices.map { folds[$0.0].change.id.pair }), .textArray(slices.map(\.1.text)),
                        .int32Array(slices.map { Int32(clamping: $0.2) }),
                    ]
                ))
        }
        if !results.isEmpty { batch.append((Self.someResults, Self.parameters(results, folds))) }
        if !under.isEmpty {
            batch.append((changes.holdsTasks ? Self.tasksUnderAtOnce : Self.tasksUnder, Self.parameters(under, folds)))
            changes.holdsTasks = true
            batch.append((Self.liveStepsUnder, Self.parameters(under, folds)))
        }
        var answers = try db.pipeline(batch).dropFirst(written)
        var positions: [RunID: Int] = [:]
        for (index, _) in missing { positions[folds[index].change.id] = index }
        if !slices.isEmpty {
            for row in answers.removeFirst() {
                guard let index = positions[RunID(row.uuid(0))] else { continue }
                let items = (try? JSONValue(parsing: row.text(3)))?.arrayValue ?? []
                folds[index].frame.add(items: items.map { JSONText($0) }, ofSlice: Int(row.int32(2)), at: StepPath(row.text(1)))
            }
        }
        if !results.isEmpty {
            for row in answers.removeFirst() {
                guard let index = positions[RunID(row.uuid(0))] else { continue }
                folds[index].frame.add(
                    results: LoopResults(
                        output: JSONText(trusted: row.text(2)), ok: JSONText(trusted: row.text(3)), failed: JSONText(trusted: row.text(4))),
                    of: StepPath(row.text(1)))
            }
        }
        if !under.isEmpty {
            var found: [Int: [StepPath: [(StepPath, StepFacts)]]] = [:]
            for (index, path) in under { found[index, default: [:]][path] = [] }
            for row in answers.removeFirst() {
                guard let index = positions[RunID(row.uuid(0))] else { continue }
                found[index]?[StepPath(row.text(8))]?.append((StepPath(row.text(1)), Self.task(row, isLocked: true)))
            }
            for row in answers.removeFirst() {
                guard let index = positions[RunID(row.uuid(0))] else { continue }
                found[index]?[StepPath(row.text(10))]?.append((StepPath(row.text(1)), try Self.liveStep(row, of: folds[index].change.version.program)))
            }
            for (index, loops) in found.sorted(by: { $0.key < $1.key }) {
                for (path, live) in loops.sorted(by: { $0.key < $1.key }) { folds[index].frame.add(live: live, under: path) }
            }
        }
    }
}

extension ChangeSet {
    // What writes the history so far. It is not written again.
    mutating func takeHistory() -> [(SQL, [Parameter])] {
        var statements: [(SQL, [Parameter])] = []
        appendHistory(to: &statements)
        written += steps.count
        steps.removeAll(keepingCapacity: true)
        attempts = []
        notes = []
        return statements
    }

    // The same for collections.
    fileprivate mutating func takeItems() -> [(SQL, [Parameter])] {
        var statements: [(SQL, [Parameter])] = []
        appendItems(to: &statements)
        items = []
        return statements
    }
}
