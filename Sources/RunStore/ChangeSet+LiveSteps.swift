// The rows of live steps, timers and notices to workers.

import Engine
import OrderedCollections
import Postgres
import WorkflowModel

extension ChangeSet {
    private static let keepLiveSteps: SQL = """
        insert into skein.live_step (run_id, path, namespace_id, step_index, kind, started_at, unmet, met, unsettled, live,
                                     block_ending, facts)
        select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (run_id, path) do update
           set step_index = excluded.step_index, kind = excluded.kind, started_at = excluded.started_at, unmet = excluded.unmet,
               met = excluded.met, unsettled = excluded.unsettled, live = excluded.live, block_ending = excluded.block_ending,
               facts = excluded.facts
        """

    private static let dropLiveSteps: SQL = """
        delete from skein.live_step t
         using unnest($1, $2) as g (run_id, path)
               cross join lateral (select k.ctid as place from skein.live_step k where k.run_id = g.run_id and k.path = g.path offset 0) as k
         where t.ctid = k.place
        """

    func appendLiveSteps(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        var keeps: [(RunChange, StepPath, Int, StoredLiveStep)] = []
        var drops: [(RunID, StepPath)] = []
        for run in runs {
            for (path, change) in run.liveSteps {
                switch change {
                case .keep(let node, let facts): keeps.append((run, path, node, facts.stored))
                case .drop: drops.append((run.id, path))
                }
            }
        }
        if !drops.isEmpty {
            statements.append((Self.dropLiveSteps, [.uuidArray(drops.map(\.0.pair)), .textArray(drops.map(\.1.text))]))
        }
        guard !keeps.isEmpty else { return }
        statements.append(
            (
                Self.keepLiveSteps,
                [
                    .uuidArray(keeps.map(\.0.id.pair)), .textArray(keeps.map(\.1.text)), .int32Array(keeps.map(\.0.version.namespaceID)),
                    .int32Array(keeps.map { Int32(clamping: $0.2) }), .textArray(keeps.map(\.3.kind)),
                    .timestampArray(keeps.map { $0.3.startedAt?.microseconds }), .int32Array(keeps.map(\.3.unmet)),
                    .int32Array(keeps.map(\.3.met)), .int32Array(keeps.map(\.3.unsettled)), .int32Array(keeps.map(\.3.live)),
                    .textArray(keeps.map(\.3.ending)), .textArray(keeps.map(\.3.facts)),
                ]
            ))
    }

    // MARK: Timers and notices

    private static let setTimers: SQL = """
        insert into skein.timer (run_id, path, kind, namespace_id, due_at, is_absolute) select * from unnest($1, $2, $3, $4, $5, $6)
        on conflict (run_id, path, kind) do update set due_at = excluded.due_at, is_absolute = excluded.is_absolute
        """

    private static let removeTimers: SQL = """
        delete from skein.timer t
         using unnest($1, $2, $3) as g (run_id, path, kind)
               cross join lateral (select k.ctid as place from skein.timer k where k.run_id = g.run_id and k.path = g.path and k.kind = g.kind offset 0) as k
         where t.ctid = k.place
        """

    private static let removeAllTimers: SQL = "delete from skein.timer where run_id = any ($1)"

    func appendTimers(_ runs: [RunChange], to statements: inout [(SQL, [Parameter])]) {
        var sets: [(RunID, String, TimerKind, Int32, Timestamp, Bool)] = []
        var removes: [(RunID, String, TimerKind)] = []
        var ended: [RunID] = []
        for run in runs {
            if run.ending != nil {
                // A run that has had no timer needs no look.
                if !run.isNew, run.deadline != nil || run.version.program.setsTimers { ended.append(run.id) }
                continue
            }
            for (key, change) in run.timers {
                switch change {
                case .set(let dueAt, let isAbsolute): sets.append((run.id, key.path, key.kind, run.version.namespaceID, dueAt, isAbsolute))
                case .remove: if !run.isNew { removes.append((run.id, key.path, key.kind)) }
                }
            }
            if run.starts, let deadline = run.deadline {
                sets.append((run.id, "", .deadline, run.version.namespaceID, deadline, false))
            }
        }
        if !ended.isEmpty { statements.append((Self.removeAllTimers, [.uuidArray(ended.map(\.pair))])) }
        if !removes.isEmpty {
            statements.append(
                (
                    Self.removeTimers,
                    [.uuidArray(removes.map(\.0.pair)), .textArray(removes.map(\.1)), .textArray(removes.map(\.2.rawValue))]
                ))
        }
        if !sets.isEmpty {
            statements.append(
                (
                    Self.setTimers,
                    [
                        .uuidArray(sets.map(\.0.pair)), .textArray(sets.map(\.1)), .textArray(sets.map(\.2.rawValue)),
                        .int32Array(sets.map(\.3)), .timestampArray(sets.map(\.4.microseconds)), .boolArray(sets.map(\.5)),
                    ]
                ))
        }
    }

    // Only its owner settles a leased task; its worker learns from a notice that the attempt is no longer wanted, and the fold that comes
    // after from the row.
    private static let markUnwanted: SQL = """
        update skein.task t set is_unwanted = true
          from unnest($1, $2) as g (run_id, path)
         where t.run_id = g.run_id and t.path = g.path and t.state in ('leased', 'settled')
        """

    private static let insertNotices: SQL = """
        insert into skein.cancel_notice (session_id, run_id, path, fence, namespace_id)
        select t.session_id, t.run_id, t.path, t.fence, t.namespace_id
          from unnest($1, $2) as g (run_id, path)
               cross join lateral (
                 select * from skein.task k where k.run_id = g.run_id and k.path = g.path and k.state = 'leased' offset 0) as t
        on conflict do nothing
        """

    func appendNotices(to statements: inout [(SQL, [Parameter])]) {
        if !notices.isEmpty {
            let keys: [Parameter] = [.uuidArray(notices.map(\.0.pair)), .textArray(notices.map(\.1.text))]
            statements.append((Self.markUnwanted, keys))
            statements.append((Self.insertNotices, keys))
        }
        if !inboxIDs.isEmpty {
            statements.append(("delete from skein.inbox where inbox_id = any($1)", [.int64Array(inboxIDs)]))
        }
    }
}
