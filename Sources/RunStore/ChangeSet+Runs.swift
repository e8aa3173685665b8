// The rows of runs: new ones, changed ones, and those that end and move to history.

import Engine
import Postgres
import WorkflowModel

extension RunChange {
    /// When the run's own time-out passes; nil when it has none.
    var deadline: Timestamp? {
        version.program.definition.timeout.map { facts.submittedAt + $0 }
    }
}

extension ChangeSet {
    private static let insertRuns: SQL = """
        insert into skein.run (run_id, namespace_id, version_id, history_length, unsettled, live, block_ending, submitted_at, deadline_at,
                               trigger, labels, input)
        select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """

    private static let updateRuns: SQL = """
        update skein.run r
           set revision = r.revision + 1, history_length = g.history_length, unsettled = g.unsettled, live = g.live,
               block_ending = g.block_ending, started_at = g.started_at
          from unnest($1, $2, $3, $4, $5, $6) as g (run_id, history_length, unsettled, live, block_ending, started_at)
               cross join lateral (select k.ctid as place from skein.run k where k.run_id = g.run_id offset 0) as k
         where r.ctid = k.place
        """

    private static let endRuns: SQL = """
        with gone as (
          delete from skein.run r
           using unnest($1, $2, $3, $4, $5, $6, $7)
                 as g (run_id, status, history_length, started_at, ended_at, output, failure)
                 cross join lateral (select k.ctid as place from skein.run k where k.run_id = g.run_id offset 0) as k
           where r.ctid = k.place
          returning r.run_id, r.namespace_id, r.version_id, g.status, r.revision, g.history_length, r.submitted_at, g.started_at,
                    g.ended_at, r.trigger, r.cancel_reason, r.labels, r.input, g.output, g.failure)
        insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, started_at,
                                     ended_at, trigger, cancel_reason, labels, input, output, failure)
        select run_id, namespace_id, version_id, status::skein.ending, revision + 1, history_length, submitted_at, started_at, ended_at,
               trigger, cancel_reason, labels, input, output, failure
          from gone
        """

    func appendRunInserts(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        let new = runs.filter(\.isNew)
        guard !new.isEmpty else { return }
        statements.append(
            (
                Self.insertRuns,
                [
                    .uuidArray(new.map(\.id.pair)), .int32Array(new.map(\.version.namespaceID)),
                    .int64Array(new.map(\.version.id.rawValue)), .int32Array(new.map { Int32(clamping: $0.facts.historyLength) }),
                    .int32Array(new.map { Int32(clamping: $0.facts.root?.unsettled ?? 0) }),
                    .int32Array(new.map { Int32(clamping: $0.facts.root?.live ?? 0) }),
                    .textArray(new.map { $0.facts.root?.ending?.json.compactText }),
                    .timestampArray(new.map(\.facts.submittedAt.microseconds)), .timestampArray(new.map { $0.deadline?.microseconds }),
                    .textArray(new.map(\.facts.trigger)), .textArray(new.map { $0.facts.labels?.text }),
                    .textArray(new.map { $0.facts.input?.text ?? "null" }),
                ]
            ))
    }

    func appendRunUpdates(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        let changed = runs.filter { !$0.isNew && $0.ending == nil }
        if !changed.isEmpty {
            statements.append(
                (
                    Self.updateRuns,
                    [
                        .uuidArray(changed.map(\.id.pair)), .int32Array(changed.map { Int32(clamping: $0.facts.historyLength) }),
                        .int32Array(changed.map { Int32(clamping: $0.facts.root?.unsettled ?? 0) }),
                        .int32Array(changed.map { Int32(clamping: $0.facts.root?.live ?? 0) }),
                        .textArray(changed.map { $0.facts.root?.ending?.json.compactText }),
                        .timestampArray(changed.map { $0.facts.startedAt?.microseconds }),
                    ]
                ))
        }
        let ended = runs.compactMap { run in run.ending.map { (run, $0) } }
        guard !ended.isEmpty else { return }
        statements.append(
            (
                Self.endRuns,
                [
                    .uuidArray(ended.map(\.0.id.pair)), .textArray(ended.map(\.1.status.rawValue)),
                    .int32Array(ended.map { Int32(clamping: $0.0.facts.historyLength) }),
                    .timestampArray(ended.map { $0.0.facts.startedAt?.microseconds }),
                    .timestampArray(ended.map(\.1.at.microseconds)), .textArray(ended.map { $0.1.output?.text }),
                    .textArray(ended.map { $0.1.failure?.json.compactText }),
                ]
            ))
    }
}
