// The rows of history: settled steps, other attempts, what else happened.

import Engine
import Postgres
import WorkflowModel

extension ChangeSet {
    // What the attempt was given and what it left (log, status) is copied from its task's row: it never travels to the coordinator.
    private static let insertSteps: SQL = """
        insert into skein.step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at,
                                claimed_at, finished_at, input, output, collected, failure, details)
        select g.run_id, g.path, g.seq, g.namespace_id, g.step_index, g.status::skein.step_status, g.attempt, g.losses, g.session_id,
               g.fence, g.started_at, nullif(g.claimed_at, g.started_at), g.finished_at, nullif(t.input, '{}'), g.output, g.collected,
               g.failure, t.details
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
               as g (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at, claimed_at,
                     finished_at, output, failure, collected)
               left join lateral (
                 select k.input, k.details from skein.task k
                  where k.run_id = g.run_id and k.path = g.path and k.fence = g.fence offset 0) as t on true
        """

    private static let insertAttempts: SQL = """
        insert into skein.attempt (run_id, path, attempt, fence, seq, namespace_id, session_id, status, discarded, claimed_at,
                                   settled_at, output, failure, details)
        select g.run_id, g.path, g.attempt, g.fence, g.seq, g.namespace_id, g.session_id, g.status::skein.attempt_status, g.discarded,
               g.claimed_at, g.settled_at, g.output, g.failure, t.details
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               as g (run_id, path, attempt, fence, seq, namespace_id, session_id, status, discarded, claimed_at, settled_at, output,
                     failure)
               left join lateral (
                 select k.details from skein.task k
                  where k.run_id = g.run_id and k.path = g.path and k.fence = g.fence offset 0) as t on true
        """

    private static let insertNotes: SQL = """
        insert into skein.run_event (run_id, seq, namespace_id, kind, at, body, path)
        select * from unnest($1, $2, $3, $4, $5, $6, $7)
        """

    func appendHistory(to statements: inout [(SQL, [Parameter])]) {
        if !steps.isEmpty {
            statements.append(
                (
                    Self.insertSteps,
                    [
                        .uuidArray(steps.map(\.0.pair)),
                        .textArray(steps.map(\.2.path.text)),
                        .int32Array(steps.map { Int32(clamping: $0.2.sequence) }),
                        .int32Array(steps.map(\.1.namespaceID)),
                        .int32Array(steps.map { Int32(clamping: $0.2.node) }),
                        .textArray(steps.map(\.2.settled.status.rawValue)),
                        .int32Array(steps.map { Int32(clamping: $0.2.settled.attempts) }),
                        .int32Array(steps.map { Int32(clamping: $0.2.losses) }),
                        .int64Array(steps.map(\.2.attempt?.session.rawValue)),
                        .int64Array(steps.map(\.2.attempt?.fence.rawValue)),
                        .timestampArray(steps.map(\.2.settled.startedAt?.microseconds)),
                        .timestampArray(steps.map(\.2.attempt?.claimedAt.microseconds)),
                        .timestampArray(steps.map(\.2.settled.finishedAt.microseconds)),
                        .textArray(steps.map(\.2.settled.output?.text)),
                        .textArray(steps.map { $0.2.settled.failure?.json.compactText }),
                        .textArray(steps.map { $0.2.settled.collected?.stored }),
                    ]
                ))
        }
        if !attempts.isEmpty {
            statements.append(
                (
                    Self.insertAttempts,
                    [
                        .uuidArray(attempts.map(\.0.pair)),
                        .textArray(attempts.map(\.2.path.text)),
                        .int32Array(attempts.map { Int32(clamping: $0.2.outcome.task.attempt) }),
                        .int64Array(attempts.map(\.2.outcome.fence.rawValue)),
                        .int32Array(attempts.map { Int32(clamping: $0.2.sequence) }),
                        .int32Array(attempts.map(\.1.namespaceID)),
                        .int64Array(attempts.map(\.2.outcome.session.rawValue)),
                        .textArray(attempts.map(\.2.outcome.status.rawValue)),
                        .boolArray(attempts.map(\.2.discarded)),
                        .timestampArray(attempts.map(\.2.outcome.claimedAt.microseconds)),
                        .timestampArray(attempts.map(\.2.outcome.settledAt.microseconds)),
                        .textArray(attempts.map { $0.2.discarded ? $0.2.outcome.output?.text : nil }),
                        .textArray(attempts.map { $0.2.outcome.failure?.json.compactText }),
                    ]
                ))
        }
        if !notes.isEmpty {
            statements.append(
                (
                    Self.insertNotes,
                    [
                        .uuidArray(notes.map(\.0.pair)),
                        .int32Array(notes.map { Int32(clamping: $0.2.sequence) }),
                        .int32Array(notes.map(\.1.namespaceID)),
                        .textArray(notes.map(\.2.kind)),
                        .timestampArray(notes.map(\.2.at.microseconds)),
                        .textArray(notes.map { $0.2.body?.compactText }),
                        .textArray(notes.map { $0.2.path?.text }),
                    ]
                ))
        }
    }
}

extension CollectedOutput {
    // As `skein.collected_output_v1` reads it.
    var stored: String {
        let stored: JSONValue = ["count": .int(Int64(count)), "collect": .string(collect.rawValue)]
        return stored.compactText
    }
}
