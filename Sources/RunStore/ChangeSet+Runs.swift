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

    // The same with what a run is below, or comes after.
    private static let insertRelatedRuns: SQL = """
        insert into skein.run (run_id, namespace_id, version_id, history_length, unsettled, live, block_ending, submitted_at, deadline_at,
                               trigger, labels, input, parent_run_id, parent_path, parent_attempt, is_awaited, follows_parent,
                               source_run_id, root_run_id, depth, lineage, callees)
        select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        """

    private static let updateRuns: SQL = """
        update skein.run r
           set revision = r.revision + 1, is_begun = true, history_length = g.history_length, unsettled = g.unsettled, live = g.live,
               block_ending = g.block_ending, started_at = g.started_at
          from unnest($1, $2, $3, $4, $5, $6) as g (run_id, history_length, unsettled, live, block_ending, started_at)
               cross join lateral (select k.ctid as place from skein.run k where k.run_id = g.run_id offset 0) as k
         where r.ctid = k.place
        """

    // A step that waits for the run is told through its run's inbox: the parent is not locked for it.
    private static let endRuns: SQL = """
        with gone as (
          delete from skein.run r
           using unnest($1, $2, $3, $4, $5, $6, $7, $8)
                 as g (run_id, status, history_length, started_at, ended_at, output, failure, output_from)
                 cross join lateral (select k.ctid as place from skein.run k where k.run_id = g.run_id offset 0) as k
           where r.ctid = k.place
          returning r.run_id, r.namespace_id, r.version_id, g.status, r.revision, g.history_length, r.submitted_at, g.started_at,
                    g.ended_at, r.trigger, r.parent_run_id, r.parent_path, r.parent_attempt, r.is_awaited, r.source_run_id,
                    r.root_run_id, r.depth, r.cancel_reason, r.labels, r.input, g.output, g.failure, g.output_from),
        told as (
          insert into skein.inbox (run_id, namespace_id, kind, path, child_run_id)
          select parent_run_id, namespace_id, 'child', parent_path, run_id from gone where is_awaited)
        insert into skein.ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, started_at,
                                     ended_at, trigger, parent_run_id, parent_path, parent_attempt, source_run_id, root_run_id, depth,
                                     cancel_reason, labels, input, output, failure)
        select run_id, namespace_id, version_id, status::skein.ending, revision + 1, history_length, submitted_at, started_at, ended_at,
               trigger, parent_run_id, parent_path, parent_attempt, source_run_id, root_run_id, depth, cancel_reason, labels, input,
               case when output_from is null then output
                    else (select coalesce(skein.collected_output_v1(s.run_id, s.path, s.collected), s.output) from skein.step s
                           where s.run_id = gone.run_id and s.path = gone.output_from collate "C") end,
               failure
          from gone
        """

    func appendRunInserts(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        let plain = runs.filter { $0.isNew && $0.relatives.isNone }
        if !plain.isEmpty { statements.append((Self.insertRuns, Self.columns(of: plain))) }
        let related = runs.filter { $0.isNew && !$0.relatives.isNone }
        guard !related.isEmpty else { return }
        statements.append(
            (
                Self.insertRelatedRuns,
                Self.columns(of: related) + [
                    .uuidArray(related.map { $0.relatives.parent?.pair }), .textArray(related.map { $0.relatives.parentPath?.text }),
                    .int32Array(related.map { $0.relatives.parent == nil ? nil : Int32(clamping: $0.relatives.parentAttempt) }),
                    .boolArray(related.map(\.relatives.isAwaited)), .boolArray(related.map(\.relatives.followsParent)),
                    .uuidArray(related.map { $0.relatives.source?.pair }), .uuidArray(related.map { $0.relatives.root?.pair }),
                    .int32Array(related.map { Int32(clamping: $0.facts.depth) }), .textArray(related.map(\.facts.storedLineage)),
                    .textArray(related.map(\.relatives.callees)),
                ]
            ))
    }

    private static func columns(of new: [RunChange]) -> [Parameter] {
        [
            .uuidArray(new.map(\.id.pair)), .int32Array(new.map(\.version.namespaceID)), .int64Array(new.map(\.version.id.rawValue)),
            .int32Array(new.map { Int32(clamping: $0.facts.historyLength) }),
            .int32Array(new.map { Int32(clamping: $0.facts.root?.unsettled ?? 0) }),
            .int32Array(new.map { Int32(clamping: $0.facts.root?.live ?? 0) }),
            .textArray(new.map { $0.facts.root?.ending?.json.compactText }), .timestampArray(new.map(\.facts.submittedAt.microseconds)),
            .timestampArray(new.map { $0.deadline?.microseconds }), .textArray(new.map(\.facts.trigger)),
            .textArray(new.map { $0.facts.labels?.text }), .textArray(new.map { $0.facts.input?.text ?? "null" }),
        ]
    }

    // Signals that came and were never taken.
    private static let expireSignals: SQL = """
        update skein.event
           set state = 'expired', decided_at = clock_timestamp(), reason = 'the run ended before anybody took it', taken_by = null,
               taken_path = null
         where run_id = any ($1) and state in ('buffered', 'offered')
        """

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
        let listeners = ended.filter { $0.0.version.takesEvents }
        if !listeners.isEmpty { statements.append((Self.expireSignals, [.uuidArray(listeners.map(\.0.id.pair))])) }
        statements.append(
            (
                Self.endRuns,
                [
                    .uuidArray(ended.map(\.0.id.pair)), .textArray(ended.map(\.1.status.rawValue)),
                    .int32Array(ended.map { Int32(clamping: $0.0.facts.historyLength) }),
                    .timestampArray(ended.map { $0.0.facts.startedAt?.microseconds }),
                    .timestampArray(ended.map(\.1.at.microseconds)), .textArray(ended.map { $0.1.output?.text }),
                    .textArray(ended.map { $0.1.failure?.json.compactText }), .textArray(ended.map { $0.1.outputFrom?.text }),
                ]
            ))
    }
}

extension RunFacts {
    // As the tables keep it; nil for a run that nothing is above.
    var storedLineage: String? { lineage.isEmpty ? nil : JSONValue.array(lineage.map { .string($0) }).compactText }
}
