// The rows of live work: tasks, live steps, timers, notices to workers.

import Engine
import OrderedCollections
import Postgres
import WorkflowModel

extension ChangeSet {
    // A task that goes and a task that comes in the same run are one update: the row moves on.
    private static let moveTasks: SQL = """
        update skein.task t
           set path = g.path, queue_id = g.queue_id, priority = g.priority, state = 'ready', step_index = g.step_index, attempt = 1,
               losses = 0, is_unwanted = false, ready_at = clock_timestamp(), step_started_at = null, session_id = null, fence = null, claimed_at = null,
               settled_at = null, outcome = null, retry_state = null, input = g.input, output = null, failure = null, details = null
          from unnest($1, $2, $3, $4, $5, $6, $7) as g (run_id, old_path, path, queue_id, priority, step_index, input)
               cross join lateral (select k.ctid as place from skein.task k where k.run_id = g.run_id and k.path = g.old_path offset 0) as k
         where t.ctid = k.place
        """

    private static let insertTasks: SQL = """
        insert into skein.task (run_id, path, namespace_id, queue_id, priority, version_id, step_index, ready_at, input)
        select g.run_id, g.path, g.namespace_id, g.queue_id, g.priority, g.version_id, g.step_index, clock_timestamp(), g.input
          from unnest($1, $2, $3, $4, $5, $6, $7, $8)
               as g (run_id, path, namespace_id, queue_id, priority, version_id, step_index, input)
        """

    private static let insertPortion = 2000

    private static let reuseTasks: SQL = """
        update skein.task t
           set state = g.state::skein.task_state, attempt = g.attempt, losses = g.losses, step_started_at = g.started_at,
               retry_state = g.retry_state, is_unwanted = false, ready_at = clock_timestamp(), session_id = null, fence = null, claimed_at = null,
               settled_at = null, outcome = null, output = null, failure = null, details = null
          from unnest($1, $2, $3, $4, $5, $6, $7) as g (run_id, path, state, attempt, losses, started_at, retry_state)
               cross join lateral (select k.ctid as place from skein.task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
         where t.ctid = k.place
        """

    private static let wakeTasks: SQL = """
        update skein.task t set state = 'ready', ready_at = clock_timestamp()
          from unnest($1, $2) as g (run_id, path)
               cross join lateral (select k.ctid as place from skein.task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
         where t.ctid = k.place and t.state = 'waiting'
        """

    private static let deleteTasks: SQL = """
        delete from skein.task t
         using unnest($1, $2) as g (run_id, path)
               cross join lateral (select k.ctid as place from skein.task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
         where t.ctid = k.place
        """

    func appendTasks(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        var inserts = NewTasks()
        var moves = NewTasks()
        var moved: [String?] = []
        var reuses: [(RunID, StepPath, TaskFacts, String)] = []
        var wakes: [(RunID, StepPath)] = []
        var deletes: [(RunID, StepPath)] = refused
        for index in runs.indices where !runs[index].tasks.isEmpty {
            let id = runs[index].id
            var leaving: [StepPath] = []
            var coming: [(StepPath, Int, JSONText)] = []
            for (path, change) in runs[index].tasks {
                switch change {
                case .insert(let node, let input): coming.append((path, node, input))
                case .ready(let task): reuses.append((id, path, task, "ready"))
                case .wait(let task): reuses.append((id, path, task, "waiting"))
                case .wake: wakes.append((id, path))
                case .delete: leaving.append(path)
                case .nothing: continue
                }
            }
            let pairs = min(leaving.count, coming.count)
            for place in 0..<pairs {
                moved.append(leaving[place].text)
                moves.append(coming[place], of: runs[index])
            }
            for path in leaving[pairs...] { deletes.append((id, path)) }
            for task in coming[pairs...] { inserts.append(task, of: runs[index]) }
        }
        if !deletes.isEmpty {
            statements.append((Self.deleteTasks, [.uuidArray(deletes.map(\.0.pair)), .textArray(deletes.map(\.1.text))]))
        }
        if !moved.isEmpty {
            statements.append(
                (
                    Self.moveTasks,
                    [
                        .uuidArray(moves.runs), .textArray(moved), .textArray(moves.paths), .int32Array(moves.queues),
                        .int16Array(moves.priorities), .int32Array(moves.nodes), .textArray(moves.inputs),
                    ]
                ))
        }
        // In portions, so that the server inserts the first ones while the next are being written down for it.
        for start in stride(from: 0, to: inserts.runs.count, by: Self.insertPortion) {
            let portion = start..<min(start + Self.insertPortion, inserts.runs.count)
            statements.append(
                (
                    Self.insertTasks,
                    [
                        .uuidArray(Array(inserts.runs[portion])), .textArray(Array(inserts.paths[portion])),
                        .int32Array(Array(inserts.namespaces[portion])), .int32Array(Array(inserts.queues[portion])),
                        .int16Array(Array(inserts.priorities[portion])), .int64Array(Array(inserts.versions[portion])),
                        .int32Array(Array(inserts.nodes[portion])), .textArray(Array(inserts.inputs[portion])),
                    ]
                ))
        }
        if !reuses.isEmpty {
            statements.append(
                (
                    Self.reuseTasks,
                    [
                        .uuidArray(reuses.map(\.0.pair)), .textArray(reuses.map(\.1.text)), .textArray(reuses.map(\.3)),
                        .int32Array(reuses.map { Int32(clamping: $0.2.attempt) }),
                        .int32Array(reuses.map { Int32(clamping: $0.2.losses) }),
                        .timestampArray(reuses.map(\.2.startedAt?.microseconds)), .textArray(reuses.map { $0.2.retryStateText }),
                    ]
                ))
        }
        if !wakes.isEmpty {
            statements.append((Self.wakeTasks, [.uuidArray(wakes.map(\.0.pair)), .textArray(wakes.map(\.1.text))]))
        }
    }
}

/// Tasks that come, a column each.
private struct NewTasks {
    var runs: [UUIDPair?] = []
    var paths: [String?] = []
    var namespaces: [Int32?] = []
    var queues: [Int32?] = []
    var priorities: [Int16?] = []
    var versions: [Int64?] = []
    var nodes: [Int32?] = []
    var inputs: [String?] = []

    mutating func append(_ task: (path: StepPath, node: Int, input: JSONText), of run: borrowing RunChange) {
        runs.append(run.id.pair)
        paths.append(task.path.text)
        namespaces.append(run.version.namespaceID)
        queues.append(run.version.queueIDs[task.node])
        priorities.append(Int16(clamping: run.version.program.nodes[task.node].priority))
        versions.append(run.version.id.rawValue)
        nodes.append(Int32(clamping: task.node))
        inputs.append(task.input.text)
    }
}

extension TaskFacts {
    // Null until a retry policy has counted something.
    var retryStateText: String? {
        guard !retryCounts.isEmpty else { return nil }
        let state: JSONValue = ["counts": .array(retryCounts.map { .int(Int64($0)) }), "delaySeconds": .double(lastDelay.seconds)]
        return state.compactText
    }

    mutating func readRetryState(_ text: String?) {
        guard let text, let state = try? JSONValue(parsing: text) else { return }
        retryCounts = (state["counts"]?.arrayValue ?? []).map { Int(clamping: $0.intValue ?? 0) }
        lastDelay = Duration(seconds: state["delaySeconds"]?.doubleValue ?? 0)
    }
}
